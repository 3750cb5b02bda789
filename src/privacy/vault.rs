//! `keys.sqlite`: one wrapped key a member, tombstones of the erased, and the end of the audit.
//! It is apart from the store's database so that no backup of that carries a key or loses a
//! tombstone. Member ids are given out here and never twice, so a restored backup cannot give a new
//! member the id of an erased one. Deleted content is overwritten (`secure_delete`).

use super::PrivacyError;
use super::audit::Link;
use super::master::MasterKey;
use super::seal::MemberKey;
use crate::id::MemberId;
use jiff::Timestamp;
use rusqlite::{Connection, OptionalExtension, TransactionBehavior, params};
use std::collections::{BTreeMap, BTreeSet};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard};
use std::time::Duration;

pub mod copy;

/// Name of the file.
pub const FILE: &str = "keys.sqlite";

const SCHEMA: &str = "
    CREATE TABLE IF NOT EXISTS about (name TEXT PRIMARY KEY, value BLOB NOT NULL) STRICT;
    CREATE TABLE IF NOT EXISTS sequence (one INTEGER PRIMARY KEY CHECK (one = 1), last INTEGER NOT NULL) STRICT;
    CREATE TABLE IF NOT EXISTS keys (member INTEGER PRIMARY KEY, wrapped BLOB NOT NULL) STRICT;
    CREATE TABLE IF NOT EXISTS tombstones (
        member INTEGER PRIMARY KEY, erased INTEGER NOT NULL, token BLOB) STRICT;
    CREATE INDEX IF NOT EXISTS tombstones_by_token ON tombstones (token);
    CREATE TABLE IF NOT EXISTS audit_end (
        one INTEGER PRIMARY KEY CHECK (one = 1), sequence INTEGER NOT NULL, link BLOB NOT NULL) STRICT;
";

/// The keys of all members.
pub struct Vault {
    file: PathBuf,
    master: MasterKey,
    keys: Mutex<Connection>,
    audit_key: [u8; 32],
    token_key: [u8; 32],
}

impl std::fmt::Debug for Vault {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Vault({})", self.file.display())
    }
}

impl Vault {
    /// Opens or makes `folder/keys.sqlite`. `credentials` is systemd's folder of credentials, if any.
    pub fn open(folder: &Path, credentials: Option<&Path>) -> Result<Self, PrivacyError> {
        let file = folder.join(FILE);
        let master = MasterKey::find(folder, credentials, &file)?;
        std::fs::OpenOptions::new().create(true).append(true).mode(0o600).open(&file).map_err(|cause| {
            PrivacyError::Io { doing: "open the key database", file: file.clone(), cause }
        })?;
        let connect = || -> rusqlite::Result<Connection> {
            let keys = Connection::open(&file)?;
            keys.busy_timeout(Duration::from_secs(10))?;
            keys.execute_batch(
                "PRAGMA journal_mode = DELETE; PRAGMA synchronous = FULL; PRAGMA secure_delete = ON;",
            )?;
            Ok(keys)
        };
        let failed = |cause| PrivacyError::Keys { file: file.clone(), cause };
        let mut keys = connect().map_err(failed)?;
        let begin = keys.transaction_with_behavior(TransactionBehavior::Immediate).map_err(failed)?;
        begin.execute_batch(SCHEMA).map_err(failed)?;
        let known: Option<Vec<u8>> = begin
            .query_row("SELECT value FROM about WHERE name = 'check'", [], |r| r.get(0))
            .optional()
            .map_err(failed)?;
        match known {
            Some(wrapped) if master.unwrap("check", &wrapped).is_none() => {
                return Err(PrivacyError::MasterKeyWrong { file: master.file().to_owned(), keys: file });
            }
            Some(_) => {}
            None => {
                let wrapped = master.wrap("check", &MemberKey::random());
                begin.execute("INSERT INTO about VALUES ('check', ?)", params![wrapped]).map_err(failed)?;
            }
        }
        begin.commit().map_err(failed)?;
        let (audit_key, token_key) =
            (master.derive("shopguide 2026 audit chain"), master.derive("shopguide 2026 erased tokens"));
        Ok(Self { file, master, keys: Mutex::new(keys), audit_key, token_key })
    }

    /// The key of the audit's chain.
    pub fn audit_key(&self) -> [u8; 32] {
        self.audit_key
    }

    /// Keys for `count` new members, on disk when this returns. Ids are above `above` and above every
    /// id given out before.
    pub fn new_members(
        &self,
        count: usize,
        above: MemberId,
    ) -> Result<Vec<(MemberId, MemberKey)>, PrivacyError> {
        self.change(|keys| {
            let last: Option<i64> =
                keys.query_row("SELECT last FROM sequence", [], |r| r.get(0)).optional()?;
            let first = last.unwrap_or(0).max(above.0) + 1;
            let mut insert = keys.prepare_cached("INSERT INTO keys (member, wrapped) VALUES (?, ?)")?;
            let mut made = Vec::with_capacity(count);
            for member in (first..).take(count).map(MemberId) {
                let key = MemberKey::random();
                insert.execute(params![member.0, self.master.wrap(&name(member), &key)])?;
                made.push((member, key));
            }
            keys.execute("INSERT OR REPLACE INTO sequence VALUES (1, ?)", [first - 1 + count as i64])?;
            Ok(made)
        })
    }

    /// Takes back keys of members who were not made after all.
    pub fn discard(&self, members: &[MemberId]) -> Result<(), PrivacyError> {
        self.change(|keys| {
            for member in members {
                keys.execute("DELETE FROM keys WHERE member = ?", [member.0])?;
            }
            Ok(())
        })
    }

    /// One member's key.
    pub fn key(&self, member: MemberId) -> Result<MemberKey, PrivacyError> {
        let wrapped: Option<Vec<u8>> = self.ask(|keys| {
            keys.prepare_cached("SELECT wrapped FROM keys WHERE member = ?")?
                .query_row([member.0], |r| r.get(0))
                .optional()
        })?;
        let wrapped = wrapped.ok_or(PrivacyError::NoKey(member))?;
        self.master.unwrap(&name(member), &wrapped).ok_or(PrivacyError::Unreadable(member))
    }

    /// Every member's key, for opening all templates at once.
    pub fn keys(&self) -> Result<BTreeMap<MemberId, MemberKey>, PrivacyError> {
        let wrapped: Vec<(i64, Vec<u8>)> = self.ask(|keys| {
            keys.prepare_cached("SELECT member, wrapped FROM keys")?
                .query_map([], |r| Ok((r.get(0)?, r.get(1)?)))?
                .collect()
        })?;
        wrapped
            .into_iter()
            .map(|(id, wrapped)| {
                let member = MemberId(id);
                let key = self.master.unwrap(&name(member), &wrapped);
                Ok((member, key.ok_or(PrivacyError::Unreadable(member))?))
            })
            .collect()
    }

    /// Members who have a key.
    pub fn holders(&self) -> Result<BTreeSet<MemberId>, PrivacyError> {
        self.ask(|keys| {
            keys.prepare_cached("SELECT member FROM keys")?
                .query_map([], |r| r.get(0).map(MemberId))?
                .collect()
        })
    }

    /// Destroys a member's key and leaves a tombstone with a keyed hash of the card's token. On disk
    /// when this returns; doing it again changes nothing.
    pub fn destroy(&self, member: MemberId, token: Option<&str>, at: Timestamp) -> Result<(), PrivacyError> {
        let tag = token.map(|t| self.tag(t));
        self.change(|keys| {
            keys.execute("DELETE FROM keys WHERE member = ?", [member.0])?;
            keys.execute(
                "INSERT OR IGNORE INTO tombstones (member, erased, token) VALUES (?, ?, ?)",
                params![member.0, at.as_millisecond(), tag],
            )?;
            Ok(())
        })
    }

    /// Members who were erased.
    pub fn tombstones(&self) -> Result<BTreeSet<MemberId>, PrivacyError> {
        self.ask(|keys| {
            keys.prepare_cached("SELECT member FROM tombstones")?
                .query_map([], |r| r.get(0).map(MemberId))?
                .collect()
        })
    }

    /// Whether this token was the card of an erased member: nobody may be made from it again
    /// by a file or a till that still knows it.
    pub fn was_erased(&self, token: &str) -> Result<bool, PrivacyError> {
        let tag = self.tag(token);
        self.ask(|keys| {
            keys.prepare_cached("SELECT EXISTS (SELECT 1 FROM tombstones WHERE token = ?)")?
                .query_row([&tag], |r| r.get(0))
        })
    }

    /// The last audit entry that this vault heard of.
    pub fn audit_end(&self) -> Result<Option<(u64, Link)>, PrivacyError> {
        self.ask(|keys| {
            keys.query_row("SELECT sequence, link FROM audit_end", [], |r| {
                Ok((r.get::<_, i64>(0)? as u64, r.get::<_, [u8; 32]>(1)?))
            })
            .optional()
        })
    }

    /// Remembers the last audit entry; never goes back unless `restored`.
    pub fn set_audit_end(&self, sequence: u64, link: &Link, restored: bool) -> Result<(), PrivacyError> {
        self.change(|keys| {
            keys.execute(
                "INSERT INTO audit_end VALUES (1, ?1, ?2) ON CONFLICT (one) DO UPDATE \
                 SET sequence = ?1, link = ?2 WHERE ?3 OR sequence < ?1",
                params![sequence as i64, link, restored],
            )?;
            Ok(())
        })
    }

    fn tag(&self, token: &str) -> Vec<u8> {
        blake3::keyed_hash(&self.token_key, token.as_bytes()).as_bytes()[..16].to_vec()
    }

    fn lock(&self) -> MutexGuard<'_, Connection> {
        self.keys.lock().unwrap_or_else(|e| e.into_inner())
    }

    fn ask<T>(&self, f: impl FnOnce(&Connection) -> rusqlite::Result<T>) -> Result<T, PrivacyError> {
        f(&self.lock()).map_err(|cause| PrivacyError::Keys { file: self.file.clone(), cause })
    }

    fn change<T>(&self, f: impl FnOnce(&Connection) -> rusqlite::Result<T>) -> Result<T, PrivacyError> {
        let mut keys = self.lock();
        let run = || {
            let begin = keys.transaction_with_behavior(TransactionBehavior::Immediate)?;
            let value = f(&begin)?;
            begin.commit()?;
            Ok(value)
        };
        run().map_err(|cause| PrivacyError::Keys { file: self.file.clone(), cause })
    }
}

fn name(member: MemberId) -> String {
    format!("member key {member}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::privacy::seal::Purpose;

    fn vault(folder: &Path) -> Vault {
        Vault::open(folder, None).unwrap()
    }

    #[test]
    fn keys_survive_a_restart_and_erasure_does_too() {
        let folder = tempfile::tempdir().unwrap();
        let open = vault(folder.path());
        let made = open.new_members(2, MemberId(0)).unwrap();
        let (anna, key) = &made[0];
        let sealed = key.seal(*anna, Purpose::Name, "", b"Anna").unwrap();
        drop(open);
        let open = vault(folder.path());
        assert_eq!(open.key(*anna).unwrap().open(*anna, Purpose::Name, "", &sealed).unwrap(), b"Anna");
        open.destroy(*anna, Some("CARD1"), Timestamp::UNIX_EPOCH).unwrap();
        drop(open);
        let open = vault(folder.path());
        assert!(matches!(open.key(*anna), Err(PrivacyError::NoKey(_))));
        assert!(open.tombstones().unwrap().contains(anna));
        assert!(open.was_erased("CARD1").unwrap() && !open.was_erased("CARD2").unwrap());
        assert_eq!(open.keys().unwrap().len(), 1);
    }

    #[test]
    fn an_id_is_never_given_out_twice() {
        let folder = tempfile::tempdir().unwrap();
        let open = vault(folder.path());
        let first = open.new_members(3, MemberId(0)).unwrap();
        open.destroy(first[2].0, None, Timestamp::UNIX_EPOCH).unwrap();
        assert_eq!(open.new_members(1, MemberId(0)).unwrap()[0].0, MemberId(4));
        assert_eq!(open.new_members(1, MemberId(50)).unwrap()[0].0, MemberId(51));
    }

    #[test]
    fn only_the_owner_may_read_the_keys() {
        use std::os::unix::fs::PermissionsExt;
        let folder = tempfile::tempdir().unwrap();
        drop(vault(folder.path()));
        let mode = std::fs::metadata(folder.path().join(FILE)).unwrap().permissions().mode() & 0o777;
        assert_eq!(mode, 0o600);
    }

    #[test]
    fn a_destroyed_key_leaves_no_copy_in_the_file() {
        let folder = tempfile::tempdir().unwrap();
        let open = vault(folder.path());
        let (member, _) = open.new_members(1, MemberId(0)).unwrap().remove(0);
        let wrapped: Vec<u8> =
            open.ask(|k| k.query_row("SELECT wrapped FROM keys", [], |r| r.get(0))).unwrap();
        let holds = || {
            let bytes = std::fs::read(folder.path().join(FILE)).unwrap();
            bytes.windows(wrapped.len()).any(|w| w == wrapped)
        };
        assert!(holds());
        open.destroy(member, None, Timestamp::UNIX_EPOCH).unwrap();
        assert!(!holds());
    }

    #[test]
    fn another_stores_master_key_is_refused_in_words() {
        let (one, two) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        drop((vault(one.path()), vault(two.path())));
        std::fs::copy(two.path().join("master.key"), one.path().join("master.key")).unwrap();
        let error = Vault::open(one.path(), None).unwrap_err();
        assert!(matches!(error, PrivacyError::MasterKeyWrong { .. }), "{error}");
    }

    #[test]
    fn the_end_of_the_audit_does_not_go_back_by_itself() {
        let folder = tempfile::tempdir().unwrap();
        let open = vault(folder.path());
        open.set_audit_end(5, &[5; 32], false).unwrap();
        open.set_audit_end(3, &[3; 32], false).unwrap();
        assert_eq!(open.audit_end().unwrap(), Some((5, [5; 32])));
        open.set_audit_end(3, &[3; 32], true).unwrap();
        assert_eq!(open.audit_end().unwrap(), Some((3, [3; 32])));
    }
}
