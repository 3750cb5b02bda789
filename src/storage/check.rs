//! The check: is the file whole, do the rows fit together, is the schema the one this program
//! made, does every member have a key, does every seal open, is the audit as it was written.

use super::{StorageError, Store, database};
use crate::privacy::seal::Purpose;
use crate::{id::MemberId, privacy::vault};
use rusqlite::Connection;
use std::collections::BTreeMap;

/// Something that is not as it should be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// What was found.
    pub what: String,
    /// What to do about it.
    pub step: &'static str,
}

const RESTORE: &str = "stop shopguide, copy its folder aside, and put back the last good backup";

impl Store {
    /// Checks everything; reads the whole database. Empty is good.
    pub fn check(&self) -> Result<Vec<Problem>, StorageError> {
        let mut problems = Vec::new();
        self.read(|db| {
            integrity(db, &mut problems)?;
            schema(db, &mut problems)?;
            self.seals(db, &mut problems)
        })?;
        if let Err(broken) = self.verify_audit()? {
            problems.push(Problem {
                what: broken.to_string(),
                step: "find out who changed the database; entries that are lost cannot be made again",
            });
        }
        Ok(problems)
    }

    fn seals(&self, db: &Connection, problems: &mut Vec<Problem>) -> Result<(), StorageError> {
        let keys = self.parts.vault.keys()?;
        let ids = super::members::ids(db)?;
        let keyless = ids.iter().filter(|id| !keys.contains_key(id)).count();
        if keyless > 0 {
            problems.push(Problem {
                what: format!("{keyless} members have no key in {}", vault::FILE),
                step: "put that file back, or run `shopguide check --forget-unreadable`",
            });
        }
        let mut closed = 0;
        let mut rows = db.prepare(
            "SELECT member, model, sealed, 'template' FROM templates UNION ALL \
             SELECT id, '', name, 'name' FROM members WHERE name IS NOT NULL UNION ALL \
             SELECT id, '', contact, 'contact' FROM members WHERE contact IS NOT NULL UNION ALL \
             SELECT id, '', facts, 'facts' FROM members WHERE facts IS NOT NULL",
        )?;
        let mut rows = rows.query([])?;
        while let Some(row) = rows.next()? {
            let (member, context): (_, String) = (MemberId(row.get(0)?), row.get(1)?);
            let (sealed, kind): (Vec<u8>, String) = (row.get(2)?, row.get(3)?);
            let purpose = match kind.as_str() {
                "template" => Purpose::Template,
                "name" => Purpose::Name,
                "facts" => Purpose::Facts,
                _ => Purpose::Contact,
            };
            let opens =
                |k: &crate::privacy::seal::MemberKey| k.open(member, purpose, &context, &sealed).is_ok();
            closed += u32::from(keys.get(&member).is_some_and(|k| !opens(k)));
        }
        if closed > 0 {
            problems.push(Problem {
                what: format!("{closed} sealed values do not open with their member's key"),
                step: RESTORE,
            });
        }
        Ok(())
    }
}

fn integrity(db: &Connection, problems: &mut Vec<Problem>) -> Result<(), StorageError> {
    let mut rows = db.prepare("PRAGMA integrity_check(20)")?;
    for verdict in rows.query_map([], |r| r.get::<_, String>(0))? {
        let what = verdict?;
        if what != "ok" {
            problems.push(Problem { what, step: RESTORE });
        }
    }
    let mut rows = db.prepare("PRAGMA foreign_key_check")?;
    let mut broken: BTreeMap<(String, String), u32> = BTreeMap::new();
    for row in rows.query_map([], |r| Ok((r.get(0)?, r.get(2)?)))? {
        *broken.entry(row?).or_default() += 1;
    }
    for ((table, parent), rows) in broken {
        let what = format!("{rows} rows of {table} refer to rows of {parent} that are not there");
        problems.push(Problem { what, step: RESTORE });
    }
    Ok(())
}

fn schema(db: &Connection, problems: &mut Vec<Problem>) -> Result<(), StorageError> {
    let read = |db: &Connection| -> Result<BTreeMap<String, String>, StorageError> {
        let mut rows = db.prepare(
            "SELECT name, sql FROM sqlite_schema WHERE sql IS NOT NULL AND name NOT LIKE 'sqlite_%'",
        )?;
        let schema = rows.query_map([], |r| Ok((r.get(0)?, r.get(1)?)))?.collect::<Result<_, _>>()?;
        Ok(schema)
    };
    let (found, expected) = (read(db)?, read(&database::model()?)?);
    let step = "if someone changed the schema by hand, undo that; otherwise restore the last good backup";
    for (name, sql) in &expected {
        match found.get(name) {
            None => problems.push(Problem { what: format!("the schema lacks {name}"), step }),
            Some(other) if other != sql => {
                problems.push(Problem { what: format!("{name} is not as this program made it"), step });
            }
            Some(_) => {}
        }
    }
    for name in found.keys().filter(|n| !expected.contains_key(*n)) {
        problems.push(Problem { what: format!("the schema has {name}, which is not shopguide's"), step });
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::privacy::consent::Scope;
    use crate::storage::fixture::{Shop, receipt};

    fn after(tamper: &'static str) -> Vec<Problem> {
        let shop = Shop::new();
        let anna = shop.member(Scope::Face);
        shop.store.record_receipt(&receipt("r1", Some(&anna), &[("tea", 1.0)])).unwrap();
        assert_eq!(shop.store.check().unwrap(), []);
        let shop = shop.reopen(|folder| {
            let db = Connection::open(folder.join("shop.sqlite")).unwrap();
            db.execute_batch(tamper).unwrap();
        });
        shop.store.check().unwrap()
    }

    #[test]
    fn each_kind_of_damage_is_told() {
        for (tamper, word) in [
            ("DROP INDEX receipts_by_time", "lacks receipts_by_time"),
            ("CREATE TABLE mine (a)", "not shopguide's"),
            (
                "PRAGMA foreign_keys = OFF; UPDATE lines SET product = 99",
                "rows of lines refer to rows of products",
            ),
            ("UPDATE members SET name = x'0102'", "do not open"),
            ("DROP TRIGGER audit_is_not_changed; UPDATE audit SET by = 'x'", "audit entry 1"),
        ] {
            let problems = after(tamper);
            assert!(problems.iter().any(|p| p.what.contains(word)), "{tamper}: {problems:?}");
        }
    }

    #[test]
    fn the_audit_cannot_be_changed_by_the_program_itself() {
        let shop = Shop::new();
        shop.member(Scope::Face);
        for sql in ["UPDATE audit SET by = 'x'", "DELETE FROM audit"] {
            let refused = shop.store.write(move |db| Ok(db.execute(sql, [])?));
            assert!(refused.unwrap_err().to_string().contains("only grows"));
        }
    }
}
