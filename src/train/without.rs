//! What an ablation leaves out of the model, so that each part can show what it is worth.

use crate::recommend::ranker::evidence::{NAMES, TERMS};

/// Parts left out; none by default.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Without {
    /// No basket network: its state is zero.
    pub basket_rnn: bool,
    /// In place of the basket network, a decayed mean of the same vectors.
    pub mean_instead: bool,
    /// No rhythm network: its state is zero.
    pub rhythm: bool,
    /// Kinds of evidence, by place.
    pub terms: [bool; TERMS],
}

impl Without {
    /// What can be left out.
    pub const NAMES: [&str; 10] = [
        "rnn",
        "mean",
        "rhythm",
        "neighbours",
        "neighbours-last",
        "item-item",
        "tifu",
        "own",
        "due",
        "trend",
    ];

    /// Those that say nothing where no receipt has a day.
    pub const DATED: [&str; 2] = ["due", "trend"];

    /// Leaves out one more part, named as in [`Without::NAMES`] (`mean` puts the decayed mean in the
    /// basket network's place; `neighbours` leaves out both terms that neighbours give).
    pub fn and(mut self, name: &str) -> Option<Without> {
        match name {
            "rnn" => self.basket_rnn = true,
            "mean" => self.mean_instead = true,
            "rhythm" => self.rhythm = true,
            "neighbours" => (self.terms[0], self.terms[1]) = (true, true),
            _ => self.terms[NAMES.iter().position(|n| *n == name)?] = true,
        }
        Some(self)
    }

    /// Sets the left out terms' columns to zero, in rows of one number a term.
    pub fn silence(&self, rows: &mut [f32]) {
        for row in rows.chunks_exact_mut(TERMS) {
            row.iter_mut().zip(self.terms).filter(|t| t.1).for_each(|(value, _)| *value = 0.0);
        }
    }
}
