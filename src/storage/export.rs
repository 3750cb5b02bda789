//! Everything that is kept of one member, in one JSON value: for the member. Templates are counted and
//! not copied: outside this appliance they would be a risk and of no use.

use super::{StorageError, Store, columns};
use crate::id::MemberId;
use crate::privacy::audit::{Action, Audited};
use crate::privacy::consent::{Consent, Scope};
use jiff::Timestamp;
use rusqlite::Connection;
use serde_json::{Value, json};

impl Store {
    /// What a member agreed to, oldest first.
    pub fn consents(&self, id: MemberId) -> Result<Vec<Consent>, StorageError> {
        self.read(|db| {
            let mut rows = db.prepare_cached(
                "SELECT scope, version, reference, action, at FROM consents WHERE member = ? ORDER BY id",
            )?;
            let consent = |r: &rusqlite::Row<'_>| {
                let face = r.get::<_, String>(0)? == Scope::Face.word();
                Ok(Consent {
                    scope: if face { Scope::Face } else { Scope::Card },
                    version: r.get(1)?,
                    reference: r.get(2)?,
                    action: r.get(3)?,
                    at: columns::time(r, 4)?,
                })
            };
            let consents = rows.query_map([id.0], consent)?.collect::<Result<_, _>>()?;
            Ok(consents)
        })
    }

    /// All that is kept of a member. The export is audited before anything is returned.
    pub fn export(&self, id: MemberId, by: &str, at: Timestamp) -> Result<Value, StorageError> {
        let member = self.member(id)?.ok_or(StorageError::NoSuchMember(id))?;
        let entry =
            Audited { at, by: by.to_owned(), action: Action::Export, member: Some(id), detail: "all".into() };
        self.audit(entry)?;
        let details = self.details(id, by, at)?;
        let consents = self.consents(id)?;
        let consent = |c: &Consent| {
            json!({"to": c.scope.word(), "text": c.version, "reference": c.reference, "action": c.action,
                   "at": c.at.to_string()})
        };
        self.read(|db| {
            Ok(json!({
                "exported_at": at.to_string(),
                "alias": member.alias,
                "card": member.token,
                "member_since": member.joined.to_string(),
                "name": details.name,
                "contact": details.contact,
                "declared": details.facts.iter().map(ToString::to_string).collect::<Vec<_>>(),
                "face_templates": member.templates,
                "recognition_paused": member.paused,
                "consents": consents.iter().map(consent).collect::<Vec<_>>(),
                "purchases": purchases(db, id)?,
                "visits": list(db, id, ["zone", "entered", "left"],
                    "SELECT zone, entered, left FROM visits WHERE member = ? ORDER BY entered")?,
                "views": list(db, id, ["category", "at", "milliseconds"],
                    "SELECT category, at, milliseconds FROM views WHERE member = ? ORDER BY at")?,
                "suggestions": list(db, id, ["product", "made", "display"],
                    "SELECT p.name, s.made, s.display FROM slates s JOIN slate_items i ON i.slate = s.id \
                     JOIN products p ON p.id = i.product WHERE s.member = ? ORDER BY s.made, i.position")?,
            }))
        })
    }
}

fn purchases(db: &Connection, id: MemberId) -> Result<Vec<Value>, StorageError> {
    let mut rows = db.prepare_cached(
        "SELECT r.receipt, r.at, p.sku, p.name, l.quantity, l.unit_price FROM receipts r \
         JOIN lines l ON l.receipt = r.id JOIN products p ON p.id = l.product \
         WHERE r.member = ? ORDER BY r.at, r.id, l.position",
    )?;
    let line = |r: &rusqlite::Row<'_>| {
        let (receipt, at): (String, _) = (r.get(0)?, columns::time(r, 1)?);
        let (sku, name): (String, String) = (r.get(2)?, r.get(3)?);
        let (quantity, price): (f64, i64) = (r.get(4)?, r.get(5)?);
        Ok(json!({"receipt": receipt, "at": at.to_string(), "sku": sku, "product": name,
                  "quantity": quantity, "unit_price": price}))
    };
    let lines = rows.query_map([id.0], line)?.collect::<Result<_, _>>()?;
    Ok(lines)
}

/// Rows of three columns as objects; whole numbers above a billion are times.
fn list(db: &Connection, id: MemberId, names: [&str; 3], sql: &str) -> Result<Vec<Value>, StorageError> {
    let mut rows = db.prepare_cached(sql)?;
    let told = |value: rusqlite::types::Value| match value {
        rusqlite::types::Value::Integer(n) if n > 1_000_000_000 => {
            Timestamp::from_millisecond(n).map_or(json!(n), |t| json!(t.to_string()))
        }
        rusqlite::types::Value::Integer(n) => json!(n),
        rusqlite::types::Value::Text(text) => json!(text),
        _ => Value::Null,
    };
    let row = |r: &rusqlite::Row<'_>| {
        Ok(json!({names[0]: told(r.get(0)?), names[1]: told(r.get(1)?), names[2]: told(r.get(2)?)}))
    };
    let list = rows.query_map([id.0], row)?.collect::<Result<_, _>>()?;
    Ok(list)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::history::View;
    use crate::profile::declared::Fact;
    use crate::storage::fixture::{Shop, at, receipt};
    use std::time::Duration;

    #[test]
    fn an_export_holds_what_was_bought_and_is_audited() {
        let shop = Shop::new();
        shop.products(&["tea"]);
        let anna = shop.member(Scope::Face);
        shop.store.record_receipt(&receipt("r1", Some(&anna), &[("tea", 2.0)])).unwrap();
        shop.store.enter_visit(anna.id, &"tea".parse().unwrap(), at(2)).unwrap();
        let view = View { category: "Tea".into(), at: at(3), dwelt: Duration::from_secs(9) };
        shop.store.add_view(anna.id, view).unwrap();
        shop.store.declare(anna.id, vec![Fact::Organic], "kiosk k1", at(3)).unwrap();
        let export = shop.store.export(anna.id, "kiosk k1", at(5)).unwrap();
        assert_eq!(export["purchases"][0]["quantity"], 2.0);
        assert_eq!(export["visits"][0]["zone"], "tea");
        assert_eq!(export["views"][0]["category"], "Tea");
        assert_eq!(export["declared"][0], "organic");
        assert_eq!(export["consents"][0]["to"], "face");
        assert_eq!(export["card"], anna.token.as_str());
        let audited = shop.store.audited(5).unwrap();
        assert!(audited.iter().any(|(_, e)| e.action == Action::Export && e.by == "kiosk k1"));
    }

    #[test]
    fn a_pause_takes_templates_out_of_the_gallery_and_brings_them_back() {
        use crate::gallery::Template;
        use crate::vision::Embedding;
        let shop = Shop::new();
        let anna = shop.member(Scope::Face);
        let template = Template { member: anna.id, model: "net/1".into(), embedding: Embedding(vec![1.0]) };
        shop.store.add_templates(anna.id, &[template], "test", at(1)).unwrap();
        let before = shop.store.revisions().unwrap().gallery;
        shop.store.pause(anna.id, true, "test", at(2)).unwrap();
        assert!(shop.store.templates().unwrap().is_empty());
        assert!(shop.store.revisions().unwrap().gallery > before, "the daemon would not notice");
        assert!(shop.store.member(anna.id).unwrap().unwrap().paused);
        shop.store.pause(anna.id, false, "test", at(3)).unwrap();
        assert_eq!(shop.store.templates().unwrap().len(), 1);
    }
}
