//! Rules between scores and a slate: what must not be shown, what was just bought, not too much of
//! one category, and room for something new. Pure.

use super::catalogue::narrowest;
use super::evidence::Candidate;
use super::{Product, Reason};
use crate::id::ProductId;
use std::collections::{BTreeMap, BTreeSet};

/// What the rules need to know of this moment.
#[derive(Debug, Clone, Default)]
pub struct Moment {
    /// Products that are not to be suggested now: bought in this visit, or dismissed lately.
    pub excluded: BTreeSet<ProductId>,
    /// Limits discoveries and store-level content to products below this category.
    pub category: Option<String>,
}

/// Products of one narrowest category on a slate at most, when it has three items or more.
const PER_CATEGORY: usize = 1;

fn in_category(product: &Product, category: Option<&str>) -> bool {
    category.is_none_or(|c| product.category.iter().any(|word| word == c))
}

fn is_own(reason: &Reason) -> bool {
    matches!(reason, Reason::Rhythm { .. } | Reason::BoughtBefore { .. })
}

/// Picks at most `items` of `ranked` (best first), keeping their order. Own products (bought before)
/// take at most all but one place when there are three or more: the last is kept for a discovery.
/// The cap per category gives way before a slate stays short.
pub fn choose<'a>(ranked: Vec<Candidate<'a>>, items: usize, moment: &Moment) -> Vec<Candidate<'a>> {
    let allowed: Vec<Candidate<'a>> = ranked
        .into_iter()
        .filter(|c| c.product.may_be_shown() && !moment.excluded.contains(&c.product.id))
        .filter(|c| is_own(&c.reason) || in_category(c.product, moment.category.as_deref()))
        .collect();
    let (cap, own_places) = if items >= 3 { (PER_CATEGORY, items - 1) } else { (usize::MAX, items) };
    let mut chosen = BTreeSet::new();
    let (mut of_category, mut own) = (BTreeMap::<&str, usize>::new(), 0);
    for relaxed in [false, true] {
        for (rank, candidate) in allowed.iter().enumerate() {
            if chosen.len() == items {
                break;
            }
            let count = of_category.entry(narrowest(candidate.product)).or_default();
            let mine = is_own(&candidate.reason);
            let full = *count >= cap || (mine && own >= own_places);
            if !chosen.contains(&rank) && (relaxed || !full) {
                chosen.insert(rank);
                *count += 1;
                own += usize::from(mine);
            }
        }
    }
    allowed.into_iter().enumerate().filter(|(rank, _)| chosen.contains(rank)).map(|(_, c)| c).collect()
}
