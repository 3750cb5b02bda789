//! What a history says about a member: how often each product is bought and in what rhythm, and
//! when visits are made, before what the member dwells, and which categories, brands and prices are chosen. Pure; nothing here is inferred about the person.
//!
//! Terms. A *gap* is the time between two purchases of one product. The *rhythm* is the median
//! gap, and counts as one only after three purchases on different days. The *weight* of a product
//! is the share of baskets that hold it, older baskets counting less (a half-life of 12 baskets,
//! after the decayed frequencies of TIFUKNN, Hu et al., SIGIR 2020).

pub mod declared;

use crate::history::History;
use crate::id::ProductId;
use jiff::Timestamp;
use jiff::tz::TimeZone;
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

/// How a member dwelt before a category's shelf.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Viewed {
    /// How often.
    pub times: u32,
    /// Seconds in all.
    pub seconds: f64,
    /// Days since the last time, not negative.
    pub last_days_ago: f64,
}

/// What is known of a member at one moment. Shares are of purchases, older baskets counting less.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Profile {
    /// Baskets it is drawn from.
    pub baskets: u32,
    /// The first and the last of them.
    pub period: Option<(Timestamp, Timestamp)>,
    /// Median days between visits, if there is a rhythm.
    pub every_days: Option<f64>,
    /// Mean number of different products in a basket.
    pub products_a_basket: f64,
    /// Share of the baskets on each day of the week, Monday first.
    pub weekdays: [f64; 7],
    /// Share of the baskets in each part of the day, from midnight, four hours each.
    pub day_parts: [f64; DAY_PARTS],
    /// Habits by product.
    pub habits: BTreeMap<ProductId, Habit>,
    /// Share by narrowest category.
    pub categories: BTreeMap<String, f64>,
    /// Share by brand.
    pub brands: BTreeMap<String, f64>,
    /// Share by attribute, as `name: value`.
    pub attributes: BTreeMap<String, f64>,
    /// Categories that the member dwelt before, and how.
    pub views: BTreeMap<String, Viewed>,
    /// Share that costs clearly less than is usual in its category, about that, and clearly more.
    pub price_levels: [f64; 3],
}

/// Where a price that is so many times the usual one of its category lies: 0 is clearly below, 1 about
/// that, 2 clearly above.
pub fn price_band(times: f64) -> usize {
    match times {
        ..0.75 => 0,
        0.75..1.35 => 1,
        _ => 2,
    }
}

/// Parts that a day is counted in.
pub const DAY_PARTS: usize = 6;

/// What a profile asks about a product.
#[derive(Debug, Clone, Copy, Default)]
pub struct Described<'a> {
    /// Narrowest category.
    pub category: Option<&'a str>,
    /// Brand.
    pub brand: Option<&'a str>,
    /// Attributes, by name.
    pub attributes: &'a [(String, String)],
    /// How many times the usual price of its category it costs.
    pub price_level: Option<f64>,
}

impl Profile {
    /// Draws the profile at `now`; days and hours are those of `zone`. Baskets later than `now` (a
    /// till with a wrong clock) count as of now.
    pub fn new<'a>(
        history: &History,
        now: Timestamp,
        zone: &TimeZone,
        described: impl Fn(ProductId) -> Described<'a>,
    ) -> Self {
        let mut profile = Profile { baskets: history.baskets.len() as u32, ..Profile::default() };
        let mut weights: BTreeMap<ProductId, f64> = BTreeMap::new();
        let (mut total, mut purchases) = (0.0, 0.0);
        for (age, basket) in history.baskets.iter().rev().enumerate() {
            let weight = 0.5_f64.powf(age as f64 / HALF_LIFE_BASKETS);
            total += weight;
            for line in &basket.lines {
                *weights.entry(line.product).or_default() += weight;
                purchases += weight;
                profile.count(described(line.product), weight);
            }
            let local = basket.at.to_zoned(zone.clone());
            let day = local.weekday().to_monday_zero_offset() as usize;
            profile.weekdays[day] += 1.0;
            profile.day_parts[local.hour() as usize * DAY_PARTS / 24] += 1.0;
            profile.products_a_basket += basket.lines.len() as f64;
        }
        let baskets = f64::from(profile.baskets.max(1));
        let shares = [&mut profile.categories, &mut profile.brands, &mut profile.attributes];
        shares.into_iter().flat_map(BTreeMap::values_mut).for_each(|share| *share /= purchases);
        profile.price_levels.iter_mut().for_each(|share| *share /= f64::max(purchases, 1e-9));
        profile.weekdays.iter_mut().chain(&mut profile.day_parts).for_each(|share| *share /= baskets);
        profile.products_a_basket /= baskets;
        let days_ago = |t: &Timestamp| (now.duration_since(*t).as_secs_f64() / DAY).max(0.0);
        let visits: Vec<f64> = history.baskets.iter().map(|b| days_ago(&b.at)).collect();
        profile.every_days = rhythm(&visits);
        let ends = history.baskets.first().zip(history.baskets.last());
        profile.period = ends.map(|(first, last)| (first.at, last.at));
        let habit = |(product, times): (ProductId, Vec<Timestamp>)| {
            let days_ago: Vec<f64> = times.iter().map(days_ago).collect();
            let habit = Habit {
                times: times.len() as u32,
                last_days_ago: days_ago.last().copied().unwrap_or(0.0),
                weight: weights.get(&product).map_or(0.0, |w| w / total),
                every_days: rhythm(&days_ago),
            };
            (product, habit)
        };
        for view in &history.views {
            let viewed = profile.views.entry(view.category.clone()).or_default();
            viewed.times += 1;
            viewed.seconds += view.dwelt.as_secs_f64();
            viewed.last_days_ago = days_ago(&view.at);
        }
        profile.habits = history.purchases().into_iter().map(habit).collect();
        profile
    }

    fn count(&mut self, product: Described<'_>, weight: f64) {
        let add = |to: &mut BTreeMap<String, f64>, name: String| *to.entry(name).or_default() += weight;
        if let Some(category) = product.category {
            add(&mut self.categories, category.to_owned());
        }
        if let Some(brand) = product.brand {
            add(&mut self.brands, brand.to_owned());
        }
        for (name, value) in product.attributes {
            add(&mut self.attributes, format!("{name}: {value}"));
        }
        if let Some(times) = product.price_level {
            self.price_levels[price_band(times)] += weight;
        }
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
    use crate::history::{Basket, Event, Line, View};
    use std::time::Duration;

    fn history(days: &[i64]) -> History {
        let line = Line { product: ProductId(1), quantity: 1.0, unit_price: 1 };
        let at = |d: &i64| Timestamp::from_second(d * 86_400).unwrap();
        History::new(days.iter().map(|d| Basket { at: at(d), lines: vec![line.clone()] }).collect())
    }

    fn tea<'a>(_: ProductId) -> Described<'a> {
        Described { category: Some("tea"), price_level: Some(2.0), ..Described::default() }
    }

    fn habit(days: &[i64], now: i64) -> Habit {
        let now = Timestamp::from_second(now * 86_400).unwrap();
        Profile::new(&history(days), now, &TimeZone::UTC, tea).habits[&ProductId(1)].clone()
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
    fn views_are_counted_by_category() {
        let view = |day: i64, seconds| View {
            category: "tea".into(),
            at: Timestamp::from_second(day * 86_400).unwrap(),
            dwelt: Duration::from_secs(seconds),
        };
        let history = History { views: vec![view(3, 10), view(7, 20)], ..history(&[5]) };
        let now = Timestamp::from_second(10 * 86_400).unwrap();
        let profile = Profile::new(&history, now, &TimeZone::UTC, tea);
        assert_eq!(profile.views["tea"], Viewed { times: 2, seconds: 30.0, last_days_ago: 3.0 });
        let order: Vec<bool> = history.events().map(|e| matches!(e, Event::View(_))).collect();
        assert_eq!(order, [true, false, true]);
    }

    #[test]
    fn shares_and_weights_are_shares() {
        let now = Timestamp::from_second(86_400 * 50).unwrap();
        let profile = Profile::new(&history(&[3, 4, 10, 17]), now, &TimeZone::UTC, tea);
        assert_eq!(profile.categories["tea"], 1.0);
        assert_eq!(profile.price_levels, [0.0, 0.0, 1.0]);
        // 1970-01-04 was a Sunday, so were the 11th and the 18th.
        assert_eq!(profile.weekdays, [0.25, 0.0, 0.0, 0.0, 0.0, 0.0, 0.75]);
        assert_eq!((profile.day_parts[0], profile.products_a_basket), (1.0, 1.0));
        assert_eq!(profile.every_days, Some(6.0));
        assert!((profile.habits[&ProductId(1)].weight - 1.0).abs() < 1e-9);
    }
}
