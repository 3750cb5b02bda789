//! The whole answer for one member: evidence, the networks' states as of now, and the scores of all
//! products; and what one more receipt costs. In made-up stores, so that history, members and
//! products can each grow tenfold alone.

use super::median;
use crate::recommend::ranker::corpus::{Basket, Corpus, Visit};
use crate::recommend::ranker::evidence::Evidence;
use crate::recommend::ranker::item_table::ItemTable;
use crate::recommend::ranker::model::{Learned, Model};
use crate::recommend::ranker::state::MemberState;
use crate::recommend::ranker::weights::{Shape, Weights};
use crate::recommend::rnn::linear::Precision;
use crate::train::recipe::Recipe;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use serde::Serialize;
use std::hint::black_box;
use std::time::Instant;

/// Receipts of every other member.
const USUAL: usize = 12;
/// Products a receipt.
const SIZE: usize = 6;

/// A store, and the member that is asked about.
#[derive(Debug, Clone, Copy, Serialize)]
pub struct Store {
    /// Members.
    pub members: usize,
    /// Products.
    pub products: usize,
    /// Receipts of the member asked about.
    pub receipts: usize,
}

/// Times in milliseconds.
#[derive(Debug, Serialize)]
pub struct Answer {
    /// Of what.
    pub store: Store,
    /// Different products that the member bought.
    pub bought: usize,
    /// Middle of all answers.
    pub p50_ms: f64,
    /// Only one of a hundred took longer.
    pub p99_ms: f64,
    /// The evidence's part, middle.
    pub evidence_ms: f64,
    /// States as of now and scores, middle.
    pub score_ms: f64,
    /// One more receipt taken into the member's states, middle.
    pub receipt_ms: f64,
    /// All members' receipts taken into the evidence, once.
    pub index_s: f64,
}

/// A product; the first are bought far more often than the last.
fn product(random: &mut ChaCha8Rng, products: usize) -> u32 {
    (random.random::<f32>().powi(3) * products as f32) as u32 % products as u32
}

fn baskets(random: &mut ChaCha8Rng, products: usize, receipts: usize) -> Vec<Basket> {
    // A third of a member's purchases are favourites.
    let favourites: Vec<u32> = (0..30).map(|_| product(random, products)).collect();
    let basket = |at: usize| {
        let mut items: Vec<u32> = (0..SIZE)
            .map(|_| match random.random_range(0..3) {
                0 => favourites[random.random_range(0..favourites.len())],
                _ => product(random, products),
            })
            .collect();
        items.sort_unstable();
        items.dedup();
        Basket { items, day: Some(at as f32 * 2.0) }
    };
    (0..receipts).map(basket).collect()
}

fn model(store: Store, random: &mut ChaCha8Rng) -> Model {
    let recipe = Recipe::for_members(store.members);
    let shape = Shape {
        items: store.products,
        table: recipe.table,
        basket: recipe.basket,
        rhythm: recipe.rhythm,
        repeat: recipe.repeat,
    };
    let mut number = || random.random::<f32>() * 0.4 - 0.2;
    let network = |_| {
        let mut weights = Weights::zeros(shape);
        weights.values.iter_mut().for_each(|w| *w = number());
        weights
    };
    let networks: Vec<Weights> = (0..recipe.seeds + usize::from(recipe.keep_start)).map(network).collect();
    let values = (0..store.products * recipe.table).map(|_| number()).collect();
    Model::new(
        &Learned { table: ItemTable { columns: recipe.table, values }, networks },
        Precision::fastest(),
    )
}

/// Asks so many times.
pub fn measure(store: Store, times: usize) -> Answer {
    let mut random = ChaCha8Rng::seed_from_u64(1);
    let mut histories = vec![baskets(&mut random, store.products, store.receipts)];
    histories.extend((1..store.members).map(|_| baskets(&mut random, store.products, USUAL)));
    let corpus = Corpus { items: store.products, histories };
    let begin = Instant::now();
    let evidence = Evidence::new(&corpus);
    let index_s = begin.elapsed().as_secs_f64();
    let model = model(store, &mut random);
    let ms = |begin: Instant| begin.elapsed().as_secs_f64() * 1e3;

    let own = &corpus.histories[0];
    let mut state = MemberState::new(&model);
    let advance = |basket| {
        let begin = Instant::now();
        state.advance(&model, basket);
        ms(begin)
    };
    let receipts: Vec<f64> = own.iter().map(advance).collect();
    let now = Some(store.receipts as f32 * 2.0 + 1.0);
    let visit = Visit { member: Some(0), baskets: own, day: now };
    let mut scratch = evidence.scratch();
    let (mut whole, mut gathering, mut scoring) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..=times.max(1) {
        let begin = Instant::now();
        let terms = evidence.of(&visit, &mut scratch);
        let gathered = ms(begin);
        let scores = model.score(&state, now, &terms, |item| evidence.facts.about(item, &scratch.facts));
        black_box(&scores.total);
        let all = ms(begin);
        whole.push(all);
        gathering.push(gathered);
        scoring.push(all - gathered);
    }
    // The first one warmed up.
    let mut sorted = whole.split_off(1);
    sorted.sort_by(f64::total_cmp);
    let mut bought: Vec<u32> = own.iter().flat_map(|b| b.items.iter().copied()).collect();
    bought.sort_unstable();
    bought.dedup();
    Answer {
        store,
        bought: bought.len(),
        p50_ms: median(&sorted),
        p99_ms: sorted[(sorted.len() * 99 / 100).min(sorted.len() - 1)],
        evidence_ms: median(&gathering[1..]),
        score_ms: median(&scoring[1..]),
        receipt_ms: median(&receipts),
        index_s,
    }
}
