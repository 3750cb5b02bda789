//! The scan: byte vectors of all members (or products) against one probe. The plain kernel is the
//! meaning; the others compute the very same integers faster, chosen at run time by what the processor
//! offers, and one test list holds for all. `unsafe` stands here only to reach those instructions.
//!
//! Terms. A *tile* is [`TILE`] rows, a *step* of it four bytes of each row beside each other: so a row's
//! dot product grows in one lane of a register, and nothing is added up across lanes at the end. A row's byte is
//! `round(127 x / max|x|)`, so a dot product times the two scales is the cosine to about 0.002. Rows
//! are kept 128 higher, because the instructions want one side unsigned; what that adds is the same for
//! every row, 128 times the sum of the probe.
//!
//! What always holds: a row's padding adds nothing; bytes of rows that were removed are overwritten.

mod portable;
#[cfg(test)]
mod tests;
#[cfg(target_arch = "x86_64")]
mod x86;

/// Rows scanned in one call.
pub const BLOCK: usize = 512;
/// Rows of a tile; a scan begins at a multiple of it.
pub const TILE: usize = 16;
/// Bytes of a row that lie beside each other.
const STEP: usize = 4;
/// What rows are kept higher.
const RAISE: u8 = 128;

/// One way to compute the same integers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kernel {
    /// The readable reference.
    Plain,
    /// Whatever vectors the target of the build has: NEON on Arm, SSE2 on x86-64.
    Portable,
    /// 32 bytes at a time, in three instructions.
    Avx2,
    /// 32 bytes at a time, in one (AVX-VNNI, or AVX-512 VNNI in vectors of 256 bits).
    Vnni,
    /// 64 bytes at a time, in one.
    Avx512Vnni,
}

impl Kernel {
    /// The kernels that this processor can run, slowest first.
    pub fn available() -> Vec<Kernel> {
        #[allow(unused_mut)]
        let mut kernels = vec![Kernel::Plain, Kernel::Portable];
        #[cfg(target_arch = "x86_64")]
        {
            let all = [Kernel::Avx2, Kernel::Vnni, Kernel::Avx512Vnni];
            kernels.extend(all.into_iter().filter(|k| x86::can_run(*k)));
        }
        kernels
    }

    /// The fastest kernel that this processor can run.
    pub fn best() -> Kernel {
        Self::available().last().copied().unwrap_or(Kernel::Plain)
    }
}

/// A probe as bytes, and what brings a dot product back to a cosine.
pub struct Probe {
    signed: Vec<i8>,
    /// What rows kept [`RAISE`] higher add to every dot product.
    raise: i32,
    scale: f32,
}

impl Probe {
    /// Its bytes, [`STEP`] at a time.
    fn steps(&self) -> &[[i8; STEP]] {
        self.signed.as_chunks().0
    }
}

/// [`STEP`] bytes of each row of a tile. On a line of the cache of its own, so that reading it touches one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(align(64))]
struct Step([[u8; STEP]; TILE]);

/// A step of rows of zeros.
const ZEROS: Step = Step([[RAISE; STEP]; TILE]);

/// Byte vectors, one a row.
#[derive(Clone)]
pub struct Rows {
    dimensions: usize,
    /// Bytes a row, a multiple of [`STEP`].
    width: usize,
    /// Tile by tile.
    steps: Vec<Step>,
    scales: Vec<f32>,
}

fn quantise(values: &[f32], width: usize) -> Option<(Vec<i8>, f32)> {
    let largest = values.iter().fold(0.0f32, |m, v| m.max(v.abs()));
    if !(largest > 0.0 && largest.is_finite()) || values.iter().any(|v| !v.is_finite()) {
        return None;
    }
    let mut bytes: Vec<i8> = values.iter().map(|v| (v / largest * 127.0).round() as i8).collect();
    bytes.resize(width, 0);
    Some((bytes, largest / 127.0))
}

impl Rows {
    /// No rows of `dimensions` numbers.
    pub fn new(dimensions: usize) -> Rows {
        let width = dimensions.next_multiple_of(STEP);
        Rows { dimensions, width, steps: Vec::new(), scales: Vec::new() }
    }

    /// Steps a tile.
    fn long(&self) -> usize {
        self.width / STEP
    }

    /// Adds a row of `dimensions` finite numbers.
    pub fn push(&mut self, values: &[f32]) {
        let at = self.scales.len();
        self.steps.resize((at / TILE + 1) * self.long(), ZEROS);
        self.scales.push(0.0);
        self.set(at, values);
    }

    /// Puts `dimensions` finite numbers in the place of row `at`.
    pub fn set(&mut self, at: usize, values: &[f32]) {
        let values = &values[..values.len().min(self.dimensions)];
        let (bytes, scale) = quantise(values, self.width).unwrap_or((vec![0; self.width], 0.0));
        let first = at / TILE * self.long();
        for (step, bytes) in self.steps[first..].iter_mut().zip(bytes.as_chunks::<STEP>().0) {
            step.0[at % TILE] = bytes.map(|b| b as u8 ^ RAISE);
        }
        self.scales[at] = scale;
    }

    /// Puts the last row in the place of row `at` and overwrites where it was.
    pub fn swap_remove(&mut self, at: usize) {
        self.scales.swap_remove(at);
        let last = self.scales.len();
        let (from, to) = (last / TILE * self.long(), at / TILE * self.long());
        for step in 0..self.long() {
            let bytes = std::mem::replace(&mut self.steps[from + step].0[last % TILE], [RAISE; STEP]);
            if at != last {
                self.steps[to + step].0[at % TILE] = bytes;
            }
        }
        self.steps.truncate(last.div_ceil(TILE) * self.long());
    }

    /// A probe as bytes; `None` if it is zero or not finite.
    pub fn probe(&self, values: &[f32]) -> Option<Probe> {
        let (signed, scale) = quantise(values, self.width)?;
        let raise = i32::from(RAISE) * signed.iter().map(|b| i32::from(*b)).sum::<i32>();
        Some(Probe { signed, raise, scale })
    }

    /// What `probe` lost of these values by rounding, as a second probe: their dot products added are
    /// nearly as fine as with 16 bits. `None` where nothing was lost.
    pub fn rest(&self, values: &[f32], probe: &Probe) -> Option<Probe> {
        let lost = values.iter().zip(&probe.signed).map(|(v, b)| v - f32::from(*b) * probe.scale);
        self.probe(&lost.collect::<Vec<f32>>())
    }

    /// What brings the dot products of rows `from..from + count` near to cosines, the probe's own
    /// scale apart (it is the same for all).
    pub fn scales(&self, from: usize, count: usize) -> &[f32] {
        &self.scales[from..from + count]
    }

    /// Dot products of the probe with the rows from `from` on, a multiple of [`TILE`], one for each
    /// place of `out`. A kernel that this processor cannot run is answered by the plain one.
    pub fn scan(&self, kernel: Kernel, probe: &Probe, from: usize, out: &mut [i32]) {
        self.run(kernel, probe, from, out.len(), &mut Dots(out));
    }

    /// Adds to `out` the products with the values behind the probe, of all rows that it has places for.
    pub fn add_products(&self, kernel: Kernel, probe: &Probe, out: &mut [f32]) {
        let scales = &self.scales[..out.len()];
        self.run(kernel, probe, 0, out.len(), &mut Products { out, scales, scale: probe.scale });
    }

    /// The product of one row with the values behind the probe.
    pub fn row_product(&self, kernel: Kernel, probe: &Probe, row: usize) -> f32 {
        let (from, mut dots) = (row / TILE * TILE, [0; TILE]);
        let dots = &mut dots[..=row - from];
        self.scan(kernel, probe, from, dots);
        dots[row - from] as f32 * (self.scales[row] * probe.scale)
    }

    fn run(&self, kernel: Kernel, probe: &Probe, from: usize, count: usize, sink: &mut impl Sink) {
        assert!(from.is_multiple_of(TILE) && from + count <= self.scales.len());
        assert!(probe.signed.len() == self.width);
        let tiles = &self.steps[from / TILE * self.long()..(from + count).div_ceil(TILE) * self.long()];
        match kernel {
            Kernel::Plain => portable::plain(tiles, probe, sink),
            Kernel::Portable => portable::wide(tiles, probe, sink),
            #[cfg(target_arch = "x86_64")]
            fast => {
                if !x86::run(fast, tiles, probe, sink) {
                    portable::plain(tiles, probe, sink);
                }
            }
            #[cfg(not(target_arch = "x86_64"))]
            _ => portable::plain(tiles, probe, sink),
        }
    }

    /// The approximate cosine behind a dot product of row `row`.
    pub fn cosine(&self, probe: &Probe, row: usize, dot: i32) -> f32 {
        dot as f32 * self.scales[row] * probe.scale
    }
}

/// Takes the dot products of one tile after the other. Always inlined, so that what is done with them is
/// done in the kernel's own instructions.
trait Sink {
    fn put(&mut self, tile: usize, dots: [i32; TILE]);
}

/// Writes them down.
struct Dots<'o>(&'o mut [i32]);

impl Sink for Dots<'_> {
    #[inline(always)]
    fn put(&mut self, tile: usize, dots: [i32; TILE]) {
        let out = &mut self.0[tile * TILE..];
        match out.first_chunk_mut() {
            Some(whole) => *whole = dots,
            None => out.copy_from_slice(&dots[..out.len()]),
        }
    }
}

/// Adds each times the two scales.
struct Products<'o> {
    out: &'o mut [f32],
    scales: &'o [f32],
    scale: f32,
}

impl Sink for Products<'_> {
    #[inline(always)]
    fn put(&mut self, tile: usize, dots: [i32; TILE]) {
        let (out, scales) = (&mut self.out[tile * TILE..], &self.scales[tile * TILE..]);
        if let (Some(out), Some(own)) = (out.first_chunk_mut::<TILE>(), scales.first_chunk::<TILE>()) {
            // Copies, so that the compiler sees that nothing of it overlaps.
            let (scale, mut sums) = (self.scale, *out);
            for lane in 0..TILE {
                sums[lane] += dots[lane] as f32 * (own[lane] * scale);
            }
            *out = sums;
        } else {
            for ((out, dot), own) in out.iter_mut().zip(dots).zip(scales) {
                *out += dot as f32 * (own * self.scale);
            }
        }
    }
}
