//! One thing to learn from: a member before a visit, and what was bought at it, read once and kept
//! small, so that memory grows with the receipts and not with members times products.

use crate::recommend::ranker::corpus::{Basket, Visit};
use crate::recommend::ranker::evidence::{Evidence, Scratch, TERMS, Terms};
use crate::recommend::ranker::facts::ITEM_FACTS;
use crate::recommend::ranker::item_table::ItemTable;
use crate::recommend::ranker::sequence::Reading;

/// Steps of a kept term a unit: terms lie in 0..16, a step is 1/4096.
const STEPS: f32 = 4096.0;

/// Visits that the basket network is trained through.
pub const VISITS: usize = 16;
/// Purchases of a product that the rhythm network is trained through.
pub const PURCHASES: usize = 8;

/// Terms, rounded to 1/4096.
#[derive(Debug, Clone, Default)]
pub struct Kept {
    /// Products.
    pub items: Vec<u32>,
    /// Terms in steps.
    values: Vec<[u16; TERMS]>,
}

impl Kept {
    fn new(terms: &Terms) -> Kept {
        let round = |v: &[f32; TERMS]| v.map(|t| (t * STEPS).round().clamp(0.0, 65_535.0) as u16);
        Kept { items: terms.items.clone(), values: terms.values.iter().map(round).collect() }
    }

    /// Products with their terms.
    pub fn iter(&self) -> impl Iterator<Item = (u32, [f32; TERMS])> + '_ {
        self.items.iter().copied().zip(self.values.iter().map(|v| v.map(|t| f32::from(t) / STEPS)))
    }
}

/// A member before a visit, and the products bought at it.
#[derive(Debug, Clone, Default)]
pub struct Query {
    /// What the networks read.
    pub reading: Reading,
    /// Facts of each product of the history.
    pub facts: Vec<[f32; ITEM_FACTS]>,
    /// The evidence.
    pub evidence: Kept,
    /// What was bought; empty where there is nothing to learn.
    pub target: Vec<u32>,
    /// How much it counts.
    pub weight: f32,
}

impl Query {
    /// Reads a member before a visit.
    pub fn new(
        evidence: &Evidence,
        table: &ItemTable,
        visit: &Visit<'_>,
        target: Option<&Basket>,
        weight: f32,
        scratch: &mut Scratch,
    ) -> Query {
        let reading = Reading::new(table, visit, VISITS, PURCHASES);
        let terms = evidence.of(visit, scratch);
        let facts = reading.products.iter().map(|p| evidence.facts.about(p.0, &scratch.facts)).collect();
        Query {
            reading,
            facts,
            evidence: Kept::new(&terms),
            target: target.map(|t| t.items.clone()).unwrap_or_default(),
            weight,
        }
    }
}
