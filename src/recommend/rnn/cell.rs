//! The gated recurrent unit (Cho et al., 2014), one step at a time, as a state is kept and advanced.
//!
//! r = σ(x·Wr + h·Ur + br), z = σ(x·Wz + h·Uz + bz), n = tanh(x·Wn + bn + r ∘ (h·Un + cn)),
//! h' = (1 − z) ∘ n + z ∘ h. Training runs the same equations over many sequences at once.

use super::activation::{sigmoid, tanh};
use super::linear::{Linear, Precision, SIDE, Side};

/// A cell.
#[derive(Clone)]
pub struct Cell {
    input: Linear,
    state: Linear,
    bias: Vec<f32>,
    state_bias: Vec<f32>,
}

impl Cell {
    /// From weights as training keeps them: matrices by input, gates side by side.
    pub fn new(input: &[f32], state: &[f32], bias: &[f32], state_bias: &[f32], precision: Precision) -> Cell {
        let size = state_bias.len();
        Cell {
            input: Linear::turned(input, input.len() / (3 * size), precision),
            state: Linear::turned(state, size, precision),
            bias: bias.to_vec(),
            state_bias: state_bias.to_vec(),
        }
    }

    /// Numbers in a state.
    pub fn size(&self) -> usize {
        self.state_bias.len()
    }

    /// The state after one more input. A state begins as zeros.
    pub fn advance(&self, x: &[f32], h: &mut [f32]) {
        let size = self.size();
        let mut gates = self.bias.clone();
        self.input.add_to(x, &mut gates);
        let mut recalled = vec![0.0; 3 * size];
        self.state.add_to(h, &mut recalled);
        for (at, h) in h.iter_mut().enumerate() {
            let r = sigmoid(gates[at] + recalled[at]);
            let z = sigmoid(gates[size + at] + recalled[size + at]);
            let n = tanh(gates[2 * size + at] + r * (recalled[2 * size + at] + self.state_bias[at]));
            *h = (1.0 - z) * n + z * *h;
        }
    }

    /// [`Cell::advance`] for several states side by side: the same numbers.
    pub fn advance_side(&self, x: &[Side], h: &mut [Side]) {
        let size = self.size();
        let mut gates: Vec<Side> = self.bias.iter().map(|b| [*b; SIDE]).collect();
        self.input.add_to_side(x, &mut gates);
        let mut recalled = vec![[0.0; SIDE]; 3 * size];
        self.state.add_to_side(h, &mut recalled);
        for (at, h) in h.iter_mut().enumerate() {
            let (reset, update, new) = (gates[at], gates[size + at], gates[2 * size + at]);
            let (reset_h, update_h, new_h) = (recalled[at], recalled[size + at], recalled[2 * size + at]);
            for side in 0..SIDE {
                let r = sigmoid(reset[side] + reset_h[side]);
                let z = sigmoid(update[side] + update_h[side]);
                let n = tanh(new[side] + r * (new_h[side] + self.state_bias[at]));
                h[side] = (1.0 - z) * n + z * h[side];
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn states_side_by_side_advance_as_each_does_alone() {
        let number = |n: usize| ((n * 29 % 53) as f32 - 26.0) / 26.0;
        let weights = |from: usize, count: usize| -> Vec<f32> { (from..from + count).map(number).collect() };
        let cell =
            Cell::new(&weights(0, 4 * 9), &weights(7, 27), &weights(3, 9), &weights(5, 3), Precision::Float);
        let x: Vec<Side> = (0..4).map(|i| std::array::from_fn(|side| number(i * 5 + side))).collect();
        let mut h: Vec<Side> = (0..3).map(|i| std::array::from_fn(|side| number(i * 3 + side * 2))).collect();
        let before = h.clone();
        cell.advance_side(&x, &mut h);
        for side in 0..SIDE {
            let one: Vec<f32> = x.iter().map(|x| x[side]).collect();
            let mut alone: Vec<f32> = before.iter().map(|h| h[side]).collect();
            cell.advance(&one, &mut alone);
            assert!(h.iter().zip(alone).all(|(h, a)| (h[side] - a).abs() < 1e-6));
        }
    }

    #[test]
    fn one_step_worked_by_hand() {
        // One input, one state; gates r, z, n.
        let cell =
            Cell::new(&[0.5, -1.0, 2.0], &[1.0, 0.25, -0.5], &[0.1, 0.2, 0.3], &[0.7], Precision::Float);
        let mut h = [0.4f32];
        cell.advance(&[0.6], &mut h);
        let s = |x: f64| 1.0 / (1.0 + (-x).exp());
        let r = s(0.6 * 0.5 + 0.4 + 0.1);
        let z = s(-0.6 + 0.4 * 0.25 + 0.2);
        let n = (0.6 * 2.0 + 0.3 + r * (0.4 * -0.5 + 0.7)).tanh();
        assert!((h[0] as f64 - ((1.0 - z) * n + z * 0.4)).abs() < 1e-6);
    }
}
