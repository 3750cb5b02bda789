//! Members of like taste: how near two members are, and what the nearest buy. The member asked
//! about is never among the neighbours. Also UP-CF (Faggioli et al., UMAP 2020), which differs only
//! in how nearness is scaled and how many count.
//!
//! Nearness of u to v is `c_u · c_v / (|c_u|^p |c_v|^q)`, c being how many baskets hold each
//! product. A query costs the lists of the products in the history, not the number of members
//! squared.

use super::corpus::{Corpus, Visit, counts};
use super::sparse::{Rows, Sum};

/// Who buys what, both ways round.
#[derive(Debug, Clone)]
pub struct Neighbours {
    /// For each product its members with their counts.
    buyers: Rows,
    /// Length of each member's counts.
    lengths: Vec<f32>,
}

/// A neighbour and its nearness, above 0.
pub type Near = (u32, f32);

/// How nearness is scaled and how many neighbours count.
#[derive(Debug, Clone, Copy)]
pub struct Likeness {
    /// Power of the asking member's length.
    pub own: f32,
    /// Power of the other member's length.
    pub other: f32,
    /// How many of the nearest count.
    pub count: usize,
}

impl Neighbours {
    /// From all members' histories.
    pub fn new(corpus: &Corpus) -> Neighbours {
        let counted = Rows::new(corpus.histories.iter().map(|h| counts(h)));
        Neighbours {
            lengths: counted.squares().into_iter().map(f32::sqrt).collect(),
            buyers: counted.transposed(corpus.items),
        }
    }

    /// Puts a member's counts, known as `before`, to `after`.
    pub fn learn(&mut self, member: u32, before: &[(u32, f32)], after: &[(u32, f32)]) {
        self.buyers.change_column(member, before, after);
        self.lengths.resize(self.lengths.len().max(member as usize + 1), 0.0);
        self.lengths[member as usize] = after.iter().map(|e| e.1 * e.1).sum::<f32>().sqrt();
    }

    /// An empty sum over members, for [`Neighbours::nearest`].
    pub fn scratch(&self) -> Sum {
        Sum::new(self.lengths.len())
    }

    /// The members nearest to this one's baskets, none of them itself, in no order.
    pub fn nearest(&self, visit: &Visit<'_>, likeness: Likeness, dots: &mut Sum) -> Vec<Near> {
        self.near(visit.member, &counts(visit.baskets), likeness, dots)
    }

    /// The members nearest to one who bought these products so many times, in no order.
    pub fn near(
        &self,
        member: Option<u32>,
        own: &[(u32, f32)],
        likeness: Likeness,
        dots: &mut Sum,
    ) -> Vec<Near> {
        dots.reach(self.lengths.len());
        let length = own.iter().map(|e| e.1 * e.1).sum::<f32>().sqrt();
        for (item, count) in own {
            dots.add_row(*count, self.buyers.row(*item as usize));
        }
        let scale = length.powf(likeness.own);
        let nearness = |other: u32| {
            let dot = dots.dense()[other as usize];
            (other, dot / (scale * self.lengths[other as usize].powf(likeness.other) + 1e-6))
        };
        let others = dots.touched().iter().filter(|other| Some(**other) != member);
        let mut near: Vec<Near> = others.map(|other| nearness(*other)).collect();
        dots.clear();
        if near.len() > likeness.count {
            near.select_nth_unstable_by(likeness.count, |a, b| b.1.total_cmp(&a.1).then(a.0.cmp(&b.0)));
            near.truncate(likeness.count);
        }
        near
    }
}

/// In which share of their last `recent` baskets members buy each product.
pub fn frequencies(corpus: &Corpus, recent: usize) -> Rows {
    Rows::new(corpus.histories.iter().map(|baskets| frequency(baskets, recent)))
}

/// In which share of the last `recent` of these baskets each product is.
pub fn frequency(baskets: &[super::corpus::Basket], recent: usize) -> Vec<(u32, f32)> {
    let last = &baskets[baskets.len().saturating_sub(recent)..];
    let share = 1.0 / last.len().max(1) as f32;
    counts(last).into_iter().map(|(item, count)| (item, count * share)).collect()
}

/// UP-CF@r with the parameters tuned for the sets that it is measured on.
#[derive(Debug, Clone)]
pub struct UserPopularity {
    recent: Rows,
}

impl UserPopularity {
    const RECENT: usize = 5;
    const LIKENESS: Likeness = Likeness { own: 1.5, other: 0.5, count: 100 };

    /// From all members' histories.
    pub fn new(corpus: &Corpus) -> UserPopularity {
        UserPopularity { recent: frequencies(corpus, Self::RECENT) }
    }

    /// Adds each product's score to `sum`.
    pub fn score(&self, neighbours: &Neighbours, visit: &Visit<'_>, dots: &mut Sum, sum: &mut Sum) {
        for (item, share) in frequency(visit.baskets, Self::RECENT) {
            sum.add(item, share);
        }
        for (member, nearness) in neighbours.nearest(visit, Self::LIKENESS, dots) {
            sum.add_row(nearness, self.recent.row(member as usize));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::corpus::Basket;
    use super::*;

    fn corpus() -> Corpus {
        let basket = |items: &[u32]| Basket { items: items.to_vec(), day: None };
        Corpus {
            items: 6,
            histories: vec![
                vec![basket(&[0, 1]), basket(&[0])],
                vec![basket(&[0, 2])],
                vec![basket(&[3]), basket(&[4])],
                vec![basket(&[0]), basket(&[0, 1]), basket(&[5])],
            ],
            ..Corpus::default()
        }
    }

    #[test]
    fn a_member_is_never_its_own_neighbour() {
        let corpus = corpus();
        let neighbours = Neighbours::new(&corpus);
        for member in 0..4u32 {
            let visit =
                Visit { member: Some(member), baskets: &corpus.histories[member as usize], day: None };
            let likeness = Likeness { own: 0.5, other: 1.5, count: 200 };
            let near = neighbours.nearest(&visit, likeness, &mut neighbours.scratch());
            assert!(near.iter().all(|(other, nearness)| *other != member && *nearness > 0.0));
        }
    }

    #[test]
    fn only_so_many_of_the_nearest_count() {
        let corpus = corpus();
        let neighbours = Neighbours::new(&corpus);
        let visit = Visit { member: Some(0), baskets: &corpus.histories[0], day: None };
        let likeness = Likeness { own: 0.5, other: 0.5, count: 1 };
        let near = neighbours.nearest(&visit, likeness, &mut neighbours.scratch());
        // 2·2 + 1·1 = 5 against 2: the member with the same two products.
        assert_eq!(near.iter().map(|n| n.0).collect::<Vec<_>>(), [3]);
    }

    #[test]
    fn frequency_looks_at_the_last_baskets_only() {
        let corpus = corpus();
        assert_eq!(frequency(&corpus.histories[3], 2), [(0, 0.5), (1, 0.5), (5, 0.5)]);
    }
}
