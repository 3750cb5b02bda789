//! Looking at a store without opening it for work: nothing is made, migrated or repaired.

use super::{StorageError, database};
use jiff::Timestamp;
use std::path::Path;

/// What was found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Examined {
    /// When the newest record says it was made.
    pub newest: Option<Timestamp>,
    /// Members.
    pub members: u64,
    /// Receipts.
    pub receipts: u64,
    /// Size of the database in bytes.
    pub bytes: u64,
    /// Size of its write-ahead log in bytes.
    pub log_bytes: u64,
}

/// Examines the database in `folder`; `None` if there is none yet. Reads it to see whether it is whole.
///
/// # Errors
/// It is damaged, another program's, of a newer version, or cannot be read.
pub fn examine(folder: &Path) -> Result<Option<Examined>, StorageError> {
    let file = folder.join(database::FILE);
    if !file.exists() {
        return Ok(None);
    }
    database::refuse_truncated(&file)?;
    let look = || -> Result<Examined, StorageError> {
        let db = database::open_reader(&file)?;
        database::refuse_foreign(&db, &file)?;
        let verdict: String = db.query_row("PRAGMA quick_check(1)", [], |r| r.get(0))?;
        if verdict != "ok" {
            return Err(StorageError::Damaged { file: file.clone(), what: verdict });
        }
        let newest: Option<i64> = db.query_row(
            "SELECT MAX(t) FROM (SELECT MAX(at) AS t FROM receipts UNION ALL SELECT MAX(at) FROM audit \
             UNION ALL SELECT MAX(entered) FROM visits)",
            [],
            |r| r.get(0),
        )?;
        let count = |table: &str| -> rusqlite::Result<i64> {
            db.query_row(&format!("SELECT COUNT(*) FROM {table}"), [], |r| r.get(0))
        };
        let size = |file: &Path| std::fs::metadata(file).map_or(0, |m| m.len());
        Ok(Examined {
            newest: newest.and_then(|ms| Timestamp::from_millisecond(ms).ok()),
            members: count("members")?.unsigned_abs(),
            receipts: count("receipts")?.unsigned_abs(),
            bytes: size(&file),
            log_bytes: size(&file.with_extension("sqlite-wal")),
        })
    };
    look().map(Some).map_err(|error| error.in_file(&file))
}

/// The schema of the database in `folder`, even one that this program does not know; `None` if there is
/// no database.
pub fn schema_in(folder: &Path) -> Result<Option<i64>, StorageError> {
    let file = folder.join(database::FILE);
    if !file.exists() {
        return Ok(None);
    }
    let look = || Ok(database::open_reader(&file)?.query_row("PRAGMA user_version", [], |r| r.get(0))?);
    look().map(Some).map_err(|error: StorageError| error.in_file(&file))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::storage::fixture::{Shop, at, receipt};

    #[test]
    fn a_store_is_examined_and_nothing_is_made() {
        let empty = tempfile::tempdir().unwrap();
        assert_eq!(examine(empty.path()).unwrap(), None);
        assert_eq!(schema_in(empty.path()).unwrap(), None);
        assert_eq!(std::fs::read_dir(empty.path()).unwrap().count(), 0);
        let shop = Shop::new();
        shop.store.record_receipt(&receipt("r1", None, &[("tea", 1.0)])).unwrap();
        let found = examine(shop.folder.path()).unwrap().unwrap();
        assert_eq!((found.newest, found.members, found.receipts), (Some(at(100)), 0, 1));
        assert_eq!(schema_in(shop.folder.path()).unwrap(), Some(database::SCHEMA));
    }
}
