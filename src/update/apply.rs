//! Applying a bundle, step by step. Everything that can be tried beforehand is tried beforehand, by the
//! new program itself and beside the running service; only then the link moves.

use super::bundle::Bundle;
use super::key::TrustedKeys;
use super::manifest::{CONFIG, Manifest, PROGRAM};
use super::program::{ask, must};
use super::releases::{DROP_IN, Data, Releases, Trial};
use super::service::Service;
use super::version::Version;
use super::{UpdateError, settle};
use crate::clock::Clock;
use crate::ops::settings::Settings;
use crate::privacy::master;
use crate::storage::settings::StorageSettings;
use crate::storage::{Store, schema_in};
use std::cell::Cell;
use std::fs::{self, File, TryLockError};
use std::path::{Path, PathBuf};
use std::time::Duration;

/// Longest that a small question to the new program may take.
const SOON: Duration = Duration::from_secs(120);
/// Longest that bringing a copy of the data up to date may take.
const LATER: Duration = Duration::from_secs(2 * 3600);
/// Room that must be left after an update, in bytes.
const LEFT: u64 = 64 << 20;

/// The machine that is updated.
pub struct Site<'a> {
    /// Its releases.
    pub releases: Releases,
    /// Who starts and stops the service.
    pub service: Service,
    /// The service's configuration.
    pub config: PathBuf,
    /// How long a release gets until it must be well.
    pub within: Duration,
    /// Where what happens is told, line by line.
    pub say: &'a dyn Fn(&str),
}

impl Site<'_> {
    /// The version at work.
    pub fn at_work(&self) -> Version {
        self.releases.current().unwrap_or_else(Version::own)
    }

    /// One update at a time; let go when the file is closed, however that happens.
    pub fn lock(&self) -> Result<File, UpdateError> {
        let folder = self.releases.folder();
        fs::create_dir_all(folder).map_err(UpdateError::io("make (are you root?)", folder))?;
        let path = folder.join("lock");
        let file = File::create(&path).map_err(UpdateError::io("write (are you root?)", &path))?;
        match file.try_lock() {
            Ok(()) => Ok(file),
            Err(TryLockError::WouldBlock) => {
                Err(UpdateError::Refused("another update is under way here".into()))
            }
            Err(TryLockError::Error(cause)) => Err(UpdateError::io("lock", &path)(cause)),
        }
    }

    /// Applies the bundle in `file` if one of `keys` signed it.
    pub fn apply(&self, file: &Path, keys: &Path) -> Result<settle::Outcome, UpdateError> {
        let keys = TrustedKeys::read(keys)?;
        let mut bundle = Bundle::open(file, &keys)?;
        let manifest = bundle.manifest().clone();
        (self.say)(&format!("{} (signed by {})", manifest.in_words(), bundle.signer()));
        self.refuse_unfit(&manifest)?;
        let _alone = self.lock()?;
        if self.releases.trial()?.is_some() {
            return Err(UpdateError::Refused(
                "an update before this one was interrupted: `shopguide update settle` brings it to its end"
                    .into(),
            ));
        }
        let present =
            std::env::current_exe().map_err(UpdateError::io("find", Path::new("/proc/self/exe")))?;
        self.refuse_full(&manifest)?;
        self.releases.install(&mut bundle, &present)?;
        let stopped = Cell::new(false);
        let begun = self.prepare(&bundle, &present, &stopped).and_then(|trial| self.begin(&trial, &present));
        let trial = match begun {
            Ok(trial) => trial,
            Err(error) => {
                let _ = self.releases.end_trial();
                self.releases.remove(manifest.release);
                if stopped.get()
                    && let Err(why) = self.service.restart()
                {
                    (self.say)(&format!("the service was stopped and could not be started again: {why}"));
                }
                return Err(error);
            }
        };
        if self.service == Service::ByHand {
            return Ok(settle::Outcome::RestartByHand(trial.release));
        }
        if let Err(why) = self.service.restart() {
            (self.say)(&format!("systemd did not restart it at once: {why}"));
        }
        settle::settle(self)
    }

    /// Older than what is at work, or for another machine.
    fn refuse_unfit(&self, manifest: &Manifest) -> Result<(), UpdateError> {
        let at_work = self.at_work();
        let (release, here) = (manifest.release, std::env::consts::ARCH);
        if release == at_work {
            return Err(UpdateError::Refused(format!(
                "release {release} is at work already; nothing was changed"
            )));
        }
        if release < at_work {
            return Err(UpdateError::Refused(format!(
                "release {release} is older than {at_work}, which is at work: refused, for it might not read \
                 today's data, and old flaws would be back. Nothing was changed"
            )));
        }
        if !["any", here].contains(&manifest.processor.as_str()) {
            return Err(UpdateError::Refused(format!(
                "its program is for {}, this machine is {here}: nothing was changed",
                manifest.processor
            )));
        }
        Ok(())
    }

    /// Too little room for the release, the backup and the copy of the data.
    fn refuse_full(&self, manifest: &Manifest) -> Result<(), UpdateError> {
        let folder = self.releases.folder();
        let data = Settings::check(&self.config).map_or(0, |(settings, _)| {
            fs::metadata(settings.storage.folder.join("shop.sqlite")).map_or(0, |meta| meta.len())
        });
        let needed = manifest.bytes() + 2 * data + LEFT;
        let stat = rustix::fs::statvfs(folder).map_err(|e| UpdateError::io("look at", folder)(e.into()))?;
        let free = stat.f_bavail * stat.f_frsize;
        if free < needed {
            return Err(UpdateError::Refused(format!(
                "there is too little room at {}: {} MB are free, {} MB are needed. Nothing was changed",
                folder.display(),
                free / 1_000_000,
                needed / 1_000_000
            )));
        }
        Ok(())
    }

    /// Tries all that can be tried before anything changes.
    fn prepare(&self, bundle: &Bundle, present: &Path, stopped: &Cell<bool>) -> Result<Trial, UpdateError> {
        let manifest = bundle.manifest();
        let release = self.releases.of(manifest.release);
        let new = release.join(PROGRAM);
        let refused = |what: &str| {
            let what = format!("release {} is refused: {what}", manifest.release);
            move |why: String| UpdateError::Refused(format!("{what}\n{why}\nNothing was changed"))
        };
        if let Some(version) = manifest.program {
            let said =
                must(&new, &["--version"], SOON).map_err(refused("its program does not run here"))?.said;
            if said.trim() != format!("shopguide {version}") {
                return Err(refused("its program is not what it says")(said));
            }
        }
        let (config, drop_in) =
            (self.config.display().to_string(), release.join(CONFIG).display().to_string());
        let with = format!("{DROP_IN}={drop_in}");
        must(&new, &["check-config", "--config", &config, "--with", &with], SOON)
            .map_err(refused("it does not take the configuration here"))?;
        (self.say)("the new program runs and takes the configuration");
        for (task, card) in self.releases.models(manifest.release)? {
            let (task, card) = (task.to_string(), card.display().to_string());
            must(&new, &["try-model", "--task", &task, "--", &card], SOON)
                .map_err(refused(&format!("its model for \"{task}\" does not run here")))?;
            (self.say)(&format!("its model for \"{task}\" runs"));
        }
        let (settings, _) = Settings::check(&self.config)
            .map_err(|mistakes| UpdateError::Refused(format!("mend the configuration first:\n{mistakes}")))?;
        let failed_before = settle::failures(present, &self.config).map_err(UpdateError::Refused)?;
        let data = self.try_data(&settings.storage, &new, stopped).map_err(|error| match error {
            UpdateError::Refused(why) => refused("it cannot use a copy of this store's data")(why),
            other => other,
        })?;
        Ok(Trial {
            release: manifest.release,
            before: self.releases.current(),
            signer: bundle.signer().to_owned(),
            began: Clock::system().now().utc,
            config: self.config.clone(),
            failed_before,
            data,
            rolling_back: None,
        })
    }

    /// Makes a backup and has the new program bring a copy of it up to date and check it.
    fn try_data(
        &self,
        storage: &StorageSettings,
        new: &Path,
        stopped: &Cell<bool>,
    ) -> Result<Option<Data>, UpdateError> {
        let folder = &storage.folder;
        let (Some(schema), Some(backups)) = (schema_in(folder)?, &storage.backup) else { return Ok(None) };
        let back_up = || -> Result<Data, UpdateError> {
            let made = Store::open(storage)?.back_up(backups, Clock::system().now().utc)?;
            (self.say)(&format!("a backup: {}", made.path.display()));
            Ok(Data { folder: folder.clone(), schema, backup: made.path })
        };
        let data = back_up()?;
        let copy = self.releases.folder().join("rehearsal");
        let _ = fs::remove_dir_all(&copy);
        let key = folder.join(master::FILE);
        let (from, to, key_text) =
            (data.backup.display().to_string(), copy.display().to_string(), key.display().to_string());
        let mut arguments = vec!["restore", &from, "--db", &to, "--yes"];
        if key.exists() {
            arguments.extend(["--master-key", &key_text]);
        }
        let tried = must(new, &arguments, LATER);
        let brought_to = schema_in(&copy);
        let _ = fs::remove_dir_all(&copy);
        tried.map_err(UpdateError::Refused)?;
        if brought_to? == Some(schema) {
            (self.say)("the new program is well with a copy of the data");
            return Ok(Some(data));
        }
        (self.say)("the new program changes the data's form, and is well with a changed copy");
        if self.service == Service::Systemd {
            // What comes in between would be missing if the data had to be put back.
            (self.say)("the service stops now, for a backup of its last state");
            stopped.set(true);
            self.service.stop().map_err(UpdateError::Refused)?;
            return back_up().map(Some);
        }
        Ok(Some(data))
    }

    /// Notes the trial, and moves the link.
    fn begin(&self, trial: &Trial, present: &Path) -> Result<Trial, UpdateError> {
        hold_on().map_err(UpdateError::io("listen to signals in", Path::new("this process")))?;
        let packaged = present.parent().unwrap_or(Path::new("/usr/bin"));
        self.releases.lead_here(&self.config)?;
        self.releases.note_previous(packaged)?;
        let words = format!("update to release {}, signed by {}: begun", trial.release, trial.signer);
        settle::note(self, present, &words);
        self.releases.keep_trial(trial)?;
        self.releases.put_to_work(Some(trial.release), &self.config)?;
        (self.say)(&format!("release {} is on trial", trial.release));
        Ok(trial.clone())
    }
}

/// From here on the command goes to its end, although the terminal is closed or somebody presses Ctrl-C.
fn hold_on() -> std::io::Result<()> {
    use tokio::signal::unix::{SignalKind, signal};
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let _inside = runtime.enter();
    // Once listened to, a signal ends this process no more, even when nobody listens any longer.
    for kind in [SignalKind::hangup(), SignalKind::interrupt(), SignalKind::terminate()] {
        drop(signal(kind)?);
    }
    Ok(())
}

/// The version that a program says it is.
pub fn version_of(program: &Path) -> Result<Version, String> {
    let said = ask(program, &["--version"], SOON)?.said;
    let version = said.trim().strip_prefix("shopguide ").and_then(|version| version.parse().ok());
    version.ok_or_else(|| format!("{} does not say that it is a version of shopguide", program.display()))
}
