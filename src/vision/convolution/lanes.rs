//! Sixteen numbers at a time, three ways: the plain one is the meaning, the others compute the
//! same (but for the last bits of a sum) with the processor's instructions. Which one runs is
//! chosen when a network is loaded; the loops above are written once, over [`Lanes`].
//!
//! Everything here is inlined into functions that were compiled for the instructions in question;
//! calling it from elsewhere is what makes it unsafe, beside the pointers.
#![allow(unsafe_code)]

/// Numbers in one value of [`Lanes`]; channels are counted in groups of this many.
pub(super) const LANES: usize = 16;
/// Half of [`LANES`]: what the last group of a map may hold.
pub(super) const HALF: usize = LANES / 2;

/// One way to compute a convolution.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kernel {
    /// The readable reference.
    Plain,
    /// Eight numbers an instruction.
    #[cfg(target_arch = "x86_64")]
    Avx2,
    /// Sixteen numbers an instruction.
    #[cfg(target_arch = "x86_64")]
    Avx512,
}

impl Kernel {
    /// The kernels that this processor can run, slowest first.
    pub(super) fn available() -> Vec<Kernel> {
        #[allow(unused_mut)]
        let mut kernels = vec![Kernel::Plain];
        #[cfg(target_arch = "x86_64")]
        {
            if is_x86_feature_detected!("avx2") && is_x86_feature_detected!("fma") {
                kernels.push(Kernel::Avx2);
            }
            if is_x86_feature_detected!("avx512f") {
                kernels.push(Kernel::Avx512);
            }
        }
        kernels
    }

    /// The fastest kernel that this processor can run.
    pub(super) fn best() -> Kernel {
        Self::available().last().copied().unwrap_or(Kernel::Plain)
    }

    /// Most groups of output channels that are computed together.
    pub(super) fn groups(self) -> usize {
        match self {
            Kernel::Plain => Plain::GROUPS,
            #[cfg(target_arch = "x86_64")]
            Kernel::Avx2 => x86::Avx2::GROUPS,
            #[cfg(target_arch = "x86_64")]
            Kernel::Avx512 => x86::Avx512::GROUPS,
        }
    }
}

/// Sixteen numbers.
///
/// # Safety
/// Of every function: the processor has the instructions of the type, and a pointer may be read
/// (or written) for 16 numbers, for 8 where the name says half.
pub(super) trait Lanes: Copy {
    /// Most groups of output channels that fit the registers together.
    const GROUPS: usize;
    /// Most pixels that fit the registers together with one, two and three groups.
    const PIXELS: [usize; 3];
    unsafe fn splat(value: f32) -> Self;
    unsafe fn load(at: *const f32) -> Self;
    unsafe fn load_half(at: *const f32) -> Self;
    unsafe fn store(self, at: *mut f32);
    unsafe fn store_half(self, at: *mut f32);
    unsafe fn add(self, other: Self) -> Self;
    unsafe fn sub(self, other: Self) -> Self;
    /// `self * factor + sum`.
    unsafe fn mul_add(self, factor: Self, sum: Self) -> Self;
    /// Zero where it is negative; what is not a number stays so.
    unsafe fn relu(self) -> Self;
}

/// The plain way.
#[derive(Clone, Copy)]
pub(super) struct Plain([f32; LANES]);

impl Plain {
    #[inline(always)]
    fn zip(self, other: Self, f: impl Fn(f32, f32) -> f32) -> Self {
        Plain(std::array::from_fn(|i| f(self.0[i], other.0[i])))
    }
}

impl Lanes for Plain {
    const GROUPS: usize = 1;
    const PIXELS: [usize; 3] = [2, 0, 0];
    #[inline(always)]
    unsafe fn splat(value: f32) -> Self {
        Plain([value; LANES])
    }
    #[inline(always)]
    unsafe fn load(at: *const f32) -> Self {
        // SAFETY: 16 numbers may be read, as promised by the caller.
        Plain(unsafe { at.cast::<[f32; LANES]>().read_unaligned() })
    }
    #[inline(always)]
    unsafe fn load_half(at: *const f32) -> Self {
        // SAFETY: 8 numbers may be read, as promised by the caller.
        let half = unsafe { at.cast::<[f32; HALF]>().read_unaligned() };
        Plain(std::array::from_fn(|i| half.get(i).copied().unwrap_or(0.0)))
    }
    #[inline(always)]
    unsafe fn store(self, at: *mut f32) {
        // SAFETY: 16 numbers may be written, as promised by the caller.
        unsafe { at.cast::<[f32; LANES]>().write_unaligned(self.0) }
    }
    #[inline(always)]
    unsafe fn store_half(self, at: *mut f32) {
        let half: [f32; HALF] = std::array::from_fn(|i| self.0[i]);
        // SAFETY: 8 numbers may be written, as promised by the caller.
        unsafe { at.cast::<[f32; HALF]>().write_unaligned(half) }
    }
    #[inline(always)]
    unsafe fn add(self, other: Self) -> Self {
        self.zip(other, |a, b| a + b)
    }
    #[inline(always)]
    unsafe fn sub(self, other: Self) -> Self {
        self.zip(other, |a, b| a - b)
    }
    #[inline(always)]
    unsafe fn mul_add(self, factor: Self, sum: Self) -> Self {
        self.zip(factor, |a, b| a * b).zip(sum, |a, b| a + b)
    }
    #[inline(always)]
    unsafe fn relu(self) -> Self {
        Plain(self.0.map(|x| if x < 0.0 { 0.0 } else { x }))
    }
}

#[cfg(target_arch = "x86_64")]
pub(super) mod x86 {
    use super::{HALF, Lanes};
    use std::arch::x86_64::*;

    /// Two registers of eight.
    #[derive(Clone, Copy)]
    pub(in super::super) struct Avx2(__m256, __m256);

    impl Lanes for Avx2 {
        const GROUPS: usize = 1;
        const PIXELS: [usize; 3] = [6, 0, 0];
        #[inline(always)]
        unsafe fn splat(value: f32) -> Self {
            // SAFETY: the processor has AVX2, as promised by the caller.
            unsafe { Avx2(_mm256_set1_ps(value), _mm256_set1_ps(value)) }
        }
        #[inline(always)]
        unsafe fn load(at: *const f32) -> Self {
            // SAFETY: as promised by the caller; unaligned loads.
            unsafe { Avx2(_mm256_loadu_ps(at), _mm256_loadu_ps(at.add(HALF))) }
        }
        #[inline(always)]
        unsafe fn load_half(at: *const f32) -> Self {
            // SAFETY: as promised by the caller; an unaligned load.
            unsafe { Avx2(_mm256_loadu_ps(at), _mm256_setzero_ps()) }
        }
        #[inline(always)]
        unsafe fn store(self, at: *mut f32) {
            // SAFETY: as promised by the caller; unaligned stores.
            unsafe {
                _mm256_storeu_ps(at, self.0);
                _mm256_storeu_ps(at.add(HALF), self.1);
            }
        }
        #[inline(always)]
        unsafe fn store_half(self, at: *mut f32) {
            // SAFETY: as promised by the caller; an unaligned store.
            unsafe { _mm256_storeu_ps(at, self.0) }
        }
        #[inline(always)]
        unsafe fn add(self, other: Self) -> Self {
            // SAFETY: the processor has AVX2, as promised by the caller.
            unsafe { Avx2(_mm256_add_ps(self.0, other.0), _mm256_add_ps(self.1, other.1)) }
        }
        #[inline(always)]
        unsafe fn sub(self, other: Self) -> Self {
            // SAFETY: the processor has AVX2, as promised by the caller.
            unsafe { Avx2(_mm256_sub_ps(self.0, other.0), _mm256_sub_ps(self.1, other.1)) }
        }
        #[inline(always)]
        unsafe fn mul_add(self, factor: Self, sum: Self) -> Self {
            // SAFETY: the processor has AVX2 and FMA, as promised by the caller.
            unsafe {
                Avx2(_mm256_fmadd_ps(self.0, factor.0, sum.0), _mm256_fmadd_ps(self.1, factor.1, sum.1))
            }
        }
        #[inline(always)]
        unsafe fn relu(self) -> Self {
            // SAFETY: the processor has AVX2, as promised by the caller. The second operand is
            // the answer where one is not a number.
            unsafe {
                let zero = _mm256_setzero_ps();
                Avx2(_mm256_max_ps(zero, self.0), _mm256_max_ps(zero, self.1))
            }
        }
    }

    /// One register of sixteen.
    #[derive(Clone, Copy)]
    pub(in super::super) struct Avx512(__m512);

    impl Lanes for Avx512 {
        const GROUPS: usize = 3;
        const PIXELS: [usize; 3] = [14, 10, 8];
        #[inline(always)]
        unsafe fn splat(value: f32) -> Self {
            // SAFETY: the processor has AVX-512 F, as promised by the caller.
            unsafe { Avx512(_mm512_set1_ps(value)) }
        }
        #[inline(always)]
        unsafe fn load(at: *const f32) -> Self {
            // SAFETY: as promised by the caller; an unaligned load.
            unsafe { Avx512(_mm512_loadu_ps(at)) }
        }
        #[inline(always)]
        unsafe fn load_half(at: *const f32) -> Self {
            // SAFETY: as promised by the caller; an unaligned load of the lower half.
            unsafe { Avx512(_mm512_zextps256_ps512(_mm256_loadu_ps(at))) }
        }
        #[inline(always)]
        unsafe fn store(self, at: *mut f32) {
            // SAFETY: as promised by the caller; an unaligned store.
            unsafe { _mm512_storeu_ps(at, self.0) }
        }
        #[inline(always)]
        unsafe fn store_half(self, at: *mut f32) {
            // SAFETY: as promised by the caller; an unaligned store of the lower half.
            unsafe { _mm256_storeu_ps(at, _mm512_castps512_ps256(self.0)) }
        }
        #[inline(always)]
        unsafe fn add(self, other: Self) -> Self {
            // SAFETY: the processor has AVX-512 F, as promised by the caller.
            unsafe { Avx512(_mm512_add_ps(self.0, other.0)) }
        }
        #[inline(always)]
        unsafe fn sub(self, other: Self) -> Self {
            // SAFETY: the processor has AVX-512 F, as promised by the caller.
            unsafe { Avx512(_mm512_sub_ps(self.0, other.0)) }
        }
        #[inline(always)]
        unsafe fn mul_add(self, factor: Self, sum: Self) -> Self {
            // SAFETY: the processor has AVX-512 F, as promised by the caller.
            unsafe { Avx512(_mm512_fmadd_ps(self.0, factor.0, sum.0)) }
        }
        #[inline(always)]
        unsafe fn relu(self) -> Self {
            // SAFETY: the processor has AVX-512 F, as promised by the caller. The second operand
            // is the answer where one is not a number.
            unsafe { Avx512(_mm512_max_ps(_mm512_setzero_ps(), self.0)) }
        }
    }
}
