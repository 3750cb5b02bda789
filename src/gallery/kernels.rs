//! The scan: byte vectors of all members against one probe. The plain kernel is the meaning;
//! the others compute the very same integers faster, chosen at run time by what the processor
//! offers. `unsafe` stands here only to reach those instructions.
//!
//! Rows are padded with zeros to a multiple of [`LANES`]. A row's byte is `round(127 x / max|x|)`,
//! so a dot product times the two scales is the cosine to about 0.002.
#![allow(unsafe_code)]

/// Rows scanned in one call.
pub const BLOCK: usize = 512;
/// Row lengths are multiples of this many bytes.
pub const LANES: usize = 64;

/// One way to compute the same integers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kernel {
    /// The readable reference.
    Plain,
    /// 16 bytes at a time, widened.
    Avx2,
    /// 32 bytes at a time.
    AvxVnni,
    /// 64 bytes at a time.
    Avx512Vnni,
}

impl Kernel {
    /// The kernels that this processor can run, slowest first.
    pub fn available() -> Vec<Kernel> {
        #[allow(unused_mut)]
        let mut kernels = vec![Kernel::Plain];
        #[cfg(target_arch = "x86_64")]
        {
            if is_x86_feature_detected!("avx2") {
                kernels.push(Kernel::Avx2);
                if is_x86_feature_detected!("avxvnni") {
                    kernels.push(Kernel::AvxVnni);
                }
            }
            if is_x86_feature_detected!("avx512f") && is_x86_feature_detected!("avx512vnni") {
                kernels.push(Kernel::Avx512Vnni);
            }
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
    /// The same plus 128, for the instructions that want one side unsigned.
    raised: Vec<u8>,
    scale: f32,
}

/// Byte vectors, one a row.
#[derive(Clone)]
pub struct Rows {
    dimensions: usize,
    width: usize,
    bytes: Vec<i8>,
    /// 128 times the sum of each row: what a raised probe adds to its dot product.
    raise: Vec<i32>,
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
        let width = dimensions.next_multiple_of(LANES);
        Rows { dimensions, width, bytes: Vec::new(), raise: Vec::new(), scales: Vec::new() }
    }

    /// Adds a row of `dimensions` finite numbers.
    pub fn push(&mut self, values: &[f32]) {
        let at = self.scales.len();
        self.bytes.resize((at + 1) * self.width, 0);
        self.raise.push(0);
        self.scales.push(0.0);
        self.set(at, values);
    }

    /// Puts `dimensions` finite numbers in the place of row `at`.
    pub fn set(&mut self, at: usize, values: &[f32]) {
        let values = &values[..values.len().min(self.dimensions)];
        let (bytes, scale) = quantise(values, self.width).unwrap_or((vec![0; self.width], 0.0));
        self.raise[at] = 128 * bytes.iter().map(|b| *b as i32).sum::<i32>();
        self.bytes[at * self.width..(at + 1) * self.width].copy_from_slice(&bytes);
        self.scales[at] = scale;
    }

    /// Puts the last row in the place of row `at` and overwrites where it was.
    pub fn swap_remove(&mut self, at: usize) {
        self.raise.swap_remove(at);
        self.scales.swap_remove(at);
        let last = self.bytes.len() - self.width;
        self.bytes.copy_within(last.., at * self.width);
        self.bytes[last..].fill(0);
        self.bytes.truncate(last);
    }

    /// A probe as bytes; `None` if it is zero or not finite.
    pub fn probe(&self, values: &[f32]) -> Option<Probe> {
        let (signed, scale) = quantise(values, self.width)?;
        let raised = signed.iter().map(|b| (*b as i16 + 128) as u8).collect();
        Some(Probe { signed, raised, scale })
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

    /// Dot products of the probe with the rows from `from` on, one for each place of `out`.
    /// A kernel that this processor cannot run is answered by the plain one.
    pub fn scan(&self, kernel: Kernel, probe: &Probe, from: usize, out: &mut [i32]) {
        let width = self.width;
        let rows = &self.bytes[from * width..(from + out.len()) * width];
        assert!(probe.signed.len() == width && probe.raised.len() == width && width.is_multiple_of(LANES));
        #[cfg(target_arch = "x86_64")]
        {
            let raise = &self.raise[from..from + out.len()];
            match kernel {
                Kernel::Avx2 if is_x86_feature_detected!("avx2") => {
                    // SAFETY: AVX2 was just detected; lengths were checked above.
                    return unsafe { x86::avx2(rows, &probe.signed, out) };
                }
                Kernel::AvxVnni
                    if is_x86_feature_detected!("avxvnni") && is_x86_feature_detected!("avx2") =>
                {
                    // SAFETY: AVX2 and AVX-VNNI were just detected; lengths were checked above.
                    return unsafe { x86::avx_vnni(rows, &probe.raised, raise, out) };
                }
                Kernel::Avx512Vnni
                    if is_x86_feature_detected!("avx512vnni") && is_x86_feature_detected!("avx512f") =>
                {
                    // SAFETY: AVX-512 F and VNNI were just detected; lengths were checked above.
                    return unsafe { x86::avx512_vnni(rows, &probe.raised, raise, out) };
                }
                _ => {}
            }
        }
        let _ = kernel;
        plain(rows, &probe.signed, out);
    }

    /// Adds to `out` the products with the values behind the probe, of the rows from `from` on.
    pub fn add_products(&self, kernel: Kernel, probe: &Probe, from: usize, out: &mut [f32]) {
        let mut dots = [0i32; BLOCK];
        for (block, out) in out.chunks_mut(BLOCK).enumerate() {
            let from = from + block * BLOCK;
            let dots = &mut dots[..out.len()];
            self.scan(kernel, probe, from, dots);
            let scales = self.scales(from, out.len());
            #[cfg(target_arch = "x86_64")]
            if kernel != Kernel::Plain && is_x86_feature_detected!("avx2") {
                // SAFETY: AVX2 was just detected.
                unsafe { x86::add_scaled(dots, scales, probe.scale, out) };
                continue;
            }
            add_scaled(dots, scales, probe.scale, out);
        }
    }

    /// The approximate cosine behind a dot product of row `row`.
    pub fn cosine(&self, probe: &Probe, row: usize, dot: i32) -> f32 {
        dot as f32 * self.scales[row] * probe.scale
    }
}

/// The meaning: the sum of products of bytes.
fn plain(rows: &[i8], probe: &[i8], out: &mut [i32]) {
    for (dot, row) in out.iter_mut().zip(rows.chunks_exact(probe.len())) {
        *dot = row.iter().zip(probe).map(|(a, b)| *a as i32 * *b as i32).sum();
    }
}

/// Adds each dot product times the two scales.
#[inline(always)]
fn add_scaled(dots: &[i32], scales: &[f32], scale: f32, out: &mut [f32]) {
    for ((out, dot), own) in out.iter_mut().zip(dots).zip(scales) {
        *out += *dot as f32 * (own * scale);
    }
}

#[cfg(target_arch = "x86_64")]
mod x86 {
    use std::arch::x86_64::*;

    /// The same sums, eight at a time.
    #[target_feature(enable = "avx2")]
    pub fn add_scaled(dots: &[i32], scales: &[f32], scale: f32, out: &mut [f32]) {
        super::add_scaled(dots, scales, scale, out);
    }

    /// # Safety
    /// The processor has AVX2; `probe.len()` is a multiple of 64 and `rows` holds `out.len()`
    /// rows of that length.
    #[target_feature(enable = "avx2")]
    pub unsafe fn avx2(rows: &[i8], probe: &[i8], out: &mut [i32]) {
        let width = probe.len();
        for (dot, row) in out.iter_mut().zip(rows.chunks_exact(width)) {
            let mut sum = _mm256_setzero_si256();
            for at in (0..width).step_by(16) {
                // SAFETY: `at + 16 <= width`, the length of both slices; unaligned loads.
                let (a, b) = unsafe {
                    (
                        _mm_loadu_si128(row.as_ptr().add(at).cast()),
                        _mm_loadu_si128(probe.as_ptr().add(at).cast()),
                    )
                };
                let product = _mm256_madd_epi16(_mm256_cvtepi8_epi16(a), _mm256_cvtepi8_epi16(b));
                sum = _mm256_add_epi32(sum, product);
            }
            *dot = total(sum);
        }
    }

    /// # Safety
    /// As [`avx2`], and the processor has AVX-VNNI; `raise` is as long as `out`.
    #[target_feature(enable = "avx2,avxvnni")]
    pub unsafe fn avx_vnni(rows: &[i8], probe: &[u8], raise: &[i32], out: &mut [i32]) {
        let width = probe.len();
        for ((dot, row), raise) in out.iter_mut().zip(rows.chunks_exact(width)).zip(raise) {
            let (mut even, mut odd) = (_mm256_setzero_si256(), _mm256_setzero_si256());
            for at in (0..width).step_by(64) {
                // SAFETY: `at + 64 <= width`, the length of both slices; unaligned loads.
                unsafe {
                    let (a, b) = (row.as_ptr().add(at), probe.as_ptr().add(at));
                    even = _mm256_dpbusd_avx_epi32(
                        even,
                        _mm256_loadu_si256(b.cast()),
                        _mm256_loadu_si256(a.cast()),
                    );
                    odd = _mm256_dpbusd_avx_epi32(
                        odd,
                        _mm256_loadu_si256(b.add(32).cast()),
                        _mm256_loadu_si256(a.add(32).cast()),
                    );
                }
            }
            *dot = total(_mm256_add_epi32(even, odd)) - raise;
        }
    }

    /// # Safety
    /// The processor has AVX-512 F and VNNI; `probe.len()` is a multiple of 64, `rows` holds
    /// `out.len()` rows of that length and `raise` is as long as `out`.
    #[target_feature(enable = "avx512f,avx512vnni")]
    pub unsafe fn avx512_vnni(rows: &[i8], probe: &[u8], raise: &[i32], out: &mut [i32]) {
        let width = probe.len();
        let (fours, rest) = out.as_chunks_mut::<4>();
        let (raises, raise_rest) = raise.as_chunks::<4>();
        let done = fours.len() * 4 * width;
        for ((dots, rows), raise) in fours.iter_mut().zip(rows.chunks_exact(4 * width)).zip(raises) {
            let mut sums = [_mm512_setzero_si512(); 4];
            for at in (0..width).step_by(64) {
                // SAFETY: `at + 64 <= width`, the length of the probe and of each of the four rows;
                // unaligned loads.
                unsafe {
                    let b = _mm512_loadu_si512(probe.as_ptr().add(at).cast());
                    for (row, sum) in sums.iter_mut().enumerate() {
                        let a = _mm512_loadu_si512(rows.as_ptr().add(row * width + at).cast());
                        *sum = _mm512_dpbusd_epi32(*sum, b, a);
                    }
                }
            }
            let [a, b, c, d] = sums;
            // Four sums of sixteen numbers become one vector of four, by halves.
            let ab = _mm512_add_epi32(_mm512_unpacklo_epi32(a, b), _mm512_unpackhi_epi32(a, b));
            let cd = _mm512_add_epi32(_mm512_unpacklo_epi32(c, d), _mm512_unpackhi_epi32(c, d));
            let all = _mm512_add_epi32(_mm512_unpacklo_epi64(ab, cd), _mm512_unpackhi_epi64(ab, cd));
            let half = _mm256_add_epi32(_mm512_castsi512_si256(all), _mm512_extracti64x4_epi64::<1>(all));
            let four = _mm_add_epi32(_mm256_castsi256_si128(half), _mm256_extracti128_si256::<1>(half));
            // SAFETY: both are four numbers long; unaligned load and store.
            unsafe {
                let raise = _mm_loadu_si128(raise.as_ptr().cast());
                _mm_storeu_si128(dots.as_mut_ptr().cast(), _mm_sub_epi32(four, raise));
            }
        }
        let rows = rows[done..].chunks_exact(width);
        for ((dot, row), raise) in rest.iter_mut().zip(rows).zip(raise_rest) {
            let mut sum = _mm512_setzero_si512();
            for at in (0..width).step_by(64) {
                // SAFETY: `at + 64 <= width`, the length of both slices; unaligned loads.
                let (a, b) = unsafe {
                    (
                        _mm512_loadu_si512(row.as_ptr().add(at).cast()),
                        _mm512_loadu_si512(probe.as_ptr().add(at).cast()),
                    )
                };
                sum = _mm512_dpbusd_epi32(sum, b, a);
            }
            *dot = _mm512_reduce_add_epi32(sum) - raise;
        }
    }

    #[target_feature(enable = "avx2")]
    fn total(sum: __m256i) -> i32 {
        let half = _mm_add_epi32(_mm256_castsi256_si128(sum), _mm256_extracti128_si256::<1>(sum));
        let pair = _mm_add_epi32(half, _mm_shuffle_epi32::<0b01_00_11_10>(half));
        _mm_cvtsi128_si32(_mm_add_epi32(pair, _mm_shuffle_epi32::<0b10_11_00_01>(pair)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// The same promises for every kernel. One that this processor lacks says so and is left out.
    macro_rules! kernel_tests {
        ($($name:ident: $kernel:expr;)*) => {$(
            mod $name {
                use super::*;

                fn rows(values: &[Vec<f32>]) -> Option<Rows> {
                    if !Kernel::available().contains(&$kernel) {
                        println!("left out: this processor has no {:?}", $kernel);
                        return None;
                    }
                    let mut rows = Rows::new(values[0].len());
                    values.iter().for_each(|v| rows.push(v));
                    Some(rows)
                }

                fn dots(rows: &Rows, kernel: Kernel, probe: &Probe, from: usize, count: usize) -> Vec<i32> {
                    let mut out = vec![0; count];
                    rows.scan(kernel, probe, from, &mut out);
                    out
                }

                #[test]
                fn extreme_bytes_do_not_overflow() {
                    let values: Vec<Vec<f32>> = vec![vec![1.0; 2048], vec![-1.0; 2048]];
                    let Some(rows) = rows(&values) else { return };
                    let probe = rows.probe(&values[0]).unwrap();
                    let expected = 127 * 127 * 2048;
                    assert_eq!(dots(&rows, $kernel, &probe, 0, 2), [expected, -expected]);
                    let probe = rows.probe(&values[1]).unwrap();
                    assert_eq!(dots(&rows, $kernel, &probe, 1, 1), [expected]);
                }

                proptest! {
                    #[test]
                    fn computes_what_the_plain_one_computes(
                        values in (1usize..200).prop_flat_map(|d| proptest::collection::vec(
                            proptest::collection::vec(-1f32..1.0, d), 2..40))
                    ) {
                        let Some(rows) = rows(&values) else { return Ok(()) };
                        let Some(probe) = rows.probe(&values[0]) else { return Ok(()) };
                        let count = values.len() - 1;
                        let fast = dots(&rows, $kernel, &probe, 1, count);
                        prop_assert_eq!(&fast, &dots(&rows, Kernel::Plain, &probe, 1, count));
                        // Against the numbers themselves: half a byte's step on either side.
                        for (row, dot) in fast.iter().enumerate() {
                            let exact: f32 = values[row + 1].iter().zip(&values[0]).map(|(a, b)| a * b).sum();
                            let limit = 0.01 * values[0].len() as f32 + 1e-3;
                            prop_assert!((rows.cosine(&probe, row + 1, *dot) - exact).abs() <= limit);
                        }
                    }
                }
            }
        )*};
    }

    kernel_tests! {
        plain: Kernel::Plain;
        avx2: Kernel::Avx2;
        avx_vnni: Kernel::AvxVnni;
        avx512_vnni: Kernel::Avx512Vnni;
    }
}
