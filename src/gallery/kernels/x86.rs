//! The kernels for x86-64: which of them the processor can run, and their instructions.
#![allow(unsafe_code)]

use super::{Kernel, Probe, RAISE, STEP, Sink, TILE};
use std::arch::x86_64::*;

/// Bytes of one step of a tile.
const BYTES: usize = TILE * STEP;
/// Tiles whose sums grow at once, so that no instruction waits for the one before it.
const AT_ONCE: usize = 4;

fn has_vnni_in_512() -> bool {
    is_x86_feature_detected!("avx512f") && is_x86_feature_detected!("avx512vnni")
}

/// Whether this processor has what a kernel needs.
pub(super) fn can_run(kernel: Kernel) -> bool {
    match kernel {
        Kernel::Plain | Kernel::Portable => true,
        Kernel::Avx2 => is_x86_feature_detected!("avx2"),
        Kernel::Vnni => has_vnni_in_256() || has_avx_vnni(),
        Kernel::Avx512Vnni => has_vnni_in_512(),
    }
}

fn has_vnni_in_256() -> bool {
    is_x86_feature_detected!("avx2") && is_x86_feature_detected!("avx512vl") && has_vnni_in_512()
}

fn has_avx_vnni() -> bool {
    is_x86_feature_detected!("avx2") && is_x86_feature_detected!("avxvnni")
}

/// Runs a kernel over whole tiles; false, with nothing done, if this processor cannot.
pub(super) fn run(kernel: Kernel, tiles: &[u8], probe: &Probe, sink: &mut impl Sink) -> bool {
    assert!(tiles.len().is_multiple_of(TILE * probe.signed.len()));
    match kernel {
        Kernel::Avx512Vnni if has_vnni_in_512() => {
            // SAFETY: AVX-512 F and VNNI were just detected; the length was checked above.
            unsafe { avx512_vnni(tiles, probe, sink) };
        }
        Kernel::Vnni if has_avx_vnni() => {
            // SAFETY: AVX2 and AVX-VNNI were just detected; the length was checked above.
            unsafe { avx_vnni(tiles, probe, sink) };
        }
        Kernel::Vnni if has_vnni_in_256() => {
            // SAFETY: AVX2, AVX-512 F, VL and VNNI were just detected; the length was checked above.
            unsafe { avx512vl_vnni(tiles, probe, sink) };
        }
        Kernel::Avx2 if is_x86_feature_detected!("avx2") => {
            // SAFETY: AVX2 was just detected; the length was checked above.
            unsafe { avx2(tiles, probe, sink) };
        }
        _ => return false,
    }
    true
}

/// Four bytes of the probe as one number, to be repeated in every lane.
fn word(step: &[i8; STEP]) -> i32 {
    i32::from_ne_bytes(step.map(|b| b as u8))
}

/// # Safety
/// The processor has AVX-512 F and VNNI, and `tiles` is a number of whole tiles of rows as wide as the
/// probe.
#[target_feature(enable = "avx512f,avx512vnni,avx2")]
unsafe fn avx512_vnni(tiles: &[u8], probe: &Probe, sink: &mut impl Sink) {
    let (steps, tile) = (probe.steps(), TILE * probe.signed.len());
    let first = _mm512_set1_epi32(-probe.raise);
    let many = tiles.chunks_exact(AT_ONCE * tile);
    let (done, rest) = (many.len() * AT_ONCE, many.remainder());
    for (group, bytes) in many.enumerate() {
        let mut sums = [first; AT_ONCE];
        for (at, step) in steps.iter().enumerate() {
            let four = _mm512_set1_epi32(word(step));
            for (n, sum) in sums.iter_mut().enumerate() {
                // SAFETY: tile `n` of these begins at `n * tile`, and holds a vector for each step.
                let rows = unsafe { _mm512_loadu_si512(bytes.as_ptr().add(n * tile + at * BYTES).cast()) };
                *sum = _mm512_dpbusd_epi32(*sum, rows, four);
            }
        }
        for (n, sum) in sums.into_iter().enumerate() {
            // SAFETY: both are sixteen numbers of 32 bits.
            sink.put(group * AT_ONCE + n, unsafe { std::mem::transmute::<__m512i, [i32; TILE]>(sum) });
        }
    }
    for (n, bytes) in rest.chunks_exact(tile).enumerate() {
        let mut sum = first;
        for (at, step) in steps.iter().enumerate() {
            // SAFETY: the tile holds a vector for each step.
            let rows = unsafe { _mm512_loadu_si512(bytes.as_ptr().add(at * BYTES).cast()) };
            sum = _mm512_dpbusd_epi32(sum, rows, _mm512_set1_epi32(word(step)));
        }
        // SAFETY: both are sixteen numbers of 32 bits.
        sink.put(done + n, unsafe { std::mem::transmute::<__m512i, [i32; TILE]>(sum) });
    }
}

/// A kernel of two vectors of 256 bits a step: `$multiply` adds to eight sums the products of 32 raised
/// bytes with what `$prepare` made of four bytes of the probe.
macro_rules! in_256 {
    ($name:ident, $features:literal, $raise:expr, $prepare:expr, $multiply:expr) => {
        /// # Safety
        /// The processor has the features named, and `tiles` is a number of whole tiles of rows as wide
        /// as the probe.
        #[target_feature(enable = $features)]
        unsafe fn $name(tiles: &[u8], probe: &Probe, sink: &mut impl Sink) {
            let first = _mm256_set1_epi32($raise(probe));
            for (tile, bytes) in tiles.chunks_exact(TILE * probe.signed.len()).enumerate() {
                let mut sums = [first; 2];
                for (step, rows) in probe.steps().iter().zip(bytes.as_chunks::<BYTES>().0) {
                    let four = $prepare(step);
                    for (half, sum) in sums.iter_mut().enumerate() {
                        // SAFETY: a step is two vectors long.
                        let rows = unsafe { _mm256_loadu_si256(rows.as_ptr().add(half * BYTES / 2).cast()) };
                        *sum = $multiply(*sum, rows, four);
                    }
                }
                // SAFETY: both are sixteen numbers of 32 bits.
                sink.put(tile, unsafe { std::mem::transmute::<[__m256i; 2], [i32; TILE]>(sums) });
            }
        }
    };
}

in_256!(
    avx_vnni,
    "avx2,avxvnni",
    |p: &Probe| -p.raise,
    |step| _mm256_set1_epi32(word(step)),
    |sum, rows, four| _mm256_dpbusd_avx_epi32(sum, rows, four)
);

in_256!(
    avx512vl_vnni,
    "avx2,avx512f,avx512vl,avx512vnni",
    |p: &Probe| -p.raise,
    |step| _mm256_set1_epi32(word(step)),
    |sum, rows, four| _mm256_dpbusd_epi32(sum, rows, four)
);

// Sums of two products of bytes in 16 bits would not fit with raised bytes. So the rows are brought down
// again, and the probe's signs go over to them: then at most 2 x 127 x 127.
in_256!(
    avx2,
    "avx2",
    |_: &Probe| 0,
    |step| {
        let four = _mm256_set1_epi32(word(step));
        (four, _mm256_abs_epi8(four))
    },
    |sum, rows, (signs, size)| {
        let rows = _mm256_xor_si256(rows, _mm256_set1_epi8(RAISE as i8));
        let pairs = _mm256_maddubs_epi16(size, _mm256_sign_epi8(rows, signs));
        _mm256_add_epi32(sum, _mm256_madd_epi16(pairs, _mm256_set1_epi16(1)))
    }
);
