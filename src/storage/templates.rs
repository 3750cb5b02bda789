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
                .prepare_cached("SELECT EXISTS (SELECT 1 FROM consents WHERE member = ? AND scope = 'face')")?
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
        self.remember(end);
        Ok(())
    }

    /// Templates of every member who has not paused being recognised, opened. One that cannot be opened is left out and counted in the
    /// log: it must not keep all others from being recognised.
    pub fn templates(&self) -> Result<Vec<Template>, StorageError> {
        let keys = self.parts.vault.keys()?;
        let (templates, unreadable) = self.read(|db| {
            let mut rows = db.prepare_cached(
                "SELECT member, model, sealed FROM templates WHERE member IN \
                 (SELECT id FROM members WHERE NOT paused) ORDER BY member, id",
            )?;
            let (mut templates, mut unreadable) = (Vec::new(), 0_u32);
            for row in rows.query_map([], |r| {
                Ok((MemberId(r.get(0)?), r.get::<_, String>(1)?, r.get::<_, Vec<u8>>(2)?))
            })? {
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::privacy::consent::Scope;
    use crate::storage::fixture::{Shop, at, consent};

    fn template(member: MemberId) -> Template {
        Template { member, model: "net/1".into(), embedding: Embedding(vec![0.6, 0.8]) }
    }

    #[test]
    fn templates_come_back_as_they_were_given() {
        let shop = Shop::new();
        let (anna, ben) = (shop.member(Scope::Face), shop.member(Scope::Face));
        shop.store.add_templates(anna.id, &[template(anna.id), template(anna.id)], "test", at(1)).unwrap();
        shop.store.add_templates(ben.id, &[template(ben.id)], "test", at(1)).unwrap();
        let shop = shop.reopen(|_| {});
        let all = shop.store.templates().unwrap();
        assert_eq!(all, [template(anna.id), template(anna.id), template(ben.id)]);
        assert_eq!(shop.store.member(anna.id).unwrap().unwrap().templates, 2);
    }

    #[test]
    fn without_consent_to_recognition_there_is_no_template() {
        let shop = Shop::new();
        let anna = shop.member(Scope::Card);
        let refused = shop.store.add_templates(anna.id, &[template(anna.id)], "test", at(1));
        assert!(matches!(refused, Err(StorageError::NoConsent(_))));
        // Not even past the program.
        let past = shop.store.write(move |db| {
            Ok(db.execute(
                "INSERT INTO templates (member, model, sealed, at) VALUES (?, '', x'00', 0)",
                [anna.id.0],
            )?)
        });
        assert!(past.unwrap_err().to_string().contains("no consent"));
        shop.store.add_consent(anna.id, consent(Scope::Face), "test").unwrap();
        shop.store.add_templates(anna.id, &[template(anna.id)], "test", at(1)).unwrap();
    }

    #[test]
    fn a_template_moved_to_another_member_does_not_open() {
        let shop = Shop::new();
        let (anna, ben) = (shop.member(Scope::Face), shop.member(Scope::Face));
        shop.store.add_templates(anna.id, &[template(anna.id)], "test", at(1)).unwrap();
        shop.store.write(move |db| Ok(db.execute("UPDATE templates SET member = ?", [ben.id.0])?)).unwrap();
        assert!(shop.store.templates().unwrap().is_empty());
        assert!(shop.store.check().unwrap().iter().any(|p| p.what.contains("do not open")));
    }

    #[test]
    fn a_daemon_notices_templates_of_another_process() {
        let shop = Shop::new();
        let anna = shop.member(Scope::Face);
        let before = shop.store.revisions().unwrap();
        let other = crate::storage::fixture::open(&shop.folder).unwrap();
        other.add_templates(anna.id, &[template(anna.id)], "test", at(1)).unwrap();
        assert_ne!(shop.store.revisions().unwrap().gallery, before.gallery);
        assert_eq!(shop.store.revisions().unwrap().catalogue, before.catalogue);
    }
}
