//! From receipts to a model: evidence and item table, queries, then one network after the other,
//! epoch by epoch. Between epochs training can stop and later go on from one file; the model is the
//! same, bit by bit, as if it had never stopped, and however many cores there are.

use super::Dataset;
use super::checkpoint::Checkpoint;
use super::network::Pass;
use super::optimiser::Optimiser;
use super::query::Query;
use super::recipe::Recipe;
use super::without::Without;
use crate::recommend::ranker::corpus::{Visit, counts};
use crate::recommend::ranker::evidence::{Evidence, TERMS};
use crate::recommend::ranker::item_table::ItemTable;
use crate::recommend::ranker::model::Learned;
use crate::recommend::ranker::weights::{Part, Shape, Weights};
use rand::seq::SliceRandom;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use std::ops::ControlFlow;

/// Each batch is worked on in this many parts at once. Fixed, so that the sum of their gradients
/// does not depend on the machine.
const PARTS: usize = 2;
/// Products with their terms that are kept for training, all queries together: two bytes a term, 1.1 GB. In
/// a store that has more, the members to learn from are a fair sample.
const MOST_TERMS: usize = 1_120_000_000 / (2 * TERMS);

/// How far training is.
pub struct Progress<'a> {
    /// The network being trained, from 0.
    pub network: usize,
    /// How many there will be.
    pub networks: usize,
    /// Epochs done with this network.
    pub epoch: usize,
    /// Epochs there will be for each.
    pub epochs: usize,
    /// Mean cross entropy over the last epoch, in nats, with dropout.
    pub loss: f64,
    /// What to keep in order to go on from here.
    pub checkpoint: &'a Checkpoint,
}

/// Trains a model. `progress` is told after each epoch and may stop the training: then there is
/// no model, and the last checkpoint is where to resume. A checkpoint of other receipts, another
/// recipe or another seed is not resumed from.
pub fn fit(
    dataset: &Dataset,
    recipe: &Recipe,
    seed: u64,
    without: Without,
    resume: Option<Checkpoint>,
    progress: &mut dyn FnMut(&Progress<'_>) -> ControlFlow<()>,
) -> Option<Learned> {
    let table = ItemTable::new(&dataset.corpus, recipe.table, seed);
    let evidence = Evidence::new(&dataset.known());
    let queries = queries(dataset, &evidence, &table, recipe, seed);
    drop(evidence);
    let start = |number: usize| {
        let weights = begin(dataset, recipe, &mut random(seed, number, 0));
        let steps = queries.len().div_ceil(recipe.batch) * recipe.epochs;
        (Optimiser::new(&weights, recipe.rates, steps), weights)
    };
    let identity = identity(dataset, recipe, seed, without);
    let mut at = resume.filter(|c| c.identity == identity).unwrap_or_else(|| {
        let (optimiser, weights) = start(0);
        Checkpoint { identity, done: Vec::new(), epoch: 0, weights, optimiser }
    });
    while at.done.len() < recipe.seeds {
        if at.epoch == recipe.epochs {
            at.done.push(at.optimiser.averaged(&at.weights));
            at.epoch = 0;
            (at.optimiser, at.weights) = start(at.done.len());
            continue;
        }
        let mut random = random(seed, at.done.len(), at.epoch as u64 + 1);
        let loss = epoch(&queries, &table, recipe, without, &mut at, &mut random);
        at.epoch += 1;
        let told = progress(&Progress {
            network: at.done.len(),
            networks: recipe.seeds,
            epoch: at.epoch,
            epochs: recipe.epochs,
            loss,
            checkpoint: &at,
        });
        if told.is_break() {
            return None;
        }
    }
    let mut networks = at.done;
    networks.extend((0..recipe.keep_start).map(|_| start(0).1));
    let mut emphasis = recipe.emphasis;
    without.silence(&mut emphasis);
    Some(Learned { table, networks, emphasis })
}

/// Random numbers of a network's epoch; of epoch 0, for its beginning.
fn random(seed: u64, network: usize, epoch: u64) -> ChaCha8Rng {
    let mut random = ChaCha8Rng::seed_from_u64(seed);
    random.set_stream((network as u64) << 32 | epoch);
    random
}

/// What a checkpoint must agree with.
fn identity(dataset: &Dataset, recipe: &Recipe, seed: u64, without: Without) -> String {
    let mut hash = blake3::Hasher::new();
    hash.update(format!("{recipe:?} {seed} {without:?} {}", dataset.corpus.items).as_bytes());
    let targets = dataset.targets.iter().map(|(member, basket)| (*member, basket));
    let histories = (0u32..).zip(&dataset.corpus.histories).flat_map(|(m, h)| h.iter().map(move |b| (m, b)));
    for (member, basket) in histories.chain(targets) {
        hash.update(&member.to_le_bytes());
        hash.update(&(basket.items.len() as u32).to_le_bytes());
        hash.update(&basket.day.unwrap_or(f32::NAN).to_le_bytes());
        basket.items.iter().for_each(|i| {
            hash.update(&i.to_le_bytes());
        });
    }
    hash.finalize().to_hex().to_string()
}

/// Queries ready for training: for each member with a target that one and the earlier visits that
/// the recipe asks for.
fn queries(
    dataset: &Dataset,
    evidence: &Evidence,
    table: &ItemTable,
    recipe: &Recipe,
    seed: u64,
) -> Vec<Query> {
    let mut order: Vec<usize> = (0..dataset.targets.len()).collect();
    order.shuffle(&mut ChaCha8Rng::seed_from_u64(seed));
    let read = |members: &[usize]| {
        let mut scratch = evidence.scratch();
        let (mut out, mut terms) = (Vec::new(), 0);
        for (member, target) in members.iter().map(|at| &dataset.targets[*at]) {
            if terms > MOST_TERMS / PARTS {
                break;
            }
            let baskets = &dataset.corpus.histories[*member as usize];
            let earlier = (1..baskets.len()).rev().take(recipe.prefixes);
            let earlier = earlier.map(|end| (&baskets[..end], &baskets[end], recipe.prefix_weight));
            for (baskets, target, weight) in std::iter::once((&baskets[..], target, 1.0)).chain(earlier) {
                let visit = Visit { member: Some(*member), baskets, day: target.day };
                let query = Query::new(evidence, table, &visit, Some(target), weight, &mut scratch);
                terms += query.evidence.items.len();
                out.push(query);
            }
        }
        out
    };
    let part = order.len().div_ceil(PARTS).max(1);
    in_parallel(order.chunks(part), read).into_iter().flatten().collect()
}

/// Runs the same on several things at once; results in order.
fn in_parallel<T: Send, R: Send>(over: impl Iterator<Item = T>, run: impl Fn(T) -> R + Sync) -> Vec<R> {
    std::thread::scope(|scope| {
        let run = &run;
        let running: Vec<_> = over.map(|part| scope.spawn(move || run(part))).collect();
        running
            .into_iter()
            .map(|r| r.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)))
            .collect()
    })
}

/// Every query once. Gives the mean loss.
fn epoch(
    queries: &[Query],
    table: &ItemTable,
    recipe: &Recipe,
    without: Without,
    at: &mut Checkpoint,
    random: &mut ChaCha8Rng,
) -> f64 {
    let mut order: Vec<usize> = (0..queries.len()).collect();
    order.shuffle(random);
    let mut gradients: Vec<Weights> = (0..PARTS).map(|_| Weights::zeros(at.weights.shape)).collect();
    let mut total = 0.0;
    for batch in order.chunks(recipe.batch) {
        let batch: Vec<&Query> = batch.iter().map(|i| &queries[*i]).collect();
        total += gradient(&batch, &at.weights, table, recipe.dropout, without, &mut gradients, random);
        at.optimiser.step(&mut at.weights, &mut gradients[0]);
    }
    total / queries.len().max(1) as f64
}

/// The gradient of the batch's mean loss, in the first of `gradients`; gives the sum of the losses.
fn gradient(
    batch: &[&Query],
    weights: &Weights,
    table: &ItemTable,
    dropout: f32,
    without: Without,
    gradients: &mut [Weights],
    random: &mut ChaCha8Rng,
) -> f64 {
    let share = 1.0 / batch.len() as f32;
    let size = batch.len().div_ceil(PARTS);
    let parts = batch
        .chunks(size)
        .zip(&mut *gradients)
        .map(|(part, gradient)| (part, gradient, ChaCha8Rng::seed_from_u64(random.random())));
    let parts: Vec<_> = parts.collect();
    let used = parts.len();
    let losses = in_parallel(parts.into_iter(), |(part, gradient, mut random)| {
        gradient.values.fill(0.0);
        let mut pass = Pass::forward(weights, table, part, without, dropout, Some(&mut random), None);
        let loss = pass.loss(part);
        pass.scores.iter_mut().for_each(|s| *s *= share);
        pass.backward(part, gradient);
        loss
    });
    let (first, others) = gradients.split_at_mut(1);
    for other in &others[..used - 1] {
        first[0].values.iter_mut().zip(&other.values).for_each(|(a, b)| *a += b);
    }
    losses.iter().sum()
}

/// Training step by step, so that a step can be measured.
pub struct Trial {
    /// What there is to learn from, in batches of the recipe's size one after the other.
    pub queries: Vec<Query>,
    /// What products are like.
    pub table: ItemTable,
    /// Where the weights stand.
    pub weights: Weights,
    recipe: Recipe,
    optimiser: Optimiser,
    gradients: Vec<Weights>,
    random: ChaCha8Rng,
}

impl Trial {
    /// Before the first of `steps` steps.
    pub fn new(dataset: &Dataset, recipe: &Recipe, seed: u64, steps: usize) -> Trial {
        let table = ItemTable::new(&dataset.corpus, recipe.table, seed);
        let evidence = Evidence::new(&dataset.known());
        let queries = queries(dataset, &evidence, &table, recipe, seed);
        let weights = begin(dataset, recipe, &mut random(seed, 0, 0));
        let optimiser = Optimiser::new(&weights, recipe.rates, steps);
        let gradients = (0..PARTS).map(|_| Weights::zeros(weights.shape)).collect();
        let random = random(seed, 0, 1);
        Trial { queries, table, weights, recipe: recipe.clone(), optimiser, gradients, random }
    }

    /// How many batches there are.
    pub fn batches(&self) -> usize {
        self.queries.len().div_ceil(self.recipe.batch)
    }

    /// One step on batch number `batch`; gives its mean loss.
    pub fn step(&mut self, batch: usize) -> f64 {
        let from = batch * self.recipe.batch;
        let to = (from + self.recipe.batch).min(self.queries.len());
        let queries: Vec<&Query> = self.queries[from..to].iter().collect();
        let (weights, dropout) = (&self.weights, self.recipe.dropout);
        let (gradients, random) = (&mut self.gradients, &mut self.random);
        let loss = gradient(&queries, weights, &self.table, dropout, Without::default(), gradients, random);
        self.optimiser.step(&mut self.weights, &mut self.gradients[0]);
        loss / queries.len().max(1) as f64
    }
}

/// Weights before the first step: the recurrent and hidden layers random, every layer that ends in
/// the score zero, so that the model begins as the recipe's evidence says.
fn begin(dataset: &Dataset, recipe: &Recipe, random: &mut ChaCha8Rng) -> Weights {
    let shape = Shape {
        items: dataset.corpus.items,
        table: recipe.table,
        basket: recipe.basket,
        rhythm: recipe.rhythm,
        repeat: recipe.repeat,
    };
    let mut weights = Weights::zeros(shape);
    for part in Part::ALL {
        let inputs = match part {
            Part::RepeatRhythm | Part::RepeatFacts | Part::RepeatMember => shape.member() + shape.rhythm + 4,
            Part::RepeatSecond => shape.repeat[0],
            Part::RhythmInput | Part::RhythmState | Part::RhythmBias | Part::RhythmStateBias => shape.rhythm,
            part if part.recurrent() => shape.basket,
            _ => continue,
        };
        let bound = 1.0 / (inputs as f32).sqrt();
        weights.of_mut(part).iter_mut().for_each(|w| *w = (random.random::<f32>() * 2.0 - 1.0) * bound);
    }
    weights.of_mut(Part::EvidenceBias).copy_from_slice(&recipe.evidence);
    weights.of_mut(Part::RepeatOutBias)[0] = recipe.bought;
    let (mut next, mut ever) = (vec![0.5f32; shape.items], vec![1.0f32; shape.items]);
    dataset.targets.iter().flat_map(|t| &t.1.items).for_each(|i| next[*i as usize] += 1.0);
    let bought = dataset.corpus.histories.iter().flat_map(|h| counts(h));
    bought.for_each(|(item, _)| ever[item as usize] += 1.0);
    let bias = weights.of_mut(Part::ItemBias).iter_mut().zip(next.iter().zip(&ever));
    bias.for_each(|(b, (next, ever))| {
        *b = recipe.popularity[0] * next.ln() + recipe.popularity[1] * ever.ln()
    });
    weights
}
