//! Winograd's way (Lavin and Gray, "Fast Algorithms for Convolutional Neural Networks", 2015) for
//! kernels of 3 and stride 1: tiles of the input are transformed, multiplied with transformed
//! weights place by place, and transformed back, with 36 products where 144 were (or 16 where 36).
//! The rounding error grows with the tile; for four outputs a side it stays near 1e-5 of the
//! largest value.
#![allow(unsafe_code)]
// Counted loops are unrolled early enough for a tile to stay in registers; iterators are not.
#![allow(clippy::needless_range_loop)]

use super::lanes::{Kernel, LANES, Lanes, Plain};
use super::map::Map;
use super::operator::{Geometry, with_scratch};
use super::sweep::{Finish, Line, Sweep, Walk};

/// Tiles that go through all three steps together, so that they stay in the cache.
const TILES: usize = 24;

/// Bytes of transformed weights up to which the larger tiles were faster.
const CACHE: usize = 768 * 1024;

/// Transformed weights, and what they are for.
pub(super) struct Winograd {
    kernel: Kernel,
    input: Map,
    output: Map,
    /// Input pixels on a side of a tile: 4 or 6; two more than outputs.
    side: usize,
    /// One matrix product for each place in a tile.
    products: Vec<Sweep>,
    /// A pixel outside of the map, and no bias.
    zeros: Vec<Line>,
}

/// What the kernel's three weights become, for tiles of 4 and of 6.
const WEIGHTS_4: [[f32; 3]; 4] = [[1.0, 0.0, 0.0], [0.5, 0.5, 0.5], [0.5, -0.5, 0.5], [0.0, 0.0, 1.0]];
const WEIGHTS_6: [[f32; 3]; 6] = [
    [1.0 / 4.0, 0.0, 0.0],
    [-1.0 / 6.0, -1.0 / 6.0, -1.0 / 6.0],
    [-1.0 / 6.0, 1.0 / 6.0, -1.0 / 6.0],
    [1.0 / 24.0, 1.0 / 12.0, 1.0 / 6.0],
    [1.0 / 24.0, -1.0 / 12.0, 1.0 / 6.0],
    [0.0, 0.0, 1.0],
];

impl Winograd {
    /// The side of the tiles with which it is faster than a sweep over the pixels, if any.
    pub(super) fn pays(geometry: &Geometry) -> Option<usize> {
        let Geometry { input, output, side, stride, pad, .. } = geometry;
        let same = (input.height, input.width) == (output.height, output.width);
        let dense = input.channels.is_multiple_of(LANES) && output.channels >= LANES;
        if !(same && *side == 3 && *stride == 1 && *pad == 1 && dense) {
            return None;
        }
        // Larger tiles need fewer products but more than twice the weights; these must stay in the
        // second cache, or reading them takes longer than the products saved.
        let weights = 6 * 6 * input.channels * output.groups() * LANES * size_of::<f32>();
        Some(if weights <= CACHE { 6 } else { 4 })
    }

    /// `weight(output, input, row, column)` is 0 for channels that do not exist.
    pub(super) fn new(
        kernel: Kernel,
        input: Map,
        output: Map,
        side: usize,
        weight: &impl Fn(usize, usize, usize, usize) -> f32,
    ) -> Winograd {
        let rows: &[[f32; 3]] = if side == 4 { &WEIGHTS_4 } else { &WEIGHTS_6 };
        let (places, wide) = (side * side, output.groups() * LANES);
        let mut transformed = vec![0.0; places * wide * input.channels];
        for o in 0..output.channels {
            for i in 0..input.channels {
                let kernel: [[f32; 3]; 3] =
                    std::array::from_fn(|y| std::array::from_fn(|x| weight(o, i, y, x)));
                let dot = |a: &[f32; 3], b: &[f32; 3]| a[0] * b[0] + a[1] * b[1] + a[2] * b[2];
                for (x, across) in rows.iter().enumerate() {
                    let column = std::array::from_fn(|y| dot(&kernel[y], across));
                    for (y, down) in rows.iter().enumerate() {
                        let place = y * side + x;
                        transformed[(place * wide + o) * input.channels + i] = dot(down, &column);
                    }
                }
            }
        }
        let product = |place: usize| {
            let weight = |o, _, i| transformed[(place * wide + o) * input.channels + i];
            Sweep::new(kernel, wide, vec![0], input.channels, weight)
        };
        let products = (0..places).map(product).collect();
        let zeros = vec![Line([0.0; LANES]); input.groups().max(output.groups())];
        Winograd { kernel, input, output, side, products, zeros }
    }

    /// Computes the whole map.
    ///
    /// # Panics
    /// If a slice is not as long as its map.
    pub(super) fn run(&self, input: &[f32], output: &mut [f32], finish: Finish) {
        assert!(input.len() == self.input.len() && output.len() == self.output.len(), "another map");
        assert!(finish.bias.len() == self.output.groups(), "the bias is too short");
        assert!(finish.residual.is_none_or(|r| r.len() == output.len()), "another residual");
        let outputs = self.side - 2;
        let across = self.output.width.div_ceil(outputs);
        let tiles = across * self.output.height.div_ceil(outputs);
        let wide = self.output.groups() * LANES;
        let places = self.side * self.side;
        let most = tiles.min(TILES);
        with_scratch(places * most * (self.input.channels + wide), |scratch| {
            let (values, sums) = scratch.split_at_mut(places * most * self.input.channels);
            // Chunks of nearly the same size.
            let chunks = tiles.div_ceil(most);
            for chunk in 0..chunks {
                let first = tiles * chunk / chunks;
                let count = tiles * (chunk + 1) / chunks - first;
                let part = Part {
                    winograd: self,
                    first,
                    count,
                    across,
                    input: input.as_ptr(),
                    values: values.as_mut_ptr(),
                    sums: sums.as_ptr(),
                    output: output.as_mut_ptr(),
                    finish,
                };
                part.transform(true);
                for (place, product) in self.products.iter().enumerate() {
                    let from = Walk {
                        start: place * count * self.input.channels,
                        row: 0,
                        pixel: self.input.channels,
                    };
                    let to = Walk { start: place * count * wide, row: 0, pixel: wide };
                    let bias = &self.zeros[..self.output.groups()];
                    let plain = Finish { bias, residual: None, relu: false };
                    product.run((1, count), (&*values, from), (&mut *sums, to), plain);
                }
                part.transform(false);
            }
        });
    }
}

/// Some tiles of a map, with places that hold `count` of them.
struct Part<'a> {
    winograd: &'a Winograd,
    first: usize,
    count: usize,
    /// Tiles in a row of the map.
    across: usize,
    input: *const f32,
    values: *mut f32,
    sums: *const f32,
    output: *mut f32,
    finish: Finish<'a>,
}

impl Part<'_> {
    /// The first step (`forward`), or the last.
    fn transform(&self, forward: bool) {
        match self.winograd.kernel {
            // SAFETY: the lengths were checked in `Winograd::run`.
            Kernel::Plain => unsafe { step::<Plain>(self, forward) },
            // SAFETY: a kernel is only chosen if the processor can run it; lengths as above.
            #[cfg(target_arch = "x86_64")]
            Kernel::Avx2 => unsafe { avx2(self, forward) },
            // SAFETY: as above.
            #[cfg(target_arch = "x86_64")]
            Kernel::Avx512 => unsafe { avx512(self, forward) },
        }
    }
}

/// # Safety
/// The processor has AVX2 and FMA; `part` was checked.
#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2,fma")]
unsafe fn avx2(part: &Part, forward: bool) {
    // SAFETY: as promised by the caller.
    unsafe { step::<super::lanes::x86::Avx2>(part, forward) }
}

/// # Safety
/// The processor has AVX-512 F; `part` was checked.
#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx512f")]
unsafe fn avx512(part: &Part, forward: bool) {
    // SAFETY: as promised by the caller.
    unsafe { step::<super::lanes::x86::Avx512>(part, forward) }
}

/// # Safety
/// The processor has the instructions of `L`; `part` was checked.
#[inline(always)]
unsafe fn step<L: Lanes>(part: &Part, forward: bool) {
    for at in 0..part.count {
        let (y, x) = ((part.first + at) / part.across, (part.first + at) % part.across);
        // SAFETY: tile `at` is one of the part's.
        unsafe {
            match (part.winograd.side, forward) {
                (4, true) => part.values_of::<L, 4>(at, y * 2, x * 2),
                (4, false) => part.outputs_of::<L, 4, 2>(at, y * 2, x * 2),
                (_, true) => part.values_of::<L, 6>(at, y * 4, x * 4),
                (_, false) => part.outputs_of::<L, 6, 4>(at, y * 4, x * 4),
            }
        }
    }
}

impl Part<'_> {
    /// Transforms the input of tile `at`, whose first output is (`y`, `x`).
    ///
    /// # Safety
    /// As [`step`].
    #[inline(always)]
    unsafe fn values_of<L: Lanes, const N: usize>(&self, at: usize, y: usize, x: usize) {
        let map = self.winograd.input;
        let outside: *const f32 = self.winograd.zeros.as_ptr().cast();
        // A tile may reach beyond the ring; there, too, is nothing but zeros.
        let pixels: [[*const f32; N]; N] = std::array::from_fn(|i| {
            std::array::from_fn(|j| {
                let inside = y + i < map.height + 2 && x + j < map.width + 2;
                if inside { self.input.wrapping_add(map.corner(y + i, x + j)) } else { outside }
            })
        });
        for channel in (0..map.channels).step_by(LANES) {
            // SAFETY: `channels` is a multiple of 16, a pixel of the map and the zeros have that
            // many, and so has each of the `N * N` places for each of the `count` tiles.
            unsafe {
                let mut rows = [[L::splat(0.0); N]; N];
                for i in 0..N {
                    let mut line = [L::splat(0.0); N];
                    for j in 0..N {
                        line[j] = L::load(pixels[i][j].add(channel));
                    }
                    rows[i] = forward::<L, N>(line);
                }
                for j in 0..N {
                    let mut column = [L::splat(0.0); N];
                    for i in 0..N {
                        column[i] = rows[i][j];
                    }
                    let column = forward::<L, N>(column);
                    for i in 0..N {
                        let place = (i * N + j) * self.count + at;
                        column[i].store(self.values.add(place * map.channels + channel));
                    }
                }
            }
        }
    }

    /// Transforms the sums of tile `at` back and stores its outputs, the first at (`y`, `x`).
    ///
    /// # Safety
    /// As [`step`].
    #[inline(always)]
    unsafe fn outputs_of<L: Lanes, const N: usize, const M: usize>(&self, at: usize, y: usize, x: usize) {
        let map = self.winograd.output;
        let wide = map.groups() * LANES;
        let (height, width) = (M.min(map.height - y), M.min(map.width - x));
        for group in 0..map.groups() {
            let half = (group + 1) * LANES > map.pitch();
            // SAFETY: each of the `N * N` places holds `wide` sums for each of the `count` tiles;
            // pixels are stored only within the map, the last group as far as the pixel goes.
            unsafe {
                let mut rows = [[L::splat(0.0); M]; N];
                for i in 0..N {
                    let mut line = [L::splat(0.0); N];
                    for j in 0..N {
                        let place = (i * N + j) * self.count + at;
                        line[j] = L::load(self.sums.add(place * wide + group * LANES));
                    }
                    rows[i] = back::<L, N, M>(line);
                }
                let bias = L::load(self.finish.bias.as_ptr().add(group).cast());
                for j in 0..M {
                    let mut column = [L::splat(0.0); N];
                    for i in 0..N {
                        column[i] = rows[i][j];
                    }
                    let column = back::<L, N, M>(column);
                    for i in 0..M {
                        if i >= height || j >= width {
                            continue;
                        }
                        let at = map.at(y + i, x + j) + group * LANES;
                        let mut sum = column[i].add(bias);
                        if let Some(residual) = self.finish.residual {
                            let at = residual.as_ptr().add(at);
                            sum = sum.add(if half { L::load_half(at) } else { L::load(at) });
                        }
                        if self.finish.relu {
                            sum = sum.relu();
                        }
                        let at = self.output.add(at);
                        if half { sum.store_half(at) } else { sum.store(at) }
                    }
                }
            }
        }
    }
}

/// One line of a tile's input.
///
/// # Safety
/// The processor has the instructions of `L`.
#[inline(always)]
unsafe fn forward<L: Lanes, const N: usize>(d: [L; N]) -> [L; N] {
    // SAFETY: as promised by the caller.
    unsafe {
        let line = if N == 4 {
            [d[0].sub(d[2]), d[1].add(d[2]), d[2].sub(d[1]), d[1].sub(d[3]), d[0], d[0]]
        } else {
            let (two, four, five) = (L::splat(2.0), L::splat(-4.0), L::splat(-5.0));
            let (even, odd) = (d[2].mul_add(four, d[4]), d[1].mul_add(four, d[3]));
            let (level, slope) = (d[4].sub(d[2]), d[3].sub(d[1]).mul_add(two, L::splat(0.0)));
            let plus = L::splat(4.0);
            [
                d[0].mul_add(plus, d[2].mul_add(five, d[4])),
                even.add(odd),
                even.sub(odd),
                level.add(slope),
                level.sub(slope),
                d[1].mul_add(plus, d[3].mul_add(five, d[5])),
            ]
        };
        std::array::from_fn(|i| line[i])
    }
}

/// One line of a tile's sums.
///
/// # Safety
/// The processor has the instructions of `L`.
#[inline(always)]
unsafe fn back<L: Lanes, const N: usize, const M: usize>(m: [L; N]) -> [L; M] {
    // SAFETY: as promised by the caller.
    unsafe {
        let line = if N == 4 {
            let first = m[0].add(m[1]).add(m[2]);
            let second = m[1].sub(m[2]).sub(m[3]);
            [first, second, first, second]
        } else {
            let (a, b) = (m[1].add(m[2]), m[1].sub(m[2]));
            let (c, d) = (m[3].add(m[4]), m[3].sub(m[4]));
            [
                m[0].add(a).add(c),
                d.mul_add(L::splat(2.0), b),
                c.mul_add(L::splat(4.0), a),
                d.mul_add(L::splat(8.0), b).add(m[5]),
            ]
        };
        std::array::from_fn(|i| line[i])
    }
}
