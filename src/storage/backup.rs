//! Online backup: one consistent copy of the database while everything goes on. It holds no key
//! and no tombstone (those are in `keys.sqlite`, which is copied by nobody), so an erased member is
//! unreadable in every backup and is erased again when one is put back.

use super::{StorageError, Store, database};
use std::fs::File;
use std::path::Path;

impl Store {
    /// Writes a backup to `to`, which must not exist. It is complete and verified when it has that
    /// name; until then it is called `<to>.part`.
    pub fn backup_to(&self, to: &Path) -> Result<(), StorageError> {
        let io = |doing| move |cause| StorageError::Io { doing, file: to.to_owned(), cause };
        if to.exists() {
            return Err(StorageError::Invalid(format!("{} exists: choose another name", to.display())));
        }
        let mut part = to.as_os_str().to_owned();
        part.push(".part");
        let part = Path::new(&part);
        if part.exists() {
            std::fs::remove_file(part).map_err(io("remove an unfinished backup beside"))?;
        }
        let name = part
            .to_str()
            .ok_or_else(|| StorageError::Invalid(format!("{} is not a UTF-8 path", to.display())))?;
        // Not within a reader's transaction: VACUUM keeps its own view for as long as it takes.
        let reader = database::open_reader(&self.parts.file).map_err(|e| e.in_file(&self.parts.file))?;
        let copied = reader.execute("VACUUM INTO ?", [name]).map_err(StorageError::from).and_then(|_| {
            let copy = database::open_reader(part)?;
            let verdict: String = copy.query_row("PRAGMA quick_check(1)", [], |r| r.get(0))?;
            if verdict == "ok" {
                Ok(())
            } else {
                Err(StorageError::Damaged { file: part.to_owned(), what: verdict })
            }
        });
        if let Err(error) = copied {
            let _ = std::fs::remove_file(part);
            return Err(error.in_file(part));
        }
        File::open(part).and_then(|f| f.sync_all()).map_err(io("write"))?;
        std::fs::rename(part, to).map_err(io("name"))?;
        let folder = to.parent().filter(|f| !f.as_os_str().is_empty()).unwrap_or(Path::new("."));
        File::open(folder).and_then(|f| f.sync_all()).map_err(io("write"))
    }
}

#[cfg(test)]
mod tests {
    use crate::storage::fixture::{Shop, receipt};
    use rusqlite::Connection;

    #[test]
    fn a_backup_is_whole_while_receipts_keep_coming() {
        let shop = Shop::new();
        let file = shop.folder.path().join("backup.sqlite");
        std::thread::scope(|scope| {
            scope.spawn(|| {
                for n in 0..50 {
                    shop.store.record_receipt(&receipt(&format!("r{n}"), None, &[("tea", 1.0)])).unwrap();
                }
            });
            shop.store.backup_to(&file).unwrap();
        });
        let copy = Connection::open(&file).unwrap();
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
    fn a_backup_never_overwrites() {
        let shop = Shop::new();
        let file = shop.folder.path().join("backup.sqlite");
        std::fs::write(&file, "mine").unwrap();
        assert!(shop.store.backup_to(&file).unwrap_err().to_string().contains("exists"));
        assert_eq!(std::fs::read(&file).unwrap(), b"mine");
    }
}
