//! The hand-written gradients against finite differences, for every part, and the serving model
//! against the network that was trained.

use super::Dataset;
use super::network::Pass;
use super::query::Query;
use super::without::Without;
use crate::recommend::ranker::corpus::{Basket, Corpus, Visit};
use crate::recommend::ranker::evidence::{Evidence, TERMS};
use crate::recommend::ranker::item_table::ItemTable;
use crate::recommend::ranker::model::{Learned, Model};
use crate::recommend::ranker::state::MemberState;
use crate::recommend::ranker::weights::{Part, Shape, Weights};
use crate::recommend::rnn::linear::Precision;

/// A store of a dozen members and nine products, with days, repeats and gaps.
pub fn small_store() -> Dataset {
    let item =
        |member: u32, visit: u32, place: u32| (member * 5 + visit * visit * 3 + place * 7 + visit / 2) % 9;
    let history = |member: u32| -> Vec<Basket> {
        let visits = 2 + member % 4;
        let basket = |visit: u32| {
            let mut items: Vec<u32> = (0..1 + (member + visit) % 3).map(|p| item(member, visit, p)).collect();
            items.sort_unstable();
            items.dedup();
            Basket { items, day: Some((visit * (3 + member)) as f32) }
        };
        (0..visits).map(basket).collect()
    };
    let histories: Vec<Vec<Basket>> = (0..12).map(history).collect();
    let target = |m: u32| Basket { items: vec![m % 9, (m * 2 + 1) % 9], day: Some(40.0) };
    let targets = (0..10).map(|m| (m, target(m))).filter(|t| t.1.items[0] != t.1.items[1]).collect();
    Dataset { corpus: Corpus { items: 9, histories, ..Corpus::default() }, targets }
}

struct Bench {
    dataset: Dataset,
    evidence: Evidence,
    table: ItemTable,
    weights: Weights,
}

fn bench() -> Bench {
    let dataset = small_store();
    let evidence = Evidence::new(&dataset.known());
    let table = ItemTable::new(&dataset.corpus, 3, 1);
    let shape = Shape { items: 9, table: 3, basket: 4, rhythm: 3, repeat: [5, 4] };
    let mut weights = Weights::zeros(shape);
    weights.values.iter_mut().enumerate().for_each(|(i, w)| *w = (i as f32 * 0.71).sin() * 0.4);
    Bench { dataset, evidence, table, weights }
}

fn queries(bench: &Bench) -> Vec<Query> {
    let mut scratch = bench.evidence.scratch();
    let query = |(member, target): &(u32, Basket)| {
        let baskets = &bench.dataset.corpus.histories[*member as usize];
        let visit = Visit { member: Some(*member), baskets, day: target.day };
        Query::new(&bench.evidence, &bench.table, &visit, Some(target), 0.5, &mut scratch)
    };
    bench.dataset.targets.iter().map(query).collect()
}

fn loss(weights: &Weights, table: &ItemTable, queries: &[&Query], without: Without, held: &[f32]) -> f64 {
    Pass::forward(weights, table, queries, without, 0.0, None, Some(held)).loss(queries)
}

#[test]
fn gradients_agree_with_finite_differences_in_every_part() {
    let bench = bench();
    let all = queries(&bench);
    let batch: Vec<&Query> = all.iter().collect();
    for without in [Without::default(), Without { mean_instead: true, ..Without::default() }] {
        let mut gradient = Weights::zeros(bench.weights.shape);
        let mut pass = Pass::forward(&bench.weights, &bench.table, &batch, without, 0.0, None, None);
        // The repeat network's view of the score is held still, as its gradient is.
        let held = pass.held();
        pass.loss(&batch);
        pass.backward(&batch, &mut gradient);
        for part in Part::ALL {
            let range = bench.weights.range(part);
            let slope = gradient.of(part);
            let length = slope.iter().map(|g| g * g).sum::<f32>().sqrt();
            if without.mean_instead && part.name().starts_with("basket") {
                assert_eq!(length, 0.0, "{part:?} has no part in the score");
                continue;
            }
            assert!(length > 1e-4, "{part:?} has no gradient");
            // Along the gradient itself, and along two other directions.
            for turn in 0..3 {
                let direction: Vec<f32> = match turn {
                    0 => slope.iter().map(|g| g / length).collect(),
                    _ => (0..slope.len()).map(|i| ((i * 13 + turn * 5) as f32).cos()).collect(),
                };
                // Of length 1, so that a step is short enough for the loss to be nearly straight.
                let far = direction.iter().map(|d| d * d).sum::<f32>().sqrt();
                let direction: Vec<f32> = direction.iter().map(|d| d / far).collect();
                let moved = |by: f32| {
                    let mut weights = bench.weights.clone();
                    let values = &mut weights.values[range.clone()];
                    values.iter_mut().zip(&direction).for_each(|(w, d)| *w += by * d);
                    loss(&weights, &bench.table, &batch, without, &held)
                };
                let step = 4e-3;
                let measured = (moved(step) - moved(-step)) / (2.0 * f64::from(step));
                let computed: f64 = slope.iter().zip(&direction).map(|(g, d)| f64::from(g * d)).sum();
                let allowed = 2e-3 * f64::from(length) + 1.5e-3;
                assert!((measured - computed).abs() < allowed, "{part:?} {turn}: {measured} {computed}");
            }
        }
    }
}

#[test]
fn the_served_scores_are_those_that_were_trained() {
    let bench = bench();
    let all = queries(&bench);
    let batch: Vec<&Query> = all.iter().collect();
    let pass = Pass::forward(&bench.weights, &bench.table, &batch, Without::default(), 0.0, None, None);
    let learned = Learned {
        table: bench.table.clone(),
        networks: vec![bench.weights.clone(); 2],
        emphasis: [0.0; TERMS],
    };
    let model = Model::new(&learned, Precision::Float);
    let mut scratch = bench.evidence.scratch();
    for (row, query) in pass.order().iter().enumerate() {
        let (member, target) = &bench.dataset.targets[*query];
        let baskets = &bench.dataset.corpus.histories[*member as usize];
        let visit = Visit { member: Some(*member), baskets, day: target.day };
        let terms = bench.evidence.of(&visit, &mut scratch);
        let facts = |item| bench.evidence.facts.about(item, &scratch.facts);
        let scores = model.score(&MemberState::after(&model, baskets), target.day, &terms, facts);
        for (item, trained) in pass.scores[row * 9..(row + 1) * 9].iter().enumerate() {
            let served = scores.total[item];
            // Terms are kept in steps of 1/4096 for training.
            assert!((served - trained).abs() < 2e-3, "member {member} item {item}: {served} {trained}");
            let named = model.contribution(&scores, &terms, item as u32).total();
            assert!((named - served).abs() < 1e-4, "{named} {served}");
        }
    }
}
