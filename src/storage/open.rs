//! Opening the store: keys first, then the database, then what a restored backup needs (members
//! who were erased after it was made are erased again), and only then the writer's thread.

use super::audit::End;
use super::lock::{self, InUse};
use super::readers::Readers;
use super::settings::{BackupSettings, StorageSettings};
use super::writer::Writer;
use super::{StorageError, database, erasure, owner, reserve};
use crate::privacy::consent;
use crate::privacy::vault::{self, Vault};
use jiff::Timestamp;
use rusqlite::{Connection, TransactionBehavior};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Everything that the appliance keeps. Cheap to clone, usable from any thread; every call blocks.
/// The last clone to go finishes what waits and closes the database.
#[derive(Clone)]
pub struct Store {
    pub(super) parts: Arc<Parts>,
}

/// What a store is made of. Readers close before the writer, which empties the log.
pub(super) struct Parts {
    pub readers: Readers,
    pub writer: Writer,
    pub vault: Arc<Vault>,
    pub folder: PathBuf,
    pub file: PathBuf,
    pub backup: Option<BackupSettings>,
    _in_use: InUse,
}

impl Drop for Parts {
    fn drop(&mut self) {
        owner::hand_over(&self.folder);
    }
}

impl std::fmt::Debug for Store {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Store({})", self.parts.folder.display())
    }
}

/// What to do with members whose key is gone without their having been erased.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Unreadable {
    Refuse,
    Erase,
}

impl Store {
    /// Opens the store in the settings' folder, making it if there is none. The master key comes
    /// from the systemd credential `master-key` if the service has one.
    pub fn open(settings: &StorageSettings) -> Result<Self, StorageError> {
        Self::open_as(settings, Unreadable::Refuse)
    }

    /// Like [`Store::open`], but erases members whose keys were lost instead of refusing.
    pub fn open_forgetting_unreadable(settings: &StorageSettings) -> Result<Self, StorageError> {
        Self::open_as(settings, Unreadable::Erase)
    }

    /// Opens the store in `folder`, without a place for backups.
    pub(super) fn open_with(folder: &Path, unreadable: Unreadable) -> Result<Self, StorageError> {
        Self::open_as(&StorageSettings::of(folder), unreadable)
    }

    fn open_as(settings: &StorageSettings, unreadable: Unreadable) -> Result<Self, StorageError> {
        let folder = &settings.folder;
        // Also on a full disk a store opens, so that a member can be erased.
        let store = reserve::spending(folder, || Self::open_once(settings, unreadable))?;
        reserve::make(folder);
        owner::hand_over(folder);
        Ok(store)
    }

    fn open_once(settings: &StorageSettings, unreadable: Unreadable) -> Result<Self, StorageError> {
        let credentials = std::env::var_os("CREDENTIALS_DIRECTORY").map(PathBuf::from);
        let folder = &settings.folder;
        let file = folder.join(database::FILE);
        database::make_folder(folder)?;
        let in_use = lock::share(folder)?;
        let db = database::open_writer(folder)?;
        let vault = Arc::new(Vault::open(folder, credentials.as_deref())?);
        let settled = (|| {
            let begin = rusqlite::Transaction::new_unchecked(&db, TransactionBehavior::Immediate)?;
            let end = settle(&begin, &vault, folder, unreadable)?;
            begin.commit()?;
            Ok(end)
        })();
        if let Some(end) = settled.map_err(|e: StorageError| e.in_file(&file))? {
            vault.set_audit_end(end.0, &end.1, true)?;
        }
        let writer = Writer::start(db, file.clone())?;
        let readers = Readers::new(file.clone());
        let (folder, backup) = (folder.clone(), settings.backup.clone());
        let parts = Parts { readers, writer, vault, folder, file, backup, _in_use: in_use };
        Ok(Self { parts: Arc::new(parts) })
    }

    /// The folder of the store.
    pub fn folder(&self) -> &Path {
        &self.parts.folder
    }

    /// Asks the writer to change nothing: it lives if it answers.
    pub fn takes_changes(&self) -> Result<(), StorageError> {
        self.write(|_| Ok(()))
    }

    /// Changes that wait for the writer now.
    pub fn waiting(&self) -> usize {
        self.parts.writer.waiting()
    }

    pub(super) fn write<T: Send + 'static>(
        &self,
        change: impl FnOnce(&Connection) -> Result<T, StorageError> + Send + 'static,
    ) -> Result<T, StorageError> {
        self.parts.writer.write(change)
    }

    pub(super) fn read<T>(
        &self,
        read: impl FnOnce(&Connection) -> Result<T, StorageError>,
    ) -> Result<T, StorageError> {
        self.parts.readers.read(read)
    }
}

/// Brings database and keys together before anyone uses them; the new end of the audit, if it grew.
fn settle(
    db: &Connection,
    vault: &Vault,
    folder: &Path,
    unreadable: Unreadable,
) -> Result<Option<End>, StorageError> {
    for (version, text) in [consent::TEXT, consent::TEXT_ZH] {
        let shipped = "INSERT OR IGNORE INTO consent_texts (version, text, views) VALUES (?, ?, 1)";
        db.execute(shipped, [version, text])?;
    }
    let mut end = super::audit::notice_restore(db, vault, Timestamp::now())?;
    let tombstones = vault.tombstones()?;
    let holders = vault.holders()?;
    let members = super::members::ids(db)?;
    let (erased, lost): (Vec<_>, Vec<_>) = members
        .into_iter()
        .filter(|m| !holders.contains(m) || tombstones.contains(m))
        .partition(|m| tombstones.contains(m));
    if !lost.is_empty() && unreadable == Unreadable::Refuse {
        return Err(StorageError::KeysLost { count: lost.len(), keys: folder.join(vault::FILE) });
    }
    for (members, why) in [(erased, "erased before; found again at a start"), (lost, "its key was lost")] {
        for member in members {
            tracing::warn!(id = "member-erased-again", reason = why, "erasing a member at the start");
            end = Some(erasure::again(db, vault, member, why, Timestamp::now())?);
        }
    }
    Ok(end)
}
