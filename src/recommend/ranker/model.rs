//! The trained model as it serves: scores of all products for one member at one moment, as a sum
//! whose addends can be named. Several networks trained from different seeds speak with one voice:
//! their mean.

use super::evidence::{TERMS, Terms};
use super::facts::ITEM_FACTS;
use super::item_table::ItemTable;
use super::state::MemberState;
use super::weights::{Part, Weights};
use crate::recommend::rnn::activation::sigmoid;
use crate::recommend::rnn::cell::Cell;
use crate::recommend::rnn::linear::{Linear, Precision};
use std::collections::BTreeMap;

/// How much of the score so far the repeat network sees.
pub const SCORE_SHARE: f32 = 0.2;

/// What was learned.
#[derive(Debug, Clone, PartialEq)]
pub struct Learned {
    /// What products are like.
    pub table: ItemTable,
    /// Weights of each network.
    pub networks: Vec<Weights>,
}

/// What was learned, laid out for serving.
pub struct Model {
    pub(super) table: ItemTable,
    scan: Linear,
    bias: Vec<f32>,
    pub(super) networks: Vec<Network>,
}

pub(super) struct Network {
    pub(super) basket: Cell,
    pub(super) rhythm: Cell,
    evidence: Linear,
    evidence_bias: Vec<f32>,
    head: Linear,
    repeat_rhythm: Linear,
    repeat_facts: Linear,
    repeat_member: Linear,
    repeat_bias: Vec<f32>,
    second: Linear,
    second_bias: Vec<f32>,
    out: Vec<f32>,
    out_bias: f32,
}

/// What a product's score is made of.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Contribution {
    /// What it has going for it, whoever asks.
    pub bias: f32,
    /// What each kind of evidence adds, in the order of [`super::evidence::NAMES`].
    pub evidence: [f32; TERMS],
    /// What the basket network's direction in the item table adds.
    pub taste: f32,
    /// What the rhythm of its purchases adds.
    pub rhythm: f32,
}

impl Contribution {
    /// The score.
    pub fn total(&self) -> f32 {
        self.bias + self.evidence.iter().sum::<f32>() + self.taste + self.rhythm
    }
}

/// Scores of all products for one member at one moment.
#[derive(Debug, Clone, Default)]
pub struct Scores {
    /// One a product.
    pub total: Vec<f32>,
    taste: Vec<f32>,
    weights: [f32; TERMS],
    rhythm: BTreeMap<u32, f32>,
}

fn network(w: &Weights, precision: Precision) -> Network {
    let shape = w.shape;
    let turned = |part, columns| Linear::turned(w.of(part), columns, precision);
    Network {
        basket: Cell::new(
            w.of(Part::BasketInput),
            w.of(Part::BasketState),
            w.of(Part::BasketBias),
            w.of(Part::BasketStateBias),
            precision,
        ),
        rhythm: Cell::new(
            w.of(Part::RhythmInput),
            w.of(Part::RhythmState),
            w.of(Part::RhythmBias),
            w.of(Part::RhythmStateBias),
            precision,
        ),
        evidence: turned(Part::EvidenceWeights, shape.member()),
        evidence_bias: w.of(Part::EvidenceBias).to_vec(),
        head: turned(Part::TableHead, shape.basket),
        repeat_rhythm: turned(Part::RepeatRhythm, shape.rhythm),
        repeat_facts: turned(Part::RepeatFacts, ITEM_FACTS + 1),
        repeat_member: turned(Part::RepeatMember, shape.member()),
        repeat_bias: w.of(Part::RepeatBias).to_vec(),
        second: turned(Part::RepeatSecond, shape.repeat[0]),
        second_bias: w.of(Part::RepeatSecondBias).to_vec(),
        out: w.of(Part::RepeatOut).to_vec(),
        out_bias: w.of(Part::RepeatOutBias)[0],
    }
}

impl Network {
    /// What the repeat network adds to a product's score, given the part that is the same for all
    /// of the member's products.
    fn repeat(&self, shared: &[f32], rhythm: &[f32], facts: &[f32; ITEM_FACTS], score: f32) -> f32 {
        let mut first = shared.to_vec();
        self.repeat_rhythm.add_to(rhythm, &mut first);
        let mut known = [0.0; ITEM_FACTS + 1];
        known[..ITEM_FACTS].copy_from_slice(facts);
        known[ITEM_FACTS] = SCORE_SHARE * score;
        self.repeat_facts.add_to(&known, &mut first);
        first.iter_mut().for_each(|x| *x *= sigmoid(*x));
        let mut second = self.second_bias.clone();
        self.second.add_to(&first, &mut second);
        self.out_bias + second.iter().zip(&self.out).map(|(x, w)| x * sigmoid(*x) * w).sum::<f32>()
    }
}

impl Model {
    /// Lays out what was learned.
    pub fn new(learned: &Learned, precision: Precision) -> Model {
        let items = learned.table.values.len() / learned.table.columns;
        let share = 1.0 / learned.networks.len().max(1) as f32;
        let mut bias = vec![0.0; items];
        for weights in &learned.networks {
            bias.iter_mut().zip(weights.of(Part::ItemBias)).for_each(|(b, w)| *b += share * w);
        }
        Model {
            scan: Linear::new(&learned.table.values, learned.table.columns, precision),
            table: learned.table.clone(),
            bias,
            networks: learned.networks.iter().map(|w| network(w, precision)).collect(),
        }
    }

    /// Scores all products for a member on this day. `terms` is the evidence about the member then,
    /// `facts` what is known of a product from other members.
    pub fn score(
        &self,
        state: &MemberState,
        now: Option<f32>,
        terms: &Terms,
        facts: impl Fn(u32) -> [f32; ITEM_FACTS],
    ) -> Scores {
        let share = 1.0 / self.networks.len().max(1) as f32;
        let context = state.seen.context(now);
        let mut direction = vec![0.0; self.table.columns];
        let mut weights = [0.0; TERMS];
        // Each network's own direction and weights: its repeat network saw its own score only.
        let mut own = Vec::new();
        for (network, mut member) in self.networks.iter().zip(state.basket_states(self, now)) {
            let mut toward = vec![0.0; self.table.columns];
            network.head.add_to(&member, &mut toward);
            member.extend(context);
            let mut weigh = [0.0; TERMS];
            weigh.copy_from_slice(&network.evidence_bias);
            network.evidence.add_to(&member, &mut weigh);
            let mut shared = network.repeat_bias.clone();
            network.repeat_member.add_to(&member, &mut shared);
            direction.iter_mut().zip(&toward).for_each(|(d, t)| *d += share * t);
            weights.iter_mut().zip(weigh).for_each(|(w, x)| *w += share * x);
            own.push((toward, weigh, shared));
        }
        let mut taste = vec![0.0; self.bias.len()];
        self.scan.add_to(&direction, &mut taste);
        let mut total: Vec<f32> = self.bias.iter().zip(&taste).map(|(b, t)| b + t).collect();
        for (item, values) in terms.items.iter().zip(&terms.values) {
            total[*item as usize] += weigh(values, &weights);
        }
        let mut rhythm = BTreeMap::new();
        for (item, states) in state.rhythms(self, now) {
            let known = facts(item);
            let values = terms.values_of(item);
            let mut sum = 0.0;
            for ((network, (toward, weights, shared)), rhythm) in self.networks.iter().zip(&own).zip(&states)
            {
                let row = self.table.row(item);
                let before = self.bias[item as usize]
                    + row.iter().zip(toward).map(|(a, b)| a * b).sum::<f32>()
                    + weigh(&values, weights);
                sum += share * network.repeat(shared, rhythm, &known, before);
            }
            total[item as usize] += sum;
            rhythm.insert(item, sum);
        }
        Scores { total, taste, weights, rhythm }
    }

    /// What the score of a product is made of.
    pub fn contribution(&self, scores: &Scores, terms: &Terms, item: u32) -> Contribution {
        let values = terms.values_of(item);
        Contribution {
            bias: self.bias[item as usize],
            evidence: std::array::from_fn(|kind| scores.weights[kind] * values[kind]),
            taste: scores.taste[item as usize],
            rhythm: scores.rhythm.get(&item).copied().unwrap_or(0.0),
        }
    }
}

fn weigh(values: &[f32; TERMS], weights: &[f32; TERMS]) -> f32 {
    values.iter().zip(weights).map(|(v, w)| v * w).sum()
}
