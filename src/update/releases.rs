//! Releases on disk, below `/usr/local/lib/shopguide`:
//!
//! ```text
//! releases/0.2.0/    shopguide, config.toml, models/, manifest.json
//! current            link to the release at work; absent while the package's program is
//! previous           link to the folder of the program before it
//! trial.json         there while a release has not passed its health check
//! ```
//!
//! `/usr/local/bin/shopguide` leads to `current/shopguide` and goes before `/usr/bin/shopguide`, for people
//! and for systemd alike; where `current` is absent it leads nowhere and is passed over. The drop-in
//! `conf.d/50-release.toml` leads to `current/config.toml`. So moving `current`, one rename, changes
//! program, models and configuration at once.

use super::UpdateError;
use super::bundle::Bundle;
use super::manifest::{CONFIG, MODELS, Manifest, PROGRAM};
use super::version::Version;
use crate::ops::settings::drop_ins;
use crate::vision::card::{Card, Task};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use std::fs::{self, File, Permissions};
use std::io::{ErrorKind, Write};
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};

/// Name of the drop-in that leads to the release's configuration.
pub const DROP_IN: &str = "50-release.toml";
const TRIAL: &str = "trial.json";
const MANIFEST: &str = "manifest.json";

/// The folder of releases.
#[derive(Debug, Clone)]
pub struct Releases {
    folder: PathBuf,
    link: PathBuf,
}

/// A release on trial: what it is held against, and what to go back to.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Trial {
    /// The release.
    pub release: Version,
    /// The one before it; `None` for the package's program.
    pub before: Option<Version>,
    /// The key that signed it.
    pub signer: String,
    /// Since when.
    pub began: Timestamp,
    /// The configuration of the service.
    pub config: PathBuf,
    /// What `doctor` called failed before it.
    pub failed_before: Vec<String>,
    /// The data's folder, its schema before it, and the backup from then; `None` where there was no data.
    pub data: Option<Data>,
    /// Set once it was decided to go back, so that a power failure does not change that.
    pub rolling_back: Option<String>,
}

/// The store's data before an update.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Data {
    /// Where it lies.
    pub folder: PathBuf,
    /// Its schema.
    pub schema: i64,
    /// The backup.
    pub backup: PathBuf,
}

impl Releases {
    /// Those of this machine, or of the one whose root is elsewhere.
    pub fn below(root: &Path) -> Releases {
        let local = root.join("usr/local");
        Releases { folder: local.join("lib/shopguide"), link: local.join("bin/shopguide") }
    }

    /// The folder of all this.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// The folder of one release.
    pub fn of(&self, version: Version) -> PathBuf {
        self.folder.join("releases").join(version.to_string())
    }

    /// The program of a release, or of the package.
    pub fn program(&self, release: Option<Version>) -> PathBuf {
        match release {
            Some(version) => self.of(version).join(PROGRAM),
            None => self.folder.join("previous").join(PROGRAM),
        }
    }

    /// The release at work; `None` while it is the package's program.
    pub fn current(&self) -> Option<Version> {
        self.led_to("current")
    }

    /// The release before it; `None` if that was the package's program, or there is none.
    pub fn previous(&self) -> Option<Version> {
        self.led_to("previous")
    }

    fn led_to(&self, link: &str) -> Option<Version> {
        let target = fs::read_link(self.folder.join(link)).ok()?;
        let version: Version = target.file_name()?.to_str()?.parse().ok()?;
        (target == Path::new("releases").join(version.to_string())).then_some(version)
    }

    /// All that are there, lowest first.
    pub fn all(&self) -> Vec<Version> {
        let entries = fs::read_dir(self.folder.join("releases")).into_iter().flatten().flatten();
        let mut all: Vec<Version> = entries.filter_map(|e| e.file_name().to_str()?.parse().ok()).collect();
        all.sort();
        all
    }

    /// The manifest of one.
    pub fn manifest(&self, version: Version) -> Option<Manifest> {
        serde_json::from_slice(&fs::read(self.of(version).join(MANIFEST)).ok()?).ok()
    }

    /// Unpacks a bundle beside the others, complete and on disk when this returns. Where it holds no
    /// program, `present` is copied. Nothing is at work that was not before.
    pub fn install(&self, bundle: &mut Bundle, present: &Path) -> Result<(), UpdateError> {
        let version = bundle.manifest().release;
        let to = self.of(version);
        let part = self.folder.join("releases").join(format!("{version}.part"));
        let _ = fs::remove_dir_all(&part);
        make_folder(&part)?;
        for folder in [&self.folder, &self.folder.join("releases")] {
            open_to_all(folder, 0o755)?;
        }
        let filled = self.fill(bundle, &part, &to, present);
        let named = filled.and_then(|()| {
            if to.exists() {
                fs::remove_dir_all(&to).map_err(UpdateError::io("remove an earlier try of", &to))?;
            }
            fs::rename(&part, &to).map_err(UpdateError::io("name", &to))?;
            flush(&self.folder.join("releases"))
        });
        if named.is_err() {
            let _ = fs::remove_dir_all(&part);
        }
        named
    }

    fn fill(&self, bundle: &mut Bundle, part: &Path, to: &Path, present: &Path) -> Result<(), UpdateError> {
        bundle.unpack(part)?;
        let program = part.join(PROGRAM);
        if !program.exists() {
            fs::copy(present, &program).map_err(UpdateError::io("copy the program to", &program))?;
            open_to_all(&program, 0o755)?;
            flush(&program)?;
        }
        let config = configuration(part, to, bundle.manifest())?;
        write(&part.join(CONFIG), config.as_bytes())?;
        let manifest = serde_json::to_vec_pretty(bundle.manifest())
            .map_err(|e| UpdateError::io("write", &part.join(MANIFEST))(e.into()))?;
        write(&part.join(MANIFEST), &manifest)?;
        for folder in [part.join(MODELS), part.to_owned()].iter().filter(|folder| folder.is_dir()) {
            open_to_all(folder, 0o755)?;
            flush(folder)?;
        }
        open_to_all(&part.join(CONFIG), 0o644)
    }

    /// The cards of a release's models.
    pub fn models(&self, version: Version) -> Result<Vec<(Task, PathBuf)>, UpdateError> {
        models(&self.of(version), &self.of(version))
    }

    /// Removes one that is neither at work nor the one before.
    pub fn remove(&self, version: Version) {
        if self.current() != Some(version) && self.previous() != Some(version) {
            // What stays lying costs room, nothing else.
            let _ = fs::remove_dir_all(self.of(version));
        }
    }

    /// Removes all but the one at work and the one before.
    pub fn tidy(&self) {
        self.all().into_iter().for_each(|version| self.remove(version));
    }

    /// Makes the two links through which the world finds the release at work, if they are not there yet.
    pub fn lead_here(&self, config: &Path) -> Result<(), UpdateError> {
        let program = self.folder.join("current").join(PROGRAM);
        let drop_in = drop_in(config);
        for (link, target) in [(&self.link, program), (&drop_in, self.folder.join("current").join(CONFIG))] {
            if fs::read_link(link).is_ok_and(|there| there == target) {
                continue;
            }
            if link.exists() || link.is_symlink() {
                return Err(UpdateError::Refused(format!(
                    "{} is in the way: an update puts a link to {} there. Move it elsewhere first",
                    link.display(),
                    target.display()
                )));
            }
            let parent = link.parent().unwrap_or(Path::new("/"));
            make_folder(parent)?;
            symlink(&target, link).map_err(UpdateError::io("make the link", link))?;
            flush(parent)?;
        }
        Ok(())
    }

    /// Notes which program `previous` leads to: that of the release at work, or the package's, which is
    /// in `packaged`.
    pub fn note_previous(&self, packaged: &Path) -> Result<(), UpdateError> {
        match self.current() {
            Some(version) => self.relink("previous", &Path::new("releases").join(version.to_string())),
            None => self.relink("previous", packaged),
        }
    }

    /// The one step: from now on this release is at work, or the package's program.
    pub fn put_to_work(&self, release: Option<Version>, config: &Path) -> Result<(), UpdateError> {
        let Some(version) = release else {
            let current = self.folder.join("current");
            match fs::remove_file(&current) {
                Err(e) if e.kind() == ErrorKind::NotFound => {}
                other => other.map_err(UpdateError::io("remove the link", &current))?,
            }
            // It leads nowhere now and would only be warned of.
            let _ = fs::remove_file(drop_in(config));
            return flush(&self.folder);
        };
        self.relink("current", &Path::new("releases").join(version.to_string()))
    }

    fn relink(&self, name: &str, target: &Path) -> Result<(), UpdateError> {
        let (link, new) = (self.folder.join(name), self.folder.join(format!("{name}.new")));
        let _ = fs::remove_file(&new);
        symlink(target, &new).map_err(UpdateError::io("make the link", &new))?;
        fs::rename(&new, &link).map_err(UpdateError::io("move the link", &link))?;
        flush(&self.folder)
    }

    /// The trial under way, if there is one.
    pub fn trial(&self) -> Result<Option<Trial>, UpdateError> {
        let file = self.folder.join(TRIAL);
        match fs::read(&file) {
            Err(e) if e.kind() == ErrorKind::NotFound => Ok(None),
            Err(cause) => Err(UpdateError::io("read", &file)(cause)),
            Ok(text) => serde_json::from_slice(&text)
                .map(Some)
                .map_err(|e| UpdateError::Refused(format!("{} is damaged ({e}): remove it", file.display()))),
        }
    }

    /// Notes how the trial stands.
    pub fn keep_trial(&self, trial: &Trial) -> Result<(), UpdateError> {
        let file = self.folder.join(TRIAL);
        let text = serde_json::to_vec_pretty(trial).map_err(|e| UpdateError::io("write", &file)(e.into()))?;
        let part = self.folder.join("trial.part");
        write(&part, &text)?;
        fs::rename(&part, &file).map_err(UpdateError::io("write", &file))?;
        flush(&self.folder)
    }

    /// The trial is over.
    pub fn end_trial(&self) -> Result<(), UpdateError> {
        let file = self.folder.join(TRIAL);
        fs::remove_file(&file).map_err(UpdateError::io("remove", &file))?;
        flush(&self.folder)
    }
}

/// Where the release's drop-in lies.
fn drop_in(config: &Path) -> PathBuf {
    config.parent().unwrap_or(Path::new("")).join(drop_ins::FOLDER).join(DROP_IN)
}

/// The configuration of a release: what the bundle brings, and its models, which will lie in `to`.
fn configuration(part: &Path, to: &Path, manifest: &Manifest) -> Result<String, UpdateError> {
    let file = part.join(CONFIG);
    let brought = match fs::read_to_string(&file) {
        Err(e) if e.kind() == ErrorKind::NotFound => String::new(),
        other => other.map_err(UpdateError::io("read", &file))?,
    };
    let cards = models(part, to)?;
    let head =
        format!("# Of release {}, {}. The next update replaces it.\n", manifest.release, manifest.made);
    if cards.is_empty() {
        return Ok(head + &brought);
    }
    let refused =
        |what: String| UpdateError::Refused(format!("the update cannot be used: its {CONFIG} {what}"));
    let mut table: toml::Table =
        brought.parse().map_err(|e: toml::de::Error| refused(format!("is not TOML: {e}")))?;
    let vision = table.entry("vision").or_insert_with(|| toml::Table::new().into());
    let vision = vision.as_table_mut().ok_or_else(|| refused("has a vision that is not a section".into()))?;
    for (task, card) in cards {
        let key = match task {
            Task::Detect => "detector",
            Task::Refine => "refiner",
            Task::Embed => "embedder",
        };
        if vision.insert(key.into(), card.display().to_string().into()).is_some() {
            return Err(refused(format!("names another [vision] {key} than the model beside it")));
        }
    }
    Ok(head + &table.to_string())
}

/// The models in `folder`, by task, as they will be found in `to`.
fn models(folder: &Path, to: &Path) -> Result<Vec<(Task, PathBuf)>, UpdateError> {
    let mut found: Vec<(Task, PathBuf)> = Vec::new();
    for entry in fs::read_dir(folder.join(MODELS)).into_iter().flatten().flatten() {
        let file = entry.path();
        if file.extension().is_none_or(|end| end != "toml") {
            continue;
        }
        let refused = |what: &str| {
            UpdateError::Refused(format!("the update cannot be used: {} {what}", file.display()))
        };
        let text = fs::read_to_string(&file).map_err(UpdateError::io("read", &file))?;
        let card = Card::parse(&text).map_err(|e| refused(&format!("is not a model's card: {e}")))?;
        if found.iter().any(|(task, _)| *task == card.task) {
            return Err(refused("is a second model for the same task"));
        }
        found.push((card.task, to.join(MODELS).join(entry.file_name())));
    }
    found.sort_by(|a, b| a.1.cmp(&b.1));
    Ok(found)
}

/// Makes a folder and those above it that are missing, readable for the service whatever the
/// administrator's umask is.
fn make_folder(folder: &Path) -> Result<(), UpdateError> {
    let missing: Vec<&Path> = folder.ancestors().take_while(|f| !f.exists()).collect();
    fs::create_dir_all(folder).map_err(UpdateError::io("make", folder))?;
    missing.into_iter().filter(|f| !f.as_os_str().is_empty()).try_for_each(|f| open_to_all(f, 0o755))
}

fn open_to_all(file: &Path, mode: u32) -> Result<(), UpdateError> {
    fs::set_permissions(file, Permissions::from_mode(mode))
        .map_err(UpdateError::io("set the rights of", file))
}

fn write(file: &Path, bytes: &[u8]) -> Result<(), UpdateError> {
    let written = File::create(file).and_then(|mut out| out.write_all(bytes).and_then(|()| out.sync_all()));
    written.map_err(UpdateError::io("write", file))
}

fn flush(file: &Path) -> Result<(), UpdateError> {
    File::open(file).and_then(|f| f.sync_all()).map_err(UpdateError::io("flush", file))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn releases() -> (tempfile::TempDir, Releases, PathBuf) {
        let root = tempfile::tempdir().unwrap();
        let releases = Releases::below(root.path());
        for version in ["0.1.1", "0.1.2", "0.1.3"] {
            let folder = releases.of(version.parse().unwrap());
            fs::create_dir_all(&folder).unwrap();
            fs::write(folder.join(PROGRAM), version).unwrap();
            fs::write(folder.join(CONFIG), "").unwrap();
        }
        let config = root.path().join("etc/shopguide.toml");
        (root, releases, config)
    }

    fn version(text: &str) -> Option<Version> {
        Some(text.parse().unwrap())
    }

    #[test]
    fn one_link_decides_which_release_is_at_work_and_without_it_the_package_is() {
        let (root, releases, config) = releases();
        assert_eq!((releases.current(), releases.previous()), (None, None));
        releases.lead_here(&config).unwrap();
        releases.note_previous(root.path()).unwrap();
        let found = root.path().join("usr/local/bin/shopguide");
        assert!(!found.exists(), "passed over until there is a release");
        releases.put_to_work(version("0.1.1"), &config).unwrap();
        assert_eq!(fs::read_to_string(&found).unwrap(), "0.1.1");
        assert!(drop_in(&config).exists());
        releases.note_previous(root.path()).unwrap();
        releases.put_to_work(version("0.1.2"), &config).unwrap();
        assert_eq!((releases.current(), releases.previous()), (version("0.1.2"), version("0.1.1")));
        assert_eq!(fs::read_to_string(&found).unwrap(), "0.1.2");
        releases.tidy();
        assert_eq!(releases.all(), [version("0.1.1").unwrap(), version("0.1.2").unwrap()]);
        releases.put_to_work(None, &config).unwrap();
        assert!(!found.exists() && !drop_in(&config).is_symlink());
    }

    #[test]
    fn what_the_administrator_put_there_is_not_overwritten() {
        let (root, releases, config) = releases();
        let own = root.path().join("usr/local/bin/shopguide");
        fs::create_dir_all(own.parent().unwrap()).unwrap();
        fs::write(&own, "mine").unwrap();
        assert!(releases.lead_here(&config).unwrap_err().to_string().contains("in the way"));
        assert_eq!(fs::read_to_string(&own).unwrap(), "mine");
    }

    #[test]
    fn a_trial_is_remembered_until_it_is_over() {
        let (_root, releases, config) = releases();
        assert_eq!(releases.trial().unwrap(), None);
        let trial = Trial {
            release: version("0.1.2").unwrap(),
            before: None,
            signer: "key".into(),
            began: Timestamp::UNIX_EPOCH,
            config,
            failed_before: vec!["disk-full".into()],
            data: None,
            rolling_back: None,
        };
        releases.keep_trial(&trial).unwrap();
        assert_eq!(releases.trial().unwrap(), Some(trial));
        releases.end_trial().unwrap();
        assert_eq!(releases.trial().unwrap(), None);
        fs::write(releases.folder().join(TRIAL), "{").unwrap();
        assert!(releases.trial().unwrap_err().to_string().contains("damaged"));
    }

    #[test]
    fn a_release_names_its_models_in_its_configuration() {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir(folder.path().join(MODELS)).unwrap();
        let own = Path::new(env!("CARGO_MANIFEST_DIR")).join("models/embedder.toml");
        fs::copy(&own, folder.path().join("models/face.toml")).unwrap();
        fs::write(folder.path().join(CONFIG), "[vision]\nthreads = 2\n").unwrap();
        let manifest = Manifest {
            format: 1,
            release: "0.1.1".parse().unwrap(),
            made: Timestamp::UNIX_EPOCH,
            program: None,
            processor: "x86_64".into(),
            notes: String::new(),
            files: Vec::new(),
        };
        let text = configuration(folder.path(), Path::new("/r/0.1.1"), &manifest).unwrap();
        assert!(
            text.contains("threads = 2") && text.contains("embedder = \"/r/0.1.1/models/face.toml\""),
            "{text}"
        );
        fs::write(folder.path().join(CONFIG), "[vision]\nembedder = \"x\"\n").unwrap();
        let said = configuration(folder.path(), Path::new("/r"), &manifest).unwrap_err().to_string();
        assert!(said.contains("names another [vision] embedder"), "{said}");
        fs::copy(&own, folder.path().join("models/second.toml")).unwrap();
        let said = configuration(folder.path(), Path::new("/r"), &manifest).unwrap_err().to_string();
        assert!(said.contains("second model"), "{said}");
    }
}
