//! What can go wrong with storage. Each message says what, where, and what to do.

use crate::id::MemberId;
use crate::privacy::PrivacyError;
use std::path::{Path, PathBuf};

/// Why the store could not be opened, read or changed. After an error nothing was changed, except
/// where the variant says otherwise.
#[derive(Debug, thiserror::Error)]
pub enum StorageError {
    /// A file or folder could not be used.
    #[error("cannot {doing} {}: {cause}", file.display())]
    Io {
        /// What was tried.
        doing: &'static str,
        /// On what.
        file: PathBuf,
        /// Why not.
        cause: std::io::Error,
    },
    /// The database is damaged.
    #[error(
        "the database {} is damaged ({what}). Nothing was changed. Steps: stop shopguide; copy the whole \
         folder aside; put the last good backup in its place as {} and remove {}-wal and {}-shm; start again. \
         Without a backup, `sqlite3 {} .recover` may save rows into a new database",
        file.display(), file.display(), file.display(), file.display(), file.display()
    )]
    Damaged {
        /// The database.
        file: PathBuf,
        /// What was found.
        what: String,
    },
    /// Written by a newer version of the program.
    #[error(
        "the database {} has schema {found}, this program knows up to {known}: install the newer version of \
         shopguide that wrote it, or restore the backup from before that update",
        file.display()
    )]
    Newer {
        /// The database.
        file: PathBuf,
        /// Its schema.
        found: i64,
        /// The newest schema that this program knows.
        known: i64,
    },
    /// Another program's database.
    #[error("{} is a database, but not one of shopguide: choose another folder", file.display())]
    Foreign {
        /// The database.
        file: PathBuf,
    },
    /// The linked SQLite has a known flaw.
    #[error("SQLite {found} is too old (it can lose commits in WAL mode): 3.51.3 or newer is needed")]
    OldSqlite {
        /// Its version.
        found: &'static str,
    },
    /// Members without a key and without a tombstone.
    #[error(
        "{count} members have no key in {}: put that file back where it was lost (it is part of no backup). \
         If it is lost for good, `shopguide check --forget-unreadable` erases these members; their receipts stay \
         without a member",
        keys.display()
    )]
    KeysLost {
        /// How many.
        count: usize,
        /// Where the keys should be.
        keys: PathBuf,
    },
    /// The disk is full.
    #[error("the disk of {} is full: nothing was changed; free some space", file.display())]
    Full {
        /// The database.
        file: PathBuf,
    },
    /// The queue of changes stayed full.
    #[error("storage is busy: {waiting} changes are waiting; this one was not made, try again")]
    Busy {
        /// Length of the queue.
        waiting: usize,
    },
    /// Another process holds the database.
    #[error("the database {} is locked by another process for more than {seconds} s; this change was not made", file.display())]
    Locked {
        /// The database.
        file: PathBuf,
        /// How long was waited.
        seconds: u64,
    },
    /// The writer has ended or failed.
    #[error("storage has stopped: this change was not made")]
    Stopped,
    /// Somebody has the store open.
    #[error(
        "the store in {} is in use: stop the service (systemctl stop shopguide) and every other shopguide command, \
         then try again. Nothing was changed",
        folder.display()
    )]
    InUse {
        /// The store's folder.
        folder: PathBuf,
    },
    /// A restore has the store for itself.
    #[error("a backup is being restored into {}: try again when that has ended", folder.display())]
    Restoring {
        /// The store's folder.
        folder: PathBuf,
    },
    /// A backup that cannot be trusted.
    #[error("the backup {} cannot be used: {what}. Nothing was changed; try an older backup", folder.display())]
    BadBackup {
        /// The backup.
        folder: PathBuf,
        /// What was found.
        what: String,
    },
    /// The machine has another store's keys.
    #[error(
        "{} holds another store than the one that was backed up. Nothing was changed; to replace it, move that \
         folder away first",
        folder.display()
    )]
    OtherStore {
        /// The store's folder.
        folder: PathBuf,
    },
    /// No keys fit the backup.
    #[error(
        "this machine has no keys for the backup, and {} does not hold them either: name the copy of the keys that \
         lies beside the backups with --keys. Nothing was changed",
        keys.display()
    )]
    NoKeysToRestore {
        /// Where they were looked for.
        keys: PathBuf,
    },
    /// The input is not acceptable.
    #[error("{0}")]
    Invalid(String),
    /// There is no such member.
    #[error("there is no member {0}")]
    NoSuchMember(MemberId),
    /// There is no such product.
    #[error("there is no product with the SKU \"{0}\"")]
    NoSuchProduct(String),
    /// Another member has this token.
    #[error("this card token belongs to a member already")]
    TokenTaken,
    /// The token was an erased member's.
    #[error("this card token belonged to a member who was erased: use a new card")]
    TokenErased,
    /// A template without a consent.
    #[error("member {0} has not agreed to be recognised by face: record the consent first")]
    NoConsent(MemberId),
    /// The key of a member is destroyed, but the rows could not be removed yet.
    #[error(
        "member {member}: the key is destroyed, so nothing sealed can be read again, but the rows are still to be \
         removed ({reason}); that happens at the next start"
    )]
    ErasedKeyOnly {
        /// Whose.
        member: MemberId,
        /// Why.
        reason: String,
    },
    /// Keys or seals.
    #[error("{0}")]
    Privacy(PrivacyError),
    /// Anything else that SQLite says.
    #[error("database: {0}")]
    Sql(rusqlite::Error),
}

// The messages say their causes themselves, so none is given as `source` and printed twice.
impl From<rusqlite::Error> for StorageError {
    fn from(error: rusqlite::Error) -> Self {
        StorageError::Sql(error)
    }
}

impl From<PrivacyError> for StorageError {
    fn from(error: PrivacyError) -> Self {
        match error {
            PrivacyError::Keys { file, cause } => match StorageError::Sql(cause).in_file(&file) {
                StorageError::Sql(cause) => StorageError::Privacy(PrivacyError::Keys { file, cause }),
                known => known,
            },
            other => StorageError::Privacy(other),
        }
    }
}

impl StorageError {
    /// Names the file where SQLite's own message does not.
    pub(super) fn in_file(self, file: &Path) -> Self {
        use rusqlite::ErrorCode::{
            DatabaseBusy, DatabaseCorrupt, DatabaseLocked, DiskFull, NotADatabase, SystemIoFailure,
        };
        let StorageError::Sql(error) = &self else { return self };
        let file = file.to_owned();
        match error.sqlite_error_code() {
            Some(DiskFull) => StorageError::Full { file },
            Some(DatabaseCorrupt | NotADatabase) => StorageError::Damaged { file, what: error.to_string() },
            Some(DatabaseBusy | DatabaseLocked) => {
                StorageError::Locked { file, seconds: super::database::BUSY.as_secs() }
            }
            Some(SystemIoFailure) => StorageError::Io {
                doing: "use the database",
                file,
                cause: std::io::Error::other(error.to_string()),
            },
            _ => self,
        }
    }
}
