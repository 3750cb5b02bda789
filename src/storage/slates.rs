//! Slates that were made, what displays said they showed (impressions), and what came of it
//! (outcomes). Each counts once, however often a display says it.

use super::{StorageError, Store, columns};
use crate::display::{Ack, AckKind};
use crate::id::VisitId;
use crate::recommend::{Audience, Slate};
use rusqlite::{OptionalExtension, params};

/// What became of a display's word.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Noted {
    /// New: an impression or outcome was recorded.
    New,
    /// Said before.
    Repeated,
    /// No such slate was made for this display (or it has expired, or went with its member).
    UnknownSlate,
    /// The slate has no such product.
    UnknownItem,
}

impl Store {
    /// Keeps a slate that is about to be shown, before it is published. A personal one belongs to its
    /// member and is erased with it.
    pub fn record_slate(&self, slate: &Slate, visit: Option<VisitId>) -> Result<(), StorageError> {
        let member = match slate.audience {
            Audience::Store => None,
            Audience::Personal { member } => Some(member),
        };
        let mut items = Vec::with_capacity(slate.items.len());
        for item in &slate.items {
            items.push((item.product.0, item.score, item.propensity, columns::json(&item.reason)?));
        }
        let (id, display) = (slate.id.0.clone(), slate.display.clone());
        let times = [
            Some(slate.made_at.as_millisecond()),
            Some(slate.valid_until.as_millisecond()),
            slate.captured.map(|t| t.as_millisecond()),
        ];
        let sequence = i64::try_from(slate.sequence).unwrap_or(i64::MAX);
        self.write(move |db| {
            if let Some(member) = member {
                super::members::expect(db, member)?;
            }
            db.prepare_cached(
                "INSERT INTO slates (id, display, sequence, member, visit, made, valid_until, captured) \
                 VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
            )?
            .execute(params![
                id,
                display.as_str(),
                sequence,
                member.map(|m| m.0),
                visit.map(|v| v.0),
                times[0],
                times[1],
                times[2]
            ])?;
            let mut insert = db.prepare_cached(
                "INSERT INTO slate_items (slate, position, product, score, propensity, reason) \
                 VALUES (?, ?, ?, ?, ?, ?)",
            )?;
            for (position, (product, score, propensity, reason)) in (1_i64..).zip(&items) {
                insert.execute(params![id, position, product, score, propensity, reason])?;
            }
            Ok(())
        })
    }

    /// Records what a display says: `shown` makes an impression, `taken` and `dismissed` an outcome.
    pub fn record_ack(&self, ack: &Ack) -> Result<Noted, StorageError> {
        let ack = ack.clone();
        self.write(move |db| {
            let known: bool = db
                .prepare_cached("SELECT EXISTS (SELECT 1 FROM slates WHERE id = ? AND display = ?)")?
                .query_row([&ack.slate.0, ack.display.as_str()], |r| r.get(0))?;
            if !known {
                return Ok(Noted::UnknownSlate);
            }
            let at = ack.received.as_millisecond();
            let kind = match ack.kind {
                AckKind::Shown => {
                    let new = db
                        .prepare_cached("INSERT OR IGNORE INTO impressions (slate, at) VALUES (?, ?)")?
                        .execute(params![ack.slate.0, at])?;
                    return Ok(noted(new));
                }
                AckKind::Dismissed => "dismissed",
                AckKind::Taken => "taken",
            };
            let product: Option<i64> = match &ack.sku {
                None => Some(0),
                Some(sku) => db
                    .prepare_cached(
                        "SELECT i.product FROM slate_items i JOIN products p ON p.id = i.product \
                         WHERE i.slate = ? AND p.sku = ?",
                    )?
                    .query_row([&ack.slate.0, sku], |r| r.get(0))
                    .optional()?,
            };
            let Some(product) = product else { return Ok(Noted::UnknownItem) };
            let new = db
                .prepare_cached(
                    "INSERT OR IGNORE INTO outcomes (slate, kind, product, at) VALUES (?, ?, ?, ?)",
                )?
                .execute(params![ack.slate.0, kind, product, at])?;
            Ok(noted(new))
        })
    }
}

fn noted(rows: usize) -> Noted {
    if rows == 0 { Noted::Repeated } else { Noted::New }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::id::{DisplayId, SlateId};
    use crate::privacy::consent::Scope;
    use crate::recommend::{Money, Reason, Suggestion};
    use crate::storage::fixture::{Shop, at, receipt};

    fn slate(shop: &Shop, audience: Audience) -> Slate {
        let items = shop.store.products().unwrap().into_iter().map(|p| Suggestion {
            product: p.id,
            sku: p.sku,
            name: p.name,
            price: Money(1),
            place: None,
            score: 0.5,
            propensity: 1.0,
            reason: Reason::Popular { receipts: 3, days: 30 },
            reason_text: String::new(),
        });
        Slate {
            id: SlateId("boot-1".into()),
            display: DisplayId::new("tea").unwrap(),
            sequence: 1,
            audience,
            made_at: at(0),
            valid_until: at(20),
            captured: None,
            greeting: None,
            items: items.collect(),
        }
    }

    fn ack(kind: AckKind, sku: Option<&str>) -> Ack {
        Ack {
            display: DisplayId::new("tea").unwrap(),
            slate: SlateId("boot-1".into()),
            kind,
            sku: sku.map(str::to_owned),
            received: at(1),
        }
    }

    #[test]
    fn an_impression_and_each_outcome_count_once() {
        let shop = Shop::new();
        shop.products(&["tea", "jam"]);
        shop.store.record_slate(&slate(&shop, Audience::Store), None).unwrap();
        for (kind, sku) in [
            (AckKind::Shown, None),
            (AckKind::Taken, Some("tea")),
            (AckKind::Taken, Some("jam")),
            (AckKind::Dismissed, None),
        ] {
            assert_eq!(shop.store.record_ack(&ack(kind, sku)).unwrap(), Noted::New);
            assert_eq!(shop.store.record_ack(&ack(kind, sku)).unwrap(), Noted::Repeated);
        }
        let counts = shop.store.counts().unwrap();
        assert_eq!((counts.slates, counts.impressions, counts.outcomes), (1, 1, 3));
    }

    #[test]
    fn what_a_display_cannot_know_is_not_recorded() {
        let shop = Shop::new();
        shop.products(&["tea"]);
        assert_eq!(shop.store.record_ack(&ack(AckKind::Shown, None)).unwrap(), Noted::UnknownSlate);
        shop.store.record_slate(&slate(&shop, Audience::Store), None).unwrap();
        let other = Ack { display: DisplayId::new("jam").unwrap(), ..ack(AckKind::Shown, None) };
        assert_eq!(shop.store.record_ack(&other).unwrap(), Noted::UnknownSlate);
        let unknown = ack(AckKind::Taken, Some("gin"));
        assert_eq!(shop.store.record_ack(&unknown).unwrap(), Noted::UnknownItem);
        assert_eq!(shop.store.counts().unwrap().impressions, 0);
    }

    #[test]
    fn a_purchase_soon_after_an_impression_is_its_outcome() {
        let shop = Shop::new();
        shop.products(&["tea", "jam"]);
        let anna = shop.member(Scope::Face);
        let visit = shop.store.enter_visit(anna.id, &"tea".parse().unwrap(), at(0)).unwrap();
        shop.store.record_slate(&slate(&shop, Audience::Personal { member: anna.id }), Some(visit)).unwrap();
        shop.store.record_ack(&ack(AckKind::Shown, None)).unwrap();
        shop.store.record_receipt(&receipt("r0", None, &[("tea", 1.0)])).unwrap();
        assert_eq!(shop.store.counts().unwrap().outcomes, 0, "somebody else's purchase says nothing");
        shop.store.record_receipt(&receipt("r1", Some(&anna), &[("tea", 1.0)])).unwrap();
        assert_eq!(shop.store.counts().unwrap().outcomes, 1);
        shop.store.erase_member(anna.id, "test", at(9)).unwrap();
        let counts = shop.store.counts().unwrap();
        assert_eq!((counts.slates, counts.impressions, counts.outcomes, counts.visits), (0, 0, 0, 0));
    }
}
