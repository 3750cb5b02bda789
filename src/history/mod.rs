//! Receipts and views as one member's sequence of events, oldest first. Pure.
//!
//! Terms. A *view* is a dwell of a member before the shelf of a category.
//!
//! What always holds: baskets are in order of time, and a basket names a product once.

pub mod screening;
mod tills;

use crate::id::ProductId;
use jiff::Timestamp;
use std::collections::BTreeMap;
use std::time::Duration;

/// One line of a receipt.
#[derive(Debug, Clone, PartialEq)]
pub struct Line {
    /// What was bought.
    pub product: ProductId,
    /// Pieces or units of measure, above 0.
    pub quantity: f64,
    /// Price of one, in the currency's smallest unit.
    pub unit_price: i64,
}

/// The lines of one receipt.
#[derive(Debug, Clone, PartialEq)]
pub struct Basket {
    /// When it was paid.
    pub at: Timestamp,
    /// What was in it.
    pub lines: Vec<Line>,
}

/// A dwell before a shelf.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct View {
    /// The category that stands there, at any level of the catalogue.
    pub category: String,
    /// When it began.
    pub at: Timestamp,
    /// How long it was.
    pub dwelt: Duration,
}

/// One thing that a member did.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Event<'a> {
    /// Bought something.
    Purchase(&'a Basket),
    /// Dwelt before something.
    View(&'a View),
}

/// What a member did, oldest first.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct History {
    /// Baskets in order of time.
    pub baskets: Vec<Basket>,
    /// Views in order of time.
    pub views: Vec<View>,
}

impl History {
    /// Puts baskets in order and joins the lines of one product within a basket (quantities add
    /// up, the last price stays).
    pub fn new(mut baskets: Vec<Basket>) -> Self {
        baskets.sort_by_key(|b| b.at);
        for basket in &mut baskets {
            let mut joined: Vec<Line> = Vec::with_capacity(basket.lines.len());
            for line in basket.lines.drain(..) {
                match joined.iter_mut().find(|l| l.product == line.product) {
                    Some(l) => {
                        l.quantity += line.quantity;
                        l.unit_price = line.unit_price;
                    }
                    None => joined.push(line),
                }
            }
            basket.lines = joined;
        }
        Self { baskets, views: Vec::new() }
    }

    /// Purchases and views as one sequence, oldest first.
    pub fn events(&self) -> impl Iterator<Item = Event<'_>> {
        let mut events: Vec<(Timestamp, Event<'_>)> =
            Vec::with_capacity(self.baskets.len() + self.views.len());
        events.extend(self.views.iter().map(|v| (v.at, Event::View(v))));
        events.extend(self.baskets.iter().map(|b| (b.at, Event::Purchase(b))));
        events.sort_by_key(|e| e.0);
        events.into_iter().map(|e| e.1)
    }

    /// When each product was bought, oldest first.
    pub fn purchases(&self) -> BTreeMap<ProductId, Vec<Timestamp>> {
        let mut times: BTreeMap<ProductId, Vec<Timestamp>> = BTreeMap::new();
        for basket in &self.baskets {
            for line in &basket.lines {
                times.entry(line.product).or_default().push(basket.at);
            }
        }
        times
    }

    /// Every product of every basket, as often as it was bought.
    pub fn products(&self) -> impl Iterator<Item = ProductId> + '_ {
        self.baskets.iter().flat_map(|b| b.lines.iter().map(|l| l.product))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn baskets_are_ordered_and_name_a_product_once() {
        let at = |s: i64| Timestamp::from_second(s).unwrap();
        let line = |p, quantity| Line { product: ProductId(p), quantity, unit_price: 100 };
        let history = History::new(vec![
            Basket { at: at(20), lines: vec![line(1, 1.0), line(2, 1.0), line(1, 2.0)] },
            Basket { at: at(10), lines: vec![line(1, 1.0)] },
        ]);
        assert_eq!(history.baskets[0].at, at(10));
        assert_eq!(history.baskets[1].lines, vec![line(1, 3.0), line(2, 1.0)]);
        assert_eq!(history.purchases()[&ProductId(1)], vec![at(10), at(20)]);
    }
}
