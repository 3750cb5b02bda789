//! The audit in the database: appending within the transaction of what it is about, reading, and
//! verifying the chain against the end that is kept beside the keys.

use super::{StorageError, Store, columns};
use crate::id::MemberId;
use crate::privacy::audit::{self, Action, Audited, Broken, Link, ORIGIN};
use crate::privacy::vault::Vault;
use jiff::Timestamp;
use rusqlite::{Connection, OptionalExtension, params};

/// Where the chain ends now.
pub(super) type End = (u64, Link);

impl Store {
    /// Appends an entry of its own, e.g. a login. Entries about changes are written with the change.
    pub fn audit(&self, entry: Audited) -> Result<(), StorageError> {
        let key = self.parts.vault.audit_key();
        let end = self.write(move |db| append(db, &key, &entry))?;
        self.remember(end);
        Ok(())
    }

    /// The newest entries first, at most `most`.
    pub fn audited(&self, most: usize) -> Result<Vec<(u64, Audited)>, StorageError> {
        self.read(|db| {
            let mut rows = db.prepare_cached(
                "SELECT sequence, at, by, action, member, detail, link FROM audit ORDER BY sequence DESC LIMIT ?",
            )?;
            let entries = rows.query_map([most as i64], entry)?;
            entries.map(|e| e.map(|(s, e, _)| (s, e)).map_err(StorageError::from)).collect()
        })
    }

    /// Follows the whole chain; `Ok(Ok(n))` says that all `n` entries are as they were written.
    pub fn verify_audit(&self) -> Result<Result<u64, Broken>, StorageError> {
        let vault = &self.parts.vault;
        let end = vault.audit_end()?;
        self.read(|db| {
            let mut rows = db.prepare_cached(
                "SELECT sequence, at, by, action, member, detail, link FROM audit ORDER BY sequence",
            )?;
            let entries = rows.query_map([], entry)?;
            audit::follow(&vault.audit_key(), entries.map(|e| e.map_err(StorageError::from)), end)
        })
    }

    /// Tells the vault where the chain ends. What was committed stays done if that fails: the vault
    /// then knows an earlier entry, and the next one brings it up to date.
    pub(super) fn remember(&self, end: End) {
        if let Err(error) = self.parts.vault.set_audit_end(end.0, &end.1, false) {
            tracing::warn!(id = "audit-end-not-noted", %error, "the end of the audit could not be noted beside the keys");
        }
    }
}

fn entry(row: &rusqlite::Row<'_>) -> rusqlite::Result<(u64, Audited, Link)> {
    let word: String = row.get(3)?;
    let action = Action::from_word(&word)
        .ok_or_else(|| rusqlite::Error::InvalidColumnType(3, word, rusqlite::types::Type::Text))?;
    let member = row.get::<_, Option<i64>>(4)?.map(MemberId);
    let entry = Audited { at: columns::time(row, 1)?, by: row.get(2)?, action, member, detail: row.get(5)? };
    Ok((row.get::<_, i64>(0)? as u64, entry, row.get(6)?))
}

/// Appends within the caller's transaction; the new end is for [`Store::remember`] after the commit.
pub(super) fn append(db: &Connection, key: &[u8; 32], entry: &Audited) -> Result<End, StorageError> {
    let (last, previous) = end(db)?;
    let sequence = last + 1;
    let link = audit::link(key, &previous, sequence, entry);
    db.prepare_cached(
        "INSERT INTO audit (sequence, at, by, action, member, detail, link) VALUES (?, ?, ?, ?, ?, ?, ?)",
    )?
    .execute(params![
        sequence as i64,
        entry.at.as_millisecond(),
        entry.by,
        entry.action.word(),
        entry.member.map(|m| m.0),
        entry.detail,
        link
    ])?;
    Ok((sequence, link))
}

fn end(db: &Connection) -> Result<End, StorageError> {
    let end = db
        .prepare_cached("SELECT sequence, link FROM audit ORDER BY sequence DESC LIMIT 1")?
        .query_row([], |r| Ok((r.get::<_, i64>(0)? as u64, r.get(1)?)))
        .optional()?;
    Ok(end.unwrap_or((0, ORIGIN)))
}

/// At a start: if the chain is not the one that the vault remembers, says so in an entry of its own,
/// from which the chain goes on, and returns the new end. The difference stays visible for ever.
pub(super) fn notice_restore(
    db: &Connection,
    vault: &Vault,
    now: Timestamp,
) -> Result<Option<End>, StorageError> {
    let Some((expected, remembered)) = vault.audit_end()? else { return Ok(None) };
    let stored: Option<Link> = db
        .query_row("SELECT link FROM audit WHERE sequence = ?", [expected as i64], |r| r.get(0))
        .optional()?;
    if stored == Some(remembered) {
        return Ok(None);
    }
    let (found, _) = end(db)?;
    tracing::warn!(
        id = "audit-restored",
        found,
        expected,
        "the audit is not the one last written: a backup was put back"
    );
    let detail = format!("the audit ended at entry {found} where entry {expected} had been written");
    let entry = Audited { at: now, by: "storage".into(), action: Action::Restore, member: None, detail };
    append(db, &vault.audit_key(), &entry).map(Some)
}
