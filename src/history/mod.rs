//! Receipts and views as one member's sequence of events, oldest first. Pure.

use crate::id::ProductId;
use jiff::Timestamp;

/// One line of a receipt.
#[derive(Debug, Clone, PartialEq)]
pub struct Line {
    /// What was bought.
    pub product: ProductId,
    /// Pieces or units of measure, above 0.
    pub quantity: f64,
    /// Price of one, in the currency's smallest unit.
    pub unit_price: i64,
}

/// The lines of one receipt.
#[derive(Debug, Clone, PartialEq)]
pub struct Basket {
    /// When it was paid.
    pub at: Timestamp,
    /// What was in it.
    pub lines: Vec<Line>,
}

/// What a member bought, oldest first.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct History {
    /// Baskets in order of time.
    pub baskets: Vec<Basket>,
}
