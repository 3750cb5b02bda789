//! One thing to learn from: a member before a visit, and what was bought at it, read once and kept
//! small, so that memory grows with the receipts and not with members times products.

use crate::recommend::ranker::corpus::{Basket, Visit};
use crate::recommend::ranker::evidence::{Evidence, Scratch, TERMS, Terms};
use crate::recommend::ranker::facts::ITEM_FACTS;
use crate::recommend::ranker::item_table::ItemTable;
use crate::recommend::ranker::sequence::Reading;

/// Products kept of a query's evidence, those that most speaks for: the thousands that next to
/// nothing speaks for share what is left of the softmax with or without it.
const KEPT: usize = 2000;
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
    /// The terms of the products that most speaks for, and of those `wanted`.
    fn new(terms: &Terms, wanted: &[u32]) -> Kept {
        let sum = |at: usize| terms.values[at].iter().sum::<f32>();
        let mut order: Vec<usize> = (0..terms.items.len()).collect();
        if order.len() > KEPT {
            order.select_nth_unstable_by(KEPT, |a, b| sum(*b).total_cmp(&sum(*a)).then(a.cmp(b)));
            order.truncate(KEPT);
            order.extend(wanted.iter().filter_map(|item| terms.items.binary_search(item).ok()));
            order.sort_unstable();
            order.dedup();
        }
        let round = |v: &[f32; TERMS]| v.map(|t| (t * STEPS).round().clamp(0.0, 65_535.0) as u16);
        Kept {
            items: order.iter().map(|at| terms.items[*at]).collect(),
            values: order.iter().map(|at| round(&terms.values[*at])).collect(),
        }
    }

    /// The terms of a product; zeros if it is not kept.
    pub fn of(&self, item: u32) -> [f32; TERMS] {
        self.items.binary_search(&item).map_or([0.0; TERMS], |at| unrounded(self.values[at]))
    }
}

fn unrounded(steps: [u16; TERMS]) -> [f32; TERMS] {
    steps.map(|t| f32::from(t) / STEPS)
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
    /// Products with their terms and whether the member bought them before.
    pub fn terms(&self) -> impl Iterator<Item = (u32, [f32; TERMS], bool)> + '_ {
        let mut bought = self.reading.products.iter().map(|p| p.0).peekable();
        self.evidence.items.iter().zip(&self.evidence.values).map(move |(item, steps)| {
            while bought.next_if(|b| b < item).is_some() {}
            (*item, unrounded(*steps), bought.peek() == Some(item))
        })
    }

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
        let target = target.map(|t| t.items.clone()).unwrap_or_default();
        Query { evidence: Kept::new(&terms, &target), reading, facts, target, weight }
    }
}
