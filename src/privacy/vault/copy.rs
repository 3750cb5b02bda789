//! The copy of the keys that lies beside the backups. There is only ever one: each backup and each
//! erasure replaces it, so that no older copy can open what an erased member left behind. Its keys
//! are wrapped by the master key, which is in no backup at all.

use super::{PrivacyError, Vault};
use crate::id::MemberId;
use rusqlite::{Connection, OpenFlags, OptionalExtension, params};
use std::collections::BTreeSet;
use std::fs::{self, File};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

/// What a file of keys holds, without opening any.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Contents {
    /// Which store's keys these are: equal for a vault and all its copies.
    pub identity: String,
    /// Members who have a key.
    pub holders: BTreeSet<MemberId>,
    /// Members who were erased.
    pub erased: BTreeSet<MemberId>,
}

impl Contents {
    /// Whether nothing would be lost with it: no key and no tombstone.
    pub fn is_unused(&self) -> bool {
        self.holders.is_empty() && self.erased.is_empty()
    }
}

impl Vault {
    /// Which store's keys these are.
    pub fn identity(&self) -> Result<String, PrivacyError> {
        self.ask(identity)
    }

    /// Makes `to` the one copy of these keys, whole or not at all.
    ///
    /// # Errors
    /// `to` holds another store's keys, or cannot be written; what was there stays.
    pub fn copy_to(&self, to: &Path) -> Result<(), PrivacyError> {
        if let Some(there) = look(to)?
            && there.identity != self.identity()?
            && !there.is_unused()
        {
            return Err(PrivacyError::OtherKeys { file: to.to_owned() });
        }
        copy(&self.file, to)
    }
}

/// What `file` holds; `None` if it is not there.
pub fn look(file: &Path) -> Result<Option<Contents>, PrivacyError> {
    if !file.exists() {
        return Ok(None);
    }
    let read = || -> rusqlite::Result<Contents> {
        let keys = reader(file)?;
        let ids = |sql: &str| -> rusqlite::Result<BTreeSet<MemberId>> {
            keys.prepare(sql)?.query_map([], |r| r.get(0).map(MemberId))?.collect()
        };
        Ok(Contents {
            identity: identity(&keys)?,
            holders: ids("SELECT member FROM keys")?,
            erased: ids("SELECT member FROM tombstones")?,
        })
    };
    read().map(Some).map_err(|cause| PrivacyError::Keys { file: file.to_owned(), cause })
}

/// Makes `to` a copy of the keys in `from`, whole or not at all.
pub fn copy(from: &Path, to: &Path) -> Result<(), PrivacyError> {
    let io = |cause| PrivacyError::Io { doing: "write the copy of the keys", file: to.to_owned(), cause };
    let mut part = to.as_os_str().to_owned();
    part.push(".part");
    let part = PathBuf::from(part);
    match fs::remove_file(&part) {
        Err(e) if e.kind() != std::io::ErrorKind::NotFound => return Err(io(e)),
        _ => {}
    }
    let copied = (|| -> rusqlite::Result<()> {
        let keys = reader(from)?;
        keys.execute("VACUUM INTO ?", [part.to_string_lossy()])?;
        Ok(())
    })();
    if let Err(cause) = copied {
        let _ = fs::remove_file(&part);
        return Err(PrivacyError::Keys { file: to.to_owned(), cause });
    }
    fs::set_permissions(&part, fs::Permissions::from_mode(0o600))
        .and_then(|()| File::open(&part)?.sync_all())
        .and_then(|()| fs::rename(&part, to))
        .and_then(|()| File::open(to.parent().unwrap_or(Path::new(".")))?.sync_all())
        .map_err(io)
}

/// Has the vault in `keys` know of everybody who was erased according to `other`, another copy of it:
/// tombstones win over keys.
pub fn take_tombstones(keys: &Path, other: &Path) -> Result<(), PrivacyError> {
    let take = || -> rusqlite::Result<()> {
        let mut into = Connection::open(keys)?;
        into.execute_batch(
            "PRAGMA journal_mode = DELETE; PRAGMA synchronous = FULL; PRAGMA secure_delete = ON;",
        )?;
        let from = reader(other)?;
        let begin = into.transaction()?;
        let mut rows = from.prepare("SELECT member, erased, token FROM tombstones")?;
        let mut rows = rows.query([])?;
        while let Some(row) = rows.next()? {
            let (member, erased, token): (i64, i64, Option<Vec<u8>>) =
                (row.get(0)?, row.get(1)?, row.get(2)?);
            begin.execute("DELETE FROM keys WHERE member = ?", [member])?;
            begin.execute(
                "INSERT OR IGNORE INTO tombstones (member, erased, token) VALUES (?, ?, ?)",
                params![member, erased, token],
            )?;
        }
        begin.commit()
    };
    take().map_err(|cause| PrivacyError::Keys { file: other.to_owned(), cause })
}

fn reader(file: &Path) -> rusqlite::Result<Connection> {
    let keys = Connection::open_with_flags(
        file,
        OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX,
    )?;
    keys.busy_timeout(std::time::Duration::from_secs(10))?;
    Ok(keys)
}

/// The wrapped check value is random and never changes: its hash names the vault.
fn identity(keys: &Connection) -> rusqlite::Result<String> {
    let check: Option<Vec<u8>> =
        keys.query_row("SELECT value FROM about WHERE name = 'check'", [], |r| r.get(0)).optional()?;
    let hash = blake3::hash(&check.ok_or(rusqlite::Error::QueryReturnedNoRows)?);
    Ok(hash.to_hex()[..16].to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use jiff::Timestamp;

    #[test]
    fn the_copy_follows_an_erasure_and_keeps_no_older_key() {
        let folder = tempfile::tempdir().unwrap();
        let vault = Vault::open(folder.path(), None).unwrap();
        let (anna, _) = vault.new_members(1, MemberId(0)).unwrap().remove(0);
        let copy = folder.path().join("copy.keys");
        vault.copy_to(&copy).unwrap();
        let there = look(&copy).unwrap().unwrap();
        assert_eq!(
            (there.identity.clone(), there.holders.contains(&anna)),
            (vault.identity().unwrap(), true)
        );
        vault.destroy(anna, Some("CARD"), Timestamp::UNIX_EPOCH).unwrap();
        vault.copy_to(&copy).unwrap();
        let there = look(&copy).unwrap().unwrap();
        assert!(there.holders.is_empty() && there.erased.contains(&anna));
        assert_eq!(look(&folder.path().join("none")).unwrap(), None);
    }

    #[test]
    fn another_stores_copy_is_never_replaced() {
        let (one, two) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let vaults = [&one, &two].map(|f| Vault::open(f.path(), None).unwrap());
        let copy = one.path().join("copy.keys");
        vaults[0].copy_to(&copy).unwrap();
        vaults[1].copy_to(&copy).unwrap();
        vaults[1].new_members(1, MemberId(0)).unwrap();
        vaults[1].copy_to(&copy).unwrap();
        let refused = vaults[0].copy_to(&copy).unwrap_err().to_string();
        assert!(refused.contains("another store"), "{refused}");
        assert_eq!(look(&copy).unwrap().unwrap().identity, vaults[1].identity().unwrap());
    }

    #[test]
    fn a_tombstone_of_either_copy_wins_over_the_other_ones_key() {
        let folder = tempfile::tempdir().unwrap();
        let vault = Vault::open(folder.path(), None).unwrap();
        let (anna, _) = vault.new_members(1, MemberId(0)).unwrap().remove(0);
        let old = folder.path().join("old.keys");
        vault.copy_to(&old).unwrap();
        vault.destroy(anna, Some("CARD"), Timestamp::UNIX_EPOCH).unwrap();
        take_tombstones(&old, &folder.path().join(super::super::FILE)).unwrap();
        let there = look(&old).unwrap().unwrap();
        assert!(there.holders.is_empty() && there.erased.contains(&anna));
    }
}
