//! Putting a backup back. A complete store is built beside the one there is, opened and checked; only
//! then does it take its place, file by file, and what was there is kept aside. Until that moment a
//! failure changes nothing; a restore that was cut off later is simply done again.
//!
//! Keys: those on this machine stay, and the copy beside the backups adds its tombstones, so that
//! nobody who was erased, here or there, comes back. Only where this machine has no keys (an empty or
//! unused store) are they taken from the copy; the master key must then be brought along.

use super::backup::manifest::Manifest;
use super::backup::{self, ASIDE, STAGE};
use super::open::Unreadable;
use super::{Problem, StorageError, Store, database, lock, reserve};
use crate::privacy::vault::{self, copy};
use crate::privacy::{PrivacyError, master};
use jiff::Timestamp;
use std::collections::BTreeSet;
use std::fs::{self, DirBuilder};
use std::os::unix::fs::{DirBuilderExt, PermissionsExt};
use std::path::{Path, PathBuf};

/// What to put back, and with which keys.
#[derive(Debug, Clone)]
pub struct Restore {
    backup: PathBuf,
    manifest: Manifest,
    keys: PathBuf,
    master_key: Option<PathBuf>,
}

/// A restore that was done.
#[derive(Debug, Clone, PartialEq)]
pub struct Restored {
    /// Members of the backup who had been erased since, and were erased again.
    pub erased_again: u64,
    /// What the check found afterwards; empty is good.
    pub problems: Vec<Problem>,
    /// Where the former data is, if there was any.
    pub aside: Option<PathBuf>,
}

impl Restore {
    /// Reads and verifies the backup in the folder `backup`. The copy of the keys is looked for beside
    /// it unless `keys` names another; `master_key` is a file with the master key, for a machine that
    /// does not have it.
    pub fn of(
        backup: &Path,
        keys: Option<PathBuf>,
        master_key: Option<PathBuf>,
    ) -> Result<Restore, StorageError> {
        let manifest = Manifest::verify(backup)?;
        if manifest.schema > database::SCHEMA {
            return Err(StorageError::Newer {
                file: backup.join(database::FILE),
                found: manifest.schema,
                known: database::SCHEMA,
            });
        }
        let beside = || backup.with_file_name(format!("shopguide-{}.keys", manifest.store));
        Ok(Restore { keys: keys.unwrap_or_else(beside), backup: backup.to_owned(), manifest, master_key })
    }

    /// What the backup says of itself.
    pub fn manifest(&self) -> &Manifest {
        &self.manifest
    }

    /// Makes the store in `folder` what it was when the backup was made.
    ///
    /// # Errors
    /// The store is in use, the keys do not fit, or the disk is full: nothing was changed.
    pub fn put_back(&self, folder: &Path, at: Timestamp) -> Result<Restored, StorageError> {
        let io = |doing| move |cause| StorageError::Io { doing, file: folder.to_owned(), cause };
        DirBuilder::new().recursive(true).mode(0o700).create(folder).map_err(io("make the folder"))?;
        let _alone = lock::alone(folder)?;
        let stage = folder.join(STAGE);
        let _ = fs::remove_dir_all(&stage);
        DirBuilder::new().mode(0o700).create(&stage).map_err(io("make a folder in"))?;
        let built = self.build(folder, &stage);
        let restored = built.and_then(|(erased_again, problems)| {
            let aside = swap(folder, &stage, at).map_err(io("put the backup into"))?;
            Ok(Restored { erased_again, problems, aside })
        });
        let _ = fs::remove_dir_all(&stage);
        super::owner::hand_over(folder);
        restored
    }

    /// The whole store in `stage`: erased again, and what the check found.
    fn build(&self, folder: &Path, stage: &Path) -> Result<(u64, Vec<Problem>), StorageError> {
        let io = |doing| move |cause| StorageError::Io { doing, file: stage.to_owned(), cause };
        for file in &self.manifest.files {
            let to = stage.join(&file.path);
            let copied = to.parent().map_or(Ok(()), fs::create_dir_all);
            copied.and_then(|()| fs::copy(self.backup.join(&file.path), &to)).map_err(io("copy to"))?;
        }
        let erased = self.bring_keys(folder, stage)?;
        let store = Store::open_with(stage, Unreadable::Refuse).map_err(|error| match error {
            // The stage is gone when this is read.
            StorageError::KeysLost { count, .. } => StorageError::KeysLost { count, keys: self.keys.clone() },
            other => other,
        })?;
        let again = self.manifest.members.saturating_sub(store.counts()?.members);
        let problems = store.check()?;
        drop(store);
        Ok((again.min(erased), problems))
    }

    /// The keys and the master key in `stage`; how many tombstones there are.
    fn bring_keys(&self, folder: &Path, stage: &Path) -> Result<u64, StorageError> {
        let (own, to) = (folder.join(vault::FILE), stage.join(vault::FILE));
        let local = copy::look(&own)?.filter(|local| !local.is_unused());
        let brought = copy::look(&self.keys)?;
        let fits = |keys: &copy::Contents| keys.identity == self.manifest.keys;
        match (&local, &brought) {
            (Some(local), _) if !fits(local) => {
                return Err(StorageError::OtherStore { folder: folder.to_owned() });
            }
            (Some(_), _) => copy::copy(&own, &to)?,
            (None, Some(brought)) if fits(brought) => copy::copy(&self.keys, &to)?,
            (None, _) => return Err(StorageError::NoKeysToRestore { keys: self.keys.clone() }),
        }
        if let Some(brought) = brought.as_ref().filter(|brought| fits(brought)) {
            if local.is_some() {
                copy::take_tombstones(&to, &self.keys)?;
            }
            debug_assert!(brought.identity == self.manifest.keys);
        }
        let master = match (&self.master_key, folder.join(master::FILE)) {
            (Some(given), _) => Some(given.clone()),
            (None, own) if own.exists() => Some(own),
            (None, _) => None,
        };
        if let Some(file) = master {
            let to = stage.join(master::FILE);
            fs::copy(&file, &to)
                .and_then(|_| fs::set_permissions(&to, fs::Permissions::from_mode(0o600)))
                .map_err(|cause| StorageError::Io {
                    doing: "read the master key",
                    file: file.clone(),
                    cause,
                })?;
            // In words for a person: the copy in the stage is not what was named.
            vault::Vault::open(stage, None).map_err(|error| match error {
                PrivacyError::MasterKeyWrong { .. } => {
                    StorageError::Privacy(PrivacyError::MasterKeyWrong { file, keys: self.keys.clone() })
                }
                PrivacyError::MasterKeyMalformed { what, .. } => {
                    StorageError::Privacy(PrivacyError::MasterKeyMalformed { file, what })
                }
                other => other.into(),
            })?;
        }
        Ok(copy::look(&to)?.map_or(0, |keys| keys.erased.len() as u64))
    }
}

/// Moves what is in `folder` aside and what is in `stage` into its place; where the former data is.
fn swap(folder: &Path, stage: &Path, at: Timestamp) -> std::io::Result<Option<PathBuf>> {
    let _ = fs::remove_file(stage.join(reserve::FILE));
    let _ = fs::remove_file(stage.join(lock::FILE));
    // Keys first, replaced in one step and never kept aside: an old copy could open what was erased.
    for keys in [master::FILE, vault::FILE] {
        if stage.join(keys).exists() {
            fs::rename(stage.join(keys), folder.join(keys))?;
        }
    }
    let aside = folder.join(format!("{ASIDE}-{}", at.strftime("%Y%m%dT%H%M%SZ")));
    let mut old: BTreeSet<PathBuf> = tops(backup::others(folder)?);
    let logs = ["", "-wal", "-shm"].map(|end| PathBuf::from(format!("{}{end}", database::FILE)));
    old.extend(logs.into_iter().filter(|file| folder.join(file).exists()));
    if !old.is_empty() {
        DirBuilder::new().recursive(true).mode(0o700).create(&aside)?;
        for file in &old {
            fs::rename(folder.join(file), aside.join(file))?;
        }
    }
    for entry in fs::read_dir(stage)? {
        let entry = entry?;
        fs::rename(entry.path(), folder.join(entry.file_name()))?;
    }
    fs::File::open(folder)?.sync_all()?;
    Ok((!old.is_empty()).then_some(aside))
}

/// The files and folders right in the store's folder that these files are in.
fn tops(files: Vec<PathBuf>) -> BTreeSet<PathBuf> {
    files
        .iter()
        .filter_map(|file| file.components().next())
        .map(|top| PathBuf::from(top.as_os_str()))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::privacy::consent::Scope;
    use crate::storage::Member;
    use crate::storage::fixture::{Shop, at, receipt};
    use crate::storage::settings::{BackupSettings, StorageSettings};

    fn shop() -> (Shop, Member, tempfile::TempDir, BackupSettings) {
        let shop = Shop::new();
        let anna = shop.member(Scope::Face);
        shop.store.record_receipt(&receipt("r1", Some(&anna), &[("tea", 1.0)])).unwrap();
        fs::write(shop.folder.path().join("calibration.json"), "kept").unwrap();
        let outside = tempfile::tempdir().unwrap();
        let settings = BackupSettings { folder: outside.path().to_owned(), store: "test".into(), keep: 9 };
        (shop, anna, outside, settings)
    }

    fn open(folder: &Path) -> Store {
        Store::open(&StorageSettings::of(folder)).unwrap()
    }

    /// The master key of a shop, kept elsewhere.
    fn key_of(shop: &Shop, outside: &Path) -> PathBuf {
        let key = outside.join("kept-apart.key");
        fs::copy(shop.folder.path().join(master::FILE), &key).unwrap();
        key
    }

    #[test]
    fn an_empty_machine_becomes_the_store_that_was_backed_up() {
        let (shop, anna, outside, settings) = shop();
        let made = shop.store.back_up(&settings, at(0)).unwrap();
        let key = key_of(&shop, outside.path());
        let rows = shop.rows();
        drop(shop);
        let empty = tempfile::tempdir().unwrap();
        let done = Restore::of(&made.path, None, Some(key)).unwrap().put_back(empty.path(), at(9)).unwrap();
        assert_eq!(done, Restored { erased_again: 0, problems: vec![], aside: None });
        let shop = Shop { store: open(empty.path()), folder: empty };
        assert_eq!(shop.rows(), rows);
        assert_eq!(shop.store.check().unwrap(), []);
        let name = shop.store.details(anna.id, "test", at(9)).unwrap().name;
        assert_eq!(name.as_deref(), Some("Anna Example"));
        assert_eq!(fs::read_to_string(shop.folder.path().join("calibration.json")).unwrap(), "kept");
    }

    #[test]
    fn a_machine_that_was_only_started_counts_as_empty() {
        let (shop, _, outside, settings) = shop();
        let made = shop.store.back_up(&settings, at(0)).unwrap();
        let started = Shop::new();
        let folder = started.folder;
        drop(started.store);
        let restore = Restore::of(&made.path, None, None).unwrap();
        let message = restore.put_back(folder.path(), at(9)).unwrap_err().to_string();
        assert!(message.contains("is not the one") && message.contains("shopguide-test.keys"), "{message}");
        open(folder.path());
        let restore = Restore::of(&made.path, None, Some(key_of(&shop, outside.path()))).unwrap();
        restore.put_back(folder.path(), at(9)).unwrap();
        assert_eq!(open(folder.path()).counts().unwrap().members, 1);
    }

    #[test]
    fn tombstones_win_on_the_same_machine_and_on_an_empty_one() {
        let (shop, anna, outside, settings) = shop();
        let Shop { folder, store } = shop;
        drop(store);
        let with_backups =
            StorageSettings { backup: Some(settings.clone()), ..StorageSettings::of(folder.path()) };
        let store = Store::open(&with_backups).unwrap();
        let made = store.back_up(&settings, at(0)).unwrap();
        let done = store.erase_member(anna.id, "test", at(1)).unwrap();
        assert_eq!(done.keys_left_in, None, "the copy of the keys was replaced by the erasure");
        let key = outside.path().join("kept-apart.key");
        fs::copy(folder.path().join(master::FILE), &key).unwrap();
        drop(store);
        let empty = tempfile::tempdir().unwrap();
        for (place, key) in [(folder.path(), None), (empty.path(), Some(key))] {
            let done = Restore::of(&made.path, None, key).unwrap().put_back(place, at(9)).unwrap();
            assert_eq!((done.erased_again, done.problems), (1, vec![]));
            let store = open(place);
            assert!(store.members().unwrap().is_empty());
            assert_eq!(store.counts().unwrap().receipts, 1, "the shop's own books come back");
        }
    }

    #[test]
    fn what_was_there_is_kept_aside_without_its_keys() {
        let (shop, _, _outside, settings) = shop();
        let made = shop.store.back_up(&settings, at(0)).unwrap();
        shop.store.record_receipt(&receipt("r2", None, &[("tea", 1.0)])).unwrap();
        let Shop { folder, store } = shop;
        drop(store);
        let done = Restore::of(&made.path, None, None).unwrap().put_back(folder.path(), at(9)).unwrap();
        let aside = done.aside.unwrap();
        assert!(aside.join("shop.sqlite").exists() && aside.join("calibration.json").exists());
        assert!(!aside.join(vault::FILE).exists() && !aside.join(master::FILE).exists());
        assert_eq!(open(folder.path()).counts().unwrap().receipts, 1);
    }

    #[test]
    fn a_store_in_use_a_damaged_backup_and_another_store_are_refused_and_nothing_changes() {
        let (shop, _, _outside, settings) = shop();
        let made = shop.store.back_up(&settings, at(0)).unwrap();
        let restore = Restore::of(&made.path, None, None).unwrap();
        let message = restore.put_back(shop.folder.path(), at(9)).unwrap_err().to_string();
        assert!(message.contains("systemctl stop shopguide"), "{message}");
        let other = Shop::new();
        other.member(Scope::Card);
        let Shop { folder, store } = other;
        drop(store);
        let message = restore.put_back(folder.path(), at(9)).unwrap_err().to_string();
        assert!(message.contains("another store"), "{message}");
        assert_eq!(open(folder.path()).counts().unwrap().members, 1);
        let file = made.path.join("shop.sqlite");
        let bytes = fs::read(&file).unwrap();
        fs::write(&file, &bytes[..bytes.len() - 1]).unwrap();
        assert!(
            Restore::of(&made.path, None, None).unwrap_err().to_string().contains("not as it was written")
        );
    }
}
