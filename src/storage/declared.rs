//! What members declare of themselves, sealed with their own key like their name. Declaring replaces
//! all that was declared before, and is audited without saying what.

use super::{StorageError, Store, audit, members};
use crate::id::MemberId;
use crate::privacy::audit::{Action, Audited};
use crate::privacy::seal::{MemberKey, Purpose};
use crate::profile::declared::{Fact, MOST};
use jiff::Timestamp;
use rusqlite::OptionalExtension;

impl Store {
    /// Keeps what a member declares, in place of what they declared before.
    ///
    /// # Errors
    /// [`StorageError::Invalid`] for more than [`MOST`] facts.
    pub fn declare(
        &self,
        id: MemberId,
        mut facts: Vec<Fact>,
        by: &str,
        at: Timestamp,
    ) -> Result<(), StorageError> {
        facts.sort_unstable();
        facts.dedup();
        if facts.len() > MOST {
            return Err(StorageError::Invalid(format!("a member declares at most {MOST} facts")));
        }
        let words: Vec<String> = facts.iter().map(Fact::to_string).collect();
        let sealed = match self.member(id)? {
            None => return Err(StorageError::NoSuchMember(id)),
            Some(_) if words.is_empty() => None,
            Some(_) => {
                let key = self.parts.vault.key(id)?;
                Some(key.seal(id, Purpose::Facts, "", words.join("\n").as_bytes())?)
            }
        };
        let (by, audit_key) = (by.to_owned(), self.parts.vault.audit_key());
        let end = self.write(move |db| {
            members::expect(db, id)?;
            db.execute("UPDATE members SET facts = ? WHERE id = ?", rusqlite::params![sealed, id.0])?;
            let detail = format!("declared facts corrected, {} are kept", words.len());
            let entry = Audited { at, by, action: Action::Enrol, member: Some(id), detail };
            audit::append(db, &audit_key, &entry)
        })?;
        self.remember(end);
        Ok(())
    }

    /// What a member declared, for making suggestions; whoever shows it to a person uses
    /// [`Store::details`].
    pub fn declared(&self, id: MemberId) -> Result<Vec<Fact>, StorageError> {
        let sealed: Option<Option<Vec<u8>>> = self.read(|db| {
            let mut rows = db.prepare_cached("SELECT facts FROM members WHERE id = ?")?;
            Ok(rows.query_row([id.0], |r| r.get(0)).optional()?)
        })?;
        match sealed {
            None => Err(StorageError::NoSuchMember(id)),
            Some(None) => Ok(Vec::new()),
            Some(sealed) => facts(id, sealed, &self.parts.vault.key(id)?),
        }
    }
}

/// Opens what is sealed. A word that this version does not know is left out: it came from a later one.
pub(super) fn facts(
    id: MemberId,
    sealed: Option<Vec<u8>>,
    key: &MemberKey,
) -> Result<Vec<Fact>, StorageError> {
    let Some(sealed) = sealed else { return Ok(Vec::new()) };
    let plain = key.open(id, Purpose::Facts, "", &sealed)?;
    Ok(String::from_utf8_lossy(&plain).lines().filter_map(|word| word.parse().ok()).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::privacy::consent::Scope;
    use crate::storage::fixture::{Shop, at};

    #[test]
    fn what_is_declared_is_sealed_replaced_as_a_whole_and_gone_with_the_member() {
        let shop = Shop::new();
        let anna = shop.member(Scope::Card);
        assert_eq!(shop.store.declared(anna.id).unwrap(), []);
        let tea = Fact::Category("Tea of the hills".into());
        let facts = vec![tea.clone(), Fact::Vegan, tea.clone()];
        shop.store.declare(anna.id, facts, "kiosk k1", at(1)).unwrap();
        assert_eq!(shop.store.declared(anna.id).unwrap(), [Fact::Vegan, tea]);
        assert!(shop.store.check().unwrap().is_empty());
        for entry in std::fs::read_dir(shop.folder.path()).unwrap() {
            let path = entry.unwrap().path();
            let bytes = std::fs::read(&path).unwrap();
            assert!(!String::from_utf8_lossy(&bytes).contains("Tea of the hills"), "{}", path.display());
        }
        let (_, last) = shop.store.audited(1).unwrap().remove(0);
        assert_eq!((last.by.as_str(), last.member), ("kiosk k1", Some(anna.id)));
        assert!(!last.detail.contains("vegan") && !last.detail.contains("Tea"), "{}", last.detail);
        shop.store.declare(anna.id, vec![], "kiosk k1", at(2)).unwrap();
        assert_eq!(shop.store.declared(anna.id).unwrap(), []);
        shop.store.declare(anna.id, vec![Fact::NoNuts], "kiosk k1", at(3)).unwrap();
        shop.store.erase_member(anna.id, "test", at(4)).unwrap();
        assert!(matches!(shop.store.declared(anna.id), Err(StorageError::NoSuchMember(_))));
        let again = shop.store.declare(anna.id, vec![Fact::Vegan], "kiosk k1", at(5));
        assert!(matches!(again, Err(StorageError::NoSuchMember(_))));
    }

    #[test]
    fn nobody_declares_without_end() {
        let shop = Shop::new();
        let anna = shop.member(Scope::Card);
        let many = (0..=MOST).map(|n| Fact::Brand(format!("Brand {n}"))).collect();
        assert!(matches!(shop.store.declare(anna.id, many, "t", at(1)), Err(StorageError::Invalid(_))));
        assert_eq!(shop.store.declared(anna.id).unwrap(), []);
    }
}
