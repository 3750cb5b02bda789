//! Whether a new model may take the place of the one in use.
//!
//! The protocol: every model leaves the store's last days unlearned ([`super::split`]) and goes to
//! work as it was judged; it is not trained again with them. So no model that ever was live has
//! learned from the days by which a later one is judged, both are asked about the very same
//! baskets, and one training a night is enough. What the last days cost is small: weights learned a
//! few days ago say how to weigh evidence, and the evidence itself, the members' states and what is
//! popular are always those of now.
//!
//! Each member who came back counts once, with NDCG of the list of ten for the first basket since, given
//! everything before these days. The new model is refused if it is worse than the one in use beyond
//! noise (the 90% interval of the mean difference, member by member, lies below zero), or if, noise or
//! not, its mean is worse by more than 5%. Without a model in use the comparison is with what the shop
//! does then: fixed weights of the evidence. Popularity, own frequency, UP-CF and TIFUKNN stand in
//! the same table.

use super::judge::{self, Row};
use super::peers;
use super::protocol::Fold;
use crate::recommend::ranker::model::Learned;
use crate::recommend::rnn::linear::Precision;

/// Standard deviations of a mean between which 90% of its noise lies.
const NINETY: f64 = 1.645;
/// The most that a mean may be worse whatever the noise, relative.
const MOST_WORSE: f64 = 0.05;

/// What the comparison gave.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Verdict {
    /// Mean of new minus old, NDCG@10.
    pub difference: f64,
    /// Half the width of its 90% interval.
    pub within: f64,
    /// Whether the new one may go live.
    pub passed: bool,
}

/// Judges models, given by a name and for the fold's products, and the published methods beside them.
pub fn judge(fold: &Fold, models: &[(&str, &Learned)]) -> Vec<Row> {
    // Neighbours are sought among all members; what they bought in the last days is in no history.
    let everybody = (0..fold.corpus.histories.len() as u32).collect();
    let ranked = peers::ranked(&Fold { train: everybody, ..fold.clone() });
    let ours: Vec<(&str, &Learned, Precision)> =
        models.iter().map(|(name, learned)| (*name, *learned, Precision::fastest())).collect();
    let lists = judge::lists(fold, &fold.test, &ours);
    let named = models.iter().map(|m| m.0).zip(lists);
    let seen = judge::seen(fold);
    let row = |(name, lists): (&str, Vec<Vec<u32>>)| judge::row(fold, &seen, &fold.test, name, &lists);
    ranked.into_iter().chain(named).map(row).collect()
}

/// Compares a new model with the one in use by NDCG@10, member by member.
pub fn compare(new: &Row, old: &Row) -> Verdict {
    let ndcg = |row: &Row| -> Vec<f64> { row.at_ten().iter().map(|member| member.ndcg).collect() };
    verdict(&ndcg(new), &ndcg(old))
}

fn verdict(new: &[f64], old: &[f64]) -> Verdict {
    let differences: Vec<f64> = new.iter().zip(old).map(|(n, o)| n - o).collect();
    let (difference, within) = mean_within(&differences);
    let worse_beyond_noise = difference + within < 0.0;
    let much_worse = difference < -MOST_WORSE * mean_within(old).0;
    Verdict { difference, within, passed: !worse_beyond_noise && !much_worse }
}

/// The mean, and half the width of its 90% interval; infinite for fewer than two values.
fn mean_within(values: &[f64]) -> (f64, f64) {
    let n = values.len() as f64;
    let mean = values.iter().sum::<f64>() / n.max(1.0);
    if values.len() < 2 {
        return (mean, f64::INFINITY);
    }
    let variance = values.iter().map(|v| (v - mean).powi(2)).sum::<f64>() / (n - 1.0);
    (mean, NINETY * (variance / n).sqrt())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::recommend::UNTRAINED;
    use crate::recommend::ranker::corpus::{Basket, Corpus};

    #[test]
    fn a_model_is_refused_when_it_is_worse_beyond_noise_or_by_much() {
        let old: Vec<f64> = (0..100).map(|n| f64::from(n % 10) / 10.0).collect();
        let moved = |by: &dyn Fn(usize) -> f64| -> Vec<f64> {
            old.iter().enumerate().map(|(n, o)| o + by(n)).collect()
        };
        let noise = |n: usize| if n.is_multiple_of(2) { 0.3 } else { -0.3 };
        assert!(verdict(&old, &old).passed);
        assert!(verdict(&moved(&|n| noise(n) + 0.1), &old).passed);
        assert!(verdict(&moved(&|n| noise(n) - 0.01), &old).passed, "within noise");
        assert!(!verdict(&moved(&|_| -0.01), &old).passed, "little, but beyond noise");
        assert!(!verdict(&moved(&|n| noise(n) - 0.03), &old).passed, "by much, whatever the noise");
    }

    /// Members who buy three things each time, judged by lists of a model that trusts their habits and
    /// of one that has learned to go against them.
    #[test]
    fn a_model_that_has_learned_the_wrong_thing_is_refused() {
        let basket = |member: u32, at: u32| Basket {
            items: [0, 1, 2].map(|n| (member * 3 + n * (1 + at % 2)) % 60).to_vec(),
            day: Some(at as f32 * 7.0),
        };
        let history = |member| (0..6).map(|at| basket(member, at)).collect();
        let histories: Vec<Vec<Basket>> = (0..40).map(history).collect();
        let fold = Fold {
            corpus: Corpus { items: 60, histories, ..Corpus::default() },
            future: (0..40).map(|member| basket(member, 6)).collect(),
            train: (0..40).collect(),
            test: (0..40).collect(),
            validation: Vec::new(),
        };
        let good = Learned::untrained(60, UNTRAINED);
        let wrong = Learned::untrained(60, UNTRAINED.map(|weight| -weight));
        let judged = judge(&fold, &[("good", &good), ("wrong", &wrong)]);
        let [.., good, wrong] = &judged[..] else { panic!("two models were judged") };
        assert!(good.ten.ndcg > wrong.ten.ndcg + 0.2, "{} {}", good.ten.ndcg, wrong.ten.ndcg);
        assert!(!compare(wrong, good).passed);
        assert!(compare(good, wrong).passed);
    }
}
