//! Members' habits and the receipts that follow from them: favourite products, each with its own
//! rhythm, a day of the week for shopping, the size of the household, and what the season brings.

use super::catalogue::Good;
use super::draw::{Draw, Realm, bell};
use super::shelves::SHELVES;
use crate::history::{Basket, Line};
use jiff::{SignedDuration, Timestamp};

const YEAR: i64 = 365;

/// What a member buys again and again.
struct Staple {
    good: usize,
    /// Days between purchases.
    every: f32,
    /// Days since the last one, when the year begins.
    waiting: f32,
    quantity: f64,
}

/// How a member shops.
struct Habit {
    household: usize,
    /// Weight of each day of the week, Monday first.
    days: [f32; 7],
    /// Visits a week.
    often: f32,
    /// Hour of the day.
    hour: f32,
    staples: Vec<Staple>,
    /// Share of staples swapped for something like it.
    fickle: f32,
    /// Further things in a basket, on average.
    extra: f32,
    /// Liking for each shelf.
    liking: Vec<f32>,
}

impl Habit {
    fn draw(goods: &[Good], d: &mut Draw) -> Self {
        let household = 1 + d.weighted(&[0.36, 0.33, 0.14, 0.12, 0.05]);
        let liking: Vec<f32> = SHELVES
            .iter()
            .map(|s| if d.chance(s.reach) { d.uniform(0.2, 1.0).powi(2) + 0.05 } else { 0.0 })
            .collect();
        let mut days = [0, 1, 2, 3, 4, 5, 6].map(|i| if i == 6 { 0.0 } else { d.uniform(0.2, 0.6) });
        days[d.below(6)] += 2.5;
        let mut staples = Vec::new();
        let many = 7 + d.below(8);
        let mut pull = liking.clone();
        for _ in 0..many {
            let shelf = d.weighted(&pull);
            pull[shelf] *= 0.25;
            let here: Vec<usize> = (0..goods.len()).filter(|&i| goods[i].shelf == shelf).collect();
            let weights: Vec<f32> = here.iter().map(|&i| goods[i].pull).collect();
            let Some(&good) = here.get(d.weighted(&weights)) else { continue };
            if staples.iter().any(|s: &Staple| s.good == good) {
                continue;
            }
            let need = (household as f32 / 2.0).powf(0.45);
            let every = (SHELVES[shelf].every / need * d.uniform(0.7, 1.4)).max(3.0);
            let kilos = SHELVES[shelf].marks.contains('k');
            let quantity = if kilos {
                f64::from((d.uniform(0.5, 0.9 + 0.4 * household as f32) * 10.0).round()) / 10.0
            } else {
                1.0 + d.below(household.div_ceil(2)) as f64
            };
            staples.push(Staple { good, every, waiting: d.uniform(0.0, every), quantity });
        }
        Habit {
            household,
            days,
            often: d.uniform(0.7, 1.7),
            hour: d.uniform(8.5, 18.5),
            staples,
            fickle: d.uniform(0.02, 0.15),
            extra: d.uniform(0.5, 2.5),
            liking,
        }
    }
}

/// A year of receipts of member `number` under `seed`, oldest first, the last one shortly before
/// `now`; `few` leaves only the last two.
pub(super) fn receipts(seed: u64, number: u64, goods: &[Good], now: Timestamp, few: bool) -> Vec<Basket> {
    let d = &mut Draw::new(Realm::Habit, seed, number);
    let mut habit = Habit::draw(goods, d);
    let total: f32 = habit.days.iter().sum();
    let mut baskets = Vec::new();
    for ago in (0..YEAR).rev() {
        let day = now.as_second().div_euclid(86_400) - ago;
        let weekday = (day + 3).rem_euclid(7) as usize;
        let come = habit.often * habit.days[weekday] / total;
        let hour = habit.hour + d.uniform(-1.5, 1.5);
        habit.staples.iter_mut().for_each(|s| s.waiting += 1.0);
        if !d.chance(come.min(0.9)) {
            continue;
        }
        let at = Timestamp::from_second(day * 86_400 + (hour * 3600.0) as i64).unwrap_or(now);
        // nothing has been paid yet that lies ahead
        if at > now.checked_sub(SignedDuration::from_hours(1)).unwrap_or(now) {
            continue;
        }
        let lines = basket(&mut habit, goods, day, ago, d);
        if !lines.is_empty() {
            baskets.push(Basket { at, lines });
        }
    }
    if few {
        baskets.drain(..baskets.len().saturating_sub(2));
    }
    baskets
}

fn basket(habit: &mut Habit, goods: &[Good], day: i64, ago: i64, d: &mut Draw) -> Vec<Line> {
    let mut chosen: Vec<(usize, f64)> = Vec::new();
    let visit_gap = 7.0 / habit.often;
    for s in &mut habit.staples {
        let wish = season(goods[s.good].shelf, day);
        // bought when it will have run out before the next visit
        let due = s.waiting >= s.every / wish.max(0.3) - 0.35 * visit_gap * d.uniform(0.6, 1.2);
        if due && d.chance(0.92) {
            let like = if d.chance(habit.fickle) { another(goods, s.good, d) } else { s.good };
            s.waiting = 0.0;
            chosen.push((like, s.quantity));
        }
    }
    let extras = (habit.extra * d.uniform(0.0, 2.0)).round() as usize;
    for _ in 0..extras {
        let weights: Vec<f32> = goods
            .iter()
            .map(|g| {
                (habit.liking[g.shelf] + 0.015) * g.pull * season(g.shelf, day)
                    / SHELVES[g.shelf].every.sqrt()
            })
            .collect();
        let quantity = if habit.household > 3 && d.chance(0.3) { 2.0 } else { 1.0 };
        chosen.push((d.weighted(&weights), quantity));
    }
    chosen.sort_by_key(|c| c.0);
    chosen.dedup_by_key(|c| c.0);
    chosen
        .into_iter()
        // what was withdrawn went from the shelves three months ago
        .filter(|&(good, _)| !goods[good].product.withdrawn || ago > 90)
        .map(|(good, quantity)| {
            let p = &goods[good].product;
            let earlier = 1.0 - 0.03 * (ago / 120) as f64;
            let offer = if d.chance(0.06) { 0.8 } else { 1.0 };
            let unit_price = ((p.price.0 as f64 * earlier * offer).round() as i64).max(1);
            Line { product: p.id, quantity, unit_price }
        })
        .collect()
}

fn another(goods: &[Good], good: usize, d: &mut Draw) -> usize {
    let like: Vec<usize> = (0..goods.len()).filter(|&i| goods[i].shelf == goods[good].shelf).collect();
    let weights: Vec<f32> = like.iter().map(|&i| goods[i].pull).collect();
    like.get(d.weighted(&weights)).copied().unwrap_or(good)
}

/// How much a shelf is wanted on `day` (days since 1970), 1 on an ordinary one.
fn season(shelf: usize, day: i64) -> f32 {
    let of_year = (day as f64).rem_euclid(365.2425) as f32;
    let marks = SHELVES[shelf].marks;
    let around = |peak: f32, width: f32| {
        let off = (of_year - peak).abs();
        bell(off.min(365.24 - off) / width)
    };
    if marks.contains('S') {
        0.45 + 1.5 * around(196.0, 65.0)
    } else if marks.contains('W') {
        0.5 + 1.3 * around(15.0, 70.0)
    } else if marks.contains('X') {
        0.85 + 1.6 * around(347.0, 25.0)
    } else {
        1.0
    }
}

#[cfg(test)]
mod tests {
    use super::super::catalogue;
    use super::*;

    #[test]
    fn ice_cream_is_wanted_in_july_and_soup_in_january() {
        let shelf = |name| SHELVES.iter().position(|s| s.path.last() == Some(&name)).unwrap();
        let (july, january) = (20_650, 20_468);
        assert!(season(shelf("Ice cream"), july) > 2.0 * season(shelf("Ice cream"), january));
        assert!(season(shelf("Soups"), january) > 2.0 * season(shelf("Soups"), july));
        assert_eq!(season(shelf("Pasta"), july), 1.0);
    }

    #[test]
    fn staples_come_back_in_their_rhythm() {
        let goods = catalogue::goods(1);
        let now: Timestamp = "2026-11-23T10:00:00Z".parse().unwrap();
        let mut regular = 0;
        for member in 0..20 {
            let baskets = receipts(1, member, &goods, now, false);
            let times = goods.iter().map(|g| {
                baskets.iter().filter(|b| b.lines.iter().any(|l| l.product == g.product.id)).count()
            });
            regular += times.filter(|&n| n >= 8).count();
        }
        assert!(regular > 80, "only {regular} products were bought 8 times or more by 20 members");
    }
}
