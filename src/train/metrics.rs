//! How good ranked lists are, by the protocol of Li et al., "A Next Basket Recommendation Reality
//! Check" (TOIS 2023). Each figure is a mean over users: recall = hits / |bought|; PHR = 1 if anything
//! hits; NDCG with gain 1 / log2(rank + 1) and the ideal over all that was bought. Repeat (explore)
//! recall looks only at what was (was not) in the history; users without any are left out.

use std::collections::HashSet;

/// Length of a ranked list.
pub const LIST: usize = 20;

/// Means over users at one length of list.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Figures {
    /// Share of what was bought that is on the list.
    pub recall: f64,
    /// The same, higher places counting more.
    pub ndcg: f64,
    /// Share of users with any hit.
    pub phr: f64,
    /// Recall over what was bought before.
    pub repeat: f64,
    /// Recall over what was new.
    pub explore: f64,
}

fn mean(values: &[f64]) -> f64 {
    values.iter().sum::<f64>() / values.len() as f64
}

fn gain(rank: usize) -> f64 {
    1.0 / ((rank + 2) as f64).log2()
}

/// NDCG of one user's list cut to `k`; 0 where nothing was bought.
pub fn ndcg(list: &[u32], bought: &[u32], k: usize) -> f64 {
    let bought: HashSet<u32> = bought.iter().copied().collect();
    let hits = (0..list.len().min(k)).filter(|r| bought.contains(&list[*r]));
    hits.map(gain).sum::<f64>() / (0..bought.len()).map(gain).sum::<f64>().max(f64::MIN_POSITIVE)
}

/// The figures of ranked lists cut to `k`: for each user the list, what was bought, and what the
/// history holds.
pub fn figures<'a>(
    users: impl Iterator<Item = (&'a [u32], &'a [u32], &'a HashSet<u32>)>,
    k: usize,
) -> Figures {
    let (mut recall, mut ndcgs, mut phr) = (Vec::new(), Vec::new(), Vec::new());
    let (mut repeat, mut explore) = (Vec::new(), Vec::new());
    for (list, bought_items, seen) in users.filter(|u| !u.1.is_empty()) {
        let bought: HashSet<u32> = bought_items.iter().copied().collect();
        let list = &list[..list.len().min(k)];
        let hits: Vec<usize> = (0..list.len()).filter(|r| bought.contains(&list[*r])).collect();
        recall.push(hits.len() as f64 / bought.len() as f64);
        ndcgs.push(ndcg(list, bought_items, k));
        phr.push(if hits.is_empty() { 0.0 } else { 1.0 });
        let again = bought.iter().filter(|i| seen.contains(i)).count();
        let hit_again = hits.iter().filter(|r| seen.contains(&list[**r])).count();
        if again > 0 {
            repeat.push(hit_again as f64 / again as f64);
        }
        if bought.len() > again {
            explore.push((hits.len() - hit_again) as f64 / (bought.len() - again) as f64);
        }
    }
    Figures {
        recall: mean(&recall),
        ndcg: mean(&ndcgs),
        phr: mean(&phr),
        repeat: mean(&repeat),
        explore: mean(&explore),
    }
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
        let list = [7, 1, 9];
        let got = figures([(list.as_slice(), bought.as_slice(), &seen)].into_iter(), 10);
        let gain = |rank: f64| 1.0 / (rank + 1.0).log2();
        let ideal = gain(1.0) + gain(2.0) + gain(3.0) + gain(4.0);
        assert_eq!((got.recall, got.phr, got.repeat, got.explore), (0.5, 1.0, 0.5, 0.5));
        assert!((got.ndcg - (gain(1.0) + gain(3.0)) / ideal).abs() < 1e-12);
    }

    #[test]
    fn a_list_is_cut_before_it_is_judged() {
        let got = figures([([1, 2].as_slice(), [2].as_slice(), &HashSet::new())].into_iter(), 1);
        assert_eq!((got.recall, got.phr), (0.0, 0.0));
    }

    #[test]
    fn the_best_come_first_and_ties_in_order() {
        let mut scores = vec![0.0; 100];
        (scores[40], scores[7], scores[9]) = (2.0, 1.0, 1.0);
        assert_eq!(best(&scores)[..5], [40, 7, 9, 0, 1]);
        assert_eq!(best(&scores).len(), LIST);
    }
}
