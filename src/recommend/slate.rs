//! The final types of the path: what a display is asked to show. A reason names evidence that
//! really raised its product's score; without that evidence the score would have been lower.

use crate::id::{DisplayId, MemberId, ProductId, SlateId};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// An amount in the currency's smallest unit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Money(pub i64);

/// The languages that texts exist in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Language {
    /// English.
    #[default]
    En,
    /// Chinese, simplified.
    Zh,
}

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
}

/// The strongest true evidence for one suggestion.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub enum Reason {
    /// The member buys it in a rhythm, and it is due.
    Rhythm {
        /// Median gap between purchases.
        every_days: u32,
        /// Days since the last one.
        last_days_ago: u32,
        /// Purchases that the rhythm is drawn from.
        times: u32,
    },
    /// The member bought it before, without a clear rhythm.
    BoughtBefore {
        /// How often.
        times: u32,
        /// Days since the last time.
        last_days_ago: u32,
    },
    /// Popular in this store, in a category that the member often chooses.
    PopularInCategory {
        /// The category.
        category: String,
        /// Share of the member's lines in this category, percent.
        share_percent: u32,
    },
    /// Popular in this store.
    Popular {
        /// Receipts with it in the last `days`.
        receipts: u32,
        /// Length of the period.
        days: u32,
    },
}

/// One product on a slate.
#[derive(Debug, Clone, PartialEq)]
pub struct Suggestion {
    /// What.
    pub product: ProductId,
    /// The store's name for it.
    pub sku: String,
    /// What a shopper reads.
    pub name: String,
    /// Price of one.
    pub price: Money,
    /// Where it stands.
    pub place: Option<String>,
    /// What the ranker gave it.
    pub score: f64,
    /// Why, as data.
    pub reason: Reason,
    /// Why, as a sentence in the display's language.
    pub reason_text: String,
}

/// Whom a slate is for.
#[derive(Debug, Clone, PartialEq)]
pub enum Audience {
    /// Anybody: store-level content.
    Store,
    /// One member who stands there now.
    Personal {
        /// Who; never leaves the appliance.
        member: MemberId,
    },
}

/// The ordered suggestions for one display at one moment.
#[derive(Debug, Clone, PartialEq)]
pub struct Slate {
    /// Unique over restarts.
    pub id: SlateId,
    /// Where it is to be shown.
    pub display: DisplayId,
    /// Grows with every slate of this display, also over restarts (Unix milliseconds at least).
    pub sequence: u64,
    /// For whom.
    pub audience: Audience,
    /// When it was made.
    pub made_at: Timestamp,
    /// It must not be shown after this moment.
    pub valid_until: Timestamp,
    /// Capture time of the frame that led to it, for measuring latency (personal slates).
    pub captured: Option<Timestamp>,
    /// First line on the display; never a name.
    pub greeting: Option<String>,
    /// Best first.
    pub items: Vec<Suggestion>,
}
