//! Members: those who opted in. The key is on disk before the row, the consent before anything that
//! needs it. Lists show aliases; names and contacts are opened one at a time, and that is audited.

use super::{StorageError, Store, audit, columns, declared};
use crate::id::MemberId;
use crate::privacy::audit::{Action, Audited};
use crate::privacy::consent::{Consent, Scope};
use crate::privacy::pseudonym;
use crate::privacy::seal::Purpose;
use crate::profile::declared::Fact;
use jiff::Timestamp;
use rusqlite::{Connection, OptionalExtension, params};

/// Someone who joins.
#[derive(Debug, Clone, PartialEq)]
pub struct NewMember {
    /// A card that exists already (1 to 64 visible ASCII characters); `None` makes a new token.
    pub token: Option<String>,
    /// Kept sealed.
    pub name: Option<String>,
    /// Kept sealed.
    pub contact: Option<String>,
    /// What was agreed to; templates need [`Scope::Face`].
    pub consent: Consent,
    /// Who recorded it, for the audit.
    pub by: String,
}

/// A member as lists show it.
#[derive(Debug, Clone, PartialEq)]
pub struct Member {
    /// Never leaves the appliance.
    pub id: MemberId,
    /// On the card.
    pub token: String,
    /// On screens.
    pub alias: String,
    /// Since when.
    pub joined: Timestamp,
    /// Templates kept.
    pub templates: u32,
    /// Whether being recognised by face was agreed to.
    pub face_consent: bool,
    /// Whether a text was agreed to that says that views are kept.
    pub views_consent: bool,
    /// Whether the member paused being recognised: templates are kept and not compared.
    pub paused: bool,
}

/// What is sealed, opened.
#[derive(Clone, PartialEq)]
pub struct Details {
    /// The name, if given.
    pub name: Option<String>,
    /// The contact, if given.
    pub contact: Option<String>,
    /// What the member declares of themselves.
    pub facts: Vec<Fact>,
}

impl std::fmt::Debug for Details {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Details(..)")
    }
}

const MEMBER: &str = "SELECT m.id, m.token, m.alias, m.joined, \
    (SELECT COUNT(*) FROM templates t WHERE t.member = m.id), \
    EXISTS (SELECT 1 FROM consents c WHERE c.member = m.id AND c.scope = 'face'), m.paused, \
    EXISTS (SELECT 1 FROM consents c JOIN consent_texts t ON t.version = c.version \
    WHERE c.member = m.id AND t.views = 1) FROM members m";

fn member(row: &rusqlite::Row<'_>) -> rusqlite::Result<Member> {
    Ok(Member {
        id: MemberId(row.get(0)?),
        token: row.get(1)?,
        alias: row.get(2)?,
        joined: columns::time(row, 3)?,
        templates: row.get(4)?,
        face_consent: row.get(5)?,
        paused: row.get(6)?,
        views_consent: row.get(7)?,
    })
}

impl Store {
    /// Records a member with the consent.
    ///
    /// # Errors
    /// [`StorageError::Invalid`], [`StorageError::TokenTaken`] or [`StorageError::TokenErased`].
    pub fn add_member(&self, new: NewMember) -> Result<Member, StorageError> {
        let mut added = self.add_members(vec![new])?;
        added.pop().ok_or(StorageError::Stopped)
    }

    /// Records many at once: all or none.
    ///
    /// # Errors
    /// As [`Store::add_member`].
    pub fn add_members(&self, new: Vec<NewMember>) -> Result<Vec<Member>, StorageError> {
        for one in &new {
            self.check_new(one)?;
        }
        let above = self.read(|db| {
            Ok(db.query_row(
                "SELECT MAX(COALESCE((SELECT MAX(id) FROM members), 0), \
                 COALESCE((SELECT MAX(member) FROM audit), 0))",
                [],
                |r| r.get(0),
            )?)
        })?;
        let keys = self.parts.vault.new_members(new.len(), MemberId(above))?;
        let ids: Vec<MemberId> = keys.iter().map(|(id, _)| *id).collect();
        let mut rows = Vec::with_capacity(new.len());
        for (one, (id, key)) in new.into_iter().zip(keys) {
            let seal = |purpose, text: &Option<String>| {
                text.as_ref().map(|t| key.seal(id, purpose, "", t.as_bytes())).transpose()
            };
            let sealed = (seal(Purpose::Name, &one.name)?, seal(Purpose::Contact, &one.contact)?);
            rows.push((id, one.token, sealed, one.consent, one.by));
        }
        let audit_key = self.parts.vault.audit_key();
        let made = self.write(move |db| {
            let (mut members, mut end) = (Vec::with_capacity(rows.len()), None);
            for (id, token, sealed, consent, by) in rows {
                members.push(insert(db, id, token, sealed, &consent)?);
                let detail =
                    format!("joined with consent to {}, text {}", consent.scope.word(), consent.version);
                let entry = Audited { at: consent.at, by, action: Action::Enrol, member: Some(id), detail };
                end = Some(audit::append(db, &audit_key, &entry)?);
            }
            Ok((members, end))
        });
        if let Err(StorageError::Invalid(_) | StorageError::TokenTaken) = made {
            self.parts.vault.discard(&ids)?;
        }
        let (members, end) = made?;
        if let Some(end) = end {
            self.remember(end);
        }
        Ok(members)
    }

    fn check_new(&self, new: &NewMember) -> Result<(), StorageError> {
        let invalid = |what: &str| Err(StorageError::Invalid(what.to_owned()));
        if let Some(problem) = new.consent.problem() {
            return invalid(problem);
        }
        for text in [&new.name, &new.contact].into_iter().flatten() {
            if text.trim().is_empty() || text.chars().count() > 200 {
                return invalid("a name or contact has 1 to 200 characters");
            }
        }
        if let Some(token) = &new.token {
            if !pseudonym::is_token(token) {
                return invalid("a card token has 1 to 64 visible ASCII characters and no space");
            }
            if self.parts.vault.was_erased(token)? {
                return Err(StorageError::TokenErased);
            }
        }
        Ok(())
    }

    /// Records a further consent of a member, e.g. to being recognised by face.
    pub fn add_consent(&self, id: MemberId, consent: Consent, by: &str) -> Result<(), StorageError> {
        if let Some(problem) = consent.problem() {
            return Err(StorageError::Invalid(problem.to_owned()));
        }
        let (by, audit_key) = (by.to_owned(), self.parts.vault.audit_key());
        let end = self.write(move |db| {
            expect(db, id)?;
            insert_consent(db, id, &consent)?;
            let detail = format!("consent to {}, text {}", consent.scope.word(), consent.version);
            let entry = Audited { at: consent.at, by, action: Action::Enrol, member: Some(id), detail };
            audit::append(db, &audit_key, &entry)
        })?;
        self.remember(end);
        Ok(())
    }

    /// Makes another version of the consent text known, e.g. the shop's own form. It is taken not to speak
    /// of views: of members who agreed to it only, none are kept.
    pub fn add_consent_text(&self, version: &str, text: &str) -> Result<(), StorageError> {
        let (version, text) = (version.to_owned(), text.to_owned());
        self.write(move |db| {
            let own = "INSERT OR IGNORE INTO consent_texts (version, text) VALUES (?, ?)";
            db.execute(own, [&version, &text])?;
            let kept: String =
                db.query_row("SELECT text FROM consent_texts WHERE version = ?", [&version], |r| r.get(0))?;
            if kept == text {
                Ok(())
            } else {
                let message = format!("consent text {version} exists with other words: use a new version");
                Err(StorageError::Invalid(message))
            }
        })
    }

    /// Pauses being recognised, or ends the pause.
    pub fn pause(&self, id: MemberId, paused: bool, by: &str, at: Timestamp) -> Result<(), StorageError> {
        let (by, audit_key) = (by.to_owned(), self.parts.vault.audit_key());
        let end = self.write(move |db| {
            expect(db, id)?;
            db.execute("UPDATE members SET paused = ? WHERE id = ?", params![paused, id.0])?;
            let detail = if paused { "recognition paused" } else { "recognition resumed" }.to_owned();
            let entry = Audited { at, by, action: Action::Enrol, member: Some(id), detail };
            audit::append(db, &audit_key, &entry)
        })?;
        self.remember(end);
        Ok(())
    }

    /// All members in order of alias.
    pub fn members(&self) -> Result<Vec<Member>, StorageError> {
        self.read(|db| {
            let mut rows = db.prepare_cached(&format!("{MEMBER} ORDER BY m.alias"))?;
            let members = rows.query_map([], member)?.collect::<Result<_, _>>()?;
            Ok(members)
        })
    }

    /// One member.
    pub fn member(&self, id: MemberId) -> Result<Option<Member>, StorageError> {
        self.read(|db| {
            let mut rows = db.prepare_cached(&format!("{MEMBER} WHERE m.id = ?"))?;
            Ok(rows.query_row([id.0], member).optional()?)
        })
    }

    /// The member with this card.
    pub fn member_by_token(&self, token: &str) -> Result<Option<Member>, StorageError> {
        self.read(|db| {
            let mut rows = db.prepare_cached(&format!("{MEMBER} WHERE m.token = ?"))?;
            Ok(rows.query_row([token], member).optional()?)
        })
    }

    /// The member with this alias.
    pub fn member_by_alias(&self, alias: &str) -> Result<Option<Member>, StorageError> {
        self.read(|db| {
            let mut rows = db.prepare_cached(&format!("{MEMBER} WHERE m.alias = ? COLLATE NOCASE"))?;
            Ok(rows.query_row([alias], member).optional()?)
        })
    }

    /// Whether a card was that of a member who was erased; nobody is made a member from it again.
    pub fn was_erased(&self, token: &str) -> Result<bool, StorageError> {
        Ok(self.parts.vault.was_erased(token)?)
    }

    /// Opens a member's name, contact and what they declared. The view is audited before anything is returned.
    pub fn details(&self, id: MemberId, by: &str, at: Timestamp) -> Result<Details, StorageError> {
        type Sealed = Option<Vec<u8>>;
        let sealed: Option<(Sealed, Sealed, Sealed)> = self.read(|db| {
            let mut rows = db.prepare_cached("SELECT name, contact, facts FROM members WHERE id = ?")?;
            Ok(rows.query_row([id.0], |r| Ok((r.get(0)?, r.get(1)?, r.get(2)?))).optional()?)
        })?;
        let (name, contact, facts) = sealed.ok_or(StorageError::NoSuchMember(id))?;
        let key = self.parts.vault.key(id)?;
        let open = |purpose, sealed: Option<Vec<u8>>| -> Result<Option<String>, StorageError> {
            let plain = sealed.map(|s| key.open(id, purpose, "", &s)).transpose()?;
            Ok(plain.map(|bytes| String::from_utf8_lossy(&bytes).into_owned()))
        };
        let details = Details {
            name: open(Purpose::Name, name)?,
            contact: open(Purpose::Contact, contact)?,
            facts: declared::facts(id, facts, &key)?,
        };
        let detail = "name, contact and declared facts".to_owned();
        self.audit(Audited { at, by: by.to_owned(), action: Action::View, member: Some(id), detail })?;
        Ok(details)
    }
}

type Sealed = (Option<Vec<u8>>, Option<Vec<u8>>);

fn insert(
    db: &Connection,
    id: MemberId,
    token: Option<String>,
    (name, contact): Sealed,
    consent: &Consent,
) -> Result<Member, StorageError> {
    let exists = |sql: &str, text: &str| -> rusqlite::Result<bool> {
        db.prepare_cached(sql)?.query_row([text], |r| r.get(0))
    };
    let with_token = "SELECT EXISTS (SELECT 1 FROM members WHERE token = ?)";
    let token = token.unwrap_or_else(pseudonym::token);
    if exists(with_token, &token)? {
        return Err(StorageError::TokenTaken);
    }
    // After a hundred tries the words are nearly used up; a longer number makes room.
    let mut alias = pseudonym::alias();
    for tries in 0.. {
        if !exists("SELECT EXISTS (SELECT 1 FROM members WHERE alias = ?)", &alias)? {
            break;
        }
        alias = pseudonym::alias();
        if tries > 100 {
            alias = format!("{alias}{}", id.0 % 1_000_000);
        }
    }
    db.prepare_cached(
        "INSERT INTO members (id, token, alias, joined, name, contact) VALUES (?, ?, ?, ?, ?, ?)",
    )?
    .execute(params![id.0, token, alias, consent.at.as_millisecond(), name, contact])?;
    insert_consent(db, id, consent)?;
    let face_consent = consent.scope == Scope::Face;
    let views_consent = db
        .prepare_cached("SELECT views FROM consent_texts WHERE version = ?")?
        .query_row([&consent.version], |r| r.get(0))?;
    let (joined, templates, paused) = (consent.at, 0, false);
    Ok(Member { id, token, alias, joined, templates, face_consent, views_consent, paused })
}

fn insert_consent(db: &Connection, id: MemberId, consent: &Consent) -> Result<(), StorageError> {
    let known: bool = db
        .prepare_cached("SELECT EXISTS (SELECT 1 FROM consent_texts WHERE version = ?)")?
        .query_row([&consent.version], |r| r.get(0))?;
    if !known {
        let message = format!("there is no consent text of version \"{}\"", consent.version);
        return Err(StorageError::Invalid(message));
    }
    db.prepare_cached(
        "INSERT INTO consents (member, scope, version, reference, action, at) VALUES (?, ?, ?, ?, ?, ?)",
    )?
    .execute(params![
        id.0,
        consent.scope.word(),
        consent.version,
        consent.reference,
        consent.action,
        consent.at.as_millisecond()
    ])?;
    Ok(())
}

/// Fails unless the member exists.
pub(super) fn expect(db: &Connection, id: MemberId) -> Result<(), StorageError> {
    let exists: bool = db
        .prepare_cached("SELECT EXISTS (SELECT 1 FROM members WHERE id = ?)")?
        .query_row([id.0], |r| r.get(0))?;
    if exists { Ok(()) } else { Err(StorageError::NoSuchMember(id)) }
}

/// Every member's id.
pub(super) fn ids(db: &Connection) -> Result<Vec<MemberId>, StorageError> {
    let mut rows = db.prepare("SELECT id FROM members ORDER BY id")?;
    let ids = rows.query_map([], |r| r.get(0).map(MemberId))?.collect::<Result<_, _>>()?;
    Ok(ids)
}

#[cfg(test)]
mod tests;
