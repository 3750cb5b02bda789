//! Products that are by their description like what a member chooses: evidence also for products
//! that nobody bought yet. Drawn from the member's own purchases and the catalogue alone.

use super::digest::Digest;
use super::facts::ItemFacts;
use super::sparse::{Rows, Sum};

/// Products named at most: those with most in common.
const MOST: usize = 300;

/// Features of products, both ways round.
#[derive(Debug, Clone, Default)]
pub struct Content {
    /// By product, as [`super::features::features`] gives them.
    pub features: Rows,
    holders: Rows,
}

impl Content {
    /// From the features of each product.
    pub fn new(features: Rows) -> Content {
        let (rows, columns) = (0..features.count(), |at| features.row(at).0.last().map_or(0, |f| f + 1));
        let holders = features.transposed(rows.map(columns).max().unwrap_or(0) as usize);
        Content { features, holders }
    }

    /// Adds to `sum`, which must be empty, how much of what the member buys each product has in
    /// common with it, 0..1; later baskets count more.
    pub fn score(&self, digest: &Digest, facts: &ItemFacts, sum: &mut Sum) {
        let mut taste = Sum::new(self.holders.count());
        let total: f32 = digest.products.iter().map(|p| p.vector).sum::<f32>().max(1e-9);
        for bought in digest.products.iter().filter(|b| b.vector > 0.0) {
            taste.add_row(bought.vector / total, self.features.row(bought.item as usize));
        }
        for (feature, weight) in taste.take() {
            sum.add_row(weight, self.holders.row(feature as usize));
        }
        let mut found = sum.take();
        if found.len() > MOST {
            found.select_nth_unstable_by(MOST, |a, b| {
                let buyers = |e: &(u32, f32)| facts.buyers(e.0);
                b.1.total_cmp(&a.1).then(buyers(b).total_cmp(&buyers(a))).then(a.0.cmp(&b.0))
            });
            found.truncate(MOST);
        }
        found.into_iter().for_each(|(item, value)| sum.add(item, value));
    }

    /// How much a product has in common with those of the purchases that are to be kept.
    pub fn common(&self, digest: &Digest, item: u32, keep: impl Fn(u32) -> bool) -> f32 {
        let (mut sum, mut total) = (0.0, 0.0);
        for bought in digest.products.iter().filter(|b| b.vector > 0.0 && keep(b.item)) {
            sum += bought.vector * self.alike(bought.item, item);
            total += bought.vector;
        }
        if total > 0.0 { sum / total } else { 0.0 }
    }

    /// How alike two products are by their description, 0..1.
    pub fn alike(&self, a: u32, b: u32) -> f32 {
        let ((mut one, mut values), (others, weights)) =
            (self.features.row(a as usize), self.features.row(b as usize));
        let mut sum = 0.0;
        for (feature, weight) in others.iter().zip(weights) {
            let at = one.partition_point(|f| f < feature);
            (one, values) = (&one[at..], &values[at..]);
            if one.first() == Some(feature) {
                sum += values[0] * weight;
            }
        }
        sum
    }
}

#[cfg(test)]
mod tests {
    use super::super::corpus::{Basket, Corpus};
    use super::*;

    #[test]
    fn what_shares_features_with_the_purchases_is_named_bought_by_anybody_or_not() {
        let features =
            Rows::new([vec![(0, 0.8), (1, 0.6)], vec![(0, 1.0)], vec![(2, 1.0)], vec![(1, 1.0)]].into_iter());
        let content = Content::new(features);
        let baskets = vec![Basket { items: vec![0], day: None }];
        let digest = Digest::new(&baskets, &mut Sum::new(4));
        let facts = ItemFacts::new(&Corpus { items: 4, histories: vec![baskets], ..Corpus::default() });
        let mut sum = Sum::new(4);
        content.score(&digest, &facts, &mut sum);
        let named = sum.take();
        assert_eq!(named.iter().map(|e| e.0).collect::<Vec<_>>(), [0, 1, 3]);
        assert!(named[1].1 > named[2].1);
        assert!((content.alike(0, 1) - 0.8).abs() < 1e-6);
        assert_eq!(content.alike(1, 2), 0.0);
    }
}
