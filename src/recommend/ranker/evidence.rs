//! All evidence about a member at a moment, as the terms `ln(x + ε) − ln ε` that the ranker weighs.
//! Every term is zero without its evidence and grows with it.

use super::corpus::{Corpus, Visit};
use super::facts::{ItemFacts, Own};
use super::item_item::ItemItem;
use super::neighbours::{Likeness, Neighbours, frequencies, frequency};
use super::sparse::{Rows, Sum};
use super::tifu::{self, Tifu};

/// Kinds of evidence.
pub const TERMS: usize = 5;
/// What each kind is called, in order.
pub const NAMES: [&str; TERMS] = ["neighbours", "neighbours-last", "item-item", "tifu", "own"];
/// The ε of each kind: what counts as next to nothing.
const EPSILON: [f32; TERMS] = [3e-3, 3e-3, 1e-2, 1e-4, 1e-2];
const LIKENESS: Likeness = Likeness { own: 0.5, other: 1.5, count: 200 };
const RECENT: usize = 10;

/// The evidence that all members' receipts give.
#[derive(Debug, Clone)]
pub struct Evidence {
    neighbours: Neighbours,
    frequent: Rows,
    last: Rows,
    item_item: ItemItem,
    tifu: Tifu,
    /// What is known of each product.
    pub facts: ItemFacts,
    items: usize,
}

/// Room for one question at a time.
#[derive(Debug, Clone)]
pub struct Scratch {
    members: Sum,
    own: Sum,
    parts: [Sum; TERMS],
    tifu: tifu::Scratch,
    /// Which purchases are the asking member's own.
    pub facts: Own,
}

/// The products that something speaks for, in order, with their terms.
#[derive(Debug, Clone, Default)]
pub struct Terms {
    /// Products.
    pub items: Vec<u32>,
    /// For each the terms, at least 0, in the order of [`NAMES`].
    pub values: Vec<[f32; TERMS]>,
}

impl Terms {
    /// The terms of a product; zeros if nothing speaks for it.
    pub fn values_of(&self, item: u32) -> [f32; TERMS] {
        self.items.binary_search(&item).map_or([0.0; TERMS], |at| self.values[at])
    }
}

impl Evidence {
    /// From all members' histories.
    pub fn new(corpus: &Corpus) -> Evidence {
        let everyone = (0..corpus.histories.len() as u32).collect();
        Evidence {
            neighbours: Neighbours::new(corpus),
            frequent: frequencies(corpus, RECENT),
            last: frequencies(corpus, 1),
            item_item: ItemItem::new(corpus),
            tifu: Tifu::new(corpus, everyone, tifu::Settings::TUNED),
            facts: ItemFacts::new(corpus),
            items: corpus.items,
        }
    }

    /// Room for questions.
    pub fn scratch(&self) -> Scratch {
        Scratch {
            members: self.neighbours.scratch(),
            own: Sum::new(self.items),
            parts: std::array::from_fn(|_| Sum::new(self.items)),
            tifu: self.tifu.scratch(),
            facts: self.facts.scratch(),
        }
    }

    /// What speaks for which product; nothing of it comes from the member's own part in the
    /// corpus. Afterwards `scratch.facts` leaves the member out.
    pub fn of(&self, visit: &Visit<'_>, scratch: &mut Scratch) -> Terms {
        let Scratch { members, own, parts, tifu, facts } = scratch;
        self.facts.leave_out(visit.member, facts);
        let near = self.neighbours.nearest(visit, LIKENESS, members);
        let total: f32 = near.iter().map(|n| n.1).sum::<f32>().max(1e-9);
        for (member, nearness) in near {
            parts[0].add_row(nearness / total, self.frequent.row(member as usize));
            parts[1].add_row(nearness / total, self.last.row(member as usize));
        }
        self.item_item.score(visit, own, &mut parts[2]);
        self.tifu.score(visit, tifu, &mut parts[3]);
        for (item, share) in frequency(visit.baskets, visit.baskets.len()) {
            parts[4].add(item, share);
        }
        let mut items: Vec<u32> = parts.iter().flat_map(|p| p.touched().iter().copied()).collect();
        items.sort_unstable();
        items.dedup();
        let term = |item: u32, kind: usize| (parts[kind].dense()[item as usize] / EPSILON[kind]).ln_1p();
        let values = items.iter().map(|item| std::array::from_fn(|kind| term(*item, kind))).collect();
        parts.iter_mut().for_each(Sum::clear);
        Terms { items, values }
    }
}
