//! What sells just now: how many of the store's baskets of the last weeks hold each product, the newer
//! counting more. Only days before the one that is asked about count, so a past day can be asked about as
//! it was; and the member who asks is left out. Receipts without a day count nowhere.

use super::corpus::{Basket, Corpus};
use super::sparse::Sum;
use std::collections::BTreeMap;

/// Days after which a basket counts 1/e.
const LASTS: f32 = 7.0;
/// Days after which it does not count at all.
const WINDOW: i32 = 35;
/// Products that count because they sell best, beside those that something else speaks for.
const BEST: usize = 300;

/// Sales by day.
#[derive(Debug, Clone, Default)]
pub struct Trend {
    days: BTreeMap<i32, Sales>,
    /// What each member put into them.
    members: Vec<Vec<Dated>>,
    /// Changes so far.
    version: u64,
}

/// A day's baskets.
#[derive(Debug, Clone, Default)]
struct Sales {
    baskets: u32,
    /// Baskets with each product, in order of product.
    items: Vec<(u32, u32)>,
}

#[derive(Debug, Clone)]
struct Dated {
    day: i32,
    items: Vec<u32>,
}

/// Room for one question at a time. Asked about the same day twice, it is summed up once.
#[derive(Debug, Clone)]
pub struct Scratch {
    /// The day, and as of which change.
    of: Option<(i32, u64)>,
    sums: Sum,
    baskets: f32,
    best: Vec<u32>,
    own: Sum,
    own_baskets: f32,
}

impl Scratch {
    /// Makes room for products below `items`.
    pub fn reach(&mut self, items: usize) {
        self.sums.reach(items);
        self.own.reach(items);
    }

    /// Share of the baskets that hold a product, 0..1.
    pub fn share(&self, item: u32) -> f32 {
        let at = item as usize;
        let others = self.sums.dense()[at] - self.own.dense()[at];
        // Less than this is what subtracting leaves of nothing.
        if others > 1e-4 { others / (self.baskets - self.own_baskets).max(1.0) } else { 0.0 }
    }

    /// The products that sell best.
    pub fn best(&self) -> &[u32] {
        &self.best
    }
}

/// What a basket counts so many days later, 0 if it does not.
fn weight(days: i32) -> f32 {
    if (1..=WINDOW).contains(&days) { (-(days as f32) / LASTS).exp() } else { 0.0 }
}

fn dated(baskets: &[Basket]) -> Vec<Dated> {
    let one = |b: &Basket| Some(Dated { day: b.day?.floor() as i32, items: b.items.clone() });
    baskets.iter().filter_map(one).collect()
}

impl Trend {
    /// From all members' histories.
    pub fn new(corpus: &Corpus) -> Trend {
        let mut trend =
            Trend { members: corpus.histories.iter().map(|h| dated(h)).collect(), ..Trend::default() };
        let mut items: BTreeMap<i32, Vec<u32>> = BTreeMap::new();
        for basket in trend.members.iter().flatten() {
            trend.days.entry(basket.day).or_default().baskets += 1;
            items.entry(basket.day).or_default().extend(&basket.items);
        }
        for (sales, mut items) in trend.days.values_mut().zip(items.into_values()) {
            items.sort_unstable();
            sales.items = items.chunk_by(|a, b| a == b).map(|same| (same[0], same.len() as u32)).collect();
        }
        trend
    }

    /// Room for questions, of products below `items`.
    pub fn scratch(&self, items: usize) -> Scratch {
        Scratch {
            of: None,
            sums: Sum::new(items),
            baskets: 0.0,
            best: Vec::new(),
            own: Sum::new(items),
            own_baskets: 0.0,
        }
    }

    /// Takes in a member's baskets in place of those known.
    pub fn learn(&mut self, member: u32, baskets: &[Basket]) {
        let at = member as usize;
        if at >= self.members.len() {
            self.members.resize_with(at + 1, Vec::new);
        }
        let before = std::mem::replace(&mut self.members[at], dated(baskets));
        // Mostly only a basket more: the others stay as they are.
        let same = |(a, b): &(&Dated, &Dated)| a.day == b.day && a.items == b.items;
        let stay = before.iter().zip(&self.members[at]).take_while(same).count();
        for basket in &before[stay..] {
            self.days.entry(basket.day).or_default().take_out(&basket.items);
        }
        for basket in &self.members[at][stay..] {
            self.days.entry(basket.day).or_default().put_in(&basket.items);
        }
        self.version += 1;
    }

    /// Sets out to answer about a day, a member left out. Gives whether anything was sold lately.
    pub fn ask(&self, member: Option<u32>, day: Option<f32>, scratch: &mut Scratch) -> bool {
        scratch.own.clear();
        scratch.own_baskets = 0.0;
        let Some(day) = day.map(|day| day.floor() as i32) else { return false };
        if scratch.of != Some((day, self.version)) {
            self.sum_up(day, scratch);
        }
        let own = member.and_then(|m| self.members.get(m as usize)).map_or(&[][..], Vec::as_slice);
        for basket in own {
            let weight = weight(day.saturating_sub(basket.day));
            if weight > 0.0 {
                scratch.own_baskets += weight;
                basket.items.iter().for_each(|item| scratch.own.add(*item, weight));
            }
        }
        scratch.baskets > 0.0
    }

    fn sum_up(&self, day: i32, scratch: &mut Scratch) {
        let Scratch { sums, baskets, best, .. } = scratch;
        sums.clear();
        *baskets = 0.0;
        for (sold, sales) in self.days.range(day.saturating_sub(WINDOW)..day) {
            let weight = weight(day - sold);
            *baskets += weight * sales.baskets as f32;
            sales.items.iter().for_each(|(item, count)| sums.add(*item, weight * *count as f32));
        }
        best.clear();
        best.extend(sums.touched());
        if best.len() > BEST {
            let order = |a: &u32, b: &u32| {
                sums.dense()[*b as usize].total_cmp(&sums.dense()[*a as usize]).then(a.cmp(b))
            };
            best.select_nth_unstable_by(BEST, order);
            best.truncate(BEST);
        }
        scratch.of = Some((day, self.version));
    }
}

impl Sales {
    fn put_in(&mut self, items: &[u32]) {
        self.baskets += 1;
        for item in items {
            match self.items.binary_search_by_key(item, |e| e.0) {
                Ok(at) => self.items[at].1 += 1,
                Err(at) => self.items.insert(at, (*item, 1)),
            }
        }
    }

    fn take_out(&mut self, items: &[u32]) {
        self.baskets = self.baskets.saturating_sub(1);
        for item in items {
            if let Ok(at) = self.items.binary_search_by_key(item, |e| e.0) {
                self.items[at].1 -= 1;
                if self.items[at].1 == 0 {
                    self.items.remove(at);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn basket(day: f32, items: &[u32]) -> Basket {
        Basket { items: items.to_vec(), day: Some(day) }
    }

    fn corpus() -> Corpus {
        let histories = vec![
            vec![basket(100.2, &[0, 1]), basket(107.0, &[0])],
            vec![basket(106.9, &[2]), basket(108.0, &[1])],
            vec![Basket { items: vec![3], day: None }],
        ];
        Corpus { items: 4, histories, ..Corpus::default() }
    }

    fn shares(trend: &Trend, member: Option<u32>, day: f32) -> Vec<f32> {
        let mut scratch = trend.scratch(4);
        trend.ask(member, Some(day), &mut scratch);
        (0..4).map(|item| scratch.share(item)).collect()
    }

    #[test]
    fn only_days_before_count_and_newer_ones_more() {
        let trend = Trend::new(&corpus());
        // On day 107 the baskets of days 100 and 106 are known, not that of the day itself.
        let [old, new] = [7.0f32, 1.0].map(|days| (-days / LASTS).exp());
        let expected = [old, old, new, 0.0].map(|w| w / (old + new).max(1.0));
        shares(&trend, None, 107.6).iter().zip(expected).for_each(|(a, b)| assert!((a - b).abs() < 1e-6));
        assert_eq!(shares(&trend, None, 100.9), [0.0; 4]);
        assert_eq!(shares(&trend, None, 150.0), [0.0; 4], "long ago");
        assert!(!trend.ask(None, None, &mut trend.scratch(4)));
    }

    #[test]
    fn the_member_who_asks_is_left_out() {
        let trend = Trend::new(&corpus());
        let without = Corpus { histories: vec![vec![], corpus().histories[1].clone()], ..corpus() };
        let (left_out, never_there) =
            (shares(&trend, Some(0), 109.0), shares(&Trend::new(&without), None, 109.0));
        left_out.iter().zip(never_there).for_each(|(a, b)| assert!((a - b).abs() < 1e-6, "{a} {b}"));
    }

    #[test]
    fn the_day_that_was_summed_up_is_forgotten_when_a_receipt_comes() {
        let mut trend = Trend::new(&corpus());
        let mut scratch = trend.scratch(4);
        trend.ask(None, Some(110.0), &mut scratch);
        assert_eq!(scratch.share(3), 0.0);
        trend.learn(2, &[basket(109.0, &[3])]);
        trend.ask(None, Some(110.0), &mut scratch);
        assert!(scratch.share(3) > 0.1);
    }
}
