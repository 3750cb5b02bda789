//! Erasing a member: first the key is destroyed and a tombstone set, then the rows go. After the
//! first step nothing sealed can be read again, in this database or in any backup; should the
//! second be interrupted, the next start does it. Receipts stay as the shop's own books, without a
//! member: nothing in them leads back to the person.

use super::audit::{self, End};
use super::{StorageError, Store, members, reserve};
use crate::id::MemberId;
use crate::privacy::audit::{Action, Audited};
use crate::privacy::vault::Vault;
use jiff::Timestamp;
use rusqlite::{Connection, OptionalExtension};
use std::path::PathBuf;

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
    /// A copy of the keys that could not be replaced and still holds this member's: the next backup
    /// replaces it.
    pub keys_left_in: Option<PathBuf>,
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
        let folder = &self.parts.folder;
        reserve::spending(folder, || Ok(self.parts.vault.destroy(id, Some(&member.token), at)?))?;
        let audit_key = self.parts.vault.audit_key();
        let erased = reserve::spending(folder, || {
            let by = by.to_owned();
            self.write(move |db| {
                members::expect(db, id)?;
                remove(db, &audit_key, id, &by, "on request", at)
            })
        });
        reserve::make(folder);
        match erased {
            Ok((receipt, end)) => {
                self.remember(end);
                Ok(ErasureReceipt { keys_left_in: self.refresh_keys_copy(), ..receipt })
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
    let count =
        |sql: &str| -> rusqlite::Result<u32> { db.prepare_cached(sql)?.query_row([id.0], |r| r.get(0)) };
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
        keys_left_in: None,
        audit_entry: end.0,
    };
    Ok((receipt, end))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::gallery::Template;
    use crate::privacy::PrivacyError;
    use crate::privacy::consent::Scope;
    use crate::storage::fixture::{Shop, at, new_member, open, receipt};
    use crate::storage::{Member, NewMember, settings::StorageSettings};
    use crate::vision::Embedding;

    fn shop_with_anna() -> (Shop, Member) {
        let shop = Shop::new();
        let anna = shop.member(Scope::Face);
        let template = Template { member: anna.id, model: "net/1".into(), embedding: Embedding(vec![1.0]) };
        shop.store.add_templates(anna.id, &[template], "test", at(1)).unwrap();
        shop.store.record_receipt(&receipt("r1", Some(&anna), &[("tea", 1.0)])).unwrap();
        shop.store.enter_visit(anna.id, &"tea".parse().unwrap(), at(2)).unwrap();
        (shop, anna)
    }

    fn gone(shop: &Shop, anna: &Member) {
        assert!(shop.store.members().unwrap().iter().all(|m| m.id != anna.id));
        assert!(shop.store.templates().unwrap().iter().all(|t| t.member != anna.id));
        assert!(shop.store.history(anna.id).unwrap().baskets.is_empty());
        let counts = shop.store.counts().unwrap();
        assert_eq!((counts.templates, counts.visits, counts.member_receipts), (0, 0, 0));
        assert_eq!(counts.receipts, 1, "the shop's own books stay");
    }

    #[test]
    fn an_erased_member_is_gone_and_the_receipts_stay_without_one() {
        let (shop, anna) = shop_with_anna();
        let done = shop.store.erase_member(anna.id, "admin", at(9)).unwrap();
        assert_eq!((done.templates, done.visits, done.receipts_kept), (1, 1, 1));
        gone(&shop, &anna);
        assert!(matches!(
            shop.store.erase_member(anna.id, "admin", at(9)),
            Err(StorageError::NoSuchMember(_))
        ));
        assert!(shop.store.check().unwrap().is_empty());
    }

    #[test]
    fn an_erased_member_stays_erased_when_an_old_backup_is_put_back() {
        let (shop, anna) = shop_with_anna();
        let backup = shop.folder.path().join("backup.sqlite");
        shop.store.copy_database(&backup).unwrap();
        shop.store.erase_member(anna.id, "admin", at(9)).unwrap();
        let late = shop.member(Scope::Face);
        let shop = shop.reopen(|folder| {
            std::fs::copy(&backup, folder.join("shop.sqlite")).unwrap();
        });
        gone(&shop, &anna);
        let next = shop.member(Scope::Face);
        assert!(next.id > late.id, "the id of a member made after the backup is not given out again");
        let audit = shop.store.audited(10).unwrap();
        assert!(audit.iter().any(|(_, e)| e.action == Action::Restore), "{audit:?}");
        assert!(audit.iter().any(|(_, e)| e.action == Action::Erase && e.member == Some(anna.id)));
        assert!(shop.store.check().unwrap().is_empty(), "{:?}", shop.store.check());
    }

    #[test]
    fn a_backup_is_unreadable_for_an_erased_member_even_without_the_program() {
        let (shop, anna) = shop_with_anna();
        let backup = shop.folder.path().join("backup.sqlite");
        shop.store.copy_database(&backup).unwrap();
        shop.store.erase_member(anna.id, "admin", at(9)).unwrap();
        let old = Connection::open(&backup).unwrap();
        let sealed: Vec<u8> = old.query_row("SELECT name FROM members", [], |r| r.get(0)).unwrap();
        assert!(!sealed.is_empty());
        assert!(matches!(shop.store.parts.vault.key(anna.id), Err(PrivacyError::NoKey(_))));
    }

    #[test]
    fn an_erasure_that_was_cut_off_after_the_key_is_finished_at_the_next_start() {
        let (shop, anna) = shop_with_anna();
        shop.store.parts.vault.destroy(anna.id, Some(&anna.token), at(9)).unwrap();
        let shop = shop.reopen(|_| {});
        gone(&shop, &anna);
    }

    #[test]
    fn an_erased_card_makes_nobody_a_member_again() {
        let (shop, anna) = shop_with_anna();
        shop.store.erase_member(anna.id, "admin", at(9)).unwrap();
        let again = NewMember { token: Some(anna.token.clone()), ..new_member(Scope::Card) };
        assert!(matches!(shop.store.add_member(again), Err(StorageError::TokenErased)));
        // A till that still knows the card does not bring the history back.
        shop.store.record_receipt(&receipt("r1", Some(&anna), &[("tea", 1.0)])).unwrap();
        gone(&shop, &anna);
    }

    #[test]
    fn lost_keys_are_refused_with_steps_and_forgotten_only_when_told() {
        let (shop, anna) = shop_with_anna();
        let Shop { folder, store } = shop;
        drop(store);
        std::fs::remove_file(folder.path().join("keys.sqlite")).unwrap();
        let message = open(&folder).unwrap_err().to_string();
        assert!(
            message.contains("1 members have no key") && message.contains("--forget-unreadable"),
            "{message}"
        );
        let settings = StorageSettings::of(folder.path());
        let store = Store::open_forgetting_unreadable(&settings).unwrap();
        gone(&Shop { folder, store }, &anna);
    }

    #[test]
    fn erasing_leaves_no_sealed_byte_in_the_database_file() {
        let (shop, anna) = shop_with_anna();
        let sealed: Vec<u8> = shop
            .store
            .read(|db| Ok(db.query_row("SELECT sealed FROM templates", [], |r| r.get(0))?))
            .unwrap();
        shop.store.erase_member(anna.id, "admin", at(9)).unwrap();
        let shop = shop.reopen(|_| {});
        let file = std::fs::read(shop.folder.path().join("shop.sqlite")).unwrap();
        assert!(!file.windows(sealed.len()).any(|w| w == sealed));
    }
}
