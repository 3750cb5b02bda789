//! What the store sells.

use crate::id::ProductId;
use serde::{Deserialize, Serialize};

/// An amount in the currency's smallest unit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Money(pub i64);

/// A product of the store.
#[derive(Debug, Clone, PartialEq)]
pub struct Product {
    /// Its row.
    pub id: ProductId,
    /// What the store calls it, unique.
    pub sku: String,
    /// What a shopper reads.
    pub name: String,
    /// From the widest to the narrowest, e.g. `["Drinks", "Tea", "Green tea"]`.
    pub category: Vec<String>,
    /// Brand, if any.
    pub brand: Option<String>,
    /// Present price of one.
    pub price: Money,
    /// Free facts, e.g. `organic = yes`.
    pub attributes: Vec<(String, String)>,
    /// Pieces in stock; `None` if the store does not count.
    pub stock: Option<i64>,
    /// Where it stands, e.g. `Aisle 3, shelf B`.
    pub place: Option<String>,
    /// No longer sold.
    pub withdrawn: bool,
    /// May be sold to adults only.
    pub age_restricted: bool,
    /// Of a category that nobody wants named on a shared screen (health, intimate, ...).
    pub sensitive: bool,
}

impl Product {
    /// Whether a screen that others can see may show it at all.
    pub fn may_be_shown(&self) -> bool {
        !self.withdrawn && !self.age_restricted && !self.sensitive && self.stock.is_none_or(|n| n > 0)
    }

    /// Whether it may be named at all, be it only as what another product goes with.
    pub fn may_be_named(&self) -> bool {
        !self.age_restricted && !self.sensitive
    }
}
