//! The kernels for x86-64: which of them the processor can run, and their instructions.
#![allow(unsafe_code)]

use super::{Kernel, Probe, RAISE, STEP, Sink, Step, TILE};
use std::arch::x86_64::*;

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
pub(super) fn run(kernel: Kernel, tiles: &[Step], probe: &Probe, sink: &mut impl Sink) -> bool {
    match kernel {
        Kernel::Avx512Vnni if has_vnni_in_512() => {
            // SAFETY: AVX-512 F and VNNI were just detected.
            unsafe { avx512_vnni(tiles, probe, sink) };
        }
        Kernel::Vnni if has_avx_vnni() => {
            // SAFETY: AVX2 and AVX-VNNI were just detected.
            unsafe { avx_vnni(tiles, probe, sink) };
        }
        Kernel::Vnni if has_vnni_in_256() => {
            // SAFETY: AVX2, AVX-512 F, VL and VNNI were just detected.
            unsafe { avx512vl_vnni(tiles, probe, sink) };
        }
        Kernel::Avx2 if is_x86_feature_detected!("avx2") => {
            // SAFETY: AVX2 was just detected.
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
/// The processor has AVX-512 F and VNNI.
#[target_feature(enable = "avx512f,avx512vnni,avx2")]
unsafe fn avx512_vnni(tiles: &[Step], probe: &Probe, sink: &mut impl Sink) {
    let first = _mm512_set1_epi32(-probe.raise);
    for (tile, steps) in tiles.chunks_exact(probe.steps().len()).enumerate() {
        // Two sums, so that an instruction waits less for the one before it.
        let mut sums = [first, _mm512_setzero_si512()];
        for (at, (rows, four)) in steps.iter().zip(probe.steps()).enumerate() {
            // SAFETY: a step is a vector long, and lies on a line.
            let rows = unsafe { _mm512_load_si512(std::ptr::from_ref(rows).cast()) };
            sums[at % 2] = _mm512_dpbusd_epi32(sums[at % 2], rows, _mm512_set1_epi32(word(four)));
        }
        let sum = _mm512_add_epi32(sums[0], sums[1]);
        // SAFETY: both are sixteen numbers of 32 bits.
        sink.put(tile, unsafe { std::mem::transmute::<__m512i, [i32; TILE]>(sum) });
    }
}

/// A kernel of two vectors of 256 bits a step: `$multiply` adds to eight sums the products of 32 raised
/// bytes with what `$prepare` made of four bytes of the probe.
macro_rules! in_256 {
    ($name:ident, $features:literal, $raise:expr, $prepare:expr, $multiply:expr) => {
        /// # Safety
        /// The processor has the features named.
        #[target_feature(enable = $features)]
        unsafe fn $name(tiles: &[Step], probe: &Probe, sink: &mut impl Sink) {
            let first = _mm256_set1_epi32($raise(probe));
            for (tile, steps) in tiles.chunks_exact(probe.steps().len()).enumerate() {
                let mut sums = [first; 2];
                for (rows, four) in steps.iter().zip(probe.steps()) {
                    let four = $prepare(four);
                    for (half, sum) in sums.iter_mut().enumerate() {
                        // SAFETY: a step is two vectors long, and lies on a line.
                        let rows = unsafe {
                            _mm256_load_si256(std::ptr::from_ref(rows).cast::<__m256i>().add(half))
                        };
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
