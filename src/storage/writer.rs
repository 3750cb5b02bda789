//! The one thread that changes the database. It takes what waits in the queue, up to [`BATCH`]
//! changes, into one `BEGIN IMMEDIATE` transaction with a savepoint each, and replies after the
//! commit. A change that fails is rolled back alone; a commit that fails fails every change in it.

use super::StorageError;
use super::queue::{Queue, Refused};
use rusqlite::{Connection, ffi};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::PathBuf;
use std::sync::mpsc::sync_channel;
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::Duration;

/// Places in the queue.
const PLACES: usize = 256;
/// Changes that are committed together at most.
const BATCH: usize = 64;
/// How long a caller waits for a place.
const PATIENCE: Duration = Duration::from_secs(5);

/// One change on its way.
struct Change {
    /// Makes it and keeps its value; whether it may be committed.
    make: Box<dyn FnOnce(&Connection) -> bool + Send>,
    /// Tells the caller how it ended: `None` is a commit.
    reply: Reply,
}
type Reply = Box<dyn FnOnce(Option<StorageError>) + Send>;

/// The writer's thread and the way to it.
pub(super) struct Writer {
    queue: Arc<Queue<Change>>,
    thread: Option<JoinHandle<()>>,
    file: PathBuf,
}

impl Writer {
    /// Starts the thread on a connection from `database::open_writer`.
    pub fn start(db: Connection, file: PathBuf) -> Result<Self, StorageError> {
        let queue = Arc::new(Queue::new(PLACES));
        let incoming = Arc::clone(&queue);
        let place = file.clone();
        let thread = std::thread::Builder::new()
            .name("storage-writer".into())
            .spawn(move || run(db, &incoming, &place))
            .map_err(|cause| StorageError::Io { doing: "start the writer of", file: file.clone(), cause })?;
        Ok(Self { queue, thread: Some(thread), file })
    }

    /// Runs `change` in the writer's transaction and returns its value after the commit.
    pub fn write<T: Send + 'static>(
        &self,
        change: impl FnOnce(&Connection) -> Result<T, StorageError> + Send + 'static,
    ) -> Result<T, StorageError> {
        let (sender, receiver) = sync_channel(1);
        let made = Arc::new(Mutex::new(None));
        let (kept, file) = (Arc::clone(&made), self.file.clone());
        let make = Box::new(move |db: &Connection| {
            let result = change(db).map_err(|e| e.in_file(&file));
            let good = result.is_ok();
            *kept.lock().unwrap_or_else(|e| e.into_inner()) = Some(result);
            good
        });
        let reply = Box::new(move |failed| {
            let made = made.lock().unwrap_or_else(|e| e.into_inner()).take();
            let _ = sender.send(match (made, failed) {
                (Some(Err(error)), _) | (_, Some(error)) => Err(error),
                (Some(Ok(value)), None) => Ok(value),
                (None, None) => Err(StorageError::Stopped),
            });
        });
        match self.queue.send(Change { make, reply }, PATIENCE) {
            Ok(()) => receiver.recv().unwrap_or(Err(StorageError::Stopped)),
            Err(Refused::Full(_)) => Err(StorageError::Busy { waiting: self.queue.len() }),
            Err(Refused::Closed(_)) => Err(StorageError::Stopped),
        }
    }

    /// Changes that wait now.
    pub fn waiting(&self) -> usize {
        self.queue.len()
    }
}

impl Drop for Writer {
    /// Finishes what waits, then ends the thread; closing its connection empties the log.
    fn drop(&mut self) {
        self.queue.close();
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

fn run(db: Connection, queue: &Queue<Change>, file: &std::path::Path) {
    loop {
        let changes = queue.receive(BATCH);
        if changes.is_empty() {
            break;
        }
        let mut replies = Vec::with_capacity(changes.len());
        let outcome = batch(&db, changes, &mut replies);
        if outcome.is_err() && !db.is_autocommit() {
            let _ = db.execute_batch("ROLLBACK");
        }
        let outcome = outcome.map_err(|e| StorageError::from(e).in_file(file));
        if let Err(error) = &outcome {
            tracing::error!(id = "changes-not-committed", %error, changes = replies.len(), "changes were not committed");
        }
        for reply in replies {
            reply(outcome.as_ref().err().map(again));
        }
    }
    if let Err(error) = db.execute_batch("PRAGMA optimize") {
        tracing::warn!(id = "database-not-tidied", %error, "the database could not be tidied at the end");
    }
}

fn batch(db: &Connection, changes: Vec<Change>, replies: &mut Vec<Reply>) -> rusqlite::Result<()> {
    let (makes, all): (Vec<_>, Vec<_>) = changes.into_iter().map(|c| (c.make, c.reply)).unzip();
    replies.extend(all);
    db.execute_batch("BEGIN IMMEDIATE")?;
    for make in makes {
        db.execute_batch("SAVEPOINT change")?;
        let good = catch_unwind(AssertUnwindSafe(|| make(db))).unwrap_or_else(|_| {
            tracing::error!(id = "change-panicked", "a change panicked; it is rolled back");
            false
        });
        if db.is_autocommit() {
            // SQLite gave the whole transaction up: a full disk or an I/O error.
            return Err(rusqlite::Error::SqliteFailure(ffi::Error::new(ffi::SQLITE_FULL), None));
        }
        db.execute_batch(if good { "RELEASE change" } else { "ROLLBACK TO change; RELEASE change" })?;
    }
    db.execute_batch("COMMIT")
}

/// The same error for every change of a batch.
fn again(error: &StorageError) -> StorageError {
    let from = |cause: &std::io::Error| std::io::Error::new(cause.kind(), cause.to_string());
    match error {
        StorageError::Full { file } => StorageError::Full { file: file.clone() },
        StorageError::Damaged { file, what } => {
            StorageError::Damaged { file: file.clone(), what: what.clone() }
        }
        StorageError::Locked { file, seconds } => {
            StorageError::Locked { file: file.clone(), seconds: *seconds }
        }
        StorageError::Io { doing, file, cause } => {
            StorageError::Io { doing, file: file.clone(), cause: from(cause) }
        }
        StorageError::Sql(rusqlite::Error::SqliteFailure(code, message)) => {
            StorageError::Sql(rusqlite::Error::SqliteFailure(*code, message.clone()))
        }
        _ => StorageError::Stopped,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::storage::database;

    fn writer() -> (tempfile::TempDir, Writer) {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join(database::FILE);
        let db = database::open_writer(folder.path()).unwrap();
        db.execute_batch("CREATE TABLE t (n INTEGER UNIQUE) STRICT").unwrap();
        let writer = Writer::start(db, file).unwrap();
        (folder, writer)
    }

    fn insert(writer: &Writer, n: i64) -> Result<usize, StorageError> {
        writer.write(move |db| Ok(db.execute("INSERT INTO t VALUES (?)", [n])?))
    }

    fn rows(folder: &tempfile::TempDir) -> i64 {
        let reader = database::open_reader(&folder.path().join(database::FILE)).unwrap();
        reader.query_row("SELECT COUNT(*) FROM t", [], |r| r.get(0)).unwrap()
    }

    #[test]
    fn a_change_is_on_disk_when_the_call_returns() {
        let (folder, writer) = writer();
        assert_eq!(insert(&writer, 1).unwrap(), 1);
        assert_eq!(rows(&folder), 1);
    }

    #[test]
    fn a_change_that_fails_takes_no_other_with_it() {
        let (folder, writer) = writer();
        let results: Vec<bool> = std::thread::scope(|scope| {
            let threads: Vec<_> = (0..40)
                .map(|n| {
                    scope.spawn({
                        let w = &writer;
                        move || insert(w, n / 2).is_ok()
                    })
                })
                .collect();
            threads.into_iter().map(|t| t.join().unwrap()).collect()
        });
        assert_eq!(results.iter().filter(|good| **good).count(), 20);
        assert_eq!(rows(&folder), 20);
    }

    #[test]
    fn a_change_that_panics_is_undone_and_the_writer_goes_on() {
        let (folder, writer) = writer();
        let broken = writer.write(|db| -> Result<(), StorageError> {
            db.execute("INSERT INTO t VALUES (1)", [])?;
            panic!("on purpose");
        });
        assert!(matches!(broken, Err(StorageError::Stopped)));
        insert(&writer, 2).unwrap();
        assert_eq!(rows(&folder), 1);
    }

    #[test]
    fn a_full_queue_refuses_with_words_and_changes_nothing() {
        let queue: Queue<Change> = Queue::new(1);
        let change = || Change { make: Box::new(|_| true), reply: Box::new(|_| {}) };
        assert!(queue.send(change(), Duration::ZERO).is_ok());
        assert!(matches!(queue.send(change(), Duration::ZERO), Err(Refused::Full(_))));
        let message = StorageError::Busy { waiting: PLACES }.to_string();
        assert!(message.contains("256 changes are waiting"), "{message}");
    }

    #[test]
    fn a_full_disk_is_said_and_nothing_is_kept() {
        let (folder, writer) = writer();
        writer.write(|db| Ok(db.execute_batch("CREATE TABLE big (b BLOB) STRICT")?)).unwrap();
        let pages: i64 = writer.write(|db| Ok(db.query_row("PRAGMA page_count", [], |r| r.get(0))?)).unwrap();
        // The limit stands for the disk: SQLite answers SQLITE_FULL to both.
        writer
            .write(move |db| Ok(db.query_row(&format!("PRAGMA max_page_count = {pages}"), [], |_| Ok(()))?))
            .unwrap();
        let full = writer.write(|db| Ok(db.execute("INSERT INTO big VALUES (zeroblob(5000000))", [])?));
        assert!(matches!(full, Err(StorageError::Full { .. })), "{full:?}");
        assert_eq!(rows(&folder), 0);
        writer.write(|db| Ok(db.query_row("PRAGMA max_page_count = 1000000", [], |_| Ok(()))?)).unwrap();
        insert(&writer, 1).unwrap();
    }

    #[test]
    fn changes_that_were_accepted_are_made_before_the_end() {
        let (folder, writer) = writer();
        std::thread::scope(|scope| {
            for n in 0..20 {
                scope.spawn({
                    let w = &writer;
                    move || insert(w, n).unwrap()
                });
            }
        });
        drop(writer);
        assert_eq!(rows(&folder), 20);
    }
}
