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
        for member in 0..corpus.histories.len() {
            let (items, times) = facts.bought.row(member);
            for (item, times) in items.iter().zip(times) {
                facts.buyers[*item as usize] += 1.0;
                facts.repeaters[*item as usize] += if *times > 1.0 { 1.0 } else { 0.0 };
            }
            facts.last_baskets.row(member).0.iter().for_each(|i| facts.last[*i as usize] += 1.0);
        }
        facts
    }

    /// Room for [`ItemFacts::leave_out`].
    pub fn scratch(&self) -> Own {
        Own { bought: Sum::new(self.buyers.len()), last: Sum::new(self.buyers.len()) }
    }

    /// Leaves a member's own purchases out of what `about` says next.
    pub fn leave_out(&self, member: Option<u32>, own: &mut Own) {
        own.bought.clear();
        own.last.clear();
        if let Some(member) = member {
            own.bought.add_row(1.0, self.bought.row(member as usize));
            own.last.add_row(1.0, self.last_baskets.row(member as usize));
        }
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
