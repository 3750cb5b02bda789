//! Evidence and score: what speaks for a product, for one member now. Pure.
//!
//! The score is a sum of terms `w · (ln(x + ε) − ln ε)` over evidence `x` in 0..1, so that every
//! term is zero without its evidence and grows with it: taking a piece of evidence away can only
//! lower the score. The strongest term therefore is a true reason.

use super::catalogue::{Catalogue, Popularity, narrowest};
use super::{Product, Reason};
use crate::profile::{Habit, Profile};

/// A kind of evidence.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Kind {
    /// The member buys it in a rhythm and it is due.
    Rhythm,
    /// The member bought it, lately and often.
    Bought,
    /// Popular in a category that the member chooses.
    Category,
    /// Popular in the store.
    Popular,
}

impl Kind {
    /// Weight and ε of its term. Set by hand so that a due staple comes before an undue one, both
    /// before discoveries; to be learned once the store has receipts enough.
    fn shape(self) -> (f64, f64) {
        match self {
            Kind::Rhythm => (1.0, 0.02),
            Kind::Bought => (0.6, 0.02),
            Kind::Category => (0.4, 0.01),
            Kind::Popular => (0.15, 0.02),
        }
    }
}

/// One addend of a score.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Term {
    /// What speaks.
    pub kind: Kind,
    /// How much it adds, above 0.
    pub value: f64,
}

/// A product with its score for one member.
#[derive(Debug, Clone)]
pub struct Candidate<'a> {
    /// The product.
    pub product: &'a Product,
    /// Sum of the terms.
    pub score: f64,
    /// Strongest first; none with value 0.
    pub terms: Vec<Term>,
    /// The strongest term, as a reason with its facts.
    pub reason: Reason,
}

/// Scores one product; `None` if nothing at all speaks for it. `profile` is `None` for store-level
/// content.
pub fn score<'a>(
    product: &'a Product,
    popularity: Popularity,
    profile: Option<&Profile>,
    days: u32,
) -> Option<Candidate<'a>> {
    let habit = profile.and_then(|p| p.habits.get(&product.id));
    let category = narrowest(product);
    let share = profile.and_then(|p| p.categories.get(category)).copied().unwrap_or(0.0);
    let evidence = [
        (Kind::Rhythm, habit.map_or(0.0, |h| h.due() * h.weight.sqrt())),
        (Kind::Bought, habit.map_or(0.0, |h| h.weight)),
        (Kind::Category, share * popularity.in_category),
        (Kind::Popular, popularity.in_store),
    ];
    let mut terms: Vec<Term> = evidence
        .into_iter()
        .map(|(kind, x)| {
            let (weight, epsilon) = kind.shape();
            Term { kind, value: weight * ((x + epsilon).ln() - epsilon.ln()) }
        })
        .filter(|term| term.value > 0.0)
        .collect();
    terms.sort_by(|a, b| b.value.total_cmp(&a.value));
    let strongest = terms.first()?.kind;
    let reason = reason(strongest, habit, category, share, popularity, days);
    Some(Candidate { product, score: terms.iter().map(|t| t.value).sum(), terms, reason })
}

fn reason(
    kind: Kind,
    habit: Option<&Habit>,
    category: &str,
    share: f64,
    popularity: Popularity,
    days: u32,
) -> Reason {
    match (kind, habit) {
        (Kind::Rhythm, Some(Habit { times, last_days_ago, every_days: Some(every), .. })) => Reason::Rhythm {
            every_days: every.round().max(1.0) as u32,
            last_days_ago: last_days_ago.round() as u32,
            times: *times,
        },
        (Kind::Rhythm | Kind::Bought, Some(habit)) => {
            Reason::BoughtBefore { times: habit.times, last_days_ago: habit.last_days_ago.round() as u32 }
        }
        (Kind::Category, _) => Reason::PopularInCategory {
            category: category.to_owned(),
            share_percent: (share * 100.0).round() as u32,
        },
        _ => Reason::Popular { receipts: popularity.receipts, days },
    }
}

/// All products that something speaks for, best first; ties in order of id.
pub fn candidates<'a>(catalogue: &'a Catalogue, profile: Option<&Profile>) -> Vec<Candidate<'a>> {
    let mut found: Vec<Candidate<'a>> = catalogue
        .iter()
        .filter_map(|(product, popularity)| score(product, popularity, profile, catalogue.days))
        .collect();
    found.sort_by(|a, b| b.score.total_cmp(&a.score).then(a.product.id.cmp(&b.product.id)));
    found
}
