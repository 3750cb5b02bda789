//! How good ranked lists are, by the protocol of Li et al., "A Next Basket Recommendation Reality
//! Check" (TOIS 2023). Each figure is a mean over users: recall = hits / |bought|; PHR = 1 if anything
//! hits; NDCG with gain 1 / log2(rank + 1) and the ideal over all that was bought. Repeat (explore)
//! recall looks only at what was (was not) in the history; users without any are left out.

use rand::{Rng, SeedableRng};
use std::collections::HashSet;

/// Length of a ranked list.
pub const LIST: usize = 20;

/// How good a list was for one user.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Outcome {
    /// Hits over what was bought.
    pub recall: f64,
    /// Hits over the length asked for.
    pub precision: f64,
    /// Gain over the ideal.
    pub ndcg: f64,
    /// 1 if anything hits.
    pub hit: f64,
    /// Recall over what was bought before, if anything was.
    pub repeat: Option<f64>,
    /// Recall over what was new, if anything was.
    pub explore: Option<f64>,
}

/// Means over users at one length of list.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Figures {
    /// Share of what was bought that is on the list.
    pub recall: f64,
    /// Share of the list that was bought.
    pub precision: f64,
    /// Harmonic mean of precision and recall, user by user.
    pub f1: f64,
    /// Recall, higher places counting more.
    pub ndcg: f64,
    /// Share of users with any hit.
    pub phr: f64,
    /// Recall over what was bought before.
    pub repeat: f64,
    /// Recall over what was new.
    pub explore: f64,
}

/// From where to where a mean lies for 95 of 100 samples of users drawn from these.
pub type Interval = [f64; 2];

fn mean(values: impl Iterator<Item = f64>) -> f64 {
    let (sum, count) = values.fold((0.0, 0usize), |(s, n), v| (s + v, n + 1));
    sum / count.max(1) as f64
}

/// The outcome of a ranked list cut to `k`; `None` if nothing was bought.
pub fn outcome(list: &[u32], bought: &[u32], seen: &HashSet<u32>, k: usize) -> Option<Outcome> {
    let bought: HashSet<u32> = bought.iter().copied().collect();
    if bought.is_empty() {
        return None;
    }
    let gain = |rank: usize| 1.0 / ((rank + 2) as f64).log2();
    let list = &list[..list.len().min(k)];
    let hits: Vec<usize> = (0..list.len()).filter(|r| bought.contains(&list[*r])).collect();
    let again = bought.iter().filter(|i| seen.contains(i)).count();
    let hit_again = hits.iter().filter(|r| seen.contains(&list[**r])).count();
    let share = |hits: usize, of: usize| (of > 0).then(|| hits as f64 / of as f64);
    Some(Outcome {
        recall: hits.len() as f64 / bought.len() as f64,
        precision: hits.len() as f64 / k as f64,
        ndcg: hits.iter().map(|r| gain(*r)).sum::<f64>() / (0..bought.len()).map(gain).sum::<f64>(),
        hit: if hits.is_empty() { 0.0 } else { 1.0 },
        repeat: share(hit_again, again),
        explore: share(hits.len() - hit_again, bought.len() - again),
    })
}

impl Figures {
    /// The means of these users' outcomes.
    pub fn of(users: &[Outcome]) -> Figures {
        let all = |value: fn(&Outcome) -> f64| mean(users.iter().map(value));
        Figures {
            recall: all(|u| u.recall),
            precision: all(|u| u.precision),
            f1: all(|u| 2.0 * u.recall * u.precision / (u.recall + u.precision).max(1e-12)),
            ndcg: all(|u| u.ndcg),
            phr: all(|u| u.hit),
            repeat: mean(users.iter().filter_map(|u| u.repeat)),
            explore: mean(users.iter().filter_map(|u| u.explore)),
        }
    }
}

/// Samples of users that an interval is drawn from.
const SAMPLES: usize = 1000;

/// Intervals of recall, NDCG and PHR (Efron's bootstrap over users, always the same draws).
pub fn intervals(users: &[Outcome]) -> [Interval; 3] {
    let mut random = rand_chacha::ChaCha8Rng::seed_from_u64(1);
    let mut means: [Vec<f64>; 3] = Default::default();
    for _ in 0..if users.is_empty() { 0 } else { SAMPLES } {
        let mut sums = [0.0; 3];
        for _ in 0..users.len() {
            let user = &users[random.random_range(0..users.len())];
            sums.iter_mut().zip([user.recall, user.ndcg, user.hit]).for_each(|(s, v)| *s += v);
        }
        means.iter_mut().zip(sums).for_each(|(m, s)| m.push(s / users.len() as f64));
    }
    means.map(|mut means| {
        means.sort_by(f64::total_cmp);
        let at = |share: f64| means.get((share * means.len() as f64) as usize).copied().unwrap_or(0.0);
        [at(0.025), at(0.975)]
    })
}

/// The best products first, at most [`LIST`]; ties in order of product.
pub fn best(scores: &[f32]) -> Vec<u32> {
    let mut order: Vec<u32> = (0..scores.len() as u32).collect();
    let better = |a: &u32, b: &u32| scores[*b as usize].total_cmp(&scores[*a as usize]).then(a.cmp(b));
    if order.len() > LIST {
        order.select_nth_unstable_by(LIST, better);
        order.truncate(LIST);
    }
    order.sort_by(better);
    order
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_of_a_list_worked_by_hand() {
        let (bought, seen) = ([7, 8, 9, 10], HashSet::from([7, 8, 1]));
        let got = Figures::of(&[outcome(&[7, 1, 9], &bought, &seen, 10).unwrap()]);
        let gain = |rank: f64| 1.0 / (rank + 1.0).log2();
        let ideal = gain(1.0) + gain(2.0) + gain(3.0) + gain(4.0);
        assert_eq!((got.recall, got.phr, got.repeat, got.explore), (0.5, 1.0, 0.5, 0.5));
        assert!((got.precision - 0.2).abs() < 1e-12 && (got.f1 - 2.0 / 7.0).abs() < 1e-12);
        assert!((got.ndcg - (gain(1.0) + gain(3.0)) / ideal).abs() < 1e-12);
    }

    #[test]
    fn a_list_is_cut_before_it_is_judged() {
        let got = outcome(&[1, 2], &[2], &HashSet::new(), 1).unwrap();
        assert_eq!((got.recall, got.hit, got.repeat), (0.0, 0.0, None));
        assert_eq!(outcome(&[1], &[], &HashSet::new(), 1), None);
    }

    #[test]
    fn an_interval_holds_the_mean_and_narrows_with_more_users() {
        let user = |hit: bool| Outcome { hit: f64::from(u8::from(hit)), ..Outcome::default() };
        let width = |n: usize| {
            let users: Vec<Outcome> = (0..n).map(|i| user(i % 2 == 0)).collect();
            let [_, _, [low, high]] = intervals(&users);
            assert!(low <= 0.5 && 0.5 <= high, "{low} {high}");
            high - low
        };
        assert!(width(40) > 2.0 * width(1000));
        assert_eq!(intervals(&[])[0], [0.0, 0.0]);
    }

    #[test]
    fn the_best_come_first_and_ties_in_order() {
        let mut scores = vec![0.0; 100];
        (scores[40], scores[7], scores[9]) = (2.0, 1.0, 1.0);
        assert_eq!(best(&scores)[..5], [40, 7, 9, 0, 1]);
        assert_eq!(best(&scores).len(), LIST);
    }
}
