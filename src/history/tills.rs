//! Cards that are no person: a till's own card that is drawn for whoever has none, a business that
//! buys for many. One such card can hold more receipts than all members together and would drown what
//! they have in common.
//!
//! A card is taken for a till by what no person does, and only by means of many receipts, so that a
//! small shop's keenest regular is never lost:
//!
//! - at least [`FEWEST_RECEIPTS`] receipts, and on the days on which it was there, on average more of
//!   them than [`pace_limit`]: 4 to 20 a day, the further apart ordinary members are the more; or
//! - at least [`FEWEST_LARGE`] receipts, with on average more products than [`size_limit`]: 200, or six
//!   robust deviations above the median member.
//!
//! Ordinary is the median over members, and a deviation 1.4826 times the median distance from it, both
//! of logarithms: half of all cards would have to be tills before they could pass for ordinary, and
//! even then 20 receipts a day are too many. The wholesalers of UCI Online Retail (at most 210 receipts,
//! 4 a day, 299 products a receipt over 17 receipts) are members by this rule.

use super::History;
use crate::id::MemberId;
use std::collections::{BTreeMap, BTreeSet};

/// With fewer receipts no card is taken for a till by its pace.
pub(super) const FEWEST_RECEIPTS: usize = 200;
/// With fewer receipts no card is taken for a till by the size of its receipts.
const FEWEST_LARGE: usize = 20;
/// Robust deviations from the median that are beyond ordinary.
const BEYOND: f64 = 6.0;

/// What tells a till.
#[derive(Debug, Clone, Copy)]
struct Measures {
    receipts: usize,
    /// Receipts on a day on which there is any.
    pace: f64,
    /// Products on a receipt.
    size: f64,
}

fn measures(history: &History) -> Measures {
    let receipts = history.baskets.len();
    let mut days = 0usize;
    let mut last = None;
    for basket in &history.baskets {
        days += usize::from(last.replace(day(basket.at)) != Some(day(basket.at)));
    }
    let products: usize = history.baskets.iter().map(|b| b.lines.len()).sum();
    Measures {
        receipts,
        pace: receipts as f64 / days.max(1) as f64,
        size: products as f64 / receipts.max(1) as f64,
    }
}

/// A moment's day, counted from 1970 (UTC).
pub(super) fn day(at: jiff::Timestamp) -> i64 {
    at.as_second().div_euclid(86_400)
}

/// The middle of the values; 0 if there are none.
pub(super) fn median(values: impl Iterator<Item = f64>) -> f64 {
    let mut values: Vec<f64> = values.collect();
    if values.is_empty() {
        return 0.0;
    }
    let middle = values.len() / 2;
    *values.select_nth_unstable_by(middle, f64::total_cmp).1
}

/// The value that lies [`BEYOND`] robust deviations above the median, of logarithms; a deviation is
/// taken to be at least `least`.
fn limit(values: impl Iterator<Item = f64> + Clone, least: f64) -> f64 {
    let middle = median(values.clone().map(f64::ln));
    let deviation = 1.4826 * median(values.map(|v| (v.ln() - middle).abs()));
    (middle + BEYOND * deviation.max(least)).exp()
}

fn pace_limit(all: &[(MemberId, Measures)]) -> f64 {
    limit(all.iter().map(|m| m.1.pace), 0.2).clamp(4.0, 20.0)
}

fn size_limit(all: &[(MemberId, Measures)]) -> f64 {
    limit(all.iter().map(|m| m.1.size), 0.5).max(200.0)
}

/// The members that are tills or businesses.
pub(super) fn find(histories: &BTreeMap<MemberId, History>) -> BTreeSet<MemberId> {
    let held = histories.iter().filter(|h| !h.1.baskets.is_empty());
    let all: Vec<(MemberId, Measures)> = held.map(|(member, h)| (*member, measures(h))).collect();
    let (pace, size) = (pace_limit(&all), size_limit(&all));
    let is_till = |m: &Measures| {
        (m.receipts >= FEWEST_RECEIPTS && m.pace > pace) || (m.receipts >= FEWEST_LARGE && m.size > size)
    };
    all.iter().filter(|m| is_till(&m.1)).map(|m| m.0).collect()
}
