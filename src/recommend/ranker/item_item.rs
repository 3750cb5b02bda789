//! Products that go together: how alike two products' buyers are, and what goes with the member's
//! history, later baskets counting more. A member's own purchases are taken out of every count that
//! speaks about that member.

use super::corpus::{Corpus, Visit, counts};
use super::sparse::{Rows, Sum};

/// Keeps the cosine of products with few buyers small.
const SHRINK: f32 = 10.0;
/// Companions kept of a product.
const COMPANIONS: usize = 300;
/// What an item of the history loses with each basket since it was last bought.
const DECAY: f32 = 0.8;

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
}

fn cosine(together: f32, a: f32, b: f32) -> f32 {
    together / ((a * b).max(0.0).sqrt() + SHRINK)
}

impl ItemItem {
    /// From all members' histories.
    pub fn new(corpus: &Corpus) -> ItemItem {
        let once = |h: &Vec<_>| counts(h).into_iter().map(|e| (e.0, 1.0)).collect();
        let bought = Rows::new(corpus.histories.iter().map(once));
        let by_item = bought.transposed(corpus.items);
        let buyers: Vec<f32> = (0..corpus.items).map(|i| by_item.row(i).0.len() as f32).collect();
        let mut sum = Sum::new(corpus.items);
        let mut least = vec![0.0; corpus.items];
        let companions = (0..corpus.items).map(|item| {
            for member in by_item.row(item).0 {
                sum.add_row(1.0, bought.row(*member as usize));
            }
            let mut found = sum.take();
            found.retain(|e| e.0 as usize != item);
            if found.len() > COMPANIONS {
                let like = |e: &(u32, f32)| cosine(e.1, buyers[item], buyers[e.0 as usize]);
                found.select_nth_unstable_by(COMPANIONS, |a, b| {
                    like(b).total_cmp(&like(a)).then(a.0.cmp(&b.0))
                });
                least[item] = like(&found[COMPANIONS]);
                found.truncate(COMPANIONS);
            }
            found
        });
        let together = Rows::new(companions);
        ItemItem { together, least, buyers, bought }
    }

    /// Adds to `sum` how well each product goes with the history: the mean of the cosines,
    /// weighted by how lately each was bought.
    pub fn score(&self, visit: &Visit<'_>, own: &mut Sum, sum: &mut Sum) {
        if let Some(member) = visit.member {
            own.add_row(1.0, self.bought.row(member as usize));
        }
        let mine = own.dense();
        let mut last: Vec<(u32, usize)> = Vec::new();
        for (gap, basket) in visit.baskets.iter().rev().enumerate() {
            last.extend(
                basket.items.iter().filter(|i| (**i as usize) < self.buyers.len()).map(|i| (*i, gap)),
            );
        }
        last.sort_unstable();
        last.dedup_by_key(|e| e.0);
        let weight = |gap: usize| DECAY.powi(gap.min(200) as i32);
        let total: f32 = last.iter().map(|e| weight(e.1)).sum::<f32>().max(1e-9);
        for (item, gap) in last {
            let share = weight(gap) / total;
            let (companions, both) = self.together.row(item as usize);
            let buyers = self.buyers[item as usize] - mine[item as usize];
            for (companion, both) in companions.iter().zip(both) {
                let at = *companion as usize;
                let both = both - mine[at] * mine[item as usize];
                let alike = cosine(both, buyers, self.buyers[at] - mine[at]);
                if both > 0.0 && alike >= self.least[item as usize] {
                    sum.add(*companion, share * alike);
                }
            }
        }
        own.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::super::corpus::Basket;
    use super::*;

    #[test]
    fn a_members_own_purchases_are_no_evidence_about_it() {
        let basket = |items: &[u32]| Basket { items: items.to_vec(), day: None };
        let corpus = Corpus { items: 3, histories: vec![vec![basket(&[0, 1])], vec![basket(&[0, 2])]] };
        let item_item = ItemItem::new(&corpus);
        let visit = Visit { member: Some(0), baskets: &[basket(&[0])], day: None };
        let mut sum = Sum::new(3);
        item_item.score(&visit, &mut Sum::new(3), &mut sum);
        // Only the other member bought 2 with 0; only this one bought 1 with it.
        assert_eq!(sum.take(), [(2, 1.0 / (1.0 + SHRINK))]);
    }
}
