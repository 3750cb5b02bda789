//! Backup while everything goes on: a folder with one consistent copy of the database, the store's
//! other files (calibration, models), and a manifest with the hash of each.
//!
//! - A backup is complete and verified when it has its name; until then it is called `<name>.part`.
//! - No key is in it. The keys, wrapped by the master key, lie beside all backups in one file that
//!   every backup and every erasure replaces: a member who was erased is unreadable in every backup.
//! - The master key is in no backup: keep one copy of it elsewhere.
//! - Backups are numbered, so that a wrong clock cannot make an old one pass for the newest.
//!
//! Not promised: that a backup as a whole is encrypted. Names, contacts and templates in it are
//! sealed; receipts and the tokens of cards are not.

pub mod manifest;

use super::settings::BackupSettings;
use super::{StorageError, Store, database, lock, reserve};
use crate::privacy::{master, vault};
use jiff::Timestamp;
use manifest::{Copied, Manifest};
use std::fs::{self, DirBuilder, File};
use std::os::unix::fs::{DirBuilderExt, PermissionsExt};
use std::path::{Path, PathBuf};

/// What a folder is called while it is being filled.
const PART: &str = ".part";
/// Where a restore keeps what was there before.
pub(super) const ASIDE: &str = "before-restore";
/// Where a restore builds the store that it will put in place.
pub(super) const STAGE: &str = "restoring";

/// A backup that was made.
#[derive(Debug, Clone, PartialEq)]
pub struct BackupMade {
    /// Its folder.
    pub path: PathBuf,
    /// What it says of itself.
    pub manifest: Manifest,
    /// Older ones that were deleted because enough are kept.
    pub deleted: u32,
}

impl Store {
    /// Makes a backup, replaces the copy of the keys beside it, and deletes those beyond the number
    /// that is kept. The daemon and other commands go on meanwhile.
    pub fn back_up(&self, settings: &BackupSettings, at: Timestamp) -> Result<BackupMade, StorageError> {
        let io = |doing| move |cause| StorageError::Io { doing, file: settings.folder.clone(), cause };
        DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(&settings.folder)
            .map_err(io("make the folder of backups"))?;
        let number = all(settings)?.last().map_or(1, |(number, _)| number + 1);
        let name = format!("{}-{number:06}-{}", settings.prefix(), at.strftime("%Y%m%dT%H%M%SZ"));
        let path = settings.folder.join(&name);
        let part = settings.folder.join(name + PART);
        let filled = self.fill(&part, settings, number, at);
        if filled.is_err() {
            let _ = fs::remove_dir_all(&part);
        }
        let manifest = filled?;
        fs::rename(&part, &path).map_err(io("name the backup"))?;
        File::open(&settings.folder).and_then(|f| f.sync_all()).map_err(io("write"))?;
        // After the data: whoever is in the data has a key in the copy, or was erased since.
        self.parts.vault.copy_to(&settings.keys())?;
        let deleted = prune(settings)?;
        super::owner::hand_over(&settings.folder);
        Ok(BackupMade { path, manifest, deleted })
    }

    fn fill(
        &self,
        part: &Path,
        settings: &BackupSettings,
        number: u64,
        at: Timestamp,
    ) -> Result<Manifest, StorageError> {
        let io = |doing| move |cause| StorageError::Io { doing, file: part.to_owned(), cause };
        if part.exists() {
            fs::remove_dir_all(part).map_err(io("remove an unfinished backup"))?;
        }
        DirBuilder::new().mode(0o700).create(part).map_err(io("make"))?;
        self.copy_database(&part.join(database::FILE))?;
        for file in others(self.folder()).map_err(io("list the files for"))? {
            let to = part.join(&file);
            let copied = to.parent().map_or(Ok(()), fs::create_dir_all);
            copied.and_then(|()| fs::copy(self.folder().join(&file), &to)).map_err(io("copy a file to"))?;
        }
        let files = Copied::all_in(part).map_err(io("read back"))?;
        let counts = self.counts()?;
        let manifest = Manifest {
            format: manifest::FORMAT,
            number,
            made: at,
            program: env!("CARGO_PKG_VERSION").to_owned(),
            schema: database::SCHEMA,
            store: settings.store.clone(),
            keys: self.parts.vault.identity()?,
            members: counts.members,
            products: counts.products,
            receipts: counts.receipts,
            files,
        };
        manifest.write(part).map_err(io("write the manifest of"))?;
        Ok(manifest)
    }

    /// Writes one consistent copy of the database to `to`, which must not exist.
    pub(super) fn copy_database(&self, to: &Path) -> Result<(), StorageError> {
        // Not within a reader's transaction: VACUUM keeps its own view for as long as it takes.
        let reader = database::open_reader(&self.parts.file).map_err(|e| e.in_file(&self.parts.file))?;
        copy_database(&reader, to)
    }

    /// After an erasure: brings the copy of the keys beside the backups up to date, if there is one of
    /// this store. Where that fails it is said, and the next backup does it.
    pub(super) fn refresh_keys_copy(&self) -> Option<PathBuf> {
        let copy = self.parts.backup.as_ref()?.keys();
        let ours = match vault::copy::look(&copy) {
            Ok(Some(there)) => self.parts.vault.identity().is_ok_and(|own| own == there.identity),
            Ok(None) => false,
            Err(_) => true,
        };
        if !ours {
            return None;
        }
        let error = self.parts.vault.copy_to(&copy).err()?;
        tracing::warn!(
            id = "keys-copy-not-replaced",
            %error,
            "a copy of the keys still holds the erased member's; the next backup replaces it"
        );
        Some(copy)
    }
}

/// Writes one consistent copy of `db` to `to`, which must not exist, and verifies it.
pub(super) fn copy_database(db: &rusqlite::Connection, to: &Path) -> Result<(), StorageError> {
    let io = |doing| move |cause| StorageError::Io { doing, file: to.to_owned(), cause };
    let name =
        to.to_str().ok_or_else(|| StorageError::Invalid(format!("{} is not a UTF-8 path", to.display())))?;
    let copied = db.execute("VACUUM INTO ?", [name]).map_err(StorageError::from).and_then(|_| {
        let copy = database::open_reader(to)?;
        let verdict: String = copy.query_row("PRAGMA quick_check(1)", [], |r| r.get(0))?;
        if verdict == "ok" {
            Ok(())
        } else {
            Err(StorageError::Damaged { file: to.to_owned(), what: verdict })
        }
    });
    if let Err(error) = copied {
        let _ = fs::remove_file(to);
        return Err(error.in_file(to));
    }
    fs::set_permissions(to, fs::Permissions::from_mode(0o600)).map_err(io("protect"))?;
    File::open(to).and_then(|f| f.sync_all()).map_err(io("write"))
}

/// The finished backups of a store, oldest first, with their numbers.
pub fn all(settings: &BackupSettings) -> Result<Vec<(u64, PathBuf)>, StorageError> {
    let prefix = settings.prefix() + "-";
    let number = |name: &str| -> Option<u64> {
        let (number, time) = name.strip_prefix(&prefix)?.split_once('-')?;
        (time.len() == 16 && !time.ends_with(PART)).then(|| number.parse().ok())?
    };
    let entries = match fs::read_dir(&settings.folder) {
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
        other => other.map_err(|cause| StorageError::Io {
            doing: "list the backups in",
            file: settings.folder.clone(),
            cause,
        })?,
    };
    let mut found: Vec<(u64, PathBuf)> = entries
        .flatten()
        .filter_map(|entry| Some((number(entry.file_name().to_str()?)?, entry.path())))
        .filter(|(_, path)| path.is_dir())
        .collect();
    found.sort();
    Ok(found)
}

fn prune(settings: &BackupSettings) -> Result<u32, StorageError> {
    let all = all(settings)?;
    let surplus = all.len().saturating_sub(settings.keep.max(1) as usize);
    for (_, old) in &all[..surplus] {
        fs::remove_dir_all(old).map_err(|cause| StorageError::Io {
            doing: "delete the old backup",
            file: old.clone(),
            cause,
        })?;
    }
    Ok(surplus as u32)
}

/// Files of a store besides the database: calibration, models. Never keys, nor what is made anew.
pub(super) fn others(folder: &Path) -> std::io::Result<Vec<PathBuf>> {
    let top = |name: &str| {
        !(name.starts_with("shop.sqlite")
            || name.starts_with("keys.sqlite")
            || name.starts_with(master::FILE)
            || name.starts_with(ASIDE)
            || [reserve::FILE, lock::FILE, STAGE].contains(&name))
    };
    let mut files = Vec::new();
    let mut open = vec![PathBuf::new()];
    while let Some(inside) = open.pop() {
        for entry in fs::read_dir(folder.join(&inside))? {
            let entry = entry?;
            let name = entry.file_name();
            let path = inside.join(&name);
            let kind = entry.file_type()?;
            if inside.as_os_str().is_empty() && !name.to_str().is_some_and(top) {
                continue;
            }
            if kind.is_dir() {
                open.push(path);
            } else if kind.is_file() {
                files.push(path);
            }
        }
    }
    files.sort();
    Ok(files)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::privacy::consent::Scope;
    use crate::storage::fixture::{Shop, at, receipt};
    use rusqlite::Connection;

    fn settings(folder: &Path, keep: u32) -> BackupSettings {
        BackupSettings { folder: folder.join("backups"), store: "test".into(), keep }
    }

    #[test]
    fn a_backup_is_whole_while_receipts_keep_coming() {
        let shop = Shop::new();
        let outside = tempfile::tempdir().unwrap();
        let backup = std::thread::scope(|scope| {
            scope.spawn(|| {
                for n in 0..50 {
                    shop.store.record_receipt(&receipt(&format!("r{n}"), None, &[("tea", 1.0)])).unwrap();
                }
            });
            shop.store.back_up(&settings(outside.path(), 3), at(0)).unwrap()
        });
        let copy = Connection::open(backup.path.join("shop.sqlite")).unwrap();
        let verdict: String = copy.query_row("PRAGMA integrity_check", [], |r| r.get(0)).unwrap();
        assert_eq!(verdict, "ok");
        let whole: bool = copy
            .query_row(
                "SELECT (SELECT COUNT(*) FROM receipts) = (SELECT COUNT(DISTINCT receipt) FROM lines)",
                [],
                |r| r.get(0),
            )
            .unwrap();
        assert!(whole);
    }

    #[test]
    fn the_newest_are_kept_whatever_the_clock_says() {
        let shop = Shop::new();
        let outside = tempfile::tempdir().unwrap();
        let settings = settings(outside.path(), 2);
        for second in [900_000_000, 5, 3, 4] {
            shop.store.back_up(&settings, at(second)).unwrap();
        }
        let numbers: Vec<u64> = all(&settings).unwrap().into_iter().map(|(number, _)| number).collect();
        assert_eq!(numbers, [3, 4]);
    }

    #[test]
    fn neither_key_nor_master_key_is_in_a_backup_and_other_files_are() {
        let shop = Shop::new();
        shop.member(Scope::Face);
        fs::create_dir_all(shop.folder.path().join("models/x")).unwrap();
        fs::write(shop.folder.path().join("models/x/net"), "weights").unwrap();
        let outside = tempfile::tempdir().unwrap();
        let made = shop.store.back_up(&settings(outside.path(), 2), at(0)).unwrap();
        let names: Vec<&str> = made.manifest.files.iter().map(|f| f.path.as_str()).collect();
        assert_eq!(names, ["models/x/net", "shop.sqlite"]);
        let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!((mode(&made.path), mode(&made.path.join("shop.sqlite"))), (0o700, 0o600));
        assert!(outside.path().join("backups/shopguide-test.keys").exists());
    }

    #[test]
    fn a_folder_that_cannot_be_written_is_said_and_leaves_nothing() {
        let shop = Shop::new();
        let outside = tempfile::tempdir().unwrap();
        fs::write(outside.path().join("backups"), "a file").unwrap();
        let message = shop.store.back_up(&settings(outside.path(), 2), at(0)).unwrap_err().to_string();
        assert!(message.contains("make the folder of backups"), "{message}");
    }
}
