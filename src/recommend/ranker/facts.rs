//! What is known of a product from all members but the one asked about: how many of its buyers come
//! back for it, how many buy it, and how many bought it last.

use super::corpus::{Corpus, counts};
use super::sparse::{Rows, Sum};

/// Numbers a product.
pub const ITEM_FACTS: usize = 3;

/// Counts over members.
#[derive(Debug, Clone)]
pub struct ItemFacts {
    buyers: Vec<f32>,
    repeaters: Vec<f32>,
    last: Vec<f32>,
    bought: Rows,
    last_baskets: Rows,
}

/// A member's own share in the counts, to be taken out of them.
#[derive(Debug, Clone)]
pub struct Own {
    bought: Sum,
    last: Sum,
}

impl ItemFacts {
    /// From all members' histories.
    pub fn new(corpus: &Corpus) -> ItemFacts {
        let bought = Rows::new(corpus.histories.iter().map(|h| counts(h)));
        let last_baskets =
            Rows::new(corpus.histories.iter().map(|h| counts(&h[h.len().saturating_sub(1)..])));
        let mut facts = ItemFacts {
            buyers: vec![0.0; corpus.items],
            repeaters: vec![0.0; corpus.items],
            last: vec![0.0; corpus.items],
            bought,
            last_baskets,
        };
        (0..corpus.histories.len()).for_each(|member| facts.count(member, 1.0));
        facts
    }

    /// Counts a member in (1) or out (-1).
    fn count(&mut self, member: usize, one: f32) {
        let (items, times) = self.bought.row(member);
        for (item, times) in items.iter().zip(times) {
            self.buyers[*item as usize] += one;
            self.repeaters[*item as usize] += if *times > 1.0 { one } else { 0.0 };
        }
        self.last_baskets.row(member).0.iter().for_each(|i| self.last[*i as usize] += one);
    }

    /// Puts a member's purchases to these: how many baskets hold each product, and the last basket.
    pub fn learn(&mut self, member: u32, bought: &[(u32, f32)], last: &[(u32, f32)]) {
        self.count(member as usize, -1.0);
        self.bought.set(member as usize, bought);
        self.last_baskets.set(member as usize, last);
        self.count(member as usize, 1.0);
    }

    /// Makes room for products below `items`.
    pub fn reach(&mut self, items: usize) {
        for counts in [&mut self.buyers, &mut self.repeaters, &mut self.last] {
            counts.resize(items.max(counts.len()), 0.0);
        }
    }

    /// Room for [`ItemFacts::leave_out`].
    pub fn scratch(&self) -> Own {
        Own { bought: Sum::new(self.buyers.len()), last: Sum::new(self.buyers.len()) }
    }

    /// Leaves a member's own purchases out of what `about` says next.
    pub fn leave_out(&self, member: Option<u32>, own: &mut Own) {
        own.bought.clear();
        own.last.clear();
        own.bought.reach(self.buyers.len());
        own.last.reach(self.buyers.len());
        if let Some(member) = member {
            own.bought.add_row(1.0, self.bought.row(member as usize));
            own.last.add_row(1.0, self.last_baskets.row(member as usize));
        }
    }

    /// How many members bought a product.
    pub fn buyers(&self, item: u32) -> f32 {
        self.buyers[item as usize]
    }

    /// Repeat rate, popularity and popularity of late, each about 0..2.
    pub fn about(&self, item: u32, own: &Own) -> [f32; ITEM_FACTS] {
        let at = item as usize;
        let times = own.bought.dense()[at];
        let buyers = self.buyers[at] - if times > 0.0 { 1.0 } else { 0.0 };
        let repeaters = self.repeaters[at] - if times > 1.0 { 1.0 } else { 0.0 };
        let last = self.last[at] - own.last.dense()[at];
        // Two of ten imagined buyers came back: the rate of a product that few know.
        [(repeaters + 2.0) / (buyers + 10.0) * 3.0, buyers.ln_1p() / 4.0, last.ln_1p() / 3.0]
    }
}
