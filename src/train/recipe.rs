//! How a model is trained. The size of the store alone decides: nothing is set by hand for a set of
//! data, and nothing is chosen on a handful of validation members, which would be noise.

use super::optimiser::Rates;
use crate::recommend::ranker::evidence::{TERMS, WEIGHTS};

/// Members to learn from at which a store counts as large.
const LARGE: usize = 5000;
/// Members to learn from below which it counts as tiny.
const TINY: usize = 1000;

/// A way to train.
#[derive(Debug, Clone, PartialEq)]
pub struct Recipe {
    /// Columns of the item table.
    pub table: usize,
    /// Size of the basket state.
    pub basket: usize,
    /// Size of the rhythm state.
    pub rhythm: usize,
    /// Sizes of the repeat network's layers.
    pub repeat: [usize; 2],
    /// Queries a step.
    pub batch: usize,
    /// Times that every query is seen.
    pub epochs: usize,
    /// Learning rates.
    pub rates: Rates,
    /// Share of the states dropped in training.
    pub dropout: f32,
    /// Earlier visits of each member to learn from too, at most.
    pub prefixes: usize,
    /// How much those count.
    pub prefix_weight: f32,
    /// Networks trained and averaged.
    pub seeds: usize,
    /// How often the network before training, which only adds up evidence, is averaged with them: with
    /// few members what was learned is noisy, and this halfway house is not.
    pub keep_start: usize,
    /// What the evidence weighs beyond what was learned, by kind. Learning fits the odds of all products;
    /// a list is as good as its first ten.
    pub emphasis: [f32; TERMS],
    /// Weights of the evidence to begin with: for products new to the member, then for those bought.
    pub evidence: [f32; WEIGHTS],
    /// What having been bought adds to a score to begin with.
    pub bought: f32,
    /// Item biases begin as these times the logarithm of how many of the baskets to predict hold the
    /// product, and of how many members ever bought it.
    pub popularity: [f32; 2],
}

impl Recipe {
    /// The recipe for a store with this many members to learn from.
    pub fn for_members(members: usize) -> Recipe {
        match members {
            LARGE.. => Recipe::large(),
            TINY.. => Recipe::small(),
            _ => Recipe::tiny(),
        }
    }

    fn large() -> Recipe {
        Recipe {
            table: 63,
            basket: 64,
            rhythm: 16,
            repeat: [32, 16],
            batch: 128,
            epochs: 8,
            rates: Rates {
                recurrent: 3e-3,
                bias: 2e-3,
                evidence: 4e-3,
                rest: 2e-3,
                decay: 1e-6,
                average: 0.995,
            },
            dropout: 0.3,
            prefixes: 0,
            prefix_weight: 0.5,
            seeds: 3,
            keep_start: 0,
            emphasis: [0.0, 0.0, 0.0, 0.2, 0.0, 0.0, 0.0, 0.0],
            // In the order of `evidence::NAMES`.
            evidence: [0.1, 0.25, 1.0, 0.3, 0.0, 0.0, 0.0, 0.3, 0.0, 0.25, 0.2, 0.3, 0.4, 0.0, 0.0, 0.3],
            bought: 0.8,
            popularity: [0.8, -0.5],
        }
    }

    fn small() -> Recipe {
        Recipe {
            repeat: [16, 8],
            batch: 48,
            epochs: 4,
            rates: Rates {
                recurrent: 5e-4,
                bias: 5e-4,
                evidence: 5e-4,
                rest: 5e-4,
                decay: 1e-6,
                average: 0.995,
            },
            prefixes: 6,
            seeds: 4,
            keep_start: 2,
            emphasis: [0.0; TERMS],
            evidence: [0.35, 0.2, 0.4, 0.3, 0.0, 0.0, 0.0, 1.0, 0.03, 0.15, -0.1, 0.6, 0.65, 0.2, 0.0, 0.7],
            bought: 2.0,
            popularity: [0.05, 0.0],
            ..Recipe::large()
        }
    }

    fn tiny() -> Recipe {
        Recipe {
            dropout: 0.5,
            seeds: 8,
            keep_start: 1,
            emphasis: [0.0, 0.0, 0.0, 0.2, 0.4, 0.0, 0.0, 0.0],
            ..Recipe::small()
        }
    }
}
