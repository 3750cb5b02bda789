//! The ranker over a batch of queries, there and back:
//!
//! S(u,i) = b_i + Σ_j w_j(h_u, ctx_u, i in history)·term_j(u,i) + z(h_u)·E_i
//!        + 1[i in history]·MLP(e(u,i), h_u, ctx_u, facts_i, terms(u,i), 0.2·S so far, held)
//!
//! h_u is the state of the basket network, e(u,i) that of the rhythm network. The loss is the cross
//! entropy of a softmax over all products, each bought product counting 1 / |basket|.

use super::gru::{self, Cell, CellGradient};
use super::matrix::{add_column_sums, add_product, add_product_turned, add_turned_product};
use super::query::Query;
use super::without::Without;
use crate::recommend::ranker::evidence::{TERMS, WEIGHTS, weights_for};
use crate::recommend::ranker::item_table::ItemTable;
use crate::recommend::ranker::model::{SCORE_SHARE, TERM_SHARE};
use crate::recommend::ranker::sequence::{BASKET_FACTS, PURCHASE_FACTS};
use crate::recommend::ranker::weights::{Part, REPEAT_FACTS, Weights};
use crate::recommend::rnn::activation::{exp, sigmoid};
use rand::Rng;

/// How much a visit's weight falls with each later one, where a mean stands in for the network.
const MEAN_DECAY: f32 = 0.8;

/// A batch on its way through the network.
pub struct Pass<'a> {
    weights: &'a Weights,
    table: &'a ItemTable,
    /// Queries in the order of the rows, longest history first.
    order: Vec<usize>,
    x: Vec<f32>,
    basket: Option<gru::Trace>,
    drop: Vec<f32>,
    /// Basket state after dropping, then context: a row a query.
    member: Vec<f32>,
    /// Where each repeat pair belongs: row and product.
    pairs: Vec<(u32, u32)>,
    pair_x: Vec<f32>,
    rhythm: Option<gru::Trace>,
    rhythm_state: Vec<f32>,
    facts: Vec<f32>,
    drop_first: Vec<f32>,
    first: Vec<f32>,
    first_active: Vec<f32>,
    second: Vec<f32>,
    second_active: Vec<f32>,
    /// Scores of all products: a row a query, in the order of `order`.
    pub scores: Vec<f32>,
    without: Without,
}

fn silu(x: f32) -> f32 {
    x * sigmoid(x)
}

fn silu_slope(x: f32) -> f32 {
    let s = sigmoid(x);
    s * (1.0 + x * (1.0 - s))
}

fn basket_cell(weights: &Weights) -> Cell<'_> {
    Cell {
        input: weights.of(Part::BasketInput),
        state: weights.of(Part::BasketState),
        bias: weights.of(Part::BasketBias),
        state_bias: weights.of(Part::BasketStateBias),
    }
}

fn rhythm_cell(weights: &Weights) -> Cell<'_> {
    Cell {
        input: weights.of(Part::RhythmInput),
        state: weights.of(Part::RhythmState),
        bias: weights.of(Part::RhythmBias),
        state_bias: weights.of(Part::RhythmStateBias),
    }
}

/// Sequences (index, length), longest first, and how many are running at each step.
fn by_length(lengths: impl Iterator<Item = usize>) -> (Vec<usize>, Vec<usize>) {
    let mut order: Vec<(usize, usize)> = lengths.enumerate().collect();
    order.sort_by_key(|e| std::cmp::Reverse(e.1));
    let longest = order.first().map_or(0, |e| e.1);
    let running = (0..longest).map(|step| order.partition_point(|e| e.1 > step)).collect();
    (order.into_iter().map(|e| e.0).collect(), running)
}

/// Step after step the rows of the running sequences.
fn step_major(sequences: &[&[f32]], running: &[usize], width: usize) -> Vec<f32> {
    let rows: usize = running.iter().sum();
    let mut x = Vec::with_capacity(rows * width);
    for (step, count) in running.iter().enumerate() {
        sequences[..*count].iter().for_each(|s| x.extend_from_slice(&s[step * width..(step + 1) * width]));
    }
    x
}

/// Zero with probability `rate`, otherwise what keeps the mean.
fn dropping(count: usize, rate: f32, random: Option<&mut rand_chacha::ChaCha8Rng>) -> Vec<f32> {
    match random {
        Some(random) if rate > 0.0 => {
            let keep = 1.0 / (1.0 - rate);
            (0..count).map(|_| if random.random::<f32>() < rate { 0.0 } else { keep }).collect()
        }
        _ => vec![1.0; count],
    }
}

fn times(values: &mut [f32], by: &[f32]) {
    values.iter_mut().zip(by).for_each(|(v, b)| *v *= b);
}

impl<'a> Pass<'a> {
    /// Scores all products for the queries. Without `random` nothing is dropped. `held` gives the
    /// scores that the repeat network sees, pair by pair, in place of this pass's own.
    pub fn forward(
        weights: &'a Weights,
        table: &'a ItemTable,
        queries: &[&Query],
        without: Without,
        dropout: f32,
        mut random: Option<&mut rand_chacha::ChaCha8Rng>,
        held: Option<&[f32]>,
    ) -> Pass<'a> {
        let shape = weights.shape;
        let batch = queries.len();
        let width = table.columns + BASKET_FACTS;
        let (order, running) = by_length(queries.iter().map(|q| q.reading.baskets.len() / width));
        let rows: Vec<&Query> = order.iter().map(|i| queries[*i]).collect();
        let sequences: Vec<&[f32]> = rows.iter().map(|q| q.reading.baskets.as_slice()).collect();
        let x = step_major(&sequences, &running, width);
        let (state, basket) = if without.basket_rnn {
            (vec![0.0; batch * shape.basket], None)
        } else if without.mean_instead {
            (decayed_means(&sequences, width, table.columns, shape.basket), None)
        } else {
            let (state, trace) = gru::forward(&basket_cell(weights), &x, &running, batch);
            (state, Some(trace))
        };
        let drop = dropping(state.len(), dropout, random.as_deref_mut());
        let mut kept = state;
        times(&mut kept, &drop);
        let mut member = Vec::with_capacity(batch * shape.member());
        for (query, state) in rows.iter().zip(kept.chunks_exact(shape.basket)) {
            member.extend_from_slice(state);
            member.extend_from_slice(&query.reading.context);
        }

        let mut term_weights: Vec<f32> =
            weights.of(Part::EvidenceBias).iter().copied().cycle().take(batch * WEIGHTS).collect();
        add_product(
            &mut term_weights,
            &member,
            weights.of(Part::EvidenceWeights),
            batch,
            shape.member(),
            WEIGHTS,
        );
        without.silence(&mut term_weights);
        let mut direction = vec![0.0; batch * shape.table];
        add_product(&mut direction, &kept, weights.of(Part::TableHead), batch, shape.basket, shape.table);
        let mut scores: Vec<f32> = Vec::with_capacity(batch * shape.items);
        (0..batch).for_each(|_| scores.extend_from_slice(weights.of(Part::ItemBias)));
        add_product_turned(&mut scores, &direction, &table.values, batch, shape.table, shape.items);
        for ((query, scores), w) in
            rows.iter().zip(scores.chunks_exact_mut(shape.items)).zip(term_weights.chunks_exact(WEIGHTS))
        {
            for (item, terms, bought) in query.terms() {
                let w = weights_for(w, bought);
                scores[item as usize] += terms.iter().zip(w).map(|(t, w)| t * w).sum::<f32>();
            }
        }
        let mut pass = Pass {
            weights,
            table,
            order,
            x,
            basket,
            drop,
            member,
            pairs: Vec::new(),
            pair_x: Vec::new(),
            rhythm: None,
            rhythm_state: Vec::new(),
            facts: Vec::new(),
            drop_first: Vec::new(),
            first: Vec::new(),
            first_active: Vec::new(),
            second: Vec::new(),
            second_active: Vec::new(),
            scores,
            without,
        };
        pass.repeats(&rows, dropout, random, held);
        pass
    }

    /// Adds the repeat network's part to the scores.
    fn repeats(
        &mut self,
        rows: &[&Query],
        dropout: f32,
        random: Option<&mut rand_chacha::ChaCha8Rng>,
        held: Option<&[f32]>,
    ) {
        let (weights, shape) = (self.weights, self.weights.shape);
        let mut found = Vec::new();
        for (row, query) in rows.iter().enumerate() {
            let mut at = 0;
            for ((item, count), facts) in query.reading.products.iter().zip(&query.facts) {
                let end = at + *count as usize * PURCHASE_FACTS;
                found.push((row as u32, *item, &query.reading.purchases[at..end], facts, query));
                at = end;
            }
        }
        let (order, running) = by_length(found.iter().map(|f| f.2.len() / PURCHASE_FACTS));
        let sequences: Vec<&[f32]> = order.iter().map(|i| found[*i].2).collect();
        let pairs = order.len();
        self.pairs = order.iter().map(|i| (found[*i].0, found[*i].1)).collect();
        (self.rhythm_state, self.rhythm) = if self.without.rhythm {
            (vec![0.0; pairs * shape.rhythm], None)
        } else {
            self.pair_x = step_major(&sequences, &running, PURCHASE_FACTS);
            let (state, trace) = gru::forward(&rhythm_cell(weights), &self.pair_x, &running, pairs);
            (state, Some(trace))
        };
        for (at, index) in order.iter().enumerate() {
            let (row, item, _, facts, query) = found[*index];
            let own = self.scores[row as usize * shape.items + item as usize];
            self.facts.extend_from_slice(facts);
            let mut terms = query.evidence.of(item).map(|t| TERM_SHARE * t);
            self.without.silence(&mut terms);
            self.facts.extend(terms);
            self.facts.push(SCORE_SHARE * held.map_or(own, |h| h[at]));
        }
        let [first, second] = shape.repeat;
        let batch = rows.len();
        let mut shared: Vec<f32> =
            weights.of(Part::RepeatBias).iter().copied().cycle().take(batch * first).collect();
        add_product(&mut shared, &self.member, weights.of(Part::RepeatMember), batch, shape.member(), first);
        self.first = Vec::with_capacity(pairs * first);
        for (row, _) in &self.pairs {
            self.first.extend_from_slice(&shared[*row as usize * first..][..first]);
        }
        let rhythm = weights.of(Part::RepeatRhythm);
        add_product(&mut self.first, &self.rhythm_state, rhythm, pairs, shape.rhythm, first);
        let facts = weights.of(Part::RepeatFacts);
        add_product(&mut self.first, &self.facts, facts, pairs, REPEAT_FACTS, first);
        self.first_active = self.first.iter().map(|x| silu(*x)).collect();
        self.drop_first = dropping(self.first.len(), dropout, random);
        times(&mut self.first_active, &self.drop_first);
        self.second =
            weights.of(Part::RepeatSecondBias).iter().copied().cycle().take(pairs * second).collect();
        add_product(
            &mut self.second,
            &self.first_active,
            weights.of(Part::RepeatSecond),
            pairs,
            first,
            second,
        );
        self.second_active = self.second.iter().map(|x| silu(*x)).collect();
        let bias = weights.of(Part::RepeatOutBias)[0];
        let out = weights.of(Part::RepeatOut);
        for ((row, item), active) in self.pairs.iter().zip(self.second_active.chunks_exact(second)) {
            let value: f32 = active.iter().zip(out).map(|(a, w)| a * w).sum();
            self.scores[*row as usize * shape.items + *item as usize] += value + bias;
        }
    }

    /// The scores that the repeat network saw, pair by pair.
    pub fn held(&self) -> Vec<f32> {
        self.facts.chunks_exact(REPEAT_FACTS).map(|f| f[REPEAT_FACTS - 1] / SCORE_SHARE).collect()
    }

    /// Which query each row of the scores is about.
    pub fn order(&self) -> &[usize] {
        &self.order
    }

    /// Sum over the queries of weight times cross entropy. The scores become its gradient.
    pub fn loss(&mut self, queries: &[&Query]) -> f64 {
        let mut total = 0.0;
        for (row, scores) in self.scores.chunks_exact_mut(self.weights.shape.items).enumerate() {
            let query = queries[self.order[row]];
            let share = query.weight / query.target.len().max(1) as f32;
            let largest = scores.iter().fold(f32::MIN, |m, s| m.max(*s));
            let wanted: f32 = query.target.iter().map(|i| scores[*i as usize] - largest).sum();
            scores.iter_mut().for_each(|s| *s = exp(*s - largest));
            let sum: f32 = scores.chunks(64).map(|c| c.iter().sum::<f32>()).sum();
            let bought = query.target.len() as f32;
            total += (share * (bought * sum.ln() - wanted)) as f64;
            let scale = query.weight / sum;
            scores.iter_mut().for_each(|s| *s *= scale);
            query.target.iter().for_each(|i| scores[*i as usize] -= share);
        }
        total
    }

    /// Adds the gradient of every part; the scores must have become the loss's gradient.
    pub fn backward(&mut self, queries: &[&Query], gradient: &mut Weights) {
        let (weights, shape, batch) = (self.weights, self.weights.shape, self.order.len());
        let slope = std::mem::take(&mut self.scores);
        add_column_sums(gradient.of_mut(Part::ItemBias), &slope);

        let mut d_direction = vec![0.0; batch * shape.table];
        add_product(&mut d_direction, &slope, &self.table.values, batch, shape.items, shape.table);
        let mut d_terms = vec![0.0; batch * WEIGHTS];
        for (row, d) in d_terms.chunks_exact_mut(WEIGHTS).enumerate() {
            let slope = &slope[row * shape.items..(row + 1) * shape.items];
            let (new, known) = d.split_at_mut(TERMS);
            for (item, terms, bought) in queries[self.order[row]].terms() {
                let s = slope[item as usize];
                let d = if bought { &mut *known } else { &mut *new };
                d.iter_mut().zip(terms).for_each(|(d, t)| *d += s * t);
            }
        }
        self.without.silence(&mut d_terms);
        add_column_sums(gradient.of_mut(Part::EvidenceBias), &d_terms);
        let into = gradient.of_mut(Part::EvidenceWeights);
        add_turned_product(into, &self.member, &d_terms, shape.member(), batch, WEIGHTS);

        let mut d_member = vec![0.0; batch * shape.member()];
        let evidence = weights.of(Part::EvidenceWeights);
        add_product_turned(&mut d_member, &d_terms, evidence, batch, WEIGHTS, shape.member());
        self.repeats_backward(&slope, &mut d_member, gradient);

        let mut kept = Vec::with_capacity(batch * shape.basket);
        let mut d_state = Vec::with_capacity(batch * shape.basket);
        for (member, d) in self.member.chunks_exact(shape.member()).zip(d_member.chunks_exact(shape.member()))
        {
            kept.extend_from_slice(&member[..shape.basket]);
            d_state.extend_from_slice(&d[..shape.basket]);
        }
        let head = gradient.of_mut(Part::TableHead);
        add_turned_product(head, &kept, &d_direction, shape.basket, batch, shape.table);
        let head = weights.of(Part::TableHead);
        add_product_turned(&mut d_state, &d_direction, head, batch, shape.table, shape.basket);
        times(&mut d_state, &self.drop);
        if let Some(trace) = &self.basket {
            let cell = gru::backward(&basket_cell(weights), &self.x, trace, d_state);
            use Part::{BasketBias, BasketInput, BasketState, BasketStateBias};
            add_cell(gradient, [BasketInput, BasketState, BasketBias, BasketStateBias], &cell);
        }
    }

    fn repeats_backward(&self, slope: &[f32], d_member: &mut [f32], gradient: &mut Weights) {
        let (weights, shape, pairs) = (self.weights, self.weights.shape, self.pairs.len());
        let [first, second] = shape.repeat;
        let batch = self.order.len();
        let out = weights.of(Part::RepeatOut);
        let mut d_second = Vec::with_capacity(pairs * second);
        for (at, (row, item)) in self.pairs.iter().enumerate() {
            let d = slope[*row as usize * shape.items + *item as usize];
            gradient.of_mut(Part::RepeatOutBias)[0] += d;
            let active = &self.second_active[at * second..(at + 1) * second];
            gradient.of_mut(Part::RepeatOut).iter_mut().zip(active).for_each(|(g, a)| *g += d * a);
            let before = &self.second[at * second..(at + 1) * second];
            d_second.extend(out.iter().zip(before).map(|(w, x)| d * w * silu_slope(*x)));
        }
        let into = gradient.of_mut(Part::RepeatSecond);
        add_turned_product(into, &self.first_active, &d_second, first, pairs, second);
        add_column_sums(gradient.of_mut(Part::RepeatSecondBias), &d_second);
        let mut d_first = vec![0.0; pairs * first];
        add_product_turned(&mut d_first, &d_second, weights.of(Part::RepeatSecond), pairs, second, first);
        times(&mut d_first, &self.drop_first);
        d_first.iter_mut().zip(&self.first).for_each(|(d, x)| *d *= silu_slope(*x));

        let into = gradient.of_mut(Part::RepeatRhythm);
        add_turned_product(into, &self.rhythm_state, &d_first, shape.rhythm, pairs, first);
        let into = gradient.of_mut(Part::RepeatFacts);
        add_turned_product(into, &self.facts, &d_first, REPEAT_FACTS, pairs, first);
        let mut d_shared = vec![0.0; batch * first];
        for ((row, _), d) in self.pairs.iter().zip(d_first.chunks_exact(first)) {
            let into = &mut d_shared[*row as usize * first..][..first];
            into.iter_mut().zip(d).for_each(|(s, d)| *s += d);
        }
        add_column_sums(gradient.of_mut(Part::RepeatBias), &d_shared);
        let into = gradient.of_mut(Part::RepeatMember);
        add_turned_product(into, &self.member, &d_shared, shape.member(), batch, first);
        let member = weights.of(Part::RepeatMember);
        add_product_turned(d_member, &d_shared, member, batch, first, shape.member());
        if let Some(trace) = &self.rhythm {
            let mut d_state = vec![0.0; pairs * shape.rhythm];
            let rhythm = weights.of(Part::RepeatRhythm);
            add_product_turned(&mut d_state, &d_first, rhythm, pairs, first, shape.rhythm);
            let cell = gru::backward(&rhythm_cell(weights), &self.pair_x, trace, d_state);
            use Part::{RhythmBias, RhythmInput, RhythmState, RhythmStateBias};
            add_cell(gradient, [RhythmInput, RhythmState, RhythmBias, RhythmStateBias], &cell);
        }
    }
}

fn add_cell(gradient: &mut Weights, parts: [Part; 4], cell: &CellGradient) {
    for (part, values) in parts.into_iter().zip([&cell.input, &cell.state, &cell.bias, &cell.state_bias]) {
        gradient.of_mut(part).iter_mut().zip(values).for_each(|(g, v)| *g += v);
    }
}

/// The ablation's stand-in for the basket network: means of the same vectors, later visits counting
/// more, padded with zeros or cut to `size`.
fn decayed_means(sequences: &[&[f32]], width: usize, columns: usize, size: usize) -> Vec<f32> {
    let mut out = vec![0.0; sequences.len() * size];
    for (mean, sequence) in out.chunks_exact_mut(size).zip(sequences) {
        let mut total = 1e-9;
        for x in sequence.chunks_exact(width) {
            mean.iter_mut().for_each(|m| *m *= MEAN_DECAY);
            mean.iter_mut().zip(&x[..columns]).for_each(|(m, x)| *m += x);
            total = total * MEAN_DECAY + 1.0;
        }
        mean.iter_mut().for_each(|m| *m /= total);
    }
    out
}
