//! The final types of the path: what a display is asked to show. A reason names evidence that
//! really raised its product's score; without that evidence the score would have been lower.

use super::Money;
use crate::id::{DisplayId, MemberId, ProductId, SlateId};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

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

/// The strongest true evidence for one suggestion.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
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
    /// Members buy it together with something of this member's last baskets.
    GoesWith {
        /// The name of that.
        with: String,
        /// Baskets since it was bought; 0 is the last basket.
        baskets_ago: u32,
    },
    /// Members who buy what this one buys buy it too.
    LikeMinded {
        /// How many of the nearest buy it.
        buyers: u32,
        /// How many are near.
        near: u32,
    },
    /// Of a category that the member chooses.
    Category {
        /// The category.
        category: String,
        /// Share of the member's other purchases in this category, percent.
        share_percent: u32,
        /// The store has sold it only for some weeks.
        new: bool,
    },
    /// Of a brand that the member chooses.
    Brand {
        /// The brand.
        brand: String,
        /// Share of the member's other purchases of this brand, percent.
        share_percent: u32,
    },
    /// The member said to like it.
    Declared {
        /// The category or brand; `None` for what is organic.
        liked: Option<String>,
    },
    /// The member dwelt before its shelf during this visit.
    Viewed {
        /// The category that stands there.
        category: String,
        /// Minutes since.
        minutes_ago: u32,
    },
    /// Fits what the member has been buying lately, as the network reads it.
    Taste {},
    /// Popular in this store.
    Popular {
        /// Receipts with it in the last `days`.
        receipts: u32,
        /// Length of the period.
        days: u32,
    },
    /// Bought more than usual at this time of day.
    TimeOfDay {},
    /// Bought more than usual at this time of the year.
    Season {},
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
    /// What the ranker gave it, after the rules.
    pub score: f64,
    /// How likely the rules were to put it here: 1 unless chance had a part in it.
    pub propensity: f64,
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
