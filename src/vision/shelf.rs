//! Models from outside that an administrator put to work by a command: copies with their cards in the
//! store's folder, `models/shelf/<task>/<id>/card.toml` and network, and a file `live` for each task that
//! names those that were at work, the present one last.
//!
//! What always holds: what is on the shelf has run once, apart and under limits; a model is whole on disk
//! before `live` names it; the configuration goes before the shelf, and the shelf before the networks
//! inside the program. Those that can be gone back to are kept, [`KEPT`] in all.

use super::admission;
use super::card::{self, Card, Task};
use super::network::{self, FILE_LIMIT};
use super::settings::VisionSettings;
use sha2::{Digest, Sha256};
use std::fs::{self, File};
use std::io::{ErrorKind, Write};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

/// Models of one task that stay for going back, the one at work included.
const KEPT: usize = 5;
/// Digits of a hash that name a model.
const DIGITS: usize = 16;
/// Name of a card on the shelf.
const CARD: &str = "card.toml";
/// All tasks, in the order of their work.
pub const TASKS: [Task; 3] = [Task::Detect, Task::Refine, Task::Embed];

/// Why a model is not on the shelf. Nothing was changed.
#[derive(Debug, thiserror::Error)]
pub enum ShelfError {
    /// It is not a model that runs here.
    #[error("{model} is refused: {cause}. Nothing was changed")]
    Refused {
        /// Which.
        model: String,
        /// Why.
        cause: String,
    },
    /// The disk.
    #[error("cannot {doing} {}: {cause}; the models at work stay as they are", file.display())]
    Io {
        /// What was being done.
        doing: &'static str,
        /// To what.
        file: PathBuf,
        /// Why not.
        cause: std::io::Error,
    },
}

/// A model on the shelf.
#[derive(Debug, Clone)]
pub struct Shelved {
    /// Its name on the shelf.
    pub id: String,
    /// Its card.
    pub card: Card,
    /// The card's path.
    pub path: PathBuf,
    /// When it was put there.
    pub added: Option<SystemTime>,
}

/// The shelf of one store.
#[derive(Debug, Clone)]
pub struct Shelf {
    folder: PathBuf,
}

fn io(doing: &'static str, file: &Path) -> impl FnOnce(std::io::Error) -> ShelfError {
    move |cause| ShelfError::Io { doing, file: file.to_owned(), cause }
}

impl Shelf {
    /// Of the store whose data is in this folder.
    pub fn of_store(store: &Path) -> Shelf {
        Shelf { folder: store.join("models").join("shelf") }
    }

    fn of(&self, task: Task) -> PathBuf {
        self.folder.join(task.to_string())
    }

    /// Those that were at work for a task, the present one last; names that are none are left out.
    fn history(&self, task: Task) -> Vec<String> {
        let text = fs::read_to_string(self.of(task).join("live")).unwrap_or_default();
        text.lines().filter(|line| is_id(line)).map(str::to_owned).collect()
    }

    /// The card of the model that the shelf has at work for a task.
    pub fn live(&self, task: Task) -> Option<PathBuf> {
        Some(self.of(task).join(self.history(task).pop()?).join(CARD))
    }

    /// The settings with the shelf's models where the configuration names none. Beside a detector from
    /// outside the refiner inside the program is not used, as the settings say.
    pub fn fill(&self, settings: &VisionSettings) -> VisionSettings {
        let mut filled = settings.clone();
        let VisionSettings { detector, refiner, embedder, .. } = &mut filled;
        for (task, card) in [(Task::Detect, detector), (Task::Refine, refiner), (Task::Embed, embedder)] {
            *card = card.take().or_else(|| self.live(task));
        }
        filled
    }

    /// All models of a task, as they were put there.
    pub fn list(&self, task: Task) -> Vec<Shelved> {
        let entries = fs::read_dir(self.of(task)).into_iter().flatten().flatten();
        let mut all: Vec<Shelved> = entries
            .filter_map(|entry| {
                let id = entry.file_name().into_string().ok().filter(|id| is_id(id))?;
                let path = entry.path().join(CARD);
                let card = network::read_card(&network::read_limited(&path, card::CARD_LIMIT).ok()?).ok()?;
                let added = entry.metadata().ok().and_then(|meta| meta.modified().ok());
                Some(Shelved { id, card, path, added })
            })
            .collect();
        all.sort_by(|a, b| a.added.cmp(&b.added).then(a.id.cmp(&b.id)));
        all
    }

    /// Copies a model and its card here, has the copy tried apart, and keeps it. It is not at work yet.
    pub fn put(&self, candidate: &Path) -> Result<Shelved, ShelfError> {
        let named = |cause: String| ShelfError::Refused { model: candidate.display().to_string(), cause };
        let text = network::read_limited(candidate, card::CARD_LIMIT).map_err(|e| named(e.to_string()))?;
        let card = network::read_card(&text).map_err(|e| named(e.to_string()))?;
        let weights = network::read_limited(&candidate.with_file_name(&card.file), FILE_LIMIT)
            .map_err(|e| named(e.to_string()))?;
        if card.file == CARD {
            return Err(named(format!("its network must not be called {CARD}")));
        }
        let mut id: String = Sha256::new()
            .chain_update(&text)
            .chain_update(&weights)
            .finalize()
            .iter()
            .map(|b| format!("{b:02x}"))
            .collect();
        id.truncate(DIGITS);
        let (to, part) = (self.of(card.task).join(&id), self.of(card.task).join(format!("{id}.part")));
        let _ = fs::remove_dir_all(&part);
        fs::create_dir_all(&part).map_err(io("make", &part))?;
        let kept = write(&part.join(&card.file), &weights)
            .and_then(|()| write(&part.join(CARD), &text))
            .and_then(|()| {
                admission::try_apart(&part.join(CARD), card.task)
                    .map_err(|cause| ShelfError::Refused { model: card.id(), cause })
            })
            .and_then(|()| flush(&part))
            .and_then(|()| {
                let _ = fs::remove_dir_all(&to);
                fs::rename(&part, &to).map_err(io("name", &to))
            });
        if kept.is_err() {
            let _ = fs::remove_dir_all(&part);
        }
        kept?;
        flush(&self.of(card.task))?;
        Ok(Shelved { id, card, path: to.join(CARD), added: None })
    }

    /// Puts a model of the shelf to work, from the next start or reload on.
    pub fn make_live(&self, model: &Shelved) -> Result<(), ShelfError> {
        let mut history = self.history(model.card.task);
        history.retain(|before| *before != model.id);
        history.push(model.id.clone());
        history.drain(..history.len().saturating_sub(KEPT));
        self.keep(model.card.task, &history)
    }

    /// Puts the model before the present one back to work: its card, or `None` for the one inside the
    /// program. The outer `None`: there is none of the shelf at work, and nothing changed.
    pub fn roll_back(&self, task: Task) -> Result<Option<Option<Card>>, ShelfError> {
        let mut history = self.history(task);
        if history.pop().is_none() {
            return Ok(None);
        }
        let all = self.list(task);
        while history.last().is_some_and(|id| !all.iter().any(|model| model.id == *id)) {
            history.pop();
        }
        self.keep(task, &history)?;
        Ok(Some(history.last().and_then(|id| all.into_iter().find(|model| model.id == *id)).map(|m| m.card)))
    }

    fn keep(&self, task: Task, history: &[String]) -> Result<(), ShelfError> {
        let (live, part) = (self.of(task).join("live"), self.of(task).join("live.part"));
        let text: String = history.iter().map(|id| format!("{id}\n")).collect();
        write(&part, text.as_bytes())?;
        fs::rename(&part, &live).map_err(io("name", &live))?;
        flush(&self.of(task))?;
        for entry in fs::read_dir(self.of(task)).into_iter().flatten().flatten() {
            let name = entry.file_name().to_string_lossy().into_owned();
            let id = name.split('.').next().unwrap_or_default();
            if is_id(id) && !history.iter().any(|kept| kept == id) {
                // What stays lying costs room, nothing else.
                let _ = fs::remove_dir_all(entry.path());
            }
        }
        Ok(())
    }
}

fn is_id(text: &str) -> bool {
    text.len() == DIGITS && text.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b))
}

fn write(file: &Path, bytes: &[u8]) -> Result<(), ShelfError> {
    let written = File::create(file).and_then(|mut out| out.write_all(bytes).and_then(|()| out.sync_all()));
    written.map_err(io("write", file))
}

fn flush(folder: &Path) -> Result<(), ShelfError> {
    match File::open(folder).and_then(|f| f.sync_all()) {
        Err(e) if e.kind() != ErrorKind::NotFound => Err(io("flush", folder)(e)),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A shelf on which lie models that nobody has run.
    fn shelf(ids: &[&str]) -> (tempfile::TempDir, Shelf) {
        let store = tempfile::tempdir().unwrap();
        let shelf = Shelf::of_store(store.path());
        for id in ids {
            let folder = shelf.of(Task::Embed).join(id);
            fs::create_dir_all(&folder).unwrap();
            let card = Path::new(env!("CARGO_MANIFEST_DIR")).join("models/embedder.toml");
            fs::copy(card, folder.join(CARD)).unwrap();
        }
        (store, shelf)
    }

    fn named(shelf: &Shelf, id: &str) -> Shelved {
        shelf.list(Task::Embed).into_iter().find(|model| model.id == id).unwrap()
    }

    const A: &str = "aaaaaaaaaaaaaaaa";
    const B: &str = "bbbbbbbbbbbbbbbb";

    #[test]
    fn the_configuration_goes_first_then_the_shelf_then_the_program() {
        let (_store, shelf) = shelf(&[A]);
        assert_eq!(shelf.fill(&VisionSettings::default()), VisionSettings::default());
        shelf.make_live(&named(&shelf, A)).unwrap();
        let filled = shelf.fill(&VisionSettings::default());
        assert_eq!(filled.embedder, Some(shelf.of(Task::Embed).join(A).join(CARD)));
        let own = VisionSettings { embedder: Some("/own.toml".into()), ..VisionSettings::default() };
        assert_eq!(shelf.fill(&own), own);
    }

    #[test]
    fn going_back_ends_at_the_network_inside_the_program() {
        let (_store, shelf) = shelf(&[A, B]);
        shelf.keep(Task::Embed, &[A.into(), B.into()]).unwrap();
        assert!(shelf.roll_back(Task::Embed).unwrap().unwrap().is_some());
        assert_eq!(shelf.live(Task::Embed), Some(shelf.of(Task::Embed).join(A).join(CARD)));
        assert_eq!(shelf.list(Task::Embed).len(), 1, "what nothing goes back to is removed");
        assert_eq!(shelf.roll_back(Task::Embed).unwrap(), Some(None));
        assert_eq!(shelf.live(Task::Embed), None);
        assert_eq!(shelf.roll_back(Task::Embed).unwrap(), None);
        assert_eq!(shelf.roll_back(Task::Detect).unwrap(), None);
    }

    #[test]
    fn a_damaged_list_leads_nowhere_else() {
        let (_store, shelf) = shelf(&[A]);
        for text in ["../../x\n", "", "\0\n", "aaaa\n"] {
            fs::write(shelf.of(Task::Embed).join("live"), text).unwrap();
            assert_eq!(shelf.live(Task::Embed), None, "{text:?}");
        }
    }

    #[test]
    fn what_is_no_model_is_refused_and_leaves_nothing() {
        let (store, shelf) = shelf(&[]);
        let card = store.path().join("card-of-mine.toml");
        assert!(shelf.put(&card).unwrap_err().to_string().contains("cannot read"));
        fs::write(&card, "name = 1").unwrap();
        assert!(shelf.put(&card).unwrap_err().to_string().contains("not valid"));
        assert!(!shelf.folder.exists());
    }
}
