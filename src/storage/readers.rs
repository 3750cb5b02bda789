//! A few read-only connections. A reader sees one consistent state for the length of one call and
//! never waits for the writer, only for a free connection.

use super::{StorageError, database};
use rusqlite::{Connection, TransactionBehavior};
use std::path::PathBuf;
use std::sync::{Condvar, Mutex};

/// Connections at most.
const CONNECTIONS: usize = 4;

/// The connections.
pub(super) struct Readers {
    file: PathBuf,
    pool: Mutex<Pool>,
    returned: Condvar,
}

#[derive(Default)]
struct Pool {
    idle: Vec<Connection>,
    out: usize,
}

impl Readers {
    /// Connections to `file` are opened when they are first needed.
    pub fn new(file: PathBuf) -> Self {
        Self { file, pool: Mutex::default(), returned: Condvar::new() }
    }

    /// Runs `read` within one read transaction.
    pub fn read<T>(
        &self,
        read: impl FnOnce(&Connection) -> Result<T, StorageError>,
    ) -> Result<T, StorageError> {
        let taken = self.take();
        let mut reader = match taken.map_or_else(|| database::open_reader(&self.file), Ok) {
            Ok(reader) => reader,
            Err(error) => {
                self.put(None);
                return Err(error.in_file(&self.file));
            }
        };
        let back = Return { readers: self };
        let result = (|| {
            let view = reader.transaction_with_behavior(TransactionBehavior::Deferred)?;
            read(&view)
        })();
        std::mem::forget(back);
        self.put(Some(reader));
        result.map_err(|e| e.in_file(&self.file))
    }

    fn take(&self) -> Option<Connection> {
        let mut pool = self.pool.lock().unwrap_or_else(|e| e.into_inner());
        while pool.out >= CONNECTIONS {
            pool = self.returned.wait(pool).unwrap_or_else(|e| e.into_inner());
        }
        pool.out += 1;
        pool.idle.pop()
    }

    fn put(&self, reader: Option<Connection>) {
        let mut pool = self.pool.lock().unwrap_or_else(|e| e.into_inner());
        pool.out -= 1;
        pool.idle.extend(reader);
        self.returned.notify_one();
    }
}

/// Frees the place of a reader whose call panicked.
struct Return<'a> {
    readers: &'a Readers,
}

impl Drop for Return<'_> {
    fn drop(&mut self) {
        self.readers.put(None);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn readers(folder: &tempfile::TempDir) -> Readers {
        drop(database::open_writer(folder.path()).unwrap());
        Readers::new(folder.path().join(database::FILE))
    }

    #[test]
    fn a_reader_cannot_change_anything() {
        let folder = tempfile::tempdir().unwrap();
        let result = readers(&folder).read(|db| Ok(db.execute("DELETE FROM products", [])?));
        assert!(result.unwrap_err().to_string().contains("readonly"));
    }

    #[test]
    fn many_threads_share_few_connections_and_a_panic_loses_none() {
        let folder = tempfile::tempdir().unwrap();
        let readers = readers(&folder);
        let count = || {
            readers.read(|db| Ok(db.query_row("SELECT COUNT(*) FROM products", [], |r| r.get::<_, i64>(0))?))
        };
        for _ in 0..CONNECTIONS * 2 {
            let panicked = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
                readers.read(|_| -> Result<(), StorageError> { panic!("on purpose") })
            }));
            assert!(panicked.is_err());
        }
        std::thread::scope(|scope| {
            for _ in 0..20 {
                scope.spawn(|| assert_eq!(count().unwrap(), 0));
            }
        });
        assert!(readers.pool.lock().unwrap().idle.len() <= CONNECTIONS);
    }
}
