//! Training the ranker on a store's receipts, on the box: plain data in, a model out. Seeded: the
//! same receipts, recipe and seed give the same model, bit by bit.

pub mod card;
pub mod checkpoint;
pub mod fit;
pub mod gate;
pub mod gru;
pub mod judge;
pub mod judged;
pub mod matrix;
pub mod metrics;
pub mod network;
pub mod optimiser;
pub mod peers;
pub mod protocol;
pub mod query;
pub mod recipe;
pub mod shelf;
pub mod split;
pub mod without;

use crate::recommend::ranker::corpus::{Basket, Corpus};

/// What there is to learn from.
#[derive(Debug, Clone, Default)]
pub struct Dataset {
    /// All members' histories.
    pub corpus: Corpus,
    /// For some members the basket that came after the history.
    pub targets: Vec<(u32, Basket)>,
}

impl Dataset {
    /// All that is known of everybody: histories with the baskets that came after them. Evidence is
    /// drawn from this, because what is asked about a member leaves that member out.
    pub fn known(&self) -> Corpus {
        let mut corpus = self.corpus.clone();
        for (member, basket) in &self.targets {
            corpus.histories[*member as usize].push(basket.clone());
        }
        corpus
    }
}

#[cfg(test)]
mod fit_test;
#[cfg(test)]
mod gradient_test;
