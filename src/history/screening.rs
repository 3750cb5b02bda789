//! What of the receipts may be learned from, and what was found wrong with the rest. Nothing is
//! changed in the store: who learns from histories, or draws evidence from them, screens them first.
//!
//! Left out:
//! - receipts of the future (a day is tolerated: clocks and time zones differ) and from before 1990;
//! - a second receipt of one member at the same moment with the same lines: the same sale under another
//!   number. Where a store tells days only, two equal purchases on one day are one, which a ranker that
//!   asks on which days something was bought hardly notices;
//! - members that are tills or businesses ([`tills`]);
//! - lines at price 0, which were given and not chosen, in a store that tells prices. In UCI Online
//!   Retail these are 40 of 397,924 lines; each of their products is sold for money elsewhere, and three
//!   of four were bought by the same member for money: leaving them out loses no habit. Where more than
//!   a quarter of an ordinary member's lines have no price, the store does not tell prices (always): they
//!   are kept, and reported;
//! - quantities of 100,000 or more: a barcode typed as a quantity has eight digits or more.
//!
//! Reported only: days without any receipt, where that is unusual for the store.
//!
//! Memory: the histories themselves, and a few numbers for each member and day.

use super::tills::{self, day, median};
use super::{Basket, History, Line};
use crate::id::{MemberId, ProductId};
use jiff::{SignedDuration, Timestamp};
use std::collections::{BTreeMap, BTreeSet, HashSet};

/// Receipts from before this moment are mistakes: 1990-01-01.
const EARLIEST: Timestamp = Timestamp::constant(631_152_000, 0);
/// How far ahead a receipt's clock may be.
const TOLERATED: SignedDuration = SignedDuration::from_hours(24);
/// A quantity from which on it is none.
const MOST_QUANTITY: f64 = 100_000.0;
/// Above this share of an ordinary member's lines at price 0, the store does not tell prices.
const UNTOLD: f64 = 0.25;
/// Days in a row without receipts that are never worth a word.
const SHORTEST_GAP: i64 = 3;

/// What was found.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// A receipt of the future.
    Future,
    /// A receipt from before 1990.
    TooEarly,
    /// A receipt again, under another number.
    Double,
    /// The receipts of a till or a business.
    Till,
    /// A line at price 0.
    NoPrice,
    /// A line at price 0 in a store that does not tell prices.
    PricesUntold,
    /// A line with a quantity that cannot be.
    Quantity,
    /// A day without any receipt.
    Gap,
}

impl Kind {
    /// As a person reads it, after a count.
    pub fn text(self) -> &'static str {
        match self {
            Kind::Future => "receipts of the future",
            Kind::TooEarly => "receipts from before 1990",
            Kind::Double => "receipts that repeat another one's time and lines",
            Kind::Till => "receipts of a card that is a till or a business, not a member",
            Kind::NoPrice => "lines at price 0 (given, not chosen)",
            Kind::PricesUntold => "lines at price 0; this store does not tell prices always",
            Kind::Quantity => "lines with an impossible quantity",
            Kind::Gap => "days in a row without any receipt",
        }
    }

    /// Whether it was left out; else it is only reported.
    pub fn left_out(self) -> bool {
        !matches!(self, Kind::PricesUntold | Kind::Gap)
    }
}

/// One thing found: all of its kind together, but tills and gaps one by one.
#[derive(Debug, Clone, PartialEq)]
pub struct Finding {
    /// What.
    pub kind: Kind,
    /// How many receipts, lines or days, as the kind's text counts.
    pub count: u64,
    /// How many members it is about.
    pub members: u64,
    /// The member that it is mostly about; `None` for gaps.
    pub member: Option<MemberId>,
    /// When the first of them was, of that member.
    pub at: Timestamp,
    /// For lines: the product of that first one.
    pub product: Option<ProductId>,
    /// For lines: the quantity of that first one, in pieces or units of measure.
    pub quantity: Option<f64>,
}

/// Histories to learn from, and what was found.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Screened {
    /// What is left; no member without baskets, no basket without lines.
    pub histories: BTreeMap<MemberId, History>,
    /// What was found, in order of kind; gaps the longest first.
    pub findings: Vec<Finding>,
}

/// Leaves out of all members' histories what must not be learned from.
pub fn screen(mut histories: BTreeMap<MemberId, History>, now: Timestamp) -> Screened {
    let mut report = Report::default();
    let latest = now.checked_add(TOLERATED).unwrap_or(Timestamp::MAX);
    for (member, history) in &mut histories {
        history.baskets.retain(|basket| {
            let kind = match basket.at {
                at if at > latest => Kind::Future,
                at if at < EARLIEST => Kind::TooEarly,
                _ => return true,
            };
            report.add(kind, *member, basket.at, 1, None);
            false
        });
        once_each(&mut history.baskets, |at| {
            report.add(Kind::Double, *member, at, 1, None);
        });
    }
    let tills = tills::find(&histories);
    histories.retain(|member, history| {
        let stays = !tills.contains(member);
        if let (false, Some(first)) = (stays, history.baskets.first()) {
            report.add(Kind::Till, *member, first.at, history.baskets.len() as u64, None);
        }
        stays
    });
    let told = median(histories.values().map(share_without_price)) <= UNTOLD;
    for (member, history) in &mut histories {
        for Basket { at, lines } in &mut history.baskets {
            lines.retain(|line| {
                let kind = if !(line.quantity > 0.0 && line.quantity < MOST_QUANTITY) {
                    Kind::Quantity
                } else if line.unit_price == 0 {
                    if told { Kind::NoPrice } else { Kind::PricesUntold }
                } else {
                    return true;
                };
                report.add(kind, *member, *at, 1, Some(line));
                !kind.left_out()
            });
        }
        history.baskets.retain(|b| !b.lines.is_empty());
    }
    histories.retain(|_, history| !history.baskets.is_empty());
    let mut findings = report.finish();
    findings.extend(gaps(&histories));
    Screened { histories, findings }
}

/// Drops baskets that repeat one of the same moment, which `dropped` is told of.
fn once_each(baskets: &mut Vec<Basket>, mut dropped: impl FnMut(Timestamp)) {
    let (mut moment, mut seen) = (None, HashSet::new());
    baskets.retain(|basket| {
        if moment.replace(basket.at) != Some(basket.at) {
            seen.clear();
        }
        let line = |l: &Line| (l.product, l.quantity.to_bits(), l.unit_price);
        let mut lines: Vec<_> = basket.lines.iter().map(line).collect();
        lines.sort_unstable();
        let first = seen.insert(lines);
        if !first {
            dropped(basket.at);
        }
        first
    });
}

fn share_without_price(history: &History) -> f64 {
    let lines = || history.baskets.iter().flat_map(|b| &b.lines);
    lines().filter(|l| l.unit_price == 0).count() as f64 / lines().count().max(1) as f64
}

/// Runs of days without any receipt, the longest first: at least [`SHORTEST_GAP`] days and three
/// times what 95 of 100 pauses of this store last. At most ten.
fn gaps(histories: &BTreeMap<MemberId, History>) -> Vec<Finding> {
    let days: BTreeSet<i64> = histories.values().flat_map(|h| h.baskets.iter().map(|b| day(b.at))).collect();
    let days: Vec<i64> = days.into_iter().collect();
    let mut pauses: Vec<(i64, i64)> = days.windows(2).map(|w| (w[1] - w[0] - 1, w[0] + 1)).collect();
    let mut lengths: Vec<i64> = pauses.iter().map(|p| p.0).collect();
    lengths.sort_unstable();
    let usual = lengths.get(lengths.len() * 95 / 100).copied().unwrap_or(0);
    pauses.retain(|p| p.0 >= SHORTEST_GAP && p.0 > 3 * usual);
    pauses.sort_by_key(|p| (std::cmp::Reverse(p.0), p.1));
    let finding = |(length, first): &(i64, i64)| Finding {
        kind: Kind::Gap,
        count: *length as u64,
        members: 0,
        member: None,
        at: Timestamp::from_second(first * 86_400).unwrap_or(EARLIEST),
        product: None,
        quantity: None,
    };
    pauses.iter().take(10).map(finding).collect()
}

/// Findings while they are made: by kind and member, each with its first example.
#[derive(Default)]
struct Report {
    found: BTreeMap<(Kind, MemberId), Finding>,
}

impl Report {
    fn add(&mut self, kind: Kind, member: MemberId, at: Timestamp, count: u64, line: Option<&Line>) {
        let first = Finding {
            kind,
            count: 0,
            members: 1,
            member: Some(member),
            at,
            product: line.map(|l| l.product),
            quantity: line.map(|l| l.quantity),
        };
        self.found.entry((kind, member)).or_insert(first).count += count;
    }

    /// All of a kind as one, about the member that has most of them; tills one by one.
    fn finish(self) -> Vec<Finding> {
        let mut findings: Vec<Finding> = Vec::new();
        let mut most = 0;
        for (_, next) in self.found {
            match findings.last_mut() {
                Some(all) if all.kind == next.kind && next.kind != Kind::Till => {
                    let (count, members) = (all.count + next.count, all.members + 1);
                    if next.count > most {
                        most = next.count;
                        *all = next;
                    }
                    (all.count, all.members) = (count, members);
                }
                _ => {
                    most = next.count;
                    findings.push(next);
                }
            }
        }
        findings
    }
}

#[cfg(test)]
mod tests;
