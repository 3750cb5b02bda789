//! What a history says about a member: how often each product is bought and in what rhythm, and
//! which categories are chosen. Pure; nothing here is inferred about the person.
//!
//! Terms. A *gap* is the time between two purchases of one product. The *rhythm* is the median
//! gap, and counts as one only after three purchases on different days. The *weight* of a product
//! is the share of baskets that hold it, older baskets counting less (a half-life of 12 baskets,
//! after the decayed frequencies of TIFUKNN, Hu et al., SIGIR 2020).

use crate::history::History;
use crate::id::ProductId;
use jiff::Timestamp;
use std::collections::BTreeMap;

const DAY: f64 = 86_400.0;
const HALF_LIFE_BASKETS: f64 = 12.0;

/// A member's habit with one product.
#[derive(Debug, Clone, PartialEq)]
pub struct Habit {
    /// Baskets with it.
    pub times: u32,
    /// Days since the last one, not negative.
    pub last_days_ago: f64,
    /// Share of baskets with it, older ones counting less, 0..1.
    pub weight: f64,
    /// Median gap in days, if there is a rhythm.
    pub every_days: Option<f64>,
}

impl Habit {
    /// How due the product is, 0..1: low just after a purchase, 1 from the usual gap on, falling
    /// once the habit seems to have lapsed (from twice the gap). Without a rhythm: 0.
    pub fn due(&self) -> f64 {
        self.every_days.map_or(0.0, |every| due(self.last_days_ago, every))
    }
}

/// How due is what is bought every so many days, last so many days ago: see [`Habit::due`].
pub fn due(last_days_ago: f64, every_days: f64) -> f64 {
    let phase = last_days_ago / every_days.max(0.5);
    if phase < 1.0 {
        phase.powi(2)
    } else if phase <= 2.0 {
        1.0
    } else {
        (2.0 / phase).powi(2)
    }
}

/// What is known of a member at one moment.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Profile {
    /// Baskets it is drawn from.
    pub baskets: u32,
    /// Habits by product.
    pub habits: BTreeMap<ProductId, Habit>,
    /// Share of the member's lines by (narrowest) category, 0..1.
    pub categories: BTreeMap<String, f64>,
}

impl Profile {
    /// Draws the profile at `now`. `category` gives a product's narrowest category, if it has one.
    /// Baskets later than `now` (a till with a wrong clock) count as of now.
    pub fn new<'a>(
        history: &History,
        now: Timestamp,
        category: impl Fn(ProductId) -> Option<&'a str>,
    ) -> Self {
        let mut weights: BTreeMap<ProductId, f64> = BTreeMap::new();
        let mut shares: BTreeMap<&str, f64> = BTreeMap::new();
        let (mut total, mut lines) = (0.0, 0.0);
        for (age, basket) in history.baskets.iter().rev().enumerate() {
            let weight = 0.5_f64.powf(age as f64 / HALF_LIFE_BASKETS);
            total += weight;
            for line in &basket.lines {
                *weights.entry(line.product).or_default() += weight;
                lines += weight;
                if let Some(category) = category(line.product) {
                    *shares.entry(category).or_default() += weight;
                }
            }
        }
        let habits = history
            .purchases()
            .into_iter()
            .map(|(product, times)| {
                let days_ago: Vec<f64> =
                    times.iter().map(|t| (now.duration_since(*t).as_secs_f64() / DAY).max(0.0)).collect();
                let habit = Habit {
                    times: times.len() as u32,
                    last_days_ago: days_ago.last().copied().unwrap_or(0.0),
                    weight: weights.get(&product).map_or(0.0, |w| w / total),
                    every_days: rhythm(&days_ago),
                };
                (product, habit)
            })
            .collect();
        let categories = shares.into_iter().map(|(c, w)| (c.to_owned(), w / lines)).collect();
        Self { baskets: history.baskets.len() as u32, habits, categories }
    }
}

/// The median gap in days of purchases that lay `days_ago`, oldest first. Purchases within half a
/// day are one. `None` below three purchases.
pub fn rhythm(days_ago: &[f64]) -> Option<f64> {
    let mut gaps: Vec<f64> = days_ago.windows(2).map(|w| w[0] - w[1]).filter(|gap| *gap > 0.5).collect();
    if gaps.len() < 2 {
        return None;
    }
    gaps.sort_by(f64::total_cmp);
    let middle = gaps.len() / 2;
    Some(if gaps.len() % 2 == 1 { gaps[middle] } else { (gaps[middle - 1] + gaps[middle]) / 2.0 })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::history::{Basket, Line};

    fn history(days: &[i64]) -> History {
        let line = Line { product: ProductId(1), quantity: 1.0, unit_price: 1 };
        let at = |d: &i64| Timestamp::from_second(d * 86_400).unwrap();
        History::new(days.iter().map(|d| Basket { at: at(d), lines: vec![line.clone()] }).collect())
    }

    fn habit(days: &[i64], now: i64) -> Habit {
        let now = Timestamp::from_second(now * 86_400).unwrap();
        Profile::new(&history(days), now, |_| Some("tea")).habits[&ProductId(1)].clone()
    }

    #[test]
    fn a_rhythm_needs_three_purchases_and_is_their_median_gap() {
        assert_eq!(habit(&[0, 9], 20).every_days, None);
        assert_eq!(habit(&[0, 9, 18], 20).every_days, Some(9.0));
        assert_eq!(habit(&[0, 9, 18, 60], 60).every_days, Some(9.0));
    }

    #[test]
    fn a_product_becomes_due_and_later_lapses() {
        let due = |now| habit(&[0, 10, 20, 30], now).due();
        assert!(due(31) < 0.05);
        assert!(due(35) < due(38));
        assert_eq!(due(40), 1.0);
        assert!(due(80) < 0.3);
    }

    #[test]
    fn receipts_from_the_future_do_not_make_negative_days() {
        assert_eq!(habit(&[0, 10, 50], 20).last_days_ago, 0.0);
    }

    #[test]
    fn shares_and_weights_stay_within_one() {
        let now = Timestamp::from_second(86_400 * 50).unwrap();
        let profile = Profile::new(&history(&[1, 2, 3, 4]), now, |_| Some("tea"));
        assert_eq!(profile.categories["tea"], 1.0);
        assert!((profile.habits[&ProductId(1)].weight - 1.0).abs() < 1e-9);
    }
}
