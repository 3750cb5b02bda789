//! Templates: sealed with their member's key, opened all together when the gallery is filled.

use super::{StorageError, Store, audit, members};
use crate::gallery::Template;
use crate::id::MemberId;
use crate::privacy::PrivacyError;
use crate::privacy::audit::{Action, Audited};
use crate::privacy::seal::Purpose;
use crate::vision::Embedding;
use jiff::Timestamp;
use rusqlite::params;

impl Store {
    /// Keeps templates of one member. All must be that member's.
    ///
    /// # Errors
    /// [`StorageError::NoConsent`] without a consent to being recognised by face.
    pub fn add_templates(
        &self,
        id: MemberId,
        templates: &[Template],
        by: &str,
        at: Timestamp,
    ) -> Result<(), StorageError> {
        if templates.iter().any(|t| t.member != id || t.embedding.0.is_empty()) {
            let message = format!("templates of member {id} must be that member's and not empty");
            return Err(StorageError::Invalid(message));
        }
        let key = self.parts.vault.key(id).map_err(|e| match e {
            PrivacyError::NoKey(id) => StorageError::NoSuchMember(id),
            other => other.into(),
        })?;
        let mut sealed = Vec::with_capacity(templates.len());
        for template in templates {
            let plain: Vec<u8> = template.embedding.0.iter().flat_map(|x| x.to_le_bytes()).collect();
            let bytes = key.seal(id, Purpose::Template, &template.model, &plain)?;
            sealed.push((template.model.clone(), bytes));
        }
        let (by, audit_key) = (by.to_owned(), self.parts.vault.audit_key());
        let end = self.write(move |db| {
            members::expect(db, id)?;
            let agreed: bool = db
                .prepare_cached(
                    "SELECT EXISTS (SELECT 1 FROM consents WHERE member = ? AND scope = 'face')",
                )?
                .query_row([id.0], |r| r.get(0))?;
            if !agreed {
                return Err(StorageError::NoConsent(id));
            }
            let mut insert =
                db.prepare_cached("INSERT INTO templates (member, model, sealed, at) VALUES (?, ?, ?, ?)")?;
            for (model, bytes) in &sealed {
                insert.execute(params![id.0, model, bytes, at.as_millisecond()])?;
            }
            let detail = format!("{} templates", sealed.len());
            let entry = Audited { at, by, action: Action::Enrol, member: Some(id), detail };
            audit::append(db, &audit_key, &entry)
        })?;
        self.remember(end)
    }

    /// Every member's templates, opened. One that cannot be opened is left out and counted in the
    /// log: it must not keep all others from being recognised.
    pub fn templates(&self) -> Result<Vec<Template>, StorageError> {
        let keys = self.parts.vault.keys()?;
        let (templates, unreadable) = self.read(|db| {
            let mut rows =
                db.prepare_cached("SELECT member, model, sealed FROM templates ORDER BY member, id")?;
            let (mut templates, mut unreadable) = (Vec::new(), 0_u32);
            for row in
                rows.query_map([], |r| Ok((MemberId(r.get(0)?), r.get::<_, String>(1)?, r.get::<_, Vec<u8>>(2)?)))?
            {
                let (member, model, sealed) = row?;
                let plain =
                    keys.get(&member).and_then(|k| k.open(member, Purpose::Template, &model, &sealed).ok());
                match plain.as_deref().and_then(numbers) {
                    Some(embedding) => templates.push(Template { member, model, embedding }),
                    None => unreadable += 1,
                }
            }
            Ok((templates, unreadable))
        })?;
        if unreadable > 0 {
            tracing::error!(unreadable, "templates cannot be opened; run `shopguide check`");
        }
        Ok(templates)
    }
}

fn numbers(bytes: &[u8]) -> Option<Embedding> {
    let (numbers, rest) = bytes.as_chunks::<4>();
    rest.is_empty().then(|| Embedding(numbers.iter().map(|b| f32::from_le_bytes(*b)).collect()))
}
