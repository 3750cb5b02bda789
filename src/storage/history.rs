//! What members bought, and what the store sells: the queries that suggestions live from.

use super::{StorageError, Store, columns};
use crate::history::{Basket, History, Line};
use crate::id::{MemberId, ProductId};
use crate::recommend::{Sales, day_part};
use jiff::Timestamp;
use rusqlite::Connection;
use std::collections::{BTreeMap, BTreeSet, HashMap};

impl Store {
    /// What a member bought, and what they dwelt before, oldest first. A return is taken off the latest purchases of the same
    /// product before it; baskets of which nothing is left are not part of the history.
    pub fn history(&self, member: MemberId) -> Result<History, StorageError> {
        let of_member = "WHERE r.member = ? ORDER BY r.at, r.id, l.position";
        let history = self.read_histories(of_member, &[member.0])?.remove(&member).unwrap_or_default();
        Ok(History { views: self.views_since(member, Timestamp::MIN)?, ..history })
    }

    /// What a member bought after `last`, where `known` receipts are known up to then; `None` if that is
    /// not all there is to tell: a receipt came late or went, or something was returned.
    pub fn history_since(
        &self,
        member: MemberId,
        known: usize,
        last: Option<Timestamp>,
    ) -> Result<Option<Vec<Basket>>, StorageError> {
        let last = last.map_or(i64::MIN, Timestamp::as_millisecond);
        let later = "WHERE r.member = ? AND r.at > ? ORDER BY r.at, r.id, l.position";
        let (all, (receipts, baskets)) = self.read(|db| {
            let mut count = db.prepare_cached("SELECT COUNT(*) FROM receipts WHERE member = ?")?;
            let all: i64 = count.query_row([member.0], |r| r.get(0))?;
            let baskets = read_baskets(db, later, &[member.0, last])?.remove(&member).unwrap_or_default();
            Ok((all as usize, (baskets.len(), baskets)))
        })?;
        let returned = baskets.iter().flat_map(|b| &b.lines).any(|l| l.quantity < 0.0);
        let simply = known + receipts == all && !returned;
        Ok(simply.then(|| History::new(baskets).baskets))
    }

    /// What every member bought, as [`Store::history`] tells it, without views; members without receipts
    /// are left out.
    pub fn histories(&self) -> Result<BTreeMap<MemberId, History>, StorageError> {
        self.read_histories("WHERE r.member IS NOT NULL ORDER BY r.member, r.at, r.id, l.position", &[])
    }

    fn read_histories(
        &self,
        which: &str,
        parameters: &[i64],
    ) -> Result<BTreeMap<MemberId, History>, StorageError> {
        let baskets = self.read(|db| read_baskets(db, which, parameters))?;
        let history = |(member, baskets)| (member, History::new(without_returns(baskets)));
        Ok(baskets.into_iter().map(history).collect())
    }

    /// What a member bought since then.
    pub fn bought_since(
        &self,
        member: MemberId,
        since: Timestamp,
    ) -> Result<BTreeSet<ProductId>, StorageError> {
        self.read(|db| {
            let mut rows = db.prepare_cached(
                "SELECT DISTINCT l.product FROM receipts r JOIN lines l ON l.receipt = r.id \
                 WHERE r.member = ? AND r.at >= ? AND l.quantity > 0",
            )?;
            let ids = rows.query_map([member.0, since.as_millisecond()], |row| row.get(0).map(ProductId))?;
            Ok(ids.collect::<Result<_, _>>()?)
        })
    }

    /// Members whose receipts came after the one with this row (see [`Revisions::receipts`]).
    ///
    /// [`Revisions::receipts`]: super::Revisions::receipts
    pub fn buyers_after(&self, receipt: i64) -> Result<BTreeSet<MemberId>, StorageError> {
        self.read(|db| {
            let mut rows = db
                .prepare_cached("SELECT DISTINCT member FROM receipts WHERE id > ? AND member IS NOT NULL")?;
            let ids = rows.query_map([receipt], |row| row.get(0).map(MemberId))?;
            Ok(ids.collect::<Result<_, _>>()?)
        })
    }

    /// Receipts that sold each product from `since` until before `until`, by part of the day in a zone
    /// whose clocks are `ahead` seconds ahead of UTC. Returns do not count as sales.
    pub fn sales(
        &self,
        since: Timestamp,
        until: Timestamp,
        ahead: i32,
    ) -> Result<BTreeMap<ProductId, Sales>, StorageError> {
        // Rows come receipt by receipt, so counting here needs no sorting of a million lines there.
        let mut counts: HashMap<i64, (i64, Sales)> = HashMap::new();
        self.read(|db| {
            let mut rows = db.prepare_cached(
                "SELECT r.id, l.product, r.at FROM receipts r JOIN lines l ON l.receipt = r.id \
                 WHERE r.at >= ? AND r.at < ? AND l.quantity > 0 ORDER BY r.at, r.id",
            )?;
            let mut rows = rows.query([since.as_millisecond(), until.as_millisecond()])?;
            while let Some(row) = rows.next()? {
                let (receipt, product, at): (i64, i64, i64) = (row.get(0)?, row.get(1)?, row.get(2)?);
                let (last, sales) = counts.entry(product).or_insert((i64::MIN, Sales::default()));
                if *last != receipt {
                    *last = receipt;
                    let hour = (at.div_euclid(1000) + i64::from(ahead)).div_euclid(3600).rem_euclid(24);
                    sales[day_part(hour as i8)] += 1;
                }
            }
            Ok(())
        })?;
        Ok(counts.into_iter().map(|(product, (_, sales))| (ProductId(product), sales)).collect())
    }
}

/// Receipts as they are, returns among them, by member.
fn read_baskets(
    db: &Connection,
    which: &str,
    parameters: &[i64],
) -> Result<BTreeMap<MemberId, Vec<Basket>>, StorageError> {
    let mut all: BTreeMap<MemberId, Vec<Basket>> = BTreeMap::new();
    let mut rows = db.prepare_cached(&format!(
        "SELECT r.id, r.at, l.product, l.quantity, l.unit_price, r.member FROM receipts r \
         JOIN lines l ON l.receipt = r.id {which}",
    ))?;
    let mut rows = rows.query(rusqlite::params_from_iter(parameters))?;
    let mut last = None;
    while let Some(row) = rows.next()? {
        let (receipt, at): (i64, _) = (row.get(0)?, columns::time(row, 1)?);
        let baskets = all.entry(MemberId(row.get(5)?)).or_default();
        if last.replace(receipt) != Some(receipt) {
            baskets.push(Basket { at, lines: Vec::new() });
        }
        let line = Line { product: ProductId(row.get(2)?), quantity: row.get(3)?, unit_price: row.get(4)? };
        if let Some(basket) = baskets.last_mut() {
            basket.lines.push(line);
        }
    }
    Ok(all)
}

/// Takes every negative line off the latest positive ones of its product before it.
fn without_returns(mut baskets: Vec<Basket>) -> Vec<Basket> {
    for now in 0..baskets.len() {
        let before = &mut baskets[..=now];
        let returned: Vec<(ProductId, f64)> =
            before[now].lines.iter().filter(|l| l.quantity < 0.0).map(|l| (l.product, -l.quantity)).collect();
        for (product, mut left) in returned {
            let sold = before.iter_mut().rev().flat_map(|b| b.lines.iter_mut().rev());
            for line in sold.filter(|l| l.product == product && l.quantity > 0.0) {
                let taken = left.min(line.quantity);
                line.quantity -= taken;
                left -= taken;
                if left <= 0.0 {
                    break;
                }
            }
        }
    }
    for basket in &mut baskets {
        basket.lines.retain(|l| l.quantity > 0.0);
    }
    baskets.retain(|b| !b.lines.is_empty());
    baskets
}

#[cfg(test)]
mod tests {
    use super::*;

    fn basket(day: i64, lines: &[(i64, f64)]) -> Basket {
        let lines = lines
            .iter()
            .map(|&(product, quantity)| Line { product: ProductId(product), quantity, unit_price: 100 })
            .collect();
        Basket { at: Timestamp::from_second(day * 86_400).unwrap(), lines }
    }

    #[test]
    fn a_return_takes_off_the_latest_purchase_before_it() {
        let left = without_returns(vec![
            basket(1, &[(1, 6.0), (2, 1.0)]),
            basket(2, &[(1, 2.0)]),
            basket(3, &[(1, -3.0)]),
            basket(4, &[(1, 1.0)]),
        ]);
        assert_eq!(left, [basket(1, &[(1, 5.0), (2, 1.0)]), basket(4, &[(1, 1.0)])]);
    }

    #[test]
    fn what_came_since_is_told_alone_unless_something_else_changed_too() {
        use crate::privacy::consent::Scope;
        use crate::storage::fixture::{Shop, at, receipt};
        let shop = Shop::new();
        shop.products(&["tea", "jam"]);
        let anna = shop.member(Scope::Card);
        let buy = |id: &str, seconds: i64, sku: &str, quantity: f64| {
            let new = receipt(id, Some(&anna), &[(sku, quantity)]);
            shop.store.record_receipt(&crate::storage::NewReceipt { at: at(seconds), ..new }).unwrap();
        };
        let since = |known: usize, last: Option<i64>| {
            shop.store.history_since(anna.id, known, last.map(at)).unwrap().map(|b| b.len())
        };
        assert_eq!(since(0, None), Some(0));
        buy("r1", 100, "tea", 1.0);
        buy("r2", 200, "jam", 1.0);
        assert_eq!((since(0, None), since(1, Some(100)), since(2, Some(200))), (Some(2), Some(1), Some(0)));
        let whole = shop.store.history(anna.id).unwrap();
        let more = shop.store.history_since(anna.id, 1, Some(at(100))).unwrap().unwrap();
        assert_eq!(more, whole.baskets[1..]);
        buy("late", 50, "jam", 1.0);
        assert_eq!(since(2, Some(200)), None, "a late receipt was passed over");
        assert_eq!(since(3, Some(200)), Some(0));
        buy("back", 300, "jam", -1.0);
        assert_eq!(since(3, Some(200)), None, "a return was taken for a purchase");
    }

    #[test]
    fn a_return_of_what_was_never_bought_changes_nothing() {
        let left = without_returns(vec![basket(1, &[(1, 1.0)]), basket(2, &[(2, -5.0)])]);
        assert_eq!(left, [basket(1, &[(1, 1.0)])]);
    }
}
