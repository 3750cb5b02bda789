//! From a member's receipts and the store's catalogue to a slate whose every reason is true. Pure.
//!
//! [`Shop`] scores (evidence and the trained model, in `ranker`), `policy` chooses by the rules in
//! [`PolicySettings`], `reason` says why and `text` in which words. What always holds: a product that
//! may not be shown on a shared screen is never on a slate, and what a reason names really raised its
//! product's score: without it the score is lower.

pub mod alike;
mod catalogue;
pub mod policy;
pub mod portrait;
mod product;
pub mod ranker;
mod reason;
pub mod rnn;
pub mod settings;
mod shop;
mod slate;
pub mod text;

pub use catalogue::{Catalogue, DAY_PARTS, Popularity, Sales, day_part, likelier};
pub use product::{Money, Product};
pub use reason::{Addend, Weighed};
pub use settings::PolicySettings;
pub use shop::{Candidate, Ranking, Shop, Trained, UNTRAINED};
pub use slate::{Audience, Language, Reason, Slate, Suggestion};

use crate::id::{MemberId, ProductId};
use crate::profile::declared::Fact;
use jiff::Timestamp;
use std::collections::{BTreeMap, BTreeSet};

/// What suggestions need to know of this moment.
#[derive(Debug, Clone)]
pub struct Moment {
    /// When.
    pub at: Timestamp,
    /// Hour of the day in the store, 0 to 23.
    pub hour: i8,
    /// Products on the member's receipts of the last hours.
    pub just_bought: BTreeSet<ProductId>,
    /// Products dismissed lately.
    pub dismissed: BTreeSet<ProductId>,
    /// What the member declares of themselves.
    pub facts: Vec<Fact>,
    /// Categories that the member dwelt before during this visit, and how many minutes ago.
    pub viewed: BTreeMap<String, u32>,
    /// Limits discoveries and store-level content to products below this category.
    pub category: Option<String>,
    /// Two numbers drawn evenly from 0..1: whether chance has a part in this slate, and which.
    pub chance: [f64; 2],
}

impl Moment {
    /// A moment at which nothing was just bought or dismissed, on a display for the whole store, and
    /// chance has no part.
    pub fn plain(at: Timestamp, hour: i8) -> Moment {
        Moment {
            at,
            hour,
            just_bought: BTreeSet::new(),
            dismissed: BTreeSet::new(),
            facts: Vec::new(),
            viewed: BTreeMap::new(),
            category: None,
            chance: [1.0, 0.0],
        }
    }
}

/// Whole minutes from one moment to another; 0 if it lies ahead.
pub fn minutes_since(then: Timestamp, now: Timestamp) -> u32 {
    u32::try_from(now.duration_since(then).as_secs() / 60).unwrap_or(0)
}

/// The best suggestions for a member (or, without one, for anybody), best first: at most `items`,
/// fewer if nothing more may be shown or truly recommended.
pub fn suggest(
    shop: &mut Shop,
    catalogue: &Catalogue,
    member: Option<MemberId>,
    items: usize,
    moment: &Moment,
    settings: &PolicySettings,
    language: Language,
) -> Vec<Suggestion> {
    let mut ranking = shop.rank(member, catalogue, moment);
    let decision = policy::choose(shop, &mut ranking, items, moment, settings);
    let made = |c: policy::Chosen<'_>| suggestion(&c.candidate, c.why, c.propensity, language);
    decision.chosen.into_iter().map(made).collect()
}

fn suggestion(candidate: &Candidate<'_>, why: Weighed, propensity: f64, language: Language) -> Suggestion {
    let product = candidate.product;
    Suggestion {
        product: product.id,
        sku: product.sku.clone(),
        name: product.name.clone(),
        price: product.price,
        place: product.place.clone(),
        score: candidate.score,
        propensity,
        reason_text: text::reason(&why.reason, language),
        reason: why.reason,
    }
}

#[cfg(test)]
mod tests;
