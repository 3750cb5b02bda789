//! The recurrent cell over many sequences at once, there and back. Sequences are sorted, longest
//! first, so that the ones still running at a step are always the first rows.
//!
//! r = σ(x·Wr + h·Ur + br), z = σ(x·Wz + h·Uz + bz), n = tanh(x·Wn + bn + r ∘ (h·Un + cn)),
//! h' = (1 − z) ∘ n + z ∘ h; gates lie side by side in the order r, z, n.

use super::matrix::{add_column_sums, add_product, add_product_turned, add_turned_product};
use crate::recommend::rnn::activation::{sigmoid, tanh};

/// A cell's weights, or room for their gradients.
pub struct Cell<'a> {
    /// Inputs by three times the state's size.
    pub input: &'a [f32],
    /// State's size by three times that.
    pub state: &'a [f32],
    /// Three times the state's size.
    pub bias: &'a [f32],
    /// The state's size.
    pub state_bias: &'a [f32],
}

/// What the way back needs of the way there.
pub struct Trace {
    /// Running sequences at each step.
    running: Vec<usize>,
    before: Vec<f32>,
    reset: Vec<f32>,
    update: Vec<f32>,
    new: Vec<f32>,
    /// `h·Un + cn`.
    recalled: Vec<f32>,
}

/// Gradients of a cell's weights.
pub struct CellGradient {
    /// As in [`Cell`].
    pub input: Vec<f32>,
    /// As in [`Cell`].
    pub state: Vec<f32>,
    /// As in [`Cell`].
    pub bias: Vec<f32>,
    /// As in [`Cell`].
    pub state_bias: Vec<f32>,
}

/// Runs the cell over sequences. `x` holds step after step the inputs of the running sequences;
/// `running[t]` never grows with t. Gives the last state of each of `sequences`.
pub fn forward(cell: &Cell<'_>, x: &[f32], running: &[usize], sequences: usize) -> (Vec<f32>, Trace) {
    let size = cell.state_bias.len();
    let rows: usize = running.iter().sum();
    let inputs = cell.input.len() / (3 * size);
    let mut gates: Vec<f32> = cell.bias.iter().copied().cycle().take(rows * 3 * size).collect();
    add_product(&mut gates, x, cell.input, rows, inputs, 3 * size);
    let mut h = vec![0.0f32; sequences * size];
    let room = || Vec::with_capacity(rows * size);
    let mut trace = Trace {
        running: running.to_vec(),
        before: room(),
        reset: room(),
        update: room(),
        new: room(),
        recalled: room(),
    };
    let mut recalled = Vec::new();
    let mut start = 0;
    for (step, count) in running.iter().copied().enumerate() {
        let h = &mut h[..count * size];
        trace.before.extend_from_slice(h);
        recalled.clear();
        recalled.resize(count * 3 * size, 0.0);
        if step > 0 {
            add_product(&mut recalled, h, cell.state, count, size, 3 * size);
        }
        let gates = &gates[start * 3 * size..(start + count) * 3 * size];
        for ((h, gate), recall) in
            h.chunks_exact_mut(size).zip(gates.chunks_exact(3 * size)).zip(recalled.chunks_exact(3 * size))
        {
            for at in 0..size {
                let r = sigmoid(gate[at] + recall[at]);
                let z = sigmoid(gate[size + at] + recall[size + at]);
                let side = recall[2 * size + at] + cell.state_bias[at];
                let n = tanh(gate[2 * size + at] + r * side);
                h[at] = (1.0 - z) * n + z * h[at];
                trace.reset.push(r);
                trace.update.push(z);
                trace.new.push(n);
                trace.recalled.push(side);
            }
        }
        start += count;
    }
    (h, trace)
}

/// The way back: from the gradient of the last states to the gradients of the weights.
pub fn backward(cell: &Cell<'_>, x: &[f32], trace: &Trace, mut dh: Vec<f32>) -> CellGradient {
    let size = cell.state_bias.len();
    let rows: usize = trace.running.iter().sum();
    let inputs = cell.input.len() / (3 * size);
    // Gradients at the gates: the input's side, and the state's side (which differs at n).
    let mut outer = vec![0.0f32; rows * 3 * size];
    let mut inner = vec![0.0f32; rows * 3 * size];
    let mut end = rows;
    for (step, count) in trace.running.iter().copied().enumerate().rev() {
        let start = end - count;
        let dh = &mut dh[..count * size];
        let mut back = vec![0.0f32; if step > 0 { count * size } else { 0 }];
        for row in 0..count {
            for at in 0..size {
                let (cache, place) = ((start + row) * size + at, row * size + at);
                let (r, z, n) = (trace.reset[cache], trace.update[cache], trace.new[cache]);
                let d = dh[place];
                let dn = d * (1.0 - z) * (1.0 - n * n);
                let dz = d * (trace.before[cache] - n) * z * (1.0 - z);
                let dr = dn * trace.recalled[cache] * r * (1.0 - r);
                let gate = (start + row) * 3 * size + at;
                (outer[gate], outer[gate + size], outer[gate + 2 * size]) = (dr, dz, dn);
                (inner[gate], inner[gate + size], inner[gate + 2 * size]) = (dr, dz, dn * r);
                dh[place] = d * z;
            }
        }
        if step > 0 {
            let inner = &inner[start * 3 * size..end * 3 * size];
            add_product_turned(&mut back, inner, cell.state, count, 3 * size, size);
            dh.iter_mut().zip(&back).for_each(|(d, b)| *d += b);
        }
        end = start;
    }
    let mut gradient = CellGradient {
        input: vec![0.0; cell.input.len()],
        state: vec![0.0; cell.state.len()],
        bias: vec![0.0; cell.bias.len()],
        state_bias: vec![0.0; size],
    };
    add_turned_product(&mut gradient.input, x, &outer, inputs, rows, 3 * size);
    // States before the first step are zero and add nothing.
    let first = trace.running.first().copied().unwrap_or(0);
    let (before, later) = (&trace.before[first * size..], &inner[first * 3 * size..]);
    add_turned_product(&mut gradient.state, before, later, size, rows - first, 3 * size);
    add_column_sums(&mut gradient.bias, &outer);
    for row in inner.chunks_exact(3 * size) {
        gradient.state_bias.iter_mut().zip(&row[2 * size..]).for_each(|(g, d)| *g += d);
    }
    gradient
}
