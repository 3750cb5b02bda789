//! Receipts. What always holds:
//!
//! - A receipt counts once, by its number, however often and from wherever it arrives. The same
//!   number with other lines or another time is reported and the first is kept.
//! - No receipt is lost for what it does not know: a card of nobody keeps the receipt without a
//!   member (if it comes again when the card is known, it is linked), and a SKU that no catalogue named
//!   makes a product that is never suggested until one does.
//! - A return is a receipt with negative quantities; a member's history takes it off the purchase.
//! - Receipts do not change the stock: the system that counts pieces reports it.

use super::{StorageError, Store, products};
use crate::id::MemberId;
use jiff::Timestamp;
use rusqlite::{Connection, OptionalExtension, params};
use std::time::Duration;

/// A purchase this long after an impression of the product counts as its outcome `bought`.
pub const BOUGHT_WITHIN: Duration = Duration::from_secs(2 * 3600);
/// Lines of one receipt at most.
pub const MOST_LINES: usize = 5_000;

/// How a receipt names its member.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Card {
    /// By the card's token.
    Token(String),
    /// Known already.
    Member(MemberId),
}

/// A receipt as the point of sale tells it.
#[derive(Debug, Clone, PartialEq)]
pub struct NewReceipt {
    /// The till's number, unique in the store; 1 to 128 characters.
    pub id: String,
    /// When it was paid.
    pub at: Timestamp,
    /// Whose, if a card was shown.
    pub member: Option<Card>,
    /// 1 to [`MOST_LINES`].
    pub lines: Vec<NewLine>,
    /// Where it came from: `mqtt`, `http`, `import`, `demo`.
    pub source: &'static str,
}

/// One line of it.
#[derive(Debug, Clone, PartialEq)]
pub struct NewLine {
    /// The product.
    pub sku: String,
    /// Not 0; negative for a return.
    pub quantity: f64,
    /// Price of one in the currency's smallest unit, not negative.
    pub unit_price: i64,
    /// What the till prints; names a product that no catalogue knows yet.
    pub name: Option<String>,
}

/// What became of a receipt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// New: counted now.
    Counted,
    /// Counted before; nothing changed.
    Duplicate,
    /// Counted before without a member, who is known now.
    Linked,
    /// The number exists with other content; the first is kept.
    Differs,
}

/// What became of a receipt, and of what it named.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Recorded {
    /// The receipt.
    pub outcome: Outcome,
    /// Whose it is.
    pub member: Option<MemberId>,
    /// A card was given that no member has.
    pub unknown_card: bool,
    /// Products that were not known before.
    pub new_products: u32,
}

impl NewReceipt {
    /// What is wrong with it, if anything.
    pub fn check(&self) -> Result<(), StorageError> {
        let invalid = |what: String| Err(StorageError::Invalid(format!("receipt \"{}\": {what}", self.id)));
        if !(1..=128).contains(&self.id.chars().count()) || self.id.chars().any(char::is_control) {
            return Err(StorageError::Invalid(
                "a receipt's number has 1 to 128 characters, none of them a control character".into(),
            ));
        }
        if !(1..=MOST_LINES).contains(&self.lines.len()) {
            return invalid(format!("it has {} lines, expected 1 to {MOST_LINES}", self.lines.len()));
        }
        for (n, line) in (1..).zip(&self.lines) {
            if !products::is_sku(&line.sku) {
                let rule = "a SKU has 1 to 64 characters without control characters or spaces around it";
                return invalid(format!("line {n}: {rule}"));
            }
            if !line.quantity.is_finite() || line.quantity == 0.0 || line.quantity.abs() > 1e9 {
                return invalid(format!("line {n}: a quantity is not 0 and below 10^9"));
            }
            if !(0..=products::MOST_PRICE).contains(&line.unit_price) {
                return invalid(format!("line {n}: a price is not negative and below 10^12"));
            }
            if line.name.as_ref().is_some_and(|n| n.chars().count() > 200) {
                return invalid(format!("line {n}: a name has at most 200 characters"));
            }
        }
        Ok(())
    }

    /// Whether goods came back: every quantity is negative.
    pub fn is_return(&self) -> bool {
        self.lines.iter().all(|l| l.quantity < 0.0)
    }

    /// Of time and lines, whatever their order; not of the member, who may become known later.
    fn digest(&self) -> [u8; 16] {
        let mut lines: Vec<_> =
            self.lines.iter().map(|l| (l.sku.as_str(), l.quantity.to_bits(), l.unit_price)).collect();
        lines.sort_unstable();
        let mut hasher = blake3::Hasher::new();
        hasher.update(&self.at.as_millisecond().to_le_bytes());
        for (sku, quantity, price) in lines {
            hasher.update(&(sku.len() as u64).to_le_bytes());
            hasher.update(sku.as_bytes());
            hasher.update(&quantity.to_le_bytes());
            hasher.update(&price.to_le_bytes());
        }
        let mut digest = [0; 16];
        digest.copy_from_slice(&hasher.finalize().as_bytes()[..16]);
        digest
    }
}

impl Store {
    /// Records one receipt; it is on disk when this returns.
    pub fn record_receipt(&self, receipt: &NewReceipt) -> Result<Recorded, StorageError> {
        receipt.check()?;
        let receipt = receipt.clone();
        self.write(move |db| record(db, &receipt))
    }

    /// Records many in one transaction: all, or none if one is not acceptable.
    pub fn record_receipts(&self, receipts: Vec<NewReceipt>) -> Result<Vec<Recorded>, StorageError> {
        for receipt in &receipts {
            receipt.check()?;
        }
        self.write(move |db| receipts.iter().map(|r| record(db, r)).collect())
    }
}

fn record(db: &Connection, receipt: &NewReceipt) -> Result<Recorded, StorageError> {
    let member = match &receipt.member {
        None => None,
        Some(Card::Token(token)) => owner(db, "SELECT id FROM members WHERE token = ?", token)?,
        Some(Card::Member(id)) => owner(db, "SELECT id FROM members WHERE id = ?", id.0)?,
    };
    let unknown_card = receipt.member.is_some() && member.is_none();
    let digest = receipt.digest();
    let known: Option<(i64, Option<i64>, [u8; 16])> = db
        .prepare_cached("SELECT id, member, digest FROM receipts WHERE receipt = ?")?
        .query_row([&receipt.id], |r| Ok((r.get(0)?, r.get(1)?, r.get(2)?)))
        .optional()?;
    if let Some((row, owner, stored)) = known {
        let outcome = match (owner, member) {
            _ if stored != digest => Outcome::Differs,
            (None, Some(member)) => {
                db.prepare_cached("UPDATE receipts SET member = ? WHERE id = ?")?.execute([member.0, row])?;
                Outcome::Linked
            }
            (Some(owner), Some(member)) if owner != member.0 => Outcome::Differs,
            _ => Outcome::Duplicate,
        };
        let member = if outcome == Outcome::Linked { member } else { owner.map(MemberId) };
        return Ok(Recorded { outcome, member, unknown_card, new_products: 0 });
    }
    db.prepare_cached("INSERT INTO receipts (receipt, at, member, source, digest) VALUES (?, ?, ?, ?, ?)")?
        .execute(params![
            receipt.id,
            receipt.at.as_millisecond(),
            member.map(|m| m.0),
            receipt.source,
            digest
        ])?;
    let row = db.last_insert_rowid();
    let mut insert = db.prepare_cached(
        "INSERT INTO lines (receipt, position, product, quantity, unit_price) VALUES (?, ?, ?, ?, ?)",
    )?;
    let mut new_products = 0;
    for (position, line) in (1_i64..).zip(&receipt.lines) {
        let (product, new) = product(db, line)?;
        new_products += u32::from(new);
        insert.execute(params![row, position, product, line.quantity, line.unit_price])?;
    }
    if let Some(member) = member {
        bought(db, row, member, receipt.at)?;
    }
    Ok(Recorded { outcome: Outcome::Counted, member, unknown_card, new_products })
}

fn owner(db: &Connection, sql: &str, key: impl rusqlite::ToSql) -> Result<Option<MemberId>, StorageError> {
    Ok(db.prepare_cached(sql)?.query_row([key], |r| r.get(0).map(MemberId)).optional()?)
}

/// The row of a line's product, made if there is none; whether it was made.
fn product(db: &Connection, line: &NewLine) -> Result<(i64, bool), StorageError> {
    let known = db
        .prepare_cached("SELECT id FROM products WHERE sku = ?")?
        .query_row([&line.sku], |r| r.get(0))
        .optional()?;
    if let Some(id) = known {
        return Ok((id, false));
    }
    let name = line.name.as_deref().map(str::trim).filter(|n| !n.is_empty()).unwrap_or(&line.sku);
    db.prepare_cached("INSERT INTO products (sku, name, price, listed) VALUES (?, ?, ?, 0)")?
        .execute(params![line.sku, name, line.unit_price])?;
    Ok((db.last_insert_rowid(), true))
}

/// Notes the outcome `bought` for what the member was shown shortly before.
fn bought(db: &Connection, receipt: i64, member: MemberId, at: Timestamp) -> Result<(), StorageError> {
    let at = at.as_millisecond();
    let since = at - BOUGHT_WITHIN.as_millis() as i64;
    db.prepare_cached(
        "INSERT OR IGNORE INTO outcomes (slate, kind, product, at) \
         SELECT s.id, 'bought', i.product, ?3 FROM slates s \
         JOIN impressions p ON p.slate = s.id AND p.at <= ?3 \
         JOIN slate_items i ON i.slate = s.id \
         WHERE s.member = ?1 AND s.made BETWEEN ?2 AND ?3 AND i.product IN \
             (SELECT product FROM lines WHERE receipt = ?4 AND quantity > 0)",
    )?
    .execute(params![member.0, since, at, receipt])?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::privacy::consent::Scope;
    use crate::storage::NewMember;
    use crate::storage::fixture::{Shop, at, new_member, receipt};
    use proptest::prelude::*;
    use std::collections::BTreeMap;

    fn outcome(shop: &Shop, receipt: &NewReceipt) -> Outcome {
        shop.store.record_receipt(receipt).unwrap().outcome
    }

    #[test]
    fn a_receipt_sent_twice_counts_once() {
        let shop = Shop::new();
        let r = receipt("r1", None, &[("tea", 2.0), ("jam", 1.0)]);
        assert_eq!(outcome(&shop, &r), Outcome::Counted);
        let before = shop.rows();
        assert_eq!(outcome(&shop, &r), Outcome::Duplicate);
        let reordered = receipt("r1", None, &[("jam", 1.0), ("tea", 2.0)]);
        assert_eq!(outcome(&shop, &reordered), Outcome::Duplicate);
        assert_eq!(shop.rows(), before);
    }

    #[test]
    fn another_receipt_under_the_same_number_is_told_and_not_kept() {
        let shop = Shop::new();
        let (anna, ben) = (shop.member(Scope::Card), shop.member(Scope::Card));
        outcome(&shop, &receipt("r1", Some(&anna), &[("tea", 2.0)]));
        let before = shop.rows();
        assert_eq!(outcome(&shop, &receipt("r1", Some(&anna), &[("tea", 3.0)])), Outcome::Differs);
        assert_eq!(outcome(&shop, &receipt("r1", Some(&ben), &[("tea", 2.0)])), Outcome::Differs);
        assert_eq!(shop.rows(), before);
    }

    #[test]
    fn a_receipt_of_an_unknown_card_is_kept_and_linked_once_the_card_is_known() {
        let shop = Shop::new();
        let mut r = receipt("r1", None, &[("tea", 2.0)]);
        r.member = Some(Card::Token("CARD-9".into()));
        let first = shop.store.record_receipt(&r).unwrap();
        assert!(first.unknown_card && first.outcome == Outcome::Counted && first.member.is_none());
        let new = NewMember { token: Some("CARD-9".into()), ..new_member(Scope::Card) };
        let anna = shop.store.add_member(new).unwrap();
        assert_eq!(outcome(&shop, &r), Outcome::Linked);
        assert_eq!(outcome(&shop, &r), Outcome::Duplicate);
        assert_eq!(shop.store.history(anna.id).unwrap().baskets.len(), 1);
    }

    #[test]
    fn a_receipt_that_cannot_be_true_is_refused() {
        let shop = Shop::new();
        let good = receipt("r1", None, &[("tea", 1.0)]);
        let with = |change: &dyn Fn(&mut NewReceipt)| {
            let mut bad = good.clone();
            change(&mut bad);
            bad
        };
        let bad = [
            with(&|r| r.id.clear()),
            with(&|r| r.id = "a\nb".into()),
            with(&|r| r.id = "x".repeat(129)),
            with(&|r| r.lines.clear()),
            with(&|r| r.lines = vec![r.lines[0].clone(); MOST_LINES + 1]),
            with(&|r| r.lines[0].quantity = 0.0),
            with(&|r| r.lines[0].quantity = f64::NAN),
            with(&|r| r.lines[0].quantity = 1e300),
            with(&|r| r.lines[0].unit_price = -1),
            with(&|r| r.lines[0].sku.clear()),
        ];
        for bad in bad {
            assert!(matches!(shop.store.record_receipt(&bad), Err(StorageError::Invalid(_))));
        }
        assert!(shop.rows().is_empty());
    }

    #[test]
    fn returns_and_popularity() {
        let shop = Shop::new();
        let anna = shop.member(Scope::Card);
        outcome(&shop, &receipt("r1", Some(&anna), &[("tea", 2.0), ("tea", 1.0), ("jam", 1.0)]));
        outcome(&shop, &receipt("r2", None, &[("tea", 1.0)]));
        let mut back = receipt("c1", Some(&anna), &[("jam", -1.0)]);
        back.at = at(200);
        outcome(&shop, &back);
        let products = shop.store.products().unwrap();
        let sku = |id| products.iter().find(|p| p.id == id).unwrap().sku.as_str();
        let sales = shop.store.sales(at(0), at(1000), 0).unwrap();
        let named: Vec<_> = sales.iter().map(|(id, n)| (sku(*id), n.iter().sum::<u32>())).collect();
        assert_eq!(named, [("tea", 2), ("jam", 1)]);
        let ahead = |hours: i32| shop.store.sales(at(0), at(1000), hours * 3600).unwrap();
        let part = |sales: BTreeMap<_, [u32; 6]>| sales.values().next().unwrap().iter().position(|n| *n > 0);
        assert_eq!(part(ahead(12)), part(ahead(0)).map(|part| (part + 3) % 6), "clocks half a day ahead");
        assert!(shop.store.sales(at(150), at(1000), 0).unwrap().is_empty(), "a return is no sale");
        let bought = shop.store.bought_since(anna.id, at(0)).unwrap();
        assert_eq!(bought.len(), 2, "a return is no purchase");
        let history = shop.store.history(anna.id).unwrap();
        assert_eq!(history.baskets.len(), 1);
        let lines = &history.baskets[0].lines;
        assert_eq!((lines.len(), lines[0].quantity), (1, 3.0), "two lines of tea; the jam went back");
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(24))]
        #[test]
        fn receipts_in_any_order_and_repeated_give_the_same_state(
            order in proptest::collection::vec(0_usize..8, 8..30).prop_shuffle(),
        ) {
            let all: Vec<usize> = (0..8).chain(order.iter().copied()).collect();
            let mut mixed = order;
            mixed.extend((0..8).rev());
            let state = |order: &[usize]| {
                let shop = Shop::new();
                for card in ["A", "B"] {
                    let new = NewMember { token: Some(card.into()), ..new_member(Scope::Card) };
                    shop.store.add_member(new).unwrap();
                }
                for &n in order {
                    let mut r = receipt(&format!("r{n}"), None, &[("tea", n as f64 + 1.0), ("jam", -1.0)]);
                    r.at = at(n as i64);
                    r.member = ["A", "B", "C"].get(n % 4).map(|c| Card::Token((*c).into()));
                    shop.store.record_receipt(&r).unwrap();
                }
                shop.rows()
            };
            prop_assert_eq!(state(&all), state(&mixed));
        }
    }
}
