//! The one inner loop: for a few pixels and a few groups of output channels at once, the sum over
//! all inputs of weight times value. Weights are packed once, in the order in which they are
//! read; pixels are read where they lie. A convolution of any stride is one sweep over its output,
//! a transposed one and Winograd's products are several.
#![allow(unsafe_code)]

use super::lanes::{HALF, Kernel, LANES, Lanes, Plain};

/// Sixteen numbers that begin on a cache line.
#[derive(Clone, Copy)]
#[repr(C, align(64))]
pub(super) struct Line(pub(super) [f32; LANES]);

/// The numbers of `lines`, flat.
pub(super) fn flat_mut(lines: &mut [Line]) -> &mut [f32] {
    // SAFETY: a `Line` is 16 `f32` without padding (64 bytes, 64 aligned), and any bits are an `f32`.
    unsafe { std::slice::from_raw_parts_mut(lines.as_mut_ptr().cast(), lines.len() * LANES) }
}

/// How output pixels lie in memory, or the first inputs that they need.
#[derive(Debug, Clone, Copy)]
pub(super) struct Walk {
    /// Where the first pixel's numbers begin.
    pub(super) start: usize,
    /// Numbers from one row of pixels to the next.
    pub(super) row: usize,
    /// Numbers from one pixel to the next.
    pub(super) pixel: usize,
}

impl Walk {
    /// Where the numbers of the last of `rows` times `columns` pixels begin.
    fn last(self, rows: usize, columns: usize) -> usize {
        self.start + rows.saturating_sub(1) * self.row + columns.saturating_sub(1) * self.pixel
    }
}

/// What happens to a sum before it is stored.
#[derive(Clone, Copy)]
pub(super) struct Finish<'a> {
    /// Added, one for each output channel, padded to whole groups.
    pub(super) bias: &'a [Line],
    /// Added; lies as the output does.
    pub(super) residual: Option<&'a [f32]>,
    /// Negative sums become zero.
    pub(super) relu: bool,
}

/// Weights, and where the inputs lie that they belong to.
pub(super) struct Sweep {
    kernel: Kernel,
    /// Where, from a pixel's first input, each run of inputs begins.
    segments: Vec<usize>,
    /// Inputs in a run.
    run: usize,
    /// First group and number of groups that are computed together.
    blocks: Vec<(usize, usize)>,
    /// Block by block, input by input, the weights of all groups of the block.
    weights: Vec<Line>,
    groups: usize,
    /// The last group holds 8 channels.
    half: bool,
}

impl Sweep {
    /// For `pitch` output channels (a multiple of 8); `weight(output, segment, i)` is asked once
    /// for every output channel and input.
    pub(super) fn new(
        kernel: Kernel,
        pitch: usize,
        segments: Vec<usize>,
        run: usize,
        weight: impl Fn(usize, usize, usize) -> f32,
    ) -> Sweep {
        let groups = pitch.div_ceil(LANES);
        let count = groups.div_ceil(kernel.groups());
        let edge = |i: usize| groups * i / count;
        let blocks: Vec<_> = (0..count).map(|i| (edge(i), edge(i + 1) - edge(i))).collect();
        let mut weights = Vec::with_capacity(groups * segments.len() * run);
        for (first, groups) in &blocks {
            for segment in 0..segments.len() {
                for i in 0..run {
                    for group in *first..first + groups {
                        let weight = |lane| weight(group * LANES + lane, segment, i);
                        weights.push(Line(std::array::from_fn(weight)));
                    }
                }
            }
        }
        Sweep { kernel, segments, run, blocks, weights, groups, half: !pitch.is_multiple_of(LANES) }
    }

    /// Computes `rows` times `columns` output pixels.
    ///
    /// # Panics
    /// If a slice is too short for what lies where.
    pub(super) fn run(
        &self,
        (rows, columns): (usize, usize),
        (input, from): (&[f32], Walk),
        (output, to): (&mut [f32], Walk),
        finish: Finish,
    ) {
        let reach = self.segments.iter().max().map_or(0, |s| s + self.run);
        let wide = self.groups * LANES - if self.half { HALF } else { 0 };
        assert!(from.last(rows, columns) + reach <= input.len(), "the input is too short");
        assert!(to.last(rows, columns) + wide <= output.len(), "the output is too short");
        assert!(finish.bias.len() == self.groups, "the bias is too short");
        assert!(finish.residual.is_none_or(|r| r.len() == output.len()), "another residual");
        let work = Work {
            sweep: self,
            rows,
            columns,
            input: input.as_ptr(),
            from,
            output: output.as_mut_ptr(),
            to,
            finish,
        };
        match self.kernel {
            // SAFETY: the lengths were checked above.
            Kernel::Plain => unsafe { all::<Plain>(&work) },
            // SAFETY: a kernel is only chosen if the processor can run it; the lengths were
            // checked above.
            #[cfg(target_arch = "x86_64")]
            Kernel::Avx2 => unsafe { avx2(&work) },
            // SAFETY: as above.
            #[cfg(target_arch = "x86_64")]
            Kernel::Avx512 => unsafe { avx512(&work) },
        }
    }
}

/// A sweep with its checked places.
struct Work<'a> {
    sweep: &'a Sweep,
    rows: usize,
    columns: usize,
    input: *const f32,
    from: Walk,
    output: *mut f32,
    to: Walk,
    finish: Finish<'a>,
}

/// # Safety
/// The processor has AVX2 and FMA; `work` was checked.
#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2,fma")]
unsafe fn avx2(work: &Work) {
    // SAFETY: as promised by the caller.
    unsafe { all::<super::lanes::x86::Avx2>(work) }
}

/// # Safety
/// The processor has AVX-512 F; `work` was checked.
#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx512f")]
unsafe fn avx512(work: &Work) {
    // SAFETY: as promised by the caller.
    unsafe { all::<super::lanes::x86::Avx512>(work) }
}

/// # Safety
/// The processor has the instructions of `L`; `work` was checked.
#[inline(always)]
unsafe fn all<L: Lanes>(work: &Work) {
    let sweep = work.sweep;
    let inputs = sweep.segments.len() * sweep.run;
    for &(first, groups) in &sweep.blocks {
        let most = L::PIXELS[groups - 1];
        let pieces = work.columns.div_ceil(most);
        for y in 0..work.rows {
            for piece in 0..pieces {
                let x = work.columns * piece / pieces;
                let pixels = work.columns * (piece + 1) / pieces - x;
                // SAFETY: pixel (y, x) and the `pixels - 1` after it were checked, and so were the
                // groups from `first` on.
                unsafe {
                    let block = Block {
                        input: work.input.add(work.from.start + y * work.from.row + x * work.from.pixel),
                        weights: sweep.weights.as_ptr().add(first * inputs).cast(),
                        output: work.to.start + y * work.to.row + x * work.to.pixel + first * LANES,
                        first,
                        half: sweep.half && first + groups == sweep.groups,
                    };
                    macro_rules! choose {
                        ($groups:literal: $($pixels:literal)*) => {
                            match pixels {
                                $($pixels if $groups <= L::GROUPS && $pixels <= L::PIXELS[$groups - 1] =>
                                    block.compute::<L, $groups, $pixels>(work),)*
                                _ => unreachable!("more than fits"),
                            }
                        };
                    }
                    match groups {
                        1 => choose!(1: 1 2 3 4 5 6 7 8 9 10 11 12 13 14),
                        2 => choose!(2: 1 2 3 4 5 6 7 8 9 10),
                        _ => choose!(3: 1 2 3 4 5 6 7 8),
                    }
                }
            }
        }
    }
}

/// A few pixels of one row and a few groups of output channels.
struct Block {
    input: *const f32,
    weights: *const f32,
    /// Where the first pixel's first group lies in the output.
    output: usize,
    first: usize,
    half: bool,
}

impl Block {
    /// # Safety
    /// The processor has the instructions of `L`; `P` pixels and `G` groups from here on were
    /// checked.
    #[inline(always)]
    #[allow(clippy::needless_range_loop)]
    unsafe fn compute<L: Lanes, const G: usize, const P: usize>(&self, work: &Work) {
        // SAFETY: all places were checked in `Sweep::run`; the weights hold `G` lines for each
        // input.
        unsafe {
            let mut sums = [[L::splat(0.0); G]; P];
            let step = work.from.pixel;
            let mut weights = self.weights;
            for segment in &work.sweep.segments {
                let start = self.input.add(*segment);
                // Every third pixel has a pointer of its own, the two after it are within the
                // reach of one address. In this form, and not in a plainer one, the compiler
                // unrolls the loops below early enough to keep the sums in registers.
                let mut thirds: [*const f32; 5] = std::array::from_fn(|i| start.wrapping_add(3 * i * step));
                for _ in 0..work.sweep.run {
                    let line: [L; G] = std::array::from_fn(|g| L::load(weights.add(g * LANES)));
                    for p in 0..P {
                        let value = L::splat(*thirds[p / 3].add(p % 3 * step));
                        for g in 0..G {
                            sums[p][g] = line[g].mul_add(value, sums[p][g]);
                        }
                    }
                    weights = weights.add(G * LANES);
                    thirds = thirds.map(|at| at.wrapping_add(1));
                }
            }
            let finish = &work.finish;
            for p in 0..P {
                for g in 0..G {
                    let half = self.half && g + 1 == G;
                    let at = self.output + p * work.to.pixel + g * LANES;
                    let mut sum = sums[p][g].add(L::load(finish.bias.as_ptr().add(self.first + g).cast()));
                    if let Some(residual) = finish.residual {
                        let at = residual.as_ptr().add(at);
                        sum = sum.add(if half { L::load_half(at) } else { L::load(at) });
                    }
                    if finish.relu {
                        sum = sum.relu();
                    }
                    let at = work.output.add(at);
                    if half { sum.store_half(at) } else { sum.store(at) }
                }
            }
        }
    }
}
