//! From a member's profile and the store's catalogue to a slate whose every reason is true. Pure.
//!
//! `evidence` scores, `policy` chooses, `text` says why. What always holds: a product that may
//! not be shown on a shared screen is never on a slate, and each reason names the strongest term of
//! its product's score.

mod catalogue;
pub mod evidence;
mod policy;
pub mod ranker;
pub mod rnn;
mod slate;
pub mod text;

pub use catalogue::{Catalogue, Popularity};
pub use policy::Moment;
pub use slate::{Audience, Language, Money, Product, Reason, Slate, Suggestion};

use crate::profile::Profile;

/// The best suggestions for a member (or, without a profile, for anybody), best first; at most
/// `items`, fewer if nothing more may be shown.
pub fn suggest(
    catalogue: &Catalogue,
    profile: Option<&Profile>,
    items: usize,
    moment: &Moment,
    language: Language,
) -> Vec<Suggestion> {
    let ranked = evidence::candidates(catalogue, profile);
    let suggestion = |candidate: evidence::Candidate<'_>| Suggestion {
        product: candidate.product.id,
        sku: candidate.product.sku.clone(),
        name: candidate.product.name.clone(),
        price: candidate.product.price,
        place: candidate.product.place.clone(),
        score: candidate.score,
        reason_text: text::reason(&candidate.reason, language),
        reason: candidate.reason,
    };
    policy::choose(ranked, items, moment).into_iter().map(suggestion).collect()
}

#[cfg(test)]
mod tests;
