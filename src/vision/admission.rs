//! Admission: how a model from outside comes in. A file that only looks like a network can end the
//! process that runs it (an allocation that fails, a stack that overflows) or never come back, and
//! nothing inside that process can prevent it. So a candidate is first opened and run once by a
//! child process with a limit on memory and time; what that child is ended by becomes a refusal in
//! words.
//!
//! What always holds: a model from outside is loaded only from the copy of it that was tried; what
//! passed last is kept as last good, and takes the place of one that is refused; where there is none
//! it is the network inside the program.

use super::card::{self, Task};
use super::network::{self, Network};
use super::settings::VisionSettings;
use super::shelf::Shelf;
use rlimit::Resource;
use std::io::Read;
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

/// The subcommand by which this program tries a model.
pub const SUBCOMMAND: &str = "try-model";
/// Address space of the child, in bytes.
const MEMORY: u64 = 1536 * 1024 * 1024;
/// Time that the child gets, on the clock and of the processor.
const PATIENCE: Duration = Duration::from_secs(20);
/// Name of a kept card.
const CARD: &str = "card.toml";
/// Most that is read of a child's words, in bytes.
const WORDS: u64 = 4096;

/// A model that was refused, and what is used instead.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[error("{model}: {cause}")]
pub struct Refused {
    /// What it was for.
    pub task: Task,
    /// Name and version, if its card can be read, and the card's path.
    pub model: String,
    /// What is wrong with it.
    pub cause: String,
    /// What is used instead.
    pub instead: String,
}

impl Refused {
    /// What to do about it.
    pub fn remedy(&self) -> String {
        format!("put the right file and card in place and reload; until then {} is used", self.instead)
    }
}

/// Which models to load.
#[derive(Debug, Clone, PartialEq)]
pub struct Admitted {
    /// The settings with the cards that passed.
    pub settings: VisionSettings,
    /// Those that did not.
    pub refused: Vec<Refused>,
}

/// Where models from outside are tried and kept.
#[derive(Debug, Clone)]
pub struct Admission {
    folder: PathBuf,
    shelf: Shelf,
}

impl Admission {
    /// Keeps last good models in `models/last-good` of the store's folder.
    pub fn new(store: &Path) -> Admission {
        Admission { folder: store.join("models").join("last-good"), shelf: Shelf::of_store(store) }
    }

    /// Tries every model that the settings name, or else the shelf; gives the settings with what may be
    /// loaded.
    pub fn admit(&self, settings: &VisionSettings) -> Admitted {
        let mut admitted = Admitted { settings: self.shelf.fill(settings), refused: Vec::new() };
        let VisionSettings { detector, refiner, embedder, .. } = &mut admitted.settings;
        let cards = [(Task::Detect, detector), (Task::Refine, refiner), (Task::Embed, embedder)];
        for (task, card) in cards {
            let Some(candidate) = card.take() else { continue };
            match self.take_in(&candidate, task) {
                Ok(kept) => *card = Some(kept),
                Err((model, cause)) => {
                    let last = self.last_good(task);
                    let instead = match &last {
                        Some((id, _)) => format!("the last good model {id}"),
                        None => "the model inside the program".to_owned(),
                    };
                    *card = last.map(|(_, path)| path);
                    admitted.refused.push(Refused { task, model, cause, instead });
                }
            }
        }
        admitted
    }

    /// Copies a candidate, tries the copy and keeps it; its card's path. Otherwise the model and
    /// why it was refused.
    fn take_in(&self, candidate: &Path, task: Task) -> Result<PathBuf, (String, String)> {
        let path = candidate.display().to_string();
        let read = || {
            let text = network::read_limited(candidate, card::CARD_LIMIT)?;
            let card = network::read_card(&text)?;
            let bytes = network::read_limited(&candidate.with_file_name(&card.file), network::FILE_LIMIT)?;
            Ok::<_, network::Problem>((text, card, bytes))
        };
        let (text, card, bytes) = read().map_err(|problem| (path.clone(), problem.to_string()))?;
        let refused = |cause: String| (format!("{} ({path})", card.id()), cause);
        let kept = self.folder.join(task.to_string());
        let holds = |name: &str, content: &[u8]| std::fs::read(kept.join(name)).is_ok_and(|b| b == content);
        if holds(CARD, &text) && holds(&card.file, &bytes) {
            return try_apart(&kept.join(CARD), task).map(|()| kept.join(CARD)).map_err(refused);
        }
        let copy = self.folder.join(format!("{task}.{}", std::process::id()));
        let tried = write_copy(&copy, &[(card.file.as_str(), &bytes), (CARD, &text)])
            .map_err(|e| format!("it cannot be copied to {}: {e}", copy.display()))
            .and_then(|()| try_apart(&copy.join(CARD), task))
            .and_then(|()| {
                let _ = std::fs::remove_dir_all(&kept);
                std::fs::rename(&copy, &kept)
                    .map_err(|e| format!("it cannot be kept in {}: {e}", kept.display()))
            });
        if tried.is_err() {
            let _ = std::fs::remove_dir_all(&copy);
        }
        tried.map(|()| kept.join(CARD)).map_err(refused)
    }

    /// Name and card of the last good model, if it still passes.
    fn last_good(&self, task: Task) -> Option<(String, PathBuf)> {
        let path = self.folder.join(task.to_string()).join(CARD);
        let card = network::read_card(&network::read_limited(&path, card::CARD_LIMIT).ok()?).ok()?;
        match try_apart(&path, task) {
            Ok(()) => Some((card.id(), path)),
            Err(cause) => {
                tracing::error!(
                    id = "model-refused",
                    model = card.id(),
                    cause,
                    "the last good model is good no more"
                );
                None
            }
        }
    }
}

fn write_copy(folder: &Path, files: &[(&str, &[u8])]) -> std::io::Result<()> {
    let _ = std::fs::remove_dir_all(folder);
    std::fs::create_dir_all(folder)?;
    files.iter().try_for_each(|(name, bytes)| std::fs::write(folder.join(name), bytes))
}

/// Opens and runs a model here, under limits that stay for the rest of this process: for a process
/// of which nothing else is expected. Gives the model's name and version, or why it is refused.
pub fn try_here(path: &Path, task: Task) -> Result<String, String> {
    // Should memory run out all the same, this process is to go and not the appliance.
    let _ = std::fs::write("/proc/self/oom_score_adj", "1000");
    let limits = [(Resource::AS, MEMORY), (Resource::CPU, PATIENCE.as_secs()), (Resource::CORE, 0)];
    for (resource, limit) in limits {
        let set = resource.get_hard().and_then(|hard| resource.set(limit.min(hard), limit.min(hard)));
        set.map_err(|e| format!("the limits for trying it cannot be set: {e}"))?;
    }
    match Network::open_shapes(Some(path), None, task) {
        Ok(opened) => Ok(opened.first().map(|(card, _)| card.id()).unwrap_or_default()),
        Err(error) => Err(error.problem.to_string()),
    }
}

/// Has a child process try a model; why it is refused.
pub fn try_apart(path: &Path, task: Task) -> Result<(), String> {
    let mut child = Command::new("/proc/self/exe")
        .args([SUBCOMMAND, "--task", &task.to_string(), "--"])
        .arg(path)
        .env("RUST_BACKTRACE", "0")
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .map_err(|e| format!("the process to try it in cannot be started: {e}"))?;
    let status = ended(&mut child)?;
    let refusal = words(child.stdout.take());
    match status {
        Some(status) if status.success() => Ok(()),
        Some(status) if status.signal().is_none() && !refusal.is_empty() => Err(refusal),
        Some(status) => {
            let last = words(child.stderr.take()).lines().last().unwrap_or_default().to_owned();
            Err(format!("the process that tried it did not live ({status}: {last})"))
        }
        None => Err(format!("one run of it takes longer than {} s", PATIENCE.as_secs())),
    }
}

/// Waits for a child's end; `None` if it had to be killed.
fn ended(child: &mut Child) -> Result<Option<ExitStatus>, String> {
    let begin = Instant::now();
    let waits = |e: std::io::Error| format!("the process that tries it is lost: {e}");
    loop {
        if let Some(status) = child.try_wait().map_err(waits)? {
            // The limit on the processor's time ends it by a signal of its own.
            let late = status.signal().is_some() && begin.elapsed() >= PATIENCE;
            return Ok(Some(status).filter(|_| !late));
        }
        if begin.elapsed() > PATIENCE {
            let _ = child.kill();
            child.wait().map_err(waits)?;
            return Ok(None);
        }
        std::thread::sleep(Duration::from_millis(5));
    }
}

fn words(pipe: Option<impl Read>) -> String {
    let mut bytes = Vec::new();
    if let Some(pipe) = pipe {
        // What cannot be read is not said.
        let _ = pipe.take(WORDS).read_to_end(&mut bytes);
    }
    String::from_utf8_lossy(&bytes).trim().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn without_cards_nothing_is_tried_and_nothing_made() {
        let store = tempfile::tempdir().unwrap();
        let settings = VisionSettings::default();
        let admitted = Admission::new(store.path()).admit(&settings);
        assert_eq!(admitted, Admitted { settings, refused: Vec::new() });
        assert!(!store.path().join("models").exists());
    }

    #[test]
    fn a_card_that_cannot_be_read_is_refused_with_its_path_and_what_is_used_instead() {
        let store = tempfile::tempdir().unwrap();
        let embedder = Some(PathBuf::from("/nowhere/card.toml"));
        let settings = VisionSettings { embedder, ..VisionSettings::default() };
        let admitted = Admission::new(store.path()).admit(&settings);
        assert_eq!(admitted.settings, VisionSettings::default());
        let [refused] = &admitted.refused[..] else { panic!("{admitted:?}") };
        assert!(refused.to_string().contains("/nowhere/card.toml: cannot read"), "{refused}");
        assert!(refused.remedy().contains("the model inside the program is used"));
    }
}
