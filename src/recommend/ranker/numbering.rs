//! From the store's members and products to the plain numbers that the ranker works with, and back.
//! What always holds: products and members are numbered in order of their ids, so the same store gives
//! the same numbers.

use super::corpus::{Basket, Corpus};
use crate::history::History;
use crate::id::{MemberId, ProductId};
use jiff::Timestamp;
use std::collections::{BTreeMap, BTreeSet};

/// The day that days are counted from: a Monday, so that a week begins with 0.
const FIRST_DAY: f64 = 946_857_600.0;

/// Which number stands for which product and member.
#[derive(Debug, Clone, Default)]
pub struct Numbering {
    /// Products by number, in order of id.
    pub products: Vec<ProductId>,
    /// Members by number, in order of id.
    pub members: Vec<MemberId>,
}

impl Numbering {
    /// Numbers these members, these products and whatever else the members bought.
    pub fn new<'a>(
        products: impl IntoIterator<Item = ProductId>,
        histories: impl IntoIterator<Item = (MemberId, &'a History)>,
    ) -> Numbering {
        let mut all: BTreeSet<ProductId> = products.into_iter().collect();
        let mut members = BTreeSet::new();
        for (member, history) in histories {
            members.insert(member);
            all.extend(history.baskets.iter().flat_map(|b| b.lines.iter().map(|l| l.product)));
        }
        Numbering { products: all.into_iter().collect(), members: members.into_iter().collect() }
    }

    /// A product's number.
    pub fn product(&self, id: ProductId) -> Option<u32> {
        self.products.binary_search(&id).ok().map(|at| at as u32)
    }

    /// A member's number.
    pub fn member(&self, id: MemberId) -> Option<u32> {
        self.members.binary_search(&id).ok().map(|at| at as u32)
    }

    /// A history in numbers, oldest basket first; products without a number are left out.
    pub fn baskets(&self, history: &History) -> Vec<Basket> {
        let basket = |b: &crate::history::Basket| Basket {
            items: b.lines.iter().filter_map(|l| self.product(l.product)).collect(),
            day: Some(day(b.at)),
        };
        history.baskets.iter().map(basket).collect()
    }

    /// All histories in numbers.
    pub fn corpus(&self, histories: &BTreeMap<MemberId, History>) -> Corpus {
        let none = History::default();
        let of = |member: &MemberId| self.baskets(histories.get(member).unwrap_or(&none));
        Corpus { items: self.products.len(), histories: self.members.iter().map(of).collect() }
    }
}

/// A moment as a day and its fraction, counted as baskets count days (UTC).
pub fn day(at: Timestamp) -> f32 {
    ((at.as_millisecond() as f64 / 1e3 - FIRST_DAY) / 86_400.0) as f32
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::history::Line;

    #[test]
    fn numbers_follow_ids_and_days_begin_on_a_monday() {
        let line = |p| Line { product: ProductId(p), quantity: 1.0, unit_price: 1 };
        let at: Timestamp = "2000-01-04T12:00:00Z".parse().unwrap();
        let basket = crate::history::Basket { at, lines: vec![line(40), line(7)] };
        let histories = BTreeMap::from([(MemberId(9), History { baskets: vec![basket] })]);
        let numbering =
            Numbering::new([ProductId(8)], histories.iter().map(|(member, history)| (*member, history)));
        assert_eq!(numbering.products, [7, 8, 40].map(ProductId));
        assert_eq!((numbering.member(MemberId(9)), numbering.product(ProductId(9))), (Some(0), None));
        let corpus = numbering.corpus(&histories);
        assert_eq!(corpus.items, 3);
        assert_eq!(corpus.histories, [[Basket { items: vec![2, 0], day: Some(1.5) }]]);
    }
}
