//! From the store's members and products to the plain numbers that the ranker works with, and back.
//! What always holds: products and members are numbered in order of their ids, so the same store gives
//! the same numbers.

use super::corpus::{Basket, Corpus};
use super::features::features;
use super::sparse::Rows;
use crate::history::History;
use crate::id::{MemberId, ProductId};
use crate::recommend::Product;
use jiff::Timestamp;
use std::collections::{BTreeMap, BTreeSet, HashMap};

/// The day that days are counted from: a Monday, so that a week begins with 0.
const FIRST_DAY: f64 = 946_857_600.0;

/// Which number stands for which product and member.
#[derive(Debug, Clone, Default)]
pub struct Numbering {
    products: Vec<ProductId>,
    members: Vec<MemberId>,
    product_numbers: HashMap<ProductId, u32>,
    member_numbers: HashMap<MemberId, u32>,
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
            all.extend(history.products());
        }
        let mut numbering = Numbering::default();
        all.into_iter().for_each(|id| _ = numbering.number_product(id));
        members.into_iter().for_each(|id| _ = numbering.number_member(id));
        numbering
    }

    /// Products by number: in order of id, then those that came later.
    pub fn products(&self) -> &[ProductId] {
        &self.products
    }

    /// Members by number: in order of id, then those that came later.
    pub fn members(&self) -> &[MemberId] {
        &self.members
    }

    /// A product's number, the next one if it has none yet.
    pub fn number_product(&mut self, id: ProductId) -> u32 {
        *self.product_numbers.entry(id).or_insert_with(|| {
            self.products.push(id);
            self.products.len() as u32 - 1
        })
    }

    /// A member's number, the next one if it has none yet.
    pub fn number_member(&mut self, id: MemberId) -> u32 {
        *self.member_numbers.entry(id).or_insert_with(|| {
            self.members.push(id);
            self.members.len() as u32 - 1
        })
    }

    /// A product's number.
    pub fn product(&self, id: ProductId) -> Option<u32> {
        self.product_numbers.get(&id).copied()
    }

    /// The numbers of products given in order of id: a walk instead of a search for each.
    pub fn walk(&self) -> impl FnMut(ProductId) -> Option<u32> + '_ {
        let mut at = 0;
        move |id| {
            // Products that came later are behind those in order, and end the walk early.
            while self.products.get(at).is_some_and(|known| *known < id) {
                at += 1;
            }
            match self.products.get(at) {
                Some(known) if *known == id => Some(at as u32),
                _ => self.product(id),
            }
        }
    }

    /// A member's number.
    pub fn member(&self, id: MemberId) -> Option<u32> {
        self.member_numbers.get(&id).copied()
    }

    /// A history in numbers, oldest basket first; products without a number are left out.
    pub fn baskets(&self, history: &History) -> Vec<Basket> {
        let basket = |b: &crate::history::Basket| Basket {
            items: b.lines.iter().filter_map(|l| self.product(l.product)).collect(),
            day: Some(day(b.at)),
        };
        history.baskets.iter().map(basket).collect()
    }

    /// Features of every numbered product, of those described here.
    pub fn features<'p>(&self, products: impl IntoIterator<Item = &'p Product>) -> Rows {
        let described: BTreeMap<ProductId, &Product> = products.into_iter().map(|p| (p.id, p)).collect();
        features(self.products.iter().map(|id| described.get(id).copied()))
    }

    /// All histories and the products' descriptions in numbers.
    pub fn corpus(&self, histories: &BTreeMap<MemberId, History>, products: &[Product]) -> Corpus {
        let none = History::default();
        let of = |member: &MemberId| self.baskets(histories.get(member).unwrap_or(&none));
        Corpus {
            items: self.products.len(),
            histories: self.members.iter().map(of).collect(),
            features: self.features(products),
        }
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
        let histories = BTreeMap::from([(MemberId(9), History::new(vec![basket]))]);
        let numbering =
            Numbering::new([ProductId(8)], histories.iter().map(|(member, history)| (*member, history)));
        assert_eq!(numbering.products(), [7, 8, 40].map(ProductId));
        assert_eq!((numbering.member(MemberId(9)), numbering.product(ProductId(9))), (Some(0), None));
        let mut later = numbering.clone();
        assert_eq!(later.number_product(ProductId(9)), 3);
        let mut walk = later.walk();
        let found: Vec<Option<u32>> = [7, 8, 9, 20, 40, 41].map(|id| walk(ProductId(id))).to_vec();
        assert_eq!(found, [Some(0), Some(1), Some(3), None, Some(2), None]);
        let corpus = numbering.corpus(&histories, &[]);
        assert_eq!(corpus.items, 3);
        assert_eq!(corpus.histories, [[Basket { items: vec![2, 0], day: Some(1.5) }]]);
    }
}
