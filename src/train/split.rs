//! A store's receipts in two: those that a model may learn from, and those of the last days, which
//! no model has learned from and by which models are judged.
//!
//! The day that parts them depends on the receipts alone: it is the latest that leaves a fifth of the
//! members (at least [`FEWEST_JUDGED`], at most [`MOST_JUDGED`]) with a receipt on it or later, and no
//! more than [`MOST_DAYS`] before the newest receipt. So the same store gives the same split, and a
//! training that was interrupted goes on with the same receipts on another day.

use super::Dataset;
use super::protocol::Fold;
use crate::history::History;
use crate::id::{MemberId, ProductId};
use crate::recommend::Product;
use crate::recommend::ranker::corpus::Basket;
use crate::recommend::ranker::numbering::Numbering;
use jiff::{SignedDuration, Timestamp};
use std::collections::BTreeMap;

/// Baskets of a member, the one to predict included, below which nothing is learned from them.
pub const FEWEST_BASKETS: usize = 3;
/// Members to learn from below which a store has too few receipts.
pub const FEWEST_MEMBERS: usize = 20;
/// Members to judge by below which nothing can be said.
pub const FEWEST_JUDGED: usize = 20;
/// Members to judge by that are enough.
pub const MOST_JUDGED: usize = 1000;
/// Days kept for judging at most.
const MOST_DAYS: i64 = 60;

/// Why nothing can be learned yet.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "too few receipts to learn from: {learnable} members have {FEWEST_BASKETS} receipts or more before the last \
     days ({FEWEST_MEMBERS} are needed), and {judged} of them came back since ({FEWEST_JUDGED} are needed); \
     suggestions go on from what members bought, with fixed weights"
)]
pub struct TooFew {
    /// Members that could be learned from.
    pub learnable: usize,
    /// Members that could be judged by.
    pub judged: usize,
}

/// Receipts to learn from and to judge by.
#[derive(Debug, Clone)]
pub struct Split {
    /// The first moment of the receipts to judge by.
    pub until: Timestamp,
    /// The newest receipt.
    pub newest: Timestamp,
    /// Products by number, in order of id.
    pub products: Vec<ProductId>,
    /// What to learn from: the last basket before `until` of each member with enough of them.
    pub dataset: Dataset,
    /// What to judge by: `corpus` holds all receipts before `until`, `test` the members with enough of
    /// them who came back, `future` their first baskets since; nobody is in `train`.
    pub fold: Fold,
}

impl Split {
    /// Parts screened histories. `days`: judge by so many last days instead of as many as it takes.
    pub fn new(
        histories: &BTreeMap<MemberId, History>,
        products: &[Product],
        days: Option<u32>,
    ) -> Result<Split, TooFew> {
        let last = |h: &History| h.baskets.last().map(|b| b.at);
        let newest = histories.values().filter_map(last).max().unwrap_or(Timestamp::UNIX_EPOCH);
        let until = match days {
            Some(days) => back(newest, i64::from(days)),
            None => parting(histories, newest),
        };
        let before = |h: &History| {
            let end = h.baskets.partition_point(|b| b.at < until);
            History::new(h.baskets[..end].to_vec())
        };
        let known: BTreeMap<MemberId, History> = histories.iter().map(|(m, h)| (*m, before(h))).collect();
        let numbering = Numbering::new(products.iter().map(|p| p.id), histories.iter().map(|(m, h)| (*m, h)));
        let corpus = numbering.corpus(&known, products);
        let mut dataset = Dataset { corpus: corpus.clone(), targets: Vec::new() };
        let (mut test, mut future) = (Vec::new(), vec![Basket::default(); corpus.histories.len()]);
        for (number, id) in (0u32..).zip(numbering.members()) {
            let history = &mut dataset.corpus.histories[number as usize];
            if history.len() < FEWEST_BASKETS {
                continue;
            }
            let after = histories.get(id).and_then(|h| h.baskets.iter().find(|b| b.at >= until));
            if let Some(next) = after {
                let next = History::new(vec![next.clone()]);
                future[number as usize] = numbering.baskets(&next).pop().unwrap_or_default();
                test.push(number);
            }
            if let Some(target) = history.pop() {
                dataset.targets.push((number, target));
            }
        }
        let (learnable, judged) = (dataset.targets.len(), test.len());
        if learnable < FEWEST_MEMBERS || judged < FEWEST_JUDGED {
            return Err(TooFew { learnable, judged });
        }
        let fold = Fold { corpus, future, train: Vec::new(), validation: Vec::new(), test };
        Ok(Split { until, newest, products: numbering.products().to_vec(), dataset, fold })
    }
}

/// The day that parts what is learned from what is judged by.
fn parting(histories: &BTreeMap<MemberId, History>, newest: Timestamp) -> Timestamp {
    let could = histories.values().filter(|h| h.baskets.len() > FEWEST_BASKETS);
    let mut last: Vec<Timestamp> = could.filter_map(|h| h.baskets.last().map(|b| b.at)).collect();
    last.sort_unstable_by(|a, b| b.cmp(a));
    let enough = (last.len() / 5).clamp(FEWEST_JUDGED, MOST_JUDGED);
    let at = last.get(enough).or(last.last()).copied().unwrap_or(newest);
    back(at, 0).max(back(newest, MOST_DAYS))
}

/// The beginning (UTC) of the day so many days before a moment.
fn back(at: Timestamp, days: i64) -> Timestamp {
    let day = SignedDuration::from_hours(24 * days);
    let at = at.checked_sub(day).unwrap_or(Timestamp::MIN);
    Timestamp::from_second(at.as_second().div_euclid(86_400) * 86_400).unwrap_or(at)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::history::{self, Line};

    const DAY: i64 = 86_400;

    fn at(day: i64) -> Timestamp {
        Timestamp::from_second((20_000 + day) * DAY + 3600).unwrap()
    }

    /// Members who come every `n % 7 + 1` days for a hundred days, each for a product of their own.
    fn histories(members: i64) -> BTreeMap<MemberId, History> {
        let of = |member: i64| {
            let days = (0..100).filter(|d| d % (member % 7 + 1) == 0);
            let basket = |day: i64| history::Basket {
                at: at(day),
                lines: vec![Line { product: ProductId(member), quantity: 1.0, unit_price: 1 }],
            };
            (MemberId(member), History::new(days.map(basket).collect()))
        };
        (0..members).map(of).collect()
    }

    #[test]
    fn nothing_of_the_last_days_is_learned_and_all_of_it_is_judged_by_once() {
        let all = histories(200);
        let split = Split::new(&all, &[], None).unwrap();
        let parting = (split.until.as_second() - FIRST) as f32 / DAY as f32;
        let learned =
            split.dataset.corpus.histories.iter().flatten().chain(split.dataset.targets.iter().map(|t| &t.1));
        assert!(learned.chain(split.fold.corpus.histories.iter().flatten()).all(|b| b.day < Some(parting)));
        for member in &split.fold.test {
            let next = &split.fold.future[*member as usize];
            assert!(next.day >= Some(parting) && !next.items.is_empty());
        }
        assert!((40..=200).contains(&split.fold.test.len()), "{}", split.fold.test.len());
        assert_eq!(split.dataset.targets.len(), 200);
        assert!(split.fold.dataset().targets.is_empty(), "who judges is not learned from");
    }

    /// What the ranker counts days from, in seconds.
    const FIRST: i64 = 946_857_600;

    #[test]
    fn so_many_last_days_as_are_asked_for_are_judged_by() {
        let split = Split::new(&histories(200), &[], Some(10)).unwrap();
        assert_eq!((split.until, split.newest), (back(at(99), 10), at(99)));
    }

    #[test]
    fn a_store_that_has_just_begun_is_told_so() {
        let few = Split::new(&histories(10), &[], None).unwrap_err();
        assert_eq!((few.learnable, few.judged), (10, 10));
        assert!(few.to_string().contains("too few receipts"));
        assert!(Split::new(&BTreeMap::new(), &[], None).is_err());
    }
}
