//! The kernels that need no processor in particular: the meaning in plain words, and the same through
//! the portable vectors of `wide`, which are NEON where this is built for Arm.

use super::{Probe, STEP, Sink, TILE};
use wide::{i16x16, i32x8, u8x16};

/// The meaning: the sum of products of bytes.
pub(super) fn plain(tiles: &[u8], probe: &Probe, sink: &mut impl Sink) {
    for (tile, bytes) in tiles.chunks_exact(TILE * probe.signed.len()).enumerate() {
        let mut dots = [-probe.raise; TILE];
        for (step, rows) in probe.steps().iter().zip(bytes.chunks_exact(TILE * STEP)) {
            for (dot, row) in dots.iter_mut().zip(rows.as_chunks::<STEP>().0) {
                *dot += row.iter().zip(step).map(|(a, b)| i32::from(*a) * i32::from(*b)).sum::<i32>();
            }
        }
        sink.put(tile, dots);
    }
}

/// Four rows at a time: sixteen bytes become sixteen numbers of 16 bits, whose products are added in
/// pairs. A product is at most 255 x 127, a pair at most 64,770: both fit.
pub(super) fn wide(tiles: &[u8], probe: &Probe, sink: &mut impl Sink) {
    /// Rows in one vector of bytes.
    const FOUR: usize = TILE / 4;
    let spread = |step: &[i8; STEP]| i16x16::new(std::array::from_fn(|at| i16::from(step[at % STEP])));
    let steps: Vec<i16x16> = probe.steps().iter().map(spread).collect();
    for (tile, bytes) in tiles.chunks_exact(TILE * probe.signed.len()).enumerate() {
        let mut sums = [i32x8::ZERO; 4];
        for (step, rows) in steps.iter().zip(bytes.as_chunks::<{ TILE * STEP }>().0) {
            for (sum, four) in sums.iter_mut().zip(rows.as_chunks::<{ FOUR * STEP }>().0) {
                *sum += i16x16::from(u8x16::new(*four)).dot(*step);
            }
        }
        let mut dots = [-probe.raise; TILE];
        for (dots, sum) in dots.as_chunks_mut::<FOUR>().0.iter_mut().zip(sums) {
            for (dot, pair) in dots.iter_mut().zip(sum.to_array().as_chunks::<2>().0) {
                *dot += pair[0] + pair[1];
            }
        }
        sink.put(tile, dots);
    }
}
