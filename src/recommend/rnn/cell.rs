//! The gated recurrent unit (Cho et al., 2014), one step at a time, as a state is kept and advanced.
//!
//! r = σ(x·Wr + h·Ur + br), z = σ(x·Wz + h·Uz + bz), n = tanh(x·Wn + bn + r ∘ (h·Un + cn)),
//! h' = (1 − z) ∘ n + z ∘ h. Training runs the same equations over many sequences at once.

use super::activation::{sigmoid, tanh};
use super::linear::{Linear, Precision};

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
}

#[cfg(test)]
mod tests {
    use super::*;

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
