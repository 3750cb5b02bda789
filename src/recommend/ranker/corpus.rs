//! Receipts as the ranker sees them: each member's baskets, oldest first, of products numbered
//! from 0. A basket holds a product once.

use super::sparse::Rows;

/// What a member bought at one visit.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Basket {
    /// Products, each once, below the corpus's `items`.
    pub items: Vec<u32>,
    /// Day of the visit, counted from any fixed day; `None` where days are not known.
    pub day: Option<f32>,
}

/// All members' histories.
#[derive(Debug, Clone, Default)]
pub struct Corpus {
    /// Products are numbered below this.
    pub items: usize,
    /// Baskets of each member, oldest first.
    pub histories: Vec<Vec<Basket>>,
    /// Features of each product by its description; empty where nothing is known.
    pub features: Rows,
}

/// A member at a moment: what was bought before it, and the day.
#[derive(Debug, Clone, Copy)]
pub struct Visit<'a> {
    /// The member's place in the corpus, if the corpus holds the member: evidence drawn from
    /// members leaves this one out.
    pub member: Option<u32>,
    /// Baskets before this moment, oldest first.
    pub baskets: &'a [Basket],
    /// The day of this moment, counted as the baskets' days are.
    pub day: Option<f32>,
}

/// In how many of the baskets each product is, in order of product.
pub fn counts(baskets: &[Basket]) -> Vec<(u32, f32)> {
    let mut all: Vec<u32> = baskets.iter().flat_map(|b| b.items.iter().copied()).collect();
    all.sort_unstable();
    all.chunk_by(|a, b| a == b).map(|same| (same[0], same.len() as f32)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_product_is_counted_once_a_basket() {
        let baskets =
            [[3, 1].as_slice(), &[1], &[7, 1]].map(|items| Basket { items: items.to_vec(), day: None });
        assert_eq!(counts(&baskets), [(1, 3.0), (3, 1.0), (7, 1.0)]);
    }
}
