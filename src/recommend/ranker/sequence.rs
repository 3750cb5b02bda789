//! A member's visits as the two networks read them, one visit at a time: nothing here looks back
//! further than what is kept in [`Seen`], so a receipt costs the same after ten and after ten
//! thousand. Training reads through the same door.

use super::corpus::{Basket, Visit};
use super::item_table::ItemTable;
use std::collections::HashMap;

/// Numbers about a basket beside the mean of its products' rows.
pub const BASKET_FACTS: usize = 7;
/// Numbers about a purchase of one product.
pub const PURCHASE_FACTS: usize = 8;
/// Numbers about the member as a whole.
pub const CONTEXT: usize = 8;

/// What one visit says, whatever comes after it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct VisitFacts {
    /// Visits before this one.
    pub position: u32,
    /// Its day, where known.
    pub day: Option<f32>,
    /// Natural logarithm of the number of products, halved.
    pub log_size: f32,
    /// Share of its products bought before.
    pub repeat_share: f32,
}

/// The last purchase of a product.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Purchase {
    /// The visit.
    pub visit: VisitFacts,
    /// Visits since the purchase before it, and days where known; `None` at the first.
    pub before: Option<(u32, Option<f32>)>,
}

/// What is remembered of the visits so far.
#[derive(Debug, Clone, Default)]
pub struct Seen {
    visits: u32,
    bought: HashMap<u32, VisitFacts>,
    log_sizes: f32,
    repeat_shares: f32,
    last: Option<VisitFacts>,
}

fn days_between(from: Option<f32>, to: Option<f32>) -> Option<f32> {
    Some((to? - from?).max(0.0))
}

fn log_days(days: Option<f32>) -> f32 {
    days.map_or(0.0, |d| d.ln_1p() / 4.0)
}

fn log_visits(visits: u32) -> f32 {
    (visits as f32).ln_1p() / 2.0
}

impl Seen {
    /// Takes in a basket; gives what it says, and for each of its products the purchase.
    pub fn observe(&mut self, basket: &Basket) -> (VisitFacts, Vec<(u32, Purchase)>) {
        let repeats = basket.items.iter().filter(|i| self.bought.contains_key(i)).count();
        let size = basket.items.len().max(1) as f32;
        let facts = VisitFacts {
            position: self.visits,
            day: basket.day,
            log_size: size.ln() / 2.0,
            repeat_share: repeats as f32 / size,
        };
        let purchases = basket.items.iter().map(|item| {
            let before = self.bought.insert(*item, facts);
            let gap = |b: VisitFacts| (facts.position - b.position, days_between(b.day, facts.day));
            (*item, Purchase { visit: facts, before: before.map(gap) })
        });
        let purchases = purchases.collect();
        self.visits += 1;
        self.log_sizes += facts.log_size;
        self.repeat_shares += facts.repeat_share;
        self.last = Some(facts);
        (facts, purchases)
    }

    /// Visits so far.
    pub fn visits(&self) -> u32 {
        self.visits
    }

    /// The member as a whole, at a moment of this day.
    pub fn context(&self, now: Option<f32>) -> [f32; CONTEXT] {
        let n = self.visits.max(1) as f32;
        let last = |f: fn(&VisitFacts) -> f32| self.last.as_ref().map_or(0.0, f);
        let days = days_between(self.last.and_then(|l| l.day), now);
        [
            n.ln() / 3.0,
            (self.bought.len() as f32).ln_1p() / 4.0,
            self.log_sizes / n,
            last(|l| l.log_size),
            self.repeat_shares / n,
            last(|l| l.repeat_share),
            log_days(days),
            if days.is_some() { 1.0 } else { 0.0 },
        ]
    }
}

/// A basket as the basket network reads it, once it is known when the next visit is: the mean of
/// its products' rows, then [`BASKET_FACTS`] numbers.
pub fn basket_input(
    table: &ItemTable,
    items: &[u32],
    facts: &VisitFacts,
    next: Option<f32>,
    out: &mut [f32],
) {
    let (mean, rest) = out.split_at_mut(table.columns);
    table.mean(items, mean);
    let (sine, cosine) =
        next.map_or((0.0, 0.0), |day| (day.rem_euclid(7.0) / 7.0 * std::f32::consts::TAU).sin_cos());
    rest.copy_from_slice(&[
        facts.log_size,
        facts.repeat_share,
        log_days(days_between(facts.day, next)),
        sine,
        cosine,
        (facts.position as f32).ln_1p() / 3.0,
        if facts.position == 0 { 1.0 } else { 0.0 },
    ]);
}

/// A purchase of a product as the rhythm network reads it, once it is known at which visit (and
/// day) the next one was, or that none was until now.
pub fn purchase_input(purchase: &Purchase, next_visit: u32, next_day: Option<f32>) -> [f32; PURCHASE_FACTS] {
    let facts = &purchase.visit;
    [
        purchase.before.map_or(0.0, |b| log_visits(b.0)),
        purchase.before.map_or(0.0, |b| log_days(b.1)),
        log_visits(next_visit.saturating_sub(facts.position)),
        log_days(days_between(facts.day, next_day)),
        facts.log_size,
        facts.repeat_share,
        (facts.position as f32).ln_1p() / 3.0,
        if purchase.before.is_none() { 1.0 } else { 0.0 },
    ]
}

/// A whole history read at once, as training needs it.
#[derive(Debug, Clone, Default)]
pub struct Reading {
    /// Inputs of the basket network, one row a visit.
    pub baskets: Vec<f32>,
    /// The products of the history in order, each with its number of purchases.
    pub products: Vec<(u32, u32)>,
    /// Inputs of the rhythm network, product by product, purchase by purchase.
    pub purchases: Vec<f32>,
    /// The member as a whole.
    pub context: [f32; CONTEXT],
}

impl Reading {
    /// Reads the last `visits` visits and the last `times` purchases of each product.
    pub fn new(table: &ItemTable, visit: &Visit<'_>, visits: usize, times: usize) -> Reading {
        let mut seen = Seen::default();
        let mut facts = Vec::new();
        let mut by_item: HashMap<u32, Vec<Purchase>> = HashMap::new();
        for basket in visit.baskets {
            let (fact, purchases) = seen.observe(basket);
            facts.push(fact);
            purchases.into_iter().for_each(|(item, p)| by_item.entry(item).or_default().push(p));
        }
        let width = table.columns + BASKET_FACTS;
        let from = facts.len().saturating_sub(visits);
        let mut baskets = vec![0.0; (facts.len() - from) * width];
        for (out, at) in baskets.chunks_exact_mut(width).zip(from..) {
            let next = facts.get(at + 1).map_or(visit.day, |f| f.day);
            basket_input(table, &visit.baskets[at].items, &facts[at], next, out);
        }
        let mut bought: Vec<(u32, Vec<Purchase>)> = by_item.into_iter().collect();
        bought.sort_unstable_by_key(|e| e.0);
        let mut reading = Reading { baskets, context: seen.context(visit.day), ..Reading::default() };
        for (item, all) in bought {
            let kept = &all[all.len().saturating_sub(times)..];
            reading.products.push((item, kept.len() as u32));
            for (at, purchase) in kept.iter().enumerate() {
                let next = kept.get(at + 1).map(|p| p.visit);
                let (visit, day) = next.map_or((seen.visits(), visit.day), |n| (n.position, n.day));
                reading.purchases.extend(purchase_input(purchase, visit, day));
            }
        }
        reading
    }
}
