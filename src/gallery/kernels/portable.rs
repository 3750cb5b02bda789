//! The kernels that need no processor in particular: the meaning in plain words, and the same through
//! the portable vectors of `wide`, which are NEON where this is built for Arm.

use super::{Probe, STEP, Sink, Step, TILE};
use wide::{i16x16, i32x8, u8x16};

/// The meaning: the sum of products of bytes.
pub(super) fn plain(tiles: &[Step], probe: &Probe, sink: &mut impl Sink) {
    for (tile, steps) in tiles.chunks_exact(probe.steps().len()).enumerate() {
        let mut dots = [-probe.raise; TILE];
        for (rows, four) in steps.iter().zip(probe.steps()) {
            for (dot, row) in dots.iter_mut().zip(&rows.0) {
                *dot += row.iter().zip(four).map(|(a, b)| i32::from(*a) * i32::from(*b)).sum::<i32>();
            }
        }
        sink.put(tile, dots);
    }
}

/// Four rows at a time: sixteen bytes become sixteen numbers of 16 bits, whose products are added in
/// pairs. A product is at most 255 x 127, a pair at most 64,770: both fit.
pub(super) fn wide(tiles: &[Step], probe: &Probe, sink: &mut impl Sink) {
    /// Rows in one vector of bytes.
    const FOUR: usize = TILE / 4;
    let spread = |four: &[i8; STEP]| i16x16::new(std::array::from_fn(|at| i16::from(four[at % STEP])));
    let probed: Vec<i16x16> = probe.steps().iter().map(spread).collect();
    for (tile, steps) in tiles.chunks_exact(probed.len()).enumerate() {
        let mut sums = [i32x8::ZERO; 4];
        for (rows, probed) in steps.iter().zip(&probed) {
            let bytes = rows.0.as_flattened().as_chunks::<{ FOUR * STEP }>().0;
            for (sum, bytes) in sums.iter_mut().zip(bytes) {
                *sum += i16x16::from(u8x16::new(*bytes)).dot(*probed);
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
