//! Products that go together: how alike two products' buyers are, and what goes with the member's
//! history, later baskets counting more. A member's own purchases are taken out of every count that
//! speaks about that member.

use super::corpus::{Corpus, counts};
use super::digest::{Bought, Digest};
use super::sparse::{Rows, Sum};

/// Keeps the cosine of products with few buyers small.
const SHRINK: f32 = 10.0;
/// Companions kept of a product.
const COMPANIONS: usize = 300;
/// What an item of the history loses with each basket since it was last bought.
const DECAY: f32 = 0.8;
/// After so many baskets it has lost all but a hundred-thousandth, and is passed over: a history costs
/// no more, however long it is.
const PASSED: u32 = 52;

/// For each product the products bought by the same members.
#[derive(Debug, Clone)]
pub struct ItemItem {
    /// How many members bought both.
    together: Rows,
    /// The cosine below which a product's companions are not kept. What a member's own purchases
    /// alone lifted above it does not count for that member.
    least: Vec<f32>,
    /// How many members bought it.
    buyers: Vec<f32>,
    /// What each member ever bought.
    bought: Rows,
    /// The same by product.
    holders: Rows,
}

fn cosine(together: f32, a: f32, b: f32) -> f32 {
    together / ((a * b).max(0.0).sqrt() + SHRINK)
}

impl ItemItem {
    /// From all members' histories.
    pub fn new(corpus: &Corpus) -> ItemItem {
        let once = |h: &Vec<_>| counts(h).into_iter().map(|e| (e.0, 1.0)).collect();
        let bought = Rows::new(corpus.histories.iter().map(once));
        let holders = bought.transposed(corpus.items);
        let buyers = (0..corpus.items).map(|i| holders.row(i).0.len() as f32).collect();
        let least = vec![0.0; corpus.items];
        let mut all = ItemItem { together: Rows::default(), least, buyers, bought, holders };
        let mut sum = Sum::new(corpus.items);
        for item in 0..corpus.items as u32 {
            let found = all.counted(item, &mut sum);
            all.keep(item, found);
        }
        all
    }

    /// How many members bought each other product together with this one, in order of product.
    fn counted(&self, item: u32, sum: &mut Sum) -> Vec<(u32, f32)> {
        sum.reach(self.buyers.len());
        for member in self.holders.row(item as usize).0 {
            sum.add_row(1.0, self.bought.row(*member as usize));
        }
        let mut found = sum.take();
        found.retain(|e| e.0 != item);
        found
    }

    /// Keeps a product's nearest companions.
    fn keep(&mut self, item: u32, mut found: Vec<(u32, f32)>) {
        let of = item as usize;
        self.least[of] = 0.0;
        if found.len() > COMPANIONS {
            let like = |e: &(u32, f32)| cosine(e.1, self.buyers[of], self.buyers[e.0 as usize]);
            found.select_nth_unstable_by(COMPANIONS, |a, b| like(b).total_cmp(&like(a)).then(a.0.cmp(&b.0)));
            self.least[of] = like(&found[COMPANIONS]);
            found.truncate(COMPANIONS);
            found.sort_unstable_by_key(|e| e.0);
        }
        self.together.set(of, &found);
    }

    /// Makes room for products below `items`.
    pub fn reach(&mut self, items: usize) {
        self.buyers.resize(items.max(self.buyers.len()), 0.0);
        self.least.resize(items.max(self.least.len()), 0.0);
    }

    /// Puts the products that a member ever bought, in order, to these. What this changes is counted
    /// anew; which companions of other products are the nearest 300 is settled at the next rebuild.
    pub fn learn(&mut self, member: u32, items: &[u32], sum: &mut Sum) {
        let before = self.bought.row(member as usize).0.to_vec();
        let is_in = |set: &[u32], item: &u32| set.binary_search(item).is_ok();
        let changed: Vec<u32> = before
            .iter()
            .filter(|i| !is_in(items, i))
            .chain(items.iter().filter(|i| !is_in(&before, i)))
            .copied()
            .collect();
        for item in &changed {
            let now = if is_in(items, item) { 1.0 } else { 0.0 };
            self.holders.put(*item as usize, member, now);
            self.buyers[*item as usize] = self.holders.row(*item as usize).0.len() as f32;
        }
        self.bought.set(member as usize, &items.iter().map(|i| (*i, 1.0)).collect::<Vec<_>>());
        for item in changed {
            let found = self.counted(item, sum);
            for other in before.iter().chain(items).filter(|o| **o != item) {
                let place = found.binary_search_by_key(other, |e| e.0);
                let both = place.map_or(0.0, |at| found[at].1);
                let (of, with) = (*other as usize, item as usize);
                let near = cosine(both, self.buyers[of], self.buyers[with]) >= self.least[of];
                self.together.put(of, item, if near { both } else { 0.0 });
            }
            self.keep(item, found);
        }
    }

    /// Adds to `sum` how well each product goes with what the member bought: the mean of the cosines,
    /// weighted by how lately each was bought.
    pub fn score(&self, member: Option<u32>, digest: &Digest, own: &mut Sum, sum: &mut Sum) {
        own.reach(self.buyers.len());
        if let Some(member) = member {
            own.add_row(1.0, self.bought.row(member as usize));
        }
        let total = total(digest);
        for bought in digest.products.iter().filter(|b| b.gap < PASSED) {
            let share = weight(bought) / total;
            let (companions, both) = self.together.row(bought.item as usize);
            for (companion, both) in companions.iter().zip(both) {
                let alike = self.alike(bought.item, *companion, *both, own.dense());
                if alike > 0.0 {
                    sum.add(*companion, share * alike);
                }
            }
        }
        own.clear();
    }

    /// The bought products that this one goes with, each with what [`ItemItem::score`] would be had it
    /// not been bought.
    pub fn without_each(
        &self,
        member: Option<u32>,
        digest: &Digest,
        item: u32,
        own: &mut Sum,
    ) -> Vec<(u32, f32)> {
        own.reach(self.buyers.len());
        if let Some(member) = member {
            own.add_row(1.0, self.bought.row(member as usize));
        }
        let total = total(digest);
        let share = |bought: &Bought| {
            let (companions, both) = self.together.row(bought.item as usize);
            let at = companions.binary_search(&item).ok()?;
            let alike = self.alike(bought.item, item, both[at], own.dense());
            (alike > 0.0).then_some((bought.item, weight(bought) / total, alike))
        };
        let shares: Vec<(u32, f32, f32)> =
            digest.products.iter().filter(|b| b.gap < PASSED).filter_map(share).collect();
        own.clear();
        let all: f32 = shares.iter().map(|(_, weight, alike)| weight * alike).sum();
        // Without one, the others weigh the more: a companion below the mean takes nothing away.
        let without = |(item, weight, alike): (u32, f32, f32)| {
            (item, (all - weight * alike).max(0.0) / (1.0 - weight).max(1e-6))
        };
        shares.into_iter().map(without).collect()
    }

    /// The cosine of two products without the member's own purchases (`mine`: 1 for each product
    /// bought); 0 where nothing remains.
    fn alike(&self, item: u32, companion: u32, both: f32, mine: &[f32]) -> f32 {
        let (a, b) = (item as usize, companion as usize);
        let both = both - mine[b] * mine[a];
        let alike = cosine(both, self.buyers[a] - mine[a], self.buyers[b] - mine[b]);
        if both > 0.0 && alike >= self.least[a] { alike } else { 0.0 }
    }
}

fn weight(bought: &Bought) -> f32 {
    DECAY.powi(bought.gap as i32)
}

fn total(digest: &Digest) -> f32 {
    digest.products.iter().filter(|b| b.gap < PASSED).map(weight).sum::<f32>().max(1e-9)
}

#[cfg(test)]
mod tests {
    use super::super::corpus::Basket;
    use super::*;

    #[test]
    fn a_members_own_purchases_are_no_evidence_about_it() {
        let basket = |items: &[u32]| Basket { items: items.to_vec(), day: None };
        let corpus = Corpus {
            items: 3,
            histories: vec![vec![basket(&[0, 1])], vec![basket(&[0, 2])]],
            ..Corpus::default()
        };
        let item_item = ItemItem::new(&corpus);
        let digest = Digest::new(&[basket(&[0])], &mut Sum::new(3));
        let mut sum = Sum::new(3);
        item_item.score(Some(0), &digest, &mut Sum::new(3), &mut sum);
        // Only the other member bought 2 with 0; only this one bought 1 with it.
        let expected = 1.0 / (1.0 + SHRINK);
        assert_eq!(sum.take(), [(2, expected)]);
        assert_eq!(item_item.without_each(Some(0), &digest, 2, &mut Sum::new(3)), [(0, 0.0)]);
    }
}
