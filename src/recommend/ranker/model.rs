//! The trained model as it serves: scores of all products for one member at one moment, as a sum
//! whose addends can be named. Several networks trained from different seeds speak with one voice:
//! their mean.

use super::evidence::{TERMS, Terms, WEIGHTS, weights_for};
use super::facts::ITEM_FACTS;
use super::item_table::ItemTable;
use super::state::{MemberState, Rhythms};
use super::weights::{Part, REPEAT_FACTS, Shape, Weights};
use crate::id::ProductId;
use crate::recommend::rnn::activation::sigmoid;
use crate::recommend::rnn::cell::Cell;
use crate::recommend::rnn::linear::{Linear, Precision, SIDE, Side};

/// How much of the score so far the repeat network sees.
pub const SCORE_SHARE: f32 = 0.2;
/// How much of the terms it sees.
pub const TERM_SHARE: f32 = 0.2;

/// What was learned.
#[derive(Debug, Clone, PartialEq)]
pub struct Learned {
    /// What products are like.
    pub table: ItemTable,
    /// Weights of each network.
    pub networks: Vec<Weights>,
    /// What the evidence weighs beyond what the networks give it, by kind; their repeat networks do not
    /// see it.
    pub emphasis: [f32; TERMS],
}

impl Learned {
    /// A model for a shop whose receipts nobody has learned from yet: the plain sum of the evidence,
    /// with these weights.
    pub fn untrained(items: usize, evidence: [f32; TERMS]) -> Learned {
        let shape = Shape { items, table: 1, basket: 1, rhythm: 1, repeat: [1, 1] };
        let mut weights = Weights::zeros(shape);
        weights.of_mut(Part::EvidenceBias).chunks_exact_mut(TERMS).for_each(|w| w.copy_from_slice(&evidence));
        let table = ItemTable { columns: 1, values: vec![0.0; items] };
        Learned { table, networks: vec![weights], emphasis: [0.0; TERMS] }
    }

    /// The same model for other products, both in order of id: those that it does not know begin as
    /// its least popular one, without a place in the item table.
    pub fn renumbered(&self, from: &[ProductId], to: &[ProductId]) -> Learned {
        let columns = self.table.columns;
        let known: Vec<Option<usize>> = to.iter().map(|id| from.binary_search(id).ok()).collect();
        let mut values = vec![0.0; to.len() * columns];
        for (row, at) in values.chunks_exact_mut(columns).zip(&known) {
            if let Some(at) = at {
                row.copy_from_slice(self.table.row(*at as u32));
            }
        }
        let network = |old: &Weights| {
            let mut new = Weights::zeros(Shape { items: to.len(), ..old.shape });
            for part in Part::ALL.into_iter().filter(|p| *p != Part::ItemBias) {
                new.of_mut(part).copy_from_slice(old.of(part));
            }
            let before = old.of(Part::ItemBias);
            let least = before.iter().copied().reduce(f32::min).unwrap_or(0.0);
            let bias = new.of_mut(Part::ItemBias).iter_mut();
            bias.zip(&known).for_each(|(b, at)| *b = at.map_or(least, |at| before[at]));
            new
        };
        let networks = self.networks.iter().map(network).collect();
        Learned { table: ItemTable { columns, values }, networks, emphasis: self.emphasis }
    }
}

/// What was learned, laid out for serving.
pub struct Model {
    pub(super) table: ItemTable,
    scan: Linear,
    bias: Vec<f32>,
    pub(super) networks: Vec<Network>,
    emphasis: [f32; TERMS],
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
    weights: [f32; WEIGHTS],
    voices: Vec<Voice>,
    /// Products that were bought.
    states: Rhythms,
    /// What the rhythm of each adds.
    rhythm: Vec<f32>,
}

/// What one network says of a member, whatever the product.
#[derive(Debug, Clone)]
struct Voice {
    /// Direction in the item table.
    toward: Vec<f32>,
    /// Weights of the evidence.
    weights: [f32; WEIGHTS],
    /// The repeat network's first layer, as far as it is the same for all products.
    shared: Vec<f32>,
}

/// What a score is made from, for asking what it would be without a part of it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Parts {
    /// Terms of the evidence.
    pub terms: [f32; TERMS],
    /// Whether the product counts as bought, if it was.
    pub rhythm: bool,
    /// Whether the basket network's taste counts.
    pub taste: bool,
    /// What is known of the product from other members.
    pub facts: [f32; ITEM_FACTS],
}

impl Parts {
    /// The same with other terms.
    pub fn with_terms(mut self, terms: [f32; TERMS]) -> Parts {
        self.terms = terms;
        self
    }
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
        repeat_facts: turned(Part::RepeatFacts, REPEAT_FACTS),
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
    fn repeat(&self, shared: &[f32], rhythm: &[f32], parts: &Parts, score: f32) -> f32 {
        let mut first = shared.to_vec();
        self.repeat_rhythm.add_to(rhythm, &mut first);
        let mut known = [0.0; REPEAT_FACTS];
        known[..ITEM_FACTS].copy_from_slice(&parts.facts);
        known[ITEM_FACTS..REPEAT_FACTS - 1].copy_from_slice(&parts.terms.map(|t| TERM_SHARE * t));
        known[REPEAT_FACTS - 1] = SCORE_SHARE * score;
        self.repeat_facts.add_to(&known, &mut first);
        first.iter_mut().for_each(|x| *x *= sigmoid(*x));
        let mut second = self.second_bias.clone();
        self.second.add_to(&first, &mut second);
        self.out_bias + second.iter().zip(&self.out).map(|(x, w)| x * sigmoid(*x) * w).sum::<f32>()
    }

    /// [`Network::repeat`] for several products side by side, to the last bit.
    fn repeat_side(&self, shared: &[f32], rhythm: &[Side], known: &[Side]) -> Side {
        let silu = |x: &mut Side| x.iter_mut().for_each(|x| *x *= sigmoid(*x));
        let mut first: Vec<Side> = shared.iter().map(|x| [*x; SIDE]).collect();
        self.repeat_rhythm.add_to_side(rhythm, &mut first);
        self.repeat_facts.add_to_side(known, &mut first);
        first.iter_mut().for_each(silu);
        let mut second: Vec<Side> = self.second_bias.iter().map(|x| [*x; SIDE]).collect();
        self.second.add_to_side(&first, &mut second);
        second.iter_mut().for_each(silu);
        let mut sum = [0.0; SIDE];
        for (x, w) in second.iter().zip(&self.out) {
            sum.iter_mut().zip(x).for_each(|(sum, x)| *sum += x * w);
        }
        sum.map(|sum| self.out_bias + sum)
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
            emphasis: learned.emphasis,
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
        let (voices, weights, direction) = self.voices(state, now);
        let mut taste = vec![0.0; self.bias.len()];
        self.scan.add_to(&direction, &mut taste);
        let mut total: Vec<f32> = self.bias.iter().zip(&taste).map(|(b, t)| b + t).collect();
        let states = state.rhythms(self, now);
        let mut bought = states.items.iter().peekable();
        for (item, values) in terms.items.iter().zip(&terms.values) {
            while bought.next_if(|b| *b < item).is_some() {}
            total[*item as usize] += weigh(values, &weights, bought.peek() == Some(&item));
        }
        let mut scores = Scores { total, taste, weights, rhythm: Vec::new(), voices, states };
        scores.rhythm = self.repeats(&scores, terms, facts);
        for (item, sum) in scores.states.items.iter().zip(&scores.rhythm) {
            scores.total[*item as usize] += sum;
        }
        scores
    }

    /// What each network says of a member, and their means: the weights of the evidence, and the
    /// direction in the item table.
    fn voices(&self, state: &MemberState, now: Option<f32>) -> (Vec<Voice>, [f32; WEIGHTS], Vec<f32>) {
        let share = 1.0 / self.networks.len().max(1) as f32;
        let context = state.seen.context(now);
        let mut direction = vec![0.0; self.table.columns];
        let mut weights = emphasised(&self.emphasis);
        // Each network's own direction and weights: its repeat network saw its own score only.
        let mut voices = Vec::new();
        for (network, mut member) in self.networks.iter().zip(state.basket_states(self, now)) {
            let mut toward = vec![0.0; self.table.columns];
            network.head.add_to(&member, &mut toward);
            member.extend(context);
            let mut weigh = [0.0; WEIGHTS];
            weigh.copy_from_slice(&network.evidence_bias);
            network.evidence.add_to(&member, &mut weigh);
            let mut shared = network.repeat_bias.clone();
            network.repeat_member.add_to(&member, &mut shared);
            direction.iter_mut().zip(&toward).for_each(|(d, t)| *d += share * t);
            weights.iter_mut().zip(weigh).for_each(|(w, x)| *w += share * x);
            voices.push(Voice { toward, weights: weigh, shared });
        }
        (voices, weights, direction)
    }

    /// The score of one product alone, as [`Model::score`] gives it.
    pub fn score_one(
        &self,
        state: &MemberState,
        now: Option<f32>,
        item: u32,
        (terms, facts): ([f32; TERMS], [f32; ITEM_FACTS]),
    ) -> f32 {
        let (voices, weights, direction) = self.voices(state, now);
        // The scan's own products, so that the score is the same to the last bit.
        let taste = self.scan.row_product(item as usize, &direction);
        let states = state.rhythms(self, now);
        let scores = Scores { voices, weights, states, ..Scores::default() };
        let parts = Parts { terms, rhythm: true, taste: true, facts };
        let bought = scores.states.place(item).is_some();
        self.bias[item as usize]
            + taste
            + weigh(&terms, &weights, bought)
            + self.repeat(&scores, item, &parts)
    }

    /// What the rhythm of its purchases adds to the score of each product that was bought.
    fn repeats(&self, scores: &Scores, terms: &Terms, facts: impl Fn(u32) -> [f32; ITEM_FACTS]) -> Vec<f32> {
        let share = 1.0 / self.networks.len().max(1) as f32;
        let mut sums = vec![0.0; scores.states.items.len()];
        let mut known = [[0.0; SIDE]; REPEAT_FACTS];
        for ((chunk, items), sums) in scores.states.items.chunks(SIDE).enumerate().zip(sums.chunks_mut(SIDE))
        {
            let values: Vec<[f32; TERMS]> = items.iter().map(|item| terms.values_of(*item)).collect();
            for (side, item) in items.iter().enumerate() {
                let told = facts(*item).into_iter().chain(values[side].map(|t| TERM_SHARE * t));
                known.iter_mut().zip(told).for_each(|(known, fact)| known[side] = fact);
            }
            let mut from = 0;
            for (network, voice) in self.networks.iter().zip(&scores.voices) {
                let size = network.rhythm.size();
                let mut rhythm: Vec<Side> = vec![[0.0; SIDE]; size];
                for (side, item) in items.iter().enumerate() {
                    let states = &scores.states.at(chunk * SIDE + side)[from..];
                    rhythm.iter_mut().zip(states).for_each(|(rhythm, x)| rhythm[side] = *x);
                    let before = self.bias[*item as usize]
                        + weigh(&values[side], &voice.weights, true)
                        + dot(self.table.row(*item), &voice.toward);
                    known[REPEAT_FACTS - 1][side] = SCORE_SHARE * before;
                }
                let added = network.repeat_side(&voice.shared, &rhythm, &known);
                sums.iter_mut().zip(added).for_each(|(sum, x)| *sum += share * x);
                from += size;
            }
        }
        sums
    }

    /// What the rhythm of its purchases adds to a product's score, 0 if it was never bought.
    fn repeat(&self, scores: &Scores, item: u32, parts: &Parts) -> f32 {
        let Some(place) = scores.states.place(item) else { return 0.0 };
        let mut states = scores.states.at(place);
        let share = 1.0 / self.networks.len().max(1) as f32;
        let row = self.table.row(item);
        let mut sum = 0.0;
        for (network, voice) in self.networks.iter().zip(&scores.voices) {
            let rhythm;
            (rhythm, states) = states.split_at(network.rhythm.size());
            let mut before = self.bias[item as usize] + weigh(&parts.terms, &voice.weights, true);
            if parts.taste {
                before += dot(row, &voice.toward);
            }
            sum += share * network.repeat(&voice.shared, rhythm, parts, before);
        }
        sum
    }

    /// What a product's score would be if it were made from these parts: with all of what
    /// [`Model::score`] was given, its score.
    pub fn score_from(&self, scores: &Scores, item: u32, parts: &Parts) -> f32 {
        let bought = parts.rhythm && scores.states.place(item).is_some();
        let mut score = self.bias[item as usize] + weigh(&parts.terms, &scores.weights, bought);
        if parts.taste {
            score += scores.taste[item as usize];
        }
        if parts.rhythm {
            score += self.repeat(scores, item, parts);
        }
        score
    }

    /// How many products it can score.
    pub fn items(&self) -> usize {
        self.bias.len()
    }

    /// What the score of a product is made of.
    pub fn contribution(&self, scores: &Scores, terms: &Terms, item: u32) -> Contribution {
        let values = terms.values_of(item);
        let weights = weights_for(&scores.weights, scores.states.place(item).is_some());
        Contribution {
            bias: self.bias[item as usize],
            evidence: std::array::from_fn(|kind| weights[kind] * values[kind]),
            taste: scores.taste[item as usize],
            rhythm: scores.states.place(item).map_or(0.0, |at| scores.rhythm[at]),
        }
    }
}

/// An emphasis as weights: the same whether a product was bought before or not.
fn emphasised(emphasis: &[f32; TERMS]) -> [f32; WEIGHTS] {
    std::array::from_fn(|at| emphasis[at % TERMS])
}

/// The sum of products, eight at a time.
fn dot(a: &[f32], b: &[f32]) -> f32 {
    let ((many, rest), (others, last)) = (a.as_chunks::<8>(), b.as_chunks::<8>());
    let mut sums = [0.0f32; 8];
    for (a, b) in many.iter().zip(others) {
        (0..8).for_each(|at| sums[at] += a[at] * b[at]);
    }
    sums.iter().sum::<f32>() + rest.iter().zip(last).map(|(a, b)| a * b).sum::<f32>()
}

fn weigh(values: &[f32; TERMS], weights: &[f32; WEIGHTS], bought: bool) -> f32 {
    values.iter().zip(weights_for(weights, bought)).map(|(v, w)| v * w).sum()
}
