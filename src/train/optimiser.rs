//! AdamW (Loshchilov and Hutter, 2019) with warm-up and linear decay, the gradient's length clipped,
//! and a running average of the weights, which is what a model is made of.

use crate::recommend::ranker::weights::{Part, Weights};

const FIRST: f32 = 0.9;
const SECOND: f32 = 0.999;
const EPSILON: f32 = 1e-8;
/// Share of the steps in which the rate grows from 0.
const WARM_UP: f32 = 0.05;
/// The gradient is scaled down to this length.
const CLIP: f32 = 5.0;

/// Learning rates and what goes with them.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Rates {
    /// For the recurrent networks.
    pub recurrent: f32,
    /// For the item biases.
    pub bias: f32,
    /// For the weights of the evidence that are the same for all members.
    pub evidence: f32,
    /// For the rest.
    pub rest: f32,
    /// Weight decay.
    pub decay: f32,
    /// How much of the average each step keeps.
    pub average: f32,
}

/// The optimiser's memory.
#[derive(Debug, Clone, PartialEq)]
pub struct Optimiser {
    pub(super) rates: Rates,
    /// Steps taken.
    pub(super) taken: usize,
    /// Steps there will be.
    pub(super) total: usize,
    /// Running mean of the gradient.
    pub(super) first: Vec<f32>,
    /// Running mean of its square.
    pub(super) second: Vec<f32>,
    /// Running average of the weights, begun at zero.
    pub(super) average: Vec<f32>,
}

impl Optimiser {
    /// Before the first of `total` steps.
    pub fn new(weights: &Weights, rates: Rates, total: usize) -> Optimiser {
        let zeros = vec![0.0; weights.values.len()];
        Optimiser { rates, taken: 0, total, first: zeros.clone(), second: zeros.clone(), average: zeros }
    }

    /// One step against the gradient, which is left clipped.
    pub fn step(&mut self, weights: &mut Weights, gradient: &mut Weights) {
        let length = gradient.values.chunks(256).map(|c| c.iter().map(|g| g * g).sum::<f32>() as f64);
        let length = length.sum::<f64>().sqrt() as f32;
        let scale = if length > CLIP { CLIP / length } else { 1.0 };
        self.taken += 1;
        let (taken, total) = (self.taken as f32, self.total.max(1) as f32);
        let warm = (total * WARM_UP).max(1.0);
        let schedule = (taken / warm).min((total - taken + 1.0) / (total - warm).max(1.0)).clamp(0.0, 1.0);
        let lift_first = 1.0 / (1.0 - FIRST.powf(taken));
        let lift_second = 1.0 / (1.0 - SECOND.powf(taken));
        for part in Part::ALL {
            let rate = schedule
                * match part {
                    Part::ItemBias => self.rates.bias,
                    Part::EvidenceBias => self.rates.evidence,
                    part if part.recurrent() => self.rates.recurrent,
                    _ => self.rates.rest,
                };
            let range = weights.range(part);
            let moments = self.first[range.clone()].iter_mut().zip(&mut self.second[range.clone()]);
            let values = weights.values[range.clone()].iter_mut().zip(&mut gradient.values[range]);
            for ((w, g), (m, v)) in values.zip(moments) {
                *g *= scale;
                *m = FIRST * *m + (1.0 - FIRST) * *g;
                *v = SECOND * *v + (1.0 - SECOND) * *g * *g;
                let move_by = *m * lift_first / ((*v * lift_second).sqrt() + EPSILON);
                *w -= rate * (move_by + self.rates.decay * *w);
            }
        }
        let keep = self.rates.average;
        self.average.iter_mut().zip(&weights.values).for_each(|(a, w)| *a = keep * *a + (1.0 - keep) * w);
    }

    /// The average of the weights so far.
    pub fn averaged(&self, weights: &Weights) -> Weights {
        let mut out = weights.clone();
        if self.taken > 0 {
            // Undoes the beginning at zero.
            let scale = 1.0 / (1.0 - self.rates.average.powf(self.taken as f32));
            out.values.iter_mut().zip(&self.average).for_each(|(o, a)| *o = a * scale);
        }
        out
    }
}
