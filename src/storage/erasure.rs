//! Erasing a member: first the key is destroyed and a tombstone set, then the rows go. After the
//! first step nothing sealed can be read again, in this database or in any backup; should the
//! second be interrupted, the next start does it. Receipts stay as the shop's own books, without a
//! member: nothing in them leads back to the person.

use super::audit::{self, End};
use super::{StorageError, Store, members};
use crate::id::MemberId;
use crate::privacy::audit::{Action, Audited};
use crate::privacy::vault::Vault;
use jiff::Timestamp;
use rusqlite::{Connection, OptionalExtension};

/// What an erasure did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ErasureReceipt {
    /// Who is no longer a member.
    pub member: MemberId,
    /// The alias, which is free again.
    pub alias: String,
    /// When.
    pub at: Timestamp,
    /// Templates deleted.
    pub templates: u32,
    /// Visits and views deleted.
    pub visits: u32,
    /// Personal slates deleted, with their impressions and outcomes.
    pub slates: u32,
    /// Receipts that stay, without a member.
    pub receipts_kept: u32,
    /// The entry of the audit.
    pub audit_entry: u64,
}

impl Store {
    /// Erases a member for good.
    ///
    /// # Errors
    /// [`StorageError::ErasedKeyOnly`] if the key is destroyed but the rows could not be deleted (a full
    /// disk): the next start deletes them.
    pub fn erase_member(
        &self,
        id: MemberId,
        by: &str,
        at: Timestamp,
    ) -> Result<ErasureReceipt, StorageError> {
        let member = self.member(id)?.ok_or(StorageError::NoSuchMember(id))?;
        self.parts.vault.destroy(id, Some(&member.token), at)?;
        let (by, audit_key) = (by.to_owned(), self.parts.vault.audit_key());
        let erased = self.write(move |db| {
            members::expect(db, id)?;
            remove(db, &audit_key, id, &by, "on request", at)
        });
        match erased {
            Ok((receipt, end)) => {
                self.remember(end)?;
                Ok(receipt)
            }
            Err(reason) => Err(StorageError::ErasedKeyOnly { member: id, reason: reason.to_string() }),
        }
    }
}

/// At a start: erases a member who came back with a backup, or whose key was lost.
pub(super) fn again(
    db: &Connection,
    vault: &Vault,
    id: MemberId,
    why: &str,
    at: Timestamp,
) -> Result<End, StorageError> {
    let token: Option<String> =
        db.query_row("SELECT token FROM members WHERE id = ?", [id.0], |r| r.get(0)).optional()?;
    vault.destroy(id, token.as_deref(), at)?;
    remove(db, &vault.audit_key(), id, "storage", why, at).map(|(_, end)| end)
}

fn remove(
    db: &Connection,
    audit_key: &[u8; 32],
    id: MemberId,
    by: &str,
    why: &str,
    at: Timestamp,
) -> Result<(ErasureReceipt, End), StorageError> {
    let count = |sql: &str| -> rusqlite::Result<u32> { db.prepare_cached(sql)?.query_row([id.0], |r| r.get(0)) };
    let templates = count("SELECT COUNT(*) FROM templates WHERE member = ?")?;
    let visits = count("SELECT COUNT(*) FROM visits WHERE member = ?")?
        + count("SELECT COUNT(*) FROM views WHERE member = ?")?;
    let slates = count("SELECT COUNT(*) FROM slates WHERE member = ?")?;
    let receipts_kept = count("SELECT COUNT(*) FROM receipts WHERE member = ?")?;
    let alias: String = db.query_row("SELECT alias FROM members WHERE id = ?", [id.0], |r| r.get(0))?;
    // Foreign keys take consents, templates, visits, views and slates along and unlink receipts.
    db.execute("DELETE FROM members WHERE id = ?", [id.0])?;
    let detail = format!("{why}: {templates} templates, {visits} visits and views, {slates} slates");
    let entry = Audited { at, by: by.to_owned(), action: Action::Erase, member: Some(id), detail };
    let end = audit::append(db, audit_key, &entry)?;
    let receipt = ErasureReceipt {
        member: id,
        alias,
        at,
        templates,
        visits,
        slates,
        receipts_kept,
        audit_entry: end.0,
    };
    Ok((receipt, end))
}
