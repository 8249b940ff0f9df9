//! The kernels with AVX2 and AVX-512: the only file with `unsafe`.
//!
//! Each block argues its safety; `Scalar` is the twin, and a test holds all of them equal.
#![allow(unsafe_code, reason = "intrinsics; every block below carries its argument")]
#![allow(clippy::cast_ptr_alignment, reason = "the loads are unaligned ones")]

use super::Tokeniser;
use super::block::{Kernel, Masks};
use std::arch::x86_64::{
    __m256i, __m512i, _mm_clmulepi64_si128, _mm_cvtsi128_si64, _mm_set_epi64x, _mm_set1_epi8,
    _mm256_cmpeq_epi8, _mm256_loadu_si256, _mm256_movemask_epi8, _mm256_set1_epi8,
    _mm512_cmpeq_epi8_mask, _mm512_loadu_si512, _mm512_set1_epi8,
};

/// Whether this processor has what `scan_avx2` is compiled for.
pub(super) fn has_avx2() -> bool {
    is_x86_feature_detected!("avx2")
        && is_x86_feature_detected!("pclmulqdq")
        && is_x86_feature_detected!("bmi1")
        && is_x86_feature_detected!("bmi2")
        && is_x86_feature_detected!("popcnt")
}

/// Whether this processor has what `scan_avx512` is compiled for.
pub(super) fn has_avx512() -> bool {
    has_avx2() && is_x86_feature_detected!("avx512f") && is_x86_feature_detected!("avx512bw")
}

/// `Tokeniser::scan` with AVX2.
pub(super) fn scan_with_avx2(it: &mut Tokeniser, bytes: &[u8], base: u32) -> Option<u32> {
    debug_assert!(has_avx2());
    // SAFETY: `Instructions` holds `Set::Avx2` only where `has_avx2` was true.
    unsafe { scan_avx2(it, bytes, base) }
}

/// `Tokeniser::scan` with AVX-512.
pub(super) fn scan_with_avx512(it: &mut Tokeniser, bytes: &[u8], base: u32) -> Option<u32> {
    debug_assert!(has_avx512());
    // SAFETY: `Instructions` holds `Set::Avx512` only where `has_avx512` was true.
    unsafe { scan_avx512(it, bytes, base) }
}

#[target_feature(enable = "avx2,pclmulqdq,bmi1,bmi2,popcnt")]
fn scan_avx2(it: &mut Tokeniser, bytes: &[u8], base: u32) -> Option<u32> {
    it.scan_with::<Avx2>(bytes, base)
}

#[target_feature(enable = "avx512f,avx512bw,avx2,pclmulqdq,bmi1,bmi2,popcnt")]
fn scan_avx512(it: &mut Tokeniser, bytes: &[u8], base: u32) -> Option<u32> {
    it.scan_with::<Avx512>(bytes, base)
}

struct Avx2;

impl Kernel for Avx2 {
    #[inline(always)]
    fn masks(block: &[u8; 64], delimiter: u8) -> Masks {
        // SAFETY: called from `scan_avx2` alone, so the instructions exist; both loads are unaligned
        // ones, and read bytes 0..32 and 32..64 of an array of 64.
        unsafe {
            let low = _mm256_loadu_si256(block.as_ptr().cast::<__m256i>());
            let high = _mm256_loadu_si256(block.as_ptr().add(32).cast::<__m256i>());
            let mask = |wanted: u8| {
                let wanted = _mm256_set1_epi8(wanted.cast_signed());
                let low = _mm256_movemask_epi8(_mm256_cmpeq_epi8(low, wanted)).cast_unsigned();
                let high = _mm256_movemask_epi8(_mm256_cmpeq_epi8(high, wanted)).cast_unsigned();
                u64::from(low) | u64::from(high) << 32
            };
            Masks {
                quote: mask(b'"'),
                delimiter: mask(delimiter),
                lf: mask(b'\n'),
                cr: mask(b'\r'),
                nul: mask(0),
            }
        }
    }

    #[inline(always)]
    fn prefix_xor(bits: u64) -> u64 {
        // SAFETY: called from `scan_avx2` alone, whose features are all that this needs.
        unsafe { multiply_by_ones(bits) }
    }
}

struct Avx512;

impl Kernel for Avx512 {
    #[inline(always)]
    fn masks(block: &[u8; 64], delimiter: u8) -> Masks {
        // SAFETY: called from `scan_avx512` alone, so the instructions exist; the load is an unaligned
        // one, and reads an array of 64 bytes.
        unsafe {
            let bytes = _mm512_loadu_si512(block.as_ptr().cast::<__m512i>());
            let mask =
                |wanted: u8| _mm512_cmpeq_epi8_mask(bytes, _mm512_set1_epi8(wanted.cast_signed()));
            Masks {
                quote: mask(b'"'),
                delimiter: mask(delimiter),
                lf: mask(b'\n'),
                cr: mask(b'\r'),
                nul: mask(0),
            }
        }
    }

    #[inline(always)]
    fn prefix_xor(bits: u64) -> u64 {
        // SAFETY: called from `scan_avx512` alone, whose features are all that this needs.
        unsafe { multiply_by_ones(bits) }
    }
}

/// The carry-less product with all ones: bit n is the parity of bits 0 to n.
///
/// # Safety
///
/// The processor must have PCLMULQDQ.
#[inline(always)]
unsafe fn multiply_by_ones(bits: u64) -> u64 {
    // SAFETY: by the caller's promise the instruction exists; none of these touches memory.
    unsafe {
        let bits = _mm_set_epi64x(0, bits.cast_signed());
        let product = _mm_clmulepi64_si128::<0>(bits, _mm_set1_epi8(-1));
        _mm_cvtsi128_si64(product).cast_unsigned()
    }
}
