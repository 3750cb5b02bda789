//! All evidence about a member at a moment, as the terms `ln(x + ε) − ln ε` that the ranker weighs.
//! Every term is zero without its evidence and grows with it.

use super::content::Content;
use super::corpus::{Basket, Corpus, Visit, counts};
use super::digest::{Bought, Digest};
use super::facts::{ItemFacts, Own};
use super::item_item::ItemItem;
use super::neighbours::{Likeness, Near, Neighbours, frequencies, frequency};
use super::sparse::{Rows, Sum};
use super::tifu::{self, Tifu};
use super::trend::{self, Trend};

/// Kinds of evidence.
pub const TERMS: usize = 8;
/// What each kind is called, in order.
pub const NAMES: [&str; TERMS] =
    ["neighbours", "neighbours-last", "item-item", "tifu", "own", "due", "content", "trend"];
/// Weights of the terms: those for products that the member never bought, then those for products
/// that the member did buy.
pub const WEIGHTS: usize = 2 * TERMS;
/// Places of the kinds in [`NAMES`].
pub mod kind {
    /// What the nearest members buy.
    pub const NEIGHBOURS: usize = 0;
    /// What the nearest members bought last.
    pub const NEIGHBOURS_LAST: usize = 1;
    /// What goes with the member's purchases.
    pub const ITEM_ITEM: usize = 2;
    /// Decayed frequencies, of the member and of the nearest.
    pub const TIFU: usize = 3;
    /// How often the member buys it.
    pub const OWN: usize = 4;
    /// Whether the member's rhythm makes it due.
    pub const DUE: usize = 5;
    /// What it has in common with what the member buys.
    pub const CONTENT: usize = 6;
    /// How much it sells just now: of every product that something else speaks for, and of those that
    /// sell best.
    pub const TREND: usize = 7;
}
/// The ε of each kind: what counts as next to nothing.
const EPSILON: [f32; TERMS] = [3e-3, 3e-3, 1e-2, 1e-4, 1e-2, 2e-2, 5e-2, 3e-3];
const LIKENESS: Likeness = Likeness { own: 0.5, other: 1.5, count: 200 };
const RECENT: usize = 10;

/// The evidence that all members' receipts give. A receipt changes it in place.
#[derive(Debug, Clone)]
pub struct Evidence {
    neighbours: Neighbours,
    frequent: Rows,
    last: Rows,
    item_item: ItemItem,
    tifu: Tifu,
    trend: Trend,
    /// What products are by their description.
    pub content: Content,
    /// What is known of each product.
    pub facts: ItemFacts,
    items: usize,
}

/// Who is near a member, in the two ways of being near. It changes with the member's own receipts, and
/// so slowly with those of others that it is kept between them.
#[derive(Debug, Clone, Default)]
pub struct Around {
    near: Vec<Near>,
    vectors: Vec<u32>,
}

/// Room for one question at a time.
#[derive(Debug, Clone)]
pub struct Scratch {
    members: Sum,
    own: Sum,
    parts: [Sum; TERMS],
    tifu: tifu::Scratch,
    trend: trend::Scratch,
    /// Which purchases are the asking member's own.
    pub facts: Own,
}

impl Scratch {
    /// The digest of baskets, oldest first, of products that the evidence knows.
    pub fn digest(&mut self, baskets: &[Basket]) -> Digest {
        Digest::new(baskets, &mut self.own)
    }
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

/// The term of evidence `x` of a kind.
pub fn term(kind: usize, x: f32) -> f32 {
    (x / EPSILON[kind]).ln_1p()
}

/// Of weights, those that count for a product, bought before or not.
pub fn weights_for(weights: &[f32], bought: bool) -> &[f32] {
    let (new, known) = weights.split_at(TERMS);
    if bought { known } else { new }
}

/// The evidence `x` behind a term.
pub fn untermed(kind: usize, term: f32) -> f32 {
    term.exp_m1() * EPSILON[kind]
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
            trend: Trend::new(corpus),
            content: Content::new(corpus.features.clone()),
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
            trend: self.trend.scratch(self.items),
            facts: self.facts.scratch(),
        }
    }

    /// Takes in a member's baskets, all of them, oldest first, in place of those known as `before`.
    /// Costs what the member's own products cost. Gives their digest.
    pub fn learn(
        &mut self,
        member: u32,
        before: &Digest,
        baskets: &[Basket],
        scratch: &mut Scratch,
    ) -> Digest {
        let digest = Digest::new(baskets, &mut scratch.own);
        let bought = digest.counts();
        self.neighbours.learn(member, &before.counts(), &bought);
        self.frequent.set(member as usize, &frequency(baskets, RECENT));
        self.last.set(member as usize, &frequency(baskets, 1));
        let items: Vec<u32> = bought.iter().map(|e| e.0).collect();
        self.item_item.learn(member, &items, &mut scratch.own);
        self.tifu.learn(member, &digest.vector());
        self.trend.learn(member, baskets);
        self.facts.learn(member, &bought, &counts(&baskets[baskets.len().saturating_sub(1)..]));
        digest
    }

    /// Makes room for products below `items`.
    pub fn reach(&mut self, items: usize, scratch: &mut Scratch) {
        self.items = self.items.max(items);
        self.item_item.reach(self.items);
        self.facts.reach(self.items);
        scratch.own.reach(self.items);
        scratch.parts.iter_mut().for_each(|p| p.reach(self.items));
        scratch.trend.reach(self.items);
    }

    /// Puts the products' features to these, making room for them.
    pub fn describe(&mut self, features: Rows, scratch: &mut Scratch) {
        self.reach(features.count(), scratch);
        self.content = Content::new(features);
    }

    /// What speaks for which product; nothing of it comes from the member's own part in the
    /// corpus. Afterwards `scratch.facts` leaves the member out.
    pub fn of(&self, visit: &Visit<'_>, scratch: &mut Scratch) -> Terms {
        let digest = Digest::new(visit.baskets, &mut scratch.own);
        self.about(visit.member, &digest, visit.day, scratch)
    }

    /// The same for a member whose baskets are known as a digest.
    pub fn about(
        &self,
        member: Option<u32>,
        digest: &Digest,
        day: Option<f32>,
        scratch: &mut Scratch,
    ) -> Terms {
        let around = self.around(member, digest, scratch);
        self.about_among(member, digest, &around, day, scratch)
    }

    /// Who is near a member. Costs what all purchases of the member's products cost.
    pub fn around(&self, member: Option<u32>, digest: &Digest, scratch: &mut Scratch) -> Around {
        Around {
            near: self.neighbours.near(member, &digest.counts(), LIKENESS, &mut scratch.members),
            vectors: self.tifu.nearest(member, &digest.vector(), &mut scratch.tifu),
        }
    }

    /// [`Evidence::about`], where it is known who is near.
    pub fn about_among(
        &self,
        member: Option<u32>,
        digest: &Digest,
        around: &Around,
        day: Option<f32>,
        scratch: &mut Scratch,
    ) -> Terms {
        let Scratch { own, parts, facts, trend, .. } = scratch;
        self.facts.leave_out(member, facts);
        for (near, share) in shares(&around.near) {
            parts[kind::NEIGHBOURS].add_row(share, self.frequent.row(near as usize));
            parts[kind::NEIGHBOURS_LAST].add_row(share, self.last.row(near as usize));
        }
        self.item_item.score(member, digest, own, &mut parts[kind::ITEM_ITEM]);
        self.tifu.mix_with(&digest.vector(), &around.vectors, &mut parts[kind::TIFU]);
        for bought in &digest.products {
            let often = bought.times / digest.baskets as f32;
            parts[kind::OWN].add(bought.item, often);
            let due = bought.due(day) * often.sqrt();
            if due > 0.0 {
                parts[kind::DUE].add(bought.item, due);
            }
        }
        self.content.score(digest, &self.facts, &mut parts[kind::CONTENT]);
        let mut items: Vec<u32> = parts.iter().flat_map(|p| p.touched().iter().copied()).collect();
        let sold = self.trend.ask(member, day, trend);
        if sold {
            items.extend(trend.best());
        }
        items.sort_unstable();
        items.dedup();
        if sold {
            let shares = items.iter().map(|item| (*item, trend.share(*item))).filter(|e| e.1 > 0.0);
            shares.for_each(|(item, share)| parts[kind::TREND].add(item, share));
        }
        let term = |item: u32, kind: usize| term(kind, parts[kind].dense()[item as usize]);
        let values = items.iter().map(|item| std::array::from_fn(|kind| term(*item, kind))).collect();
        parts.iter_mut().for_each(Sum::clear);
        Terms { items, values }
    }

    /// Which of the member's purchases a product goes with, each with what that evidence would be
    /// without it.
    pub fn goes_with(
        &self,
        member: Option<u32>,
        digest: &Digest,
        item: u32,
        scratch: &mut Scratch,
    ) -> Vec<(u32, f32)> {
        self.item_item.without_each(member, digest, item, &mut scratch.own)
    }

    /// How many of the nearest members buy a product, and how many are near at all.
    pub fn like_minded(&self, around: &Around, item: u32) -> (u32, u32) {
        let buys = |n: &&Near| self.frequent.row(n.0 as usize).0.binary_search(&item).is_ok();
        (around.near.iter().filter(buys).count() as u32, around.near.len() as u32)
    }

    /// What the member's own purchases give a product of the TIFUKNN evidence.
    pub fn own_tifu(&self, bought: &Bought) -> f32 {
        self.tifu.own(bought.vector)
    }

    /// What a product's terms would be had the member never bought it, all else equal.
    pub fn without_own(&self, digest: &Digest, item: u32, terms: [f32; TERMS]) -> [f32; TERMS] {
        let Some(bought) = digest.of(item) else { return terms };
        let mut less = terms;
        (less[kind::OWN], less[kind::DUE]) = (0.0, 0.0);
        let others = untermed(kind::TIFU, terms[kind::TIFU]) - self.own_tifu(bought);
        less[kind::TIFU] = term(kind::TIFU, others.max(0.0));
        less
    }
}

/// Nearness as shares that add up to 1.
fn shares(near: &[Near]) -> impl Iterator<Item = Near> {
    let total: f32 = near.iter().map(|n| n.1).sum::<f32>().max(1e-9);
    near.iter().map(move |(member, nearness)| (*member, nearness / total))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const ITEMS: u32 = 12;

    fn corpus(histories: Vec<Vec<Basket>>) -> Corpus {
        let features = Rows::new((0..ITEMS).map(|i| vec![(i % 3, 0.8), (3 + i % 4, 0.6)]));
        Corpus { items: ITEMS as usize, histories, features }
    }

    prop_compose! {
        fn any_history()(baskets in prop::collection::vec((0u32..300, prop::collection::btree_set(0..ITEMS, 1..5)), 0..8)) -> Vec<Basket> {
            let mut day = 0.0;
            baskets.into_iter().map(|(gap, items)| {
                day += gap as f32 / 10.0;
                Basket { items: items.into_iter().collect(), day: Some(day) }
            }).collect()
        }
    }

    proptest! {
        /// Learning receipts one by one, in any order of members, new ones and erased ones among
        /// them, comes to the same as reading all of them at once.
        #[test]
        fn what_is_learned_in_place_equals_a_rebuild(
            before in prop::collection::vec(any_history(), 1..6),
            after in prop::collection::vec(any_history(), 1..8),
        ) {
            let mut evidence = Evidence::new(&corpus(before.clone()));
            let mut scratch = evidence.scratch();
            let mut digests: Vec<Digest> =
                before.iter().map(|h| Digest::new(h, &mut Sum::new(ITEMS as usize))).collect();
            digests.resize_with(before.len().max(after.len()), Digest::default);
            let mut histories = before;
            histories.resize_with(digests.len(), Vec::new);
            for (member, baskets) in after.into_iter().enumerate() {
                digests[member] = evidence.learn(member as u32, &digests[member], &baskets, &mut scratch);
                histories[member] = baskets;
            }
            let rebuilt = Evidence::new(&corpus(histories.clone()));
            let mut fresh = rebuilt.scratch();
            for (member, baskets) in histories.iter().enumerate() {
                let visit = Visit { member: Some(member as u32), baskets, day: Some(250.0) };
                let expected = rebuilt.of(&visit, &mut fresh);
                let terms = evidence.about(visit.member, &digests[member], visit.day, &mut scratch);
                prop_assert_eq!(&terms.items, &expected.items);
                for (a, b) in terms.values.iter().zip(&expected.values) {
                    prop_assert!(a.iter().zip(b).all(|(a, b)| (a - b).abs() < 1e-3), "{a:?} {b:?}");
                }
            }
        }
    }
}
