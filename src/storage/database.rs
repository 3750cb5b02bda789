//! One connection to the database: how it is opened, what is refused, and how an older schema is
//! brought up to date. Migrations are numbered; each runs in its own transaction, which also sets
//! `PRAGMA user_version`, so that a crash leaves the old schema or the new one, never half of it.

use super::StorageError;
use rusqlite::{Connection, OpenFlags, TransactionBehavior};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::Path;
use std::time::Duration;

/// Name of the database in the store's folder.
pub(super) const FILE: &str = "shop.sqlite";
/// How long a connection waits for another process.
pub(super) const BUSY: Duration = Duration::from_secs(10);
/// "sgsd", in the file's header.
const APPLICATION: i64 = 1_936_156_516;
/// The first SQLite without the flaw that could lose commits when a WAL is reset.
const SQLITE: i32 = 3_051_003;

/// Every migration, oldest first; the schema's version is how many ran.
const MIGRATIONS: [&str; 4] = [
    include_str!("migrations/0001.sql"),
    include_str!("migrations/0002.sql"),
    include_str!("migrations/0003.sql"),
    include_str!("migrations/0004.sql"),
];

/// The newest schema.
pub(super) const SCHEMA: i64 = MIGRATIONS.len() as i64;

/// Opens the database for the writer: makes folder and file if they are not there, refuses what is
/// damaged, foreign or newer, and migrates what is older.
pub(super) fn open_writer(folder: &Path) -> Result<Connection, StorageError> {
    refuse_old_sqlite(rusqlite::version_number())?;
    let file = folder.join(FILE);
    let io = |doing| move |cause| StorageError::Io { doing, file: folder.join(FILE), cause };
    make_folder(folder)?;
    std::fs::OpenOptions::new()
        .create(true)
        .append(true)
        .mode(0o600)
        .open(&file)
        .map_err(io("open the database"))?;
    refuse_truncated(&file)?;
    let mut writer = Connection::open_with_flags(
        &file,
        OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX,
    )
    .map_err(|e| StorageError::from(e).in_file(&file))?;
    prepare(&mut writer, &file).map_err(|e| e.in_file(&file))?;
    Ok(writer)
}

/// Makes the store's folder if it is not there, for its owner alone.
pub(super) fn make_folder(folder: &Path) -> Result<(), StorageError> {
    std::fs::DirBuilder::new().recursive(true).mode(0o700).create(folder).map_err(|cause| StorageError::Io {
        doing: "make the folder",
        file: folder.to_owned(),
        cause,
    })
}

fn prepare(writer: &mut Connection, file: &Path) -> Result<(), StorageError> {
    writer.busy_timeout(BUSY)?;
    refuse_foreign(writer, file)?;
    writer.execute_batch(
        "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA foreign_keys = ON;
         PRAGMA secure_delete = ON; PRAGMA journal_size_limit = 67108864; PRAGMA temp_store = MEMORY;
         PRAGMA trusted_schema = OFF;",
    )?;
    writer.set_prepared_statement_cache_capacity(64);
    keep_before_migration(writer, file)?;
    migrate(writer)?;
    let verdict: String = writer.query_row("PRAGMA quick_check(1)", [], |r| r.get(0))?;
    if verdict != "ok" {
        return Err(StorageError::Damaged { file: file.to_owned(), what: verdict });
    }
    Ok(())
}

/// Opens the database for reading only.
pub(super) fn open_reader(file: &Path) -> Result<Connection, StorageError> {
    let reader = Connection::open_with_flags(
        file,
        OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX,
    )?;
    reader.busy_timeout(BUSY)?;
    reader.execute_batch("PRAGMA trusted_schema = OFF; PRAGMA temp_store = MEMORY;")?;
    reader.set_prepared_statement_cache_capacity(64);
    Ok(reader)
}

/// A database in memory with the newest schema, to compare with.
pub(super) fn model() -> Result<Connection, StorageError> {
    let mut model = Connection::open_in_memory()?;
    migrate(&mut model)?;
    Ok(model)
}

/// Before an older schema is brought up to date, a copy of the database is kept beside it, so that
/// the older version of the program can be gone back to. The copy holds no key.
fn keep_before_migration(writer: &Connection, file: &Path) -> Result<(), StorageError> {
    let version: i64 = writer.query_row("PRAGMA user_version", [], |r| r.get(0))?;
    if (1..SCHEMA).contains(&version) { keep_copy(writer, file, version) } else { Ok(()) }
}

fn keep_copy(writer: &Connection, file: &Path, version: i64) -> Result<(), StorageError> {
    let kept = file.with_extension(format!("sqlite.before-{}", version + 1));
    if kept.exists() {
        // Of a migration that was cut off or gone back from: what is there now counts.
        let io = |cause| StorageError::Io { doing: "replace the copy", file: kept.clone(), cause };
        std::fs::remove_file(&kept).map_err(io)?;
    }
    super::backup::copy_database(writer, &kept)?;
    tracing::info!(copy = %kept.display(), "the database is brought up to date; a copy of the old one is kept");
    Ok(())
}

fn migrate(writer: &mut Connection) -> Result<(), StorageError> {
    loop {
        let begin = writer.transaction_with_behavior(TransactionBehavior::Immediate)?;
        let version: i64 = begin.query_row("PRAGMA user_version", [], |r| r.get(0))?;
        let Some(migration) = usize::try_from(version).ok().and_then(|v| MIGRATIONS.get(v)) else {
            return Ok(());
        };
        begin.execute_batch(migration)?;
        begin.execute_batch(&format!("PRAGMA user_version = {}", version + 1))?;
        begin.commit()?;
    }
}

fn refuse_old_sqlite(version: i32) -> Result<(), StorageError> {
    if version < SQLITE { Err(StorageError::OldSqlite { found: rusqlite::version() }) } else { Ok(()) }
}

pub(super) fn refuse_foreign(writer: &Connection, file: &Path) -> Result<(), StorageError> {
    let found: i64 = writer.query_row("PRAGMA user_version", [], |r| r.get(0))?;
    let application: i64 = writer.query_row("PRAGMA application_id", [], |r| r.get(0))?;
    let tables: i64 = writer.query_row("SELECT COUNT(*) FROM sqlite_schema", [], |r| r.get(0))?;
    if application != APPLICATION && (tables > 0 || application != 0) {
        return Err(StorageError::Foreign { file: file.to_owned() });
    }
    if !(0..=SCHEMA).contains(&found) {
        return Err(StorageError::Newer { file: file.to_owned(), found, known: SCHEMA });
    }
    Ok(())
}

/// A copy that broke off is shorter than its own header says. SQLite would notice only when it
/// comes to the missing pages.
pub(super) fn refuse_truncated(file: &Path) -> Result<(), StorageError> {
    use std::io::Read;
    let io = |cause| StorageError::Io { doing: "read the database", file: file.to_owned(), cause };
    let damaged = |what: String| Err(StorageError::Damaged { file: file.to_owned(), what });
    let mut open = std::fs::File::open(file).map_err(io)?;
    let length = open.metadata().map_err(io)?.len();
    if length == 0 {
        return Ok(());
    }
    let mut header = [0; 100];
    if open.read_exact(&mut header).is_err() {
        return damaged(format!("it ends after {length} bytes, within its header"));
    }
    if &header[..16] != b"SQLite format 3\0" {
        return damaged("it does not begin like an SQLite database".into());
    }
    let page = match u64::from(u16::from_be_bytes([header[16], header[17]])) {
        1 => 65_536,
        size => size,
    };
    let number = |at: usize| u32::from_be_bytes([header[at], header[at + 1], header[at + 2], header[at + 3]]);
    let pages = u64::from(number(28));
    // With a write-ahead log beside it, the file may lag behind its header for a good reason.
    let log = std::fs::metadata(file.with_extension("sqlite-wal")).map_or(0, |m| m.len());
    if log == 0 && number(24) == number(92) && length < pages * page {
        return damaged(format!("it has {length} bytes where its header says {}", pages * page));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn schema(db: &Connection) -> Vec<(String, String)> {
        let mut rows =
            db.prepare("SELECT name, sql FROM sqlite_schema WHERE sql IS NOT NULL ORDER BY name").unwrap();
        rows.query_map([], |r| Ok((r.get(0)?, r.get(1)?))).unwrap().map(Result::unwrap).collect()
    }

    #[test]
    fn every_older_schema_is_brought_up_to_date() {
        let newest = schema(&model().unwrap());
        for version in 0..=MIGRATIONS.len() {
            let folder = tempfile::tempdir().unwrap();
            let file = folder.path().join(FILE);
            let old = Connection::open(&file).unwrap();
            for migration in &MIGRATIONS[..version] {
                old.execute_batch(migration).unwrap();
            }
            old.execute_batch(&format!("PRAGMA user_version = {version}")).unwrap();
            drop(old);
            let now = open_writer(folder.path()).unwrap();
            assert_eq!(schema(&now), newest, "from version {version}");
            let found: i64 = now.query_row("PRAGMA user_version", [], |r| r.get(0)).unwrap();
            assert_eq!(found, SCHEMA);
        }
    }

    #[test]
    fn the_older_database_is_kept_before_it_is_brought_up_to_date() {
        let folder = tempfile::tempdir().unwrap();
        let db = open_writer(folder.path()).unwrap();
        let file = folder.path().join(FILE);
        for _ in 0..2 {
            keep_copy(&db, &file, 1).unwrap();
            let copy = Connection::open(folder.path().join("shop.sqlite.before-2")).unwrap();
            assert_eq!(schema(&copy), schema(&db));
        }
    }

    #[test]
    fn a_migration_that_fails_leaves_the_old_schema() {
        let mut db = Connection::open_in_memory().unwrap();
        db.execute_batch("CREATE TABLE audit (a) STRICT").unwrap_err();
        db.execute_batch("CREATE TABLE audit (a INTEGER) STRICT").unwrap();
        assert!(migrate(&mut db).is_err());
        assert_eq!(schema(&db).len(), 1);
    }

    #[test]
    fn the_database_is_set_up_to_lose_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let db = open_writer(folder.path()).unwrap();
        let ask = |what: &str| {
            db.query_row(&format!("PRAGMA {what}"), [], |r| r.get::<_, rusqlite::types::Value>(0)).unwrap()
        };
        assert_eq!(ask("journal_mode"), rusqlite::types::Value::Text("wal".into()));
        assert_eq!(ask("synchronous"), rusqlite::types::Value::Integer(2));
        assert_eq!(ask("foreign_keys"), rusqlite::types::Value::Integer(1));
    }

    #[test]
    fn a_newer_database_is_refused_in_words() {
        let folder = tempfile::tempdir().unwrap();
        drop(open_writer(folder.path()).unwrap());
        let file = folder.path().join(FILE);
        Connection::open(&file).unwrap().execute_batch("PRAGMA user_version = 99").unwrap();
        let before = std::fs::read(&file).unwrap();
        let message = open_writer(folder.path()).unwrap_err().to_string();
        assert!(message.contains("schema 99") && message.contains("newer version"), "{message}");
        assert_eq!(std::fs::read(&file).unwrap(), before, "it was changed");
    }

    #[test]
    fn another_programs_database_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join(FILE);
        Connection::open(&file).unwrap().execute_batch("CREATE TABLE theirs (a)").unwrap();
        assert!(matches!(open_writer(folder.path()), Err(StorageError::Foreign { .. })));
    }

    #[test]
    fn a_truncated_database_is_refused_with_steps() {
        let folder = tempfile::tempdir().unwrap();
        drop(open_writer(folder.path()).unwrap());
        let file = folder.path().join(FILE);
        let whole = std::fs::read(&file).unwrap();
        for length in [1, 50, 100, 4096, whole.len() / 2, whole.len() - 1] {
            std::fs::write(&file, &whole[..length]).unwrap();
            let message = open_writer(folder.path()).unwrap_err().to_string();
            assert!(message.contains("damaged") && message.contains("backup"), "{length}: {message}");
            assert_eq!(std::fs::read(&file).unwrap(), &whole[..length], "it was changed");
        }
    }

    #[test]
    fn a_database_overwritten_in_the_middle_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        drop(open_writer(folder.path()).unwrap());
        let file = folder.path().join(FILE);
        let mut bytes = std::fs::read(&file).unwrap();
        bytes[4096 * 3..4096 * 6].fill(0xAA);
        std::fs::write(&file, bytes).unwrap();
        let error = open_writer(folder.path()).unwrap_err();
        assert!(matches!(error, StorageError::Damaged { .. }), "{error}");
    }

    #[test]
    fn an_sqlite_that_can_lose_commits_is_refused() {
        assert!(refuse_old_sqlite(3_051_002).is_err());
        assert!(refuse_old_sqlite(3_051_003).is_ok());
    }
}
