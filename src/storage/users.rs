//! The people who work in the shop and sign in: name, role, and the hash of a PIN or password.

use super::{StorageError, Store, audit, columns};
use crate::privacy::audit::{Action, Audited};
use jiff::Timestamp;
use rusqlite::{OptionalExtension, params};
use serde::Serialize;

/// What someone may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// The staff screen.
    Staff,
    /// Also the administration.
    Admin,
}

impl Role {
    /// As written in the database.
    pub fn word(self) -> &'static str {
        match self {
            Role::Staff => "staff",
            Role::Admin => "admin",
        }
    }
}

/// Someone who may sign in.
#[derive(Debug, Clone, PartialEq)]
pub struct User {
    /// 1 to 32 of a-z, 0-9, '-' and '.'.
    pub name: String,
    /// What they may do.
    pub role: Role,
    /// Since when.
    pub since: Timestamp,
}

fn user(row: &rusqlite::Row<'_>) -> rusqlite::Result<User> {
    let role = if row.get::<_, String>(1)? == "admin" { Role::Admin } else { Role::Staff };
    Ok(User { name: row.get(0)?, role, since: columns::time(row, 2)? })
}

impl Store {
    /// Adds someone with the hash of their secret.
    pub fn add_user(
        &self,
        name: &str,
        role: Role,
        hash: &str,
        by: &str,
        at: Timestamp,
    ) -> Result<(), StorageError> {
        let fits = (1..=32).contains(&name.len())
            && name.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-' || b == b'.');
        if !fits {
            let message = format!("\"{name}\" cannot be a user: use 1 to 32 of a-z, 0-9, '-' and '.'");
            return Err(StorageError::Invalid(message));
        }
        let (name, hash) = (name.to_owned(), hash.to_owned());
        self.change_user(by, at, format!("user {name} added, role {}", role.word()), move |db| {
            let added = db.execute(
                "INSERT OR IGNORE INTO users (name, role, secret, since) VALUES (?, ?, ?, ?)",
                params![name, role.word(), hash, at.as_millisecond()],
            )?;
            if added == 0 {
                return Err(StorageError::Invalid(format!("there is a user \"{name}\" already")));
            }
            Ok(())
        })
    }

    /// Gives someone another secret.
    pub fn set_secret(&self, name: &str, hash: &str, by: &str, at: Timestamp) -> Result<(), StorageError> {
        let (name, hash) = (name.to_owned(), hash.to_owned());
        self.change_user(by, at, format!("user {name} got a new secret"), move |db| {
            one(db.execute("UPDATE users SET secret = ? WHERE name = ?", [&hash, &name])?, &name)
        })
    }

    /// Takes someone out; their open sessions end at their next request.
    pub fn remove_user(&self, name: &str, by: &str, at: Timestamp) -> Result<(), StorageError> {
        let name = name.to_owned();
        self.change_user(by, at, format!("user {name} removed"), move |db| {
            one(db.execute("DELETE FROM users WHERE name = ?", [&name])?, &name)
        })
    }

    fn change_user(
        &self,
        by: &str,
        at: Timestamp,
        detail: String,
        change: impl FnOnce(&rusqlite::Connection) -> Result<(), StorageError> + Send + 'static,
    ) -> Result<(), StorageError> {
        let (by, key) = (by.to_owned(), self.parts.vault.audit_key());
        let end = self.write(move |db| {
            change(db)?;
            audit::append(db, &key, &Audited { at, by, action: Action::Login, member: None, detail })
        })?;
        self.remember(end);
        Ok(())
    }

    /// Everybody who may sign in, in order of name.
    pub fn users(&self) -> Result<Vec<User>, StorageError> {
        self.read(|db| {
            let mut rows = db.prepare_cached("SELECT name, role, since FROM users ORDER BY name")?;
            let users = rows.query_map([], user)?.collect::<Result<_, _>>()?;
            Ok(users)
        })
    }

    /// Someone, and the hash of their secret.
    pub fn user(&self, name: &str) -> Result<Option<(User, String)>, StorageError> {
        self.read(|db| {
            let mut rows = db.prepare_cached("SELECT name, role, since, secret FROM users WHERE name = ?")?;
            Ok(rows.query_row([name], |r| Ok((user(r)?, r.get(3)?))).optional()?)
        })
    }
}

fn one(rows: usize, name: &str) -> Result<(), StorageError> {
    if rows == 0 { Err(StorageError::Invalid(format!("there is no user \"{name}\""))) } else { Ok(()) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::storage::fixture::{Shop, at};

    #[test]
    fn users_come_and_go_and_the_audit_knows() {
        let shop = Shop::new();
        shop.store.add_user("mia", Role::Staff, "hash", "test", at(1)).unwrap();
        assert!(shop.store.add_user("mia", Role::Admin, "other", "test", at(1)).is_err());
        assert!(shop.store.add_user("Mia Gross", Role::Staff, "hash", "test", at(1)).is_err());
        shop.store.set_secret("mia", "new", "test", at(2)).unwrap();
        let (mia, hash) = shop.store.user("mia").unwrap().unwrap();
        assert_eq!((mia.role, hash.as_str()), (Role::Staff, "new"));
        shop.store.remove_user("mia", "test", at(3)).unwrap();
        assert!(shop.store.users().unwrap().is_empty() && shop.store.remove_user("mia", "t", at(4)).is_err());
        assert_eq!(shop.store.audited(9).unwrap().len(), 3);
    }
}
