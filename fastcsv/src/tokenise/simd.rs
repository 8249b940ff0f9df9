//! The kernels with AVX2 and AVX-512. One of the files with `unsafe`.
//!
//! Each block argues its safety; `Scalar` is the twin, and a test holds all of them equal.
#![allow(unsafe_code, reason = "intrinsics; every block below carries its argument")]
#![allow(clippy::cast_ptr_alignment, reason = "the loads are unaligned ones")]

use super::block::{BlockMasks, Kernel, Scan, spread_by_bits};
use std::arch::x86_64::{
    __m256i, __m512i, _mm_clmulepi64_si128, _mm_cvtsi128_si64, _mm_loadu_si128, _mm_set_epi64x,
    _mm_set1_epi8, _mm256_cmpeq_epi8, _mm256_loadu_si256, _mm256_movemask_epi8, _mm256_set1_epi8,
    _mm512_add_epi32, _mm512_castsi512_si128, _mm512_cmpeq_epi8_mask, _mm512_cvtepu8_epi32,
    _mm512_loadu_si512, _mm512_maskz_compress_epi8, _mm512_set1_epi8, _mm512_set1_epi32,
    _mm512_storeu_si512,
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
    has_avx2()
        && is_x86_feature_detected!("avx512f")
        && is_x86_feature_detected!("avx512bw")
        && is_x86_feature_detected!("avx512vbmi2")
}

/// Runs a scan with AVX2.
pub(super) fn run_avx2(scan: impl Scan) -> Option<u32> {
    debug_assert!(has_avx2());
    // SAFETY: `Instructions` holds `ScanSet::Avx2` only where `has_avx2` was true.
    unsafe { scan_avx2(scan) }
}

/// Runs a scan with AVX-512.
pub(super) fn run_avx512(scan: impl Scan) -> Option<u32> {
    debug_assert!(has_avx512());
    // SAFETY: `Instructions` holds `ScanSet::Avx512` only where `has_avx512` was true.
    unsafe { scan_avx512(scan) }
}

#[target_feature(enable = "avx2,pclmulqdq,bmi1,bmi2,popcnt")]
fn scan_avx2(scan: impl Scan) -> Option<u32> {
    scan.run::<Avx2>()
}

#[target_feature(enable = "avx512f,avx512bw,avx512vbmi2,avx2,pclmulqdq,bmi1,bmi2,popcnt")]
fn scan_avx512(scan: impl Scan) -> Option<u32> {
    scan.run::<Avx512>()
}

struct Avx2;

impl Kernel for Avx2 {
    const SPREADS_AT_ONCE: bool = false;

    #[inline(always)]
    fn masks(block: &[u8; 64], delimiter: u8) -> BlockMasks {
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
            BlockMasks::of(delimiter, mask)
        }
    }

    #[inline(always)]
    fn prefix_xor(bits: u64) -> u64 {
        // SAFETY: called from `scan_avx2` alone, whose features are all that this needs.
        unsafe { multiply_by_ones(bits) }
    }

    #[inline(always)]
    fn spread(bits: u64, base: u32, room: &mut [u32; 64]) {
        spread_by_bits(bits, base, room);
    }
}

struct Avx512;

/// The places of a block's bytes.
const PLACES: [u8; 64] = {
    let mut places = [0; 64];
    let mut place = 0;
    while place < 64 {
        places[place as usize] = place;
        place += 1;
    }
    places
};

impl Kernel for Avx512 {
    const SPREADS_AT_ONCE: bool = true;

    #[inline(always)]
    fn masks(block: &[u8; 64], delimiter: u8) -> BlockMasks {
        // SAFETY: called from `scan_avx512` alone, so the instructions exist; the load is an unaligned
        // one, and reads an array of 64 bytes.
        unsafe {
            let bytes = _mm512_loadu_si512(block.as_ptr().cast::<__m512i>());
            let mask =
                |wanted: u8| _mm512_cmpeq_epi8_mask(bytes, _mm512_set1_epi8(wanted.cast_signed()));
            BlockMasks::of(delimiter, mask)
        }
    }

    #[inline(always)]
    fn prefix_xor(bits: u64) -> u64 {
        // SAFETY: called from `scan_avx512` alone, whose features are all that this needs.
        unsafe { multiply_by_ones(bits) }
    }

    #[inline(always)]
    fn spread(bits: u64, base: u32, room: &mut [u32; 64]) {
        // SAFETY: called from `scan_avx512` alone, so the instructions exist; the loads read arrays of 64
        // and of 16 bytes, and each store writes an array of 16 positions.
        unsafe {
            let places = _mm512_loadu_si512(PLACES.as_ptr().cast::<__m512i>());
            let packed = _mm512_maskz_compress_epi8(bits, places);
            let base = _mm512_set1_epi32(base.cast_signed());
            let (rooms, _) = room.as_chunks_mut::<16>();
            let low = _mm512_cvtepu8_epi32(_mm512_castsi512_si128(packed));
            _mm512_storeu_si512(rooms[0].as_mut_ptr().cast(), _mm512_add_epi32(low, base));
            if bits.count_ones() > 16 {
                let mut bytes = [0_u8; 64];
                _mm512_storeu_si512(bytes.as_mut_ptr().cast(), packed);
                for (bytes, room) in bytes.as_chunks::<16>().0.iter().zip(rooms).skip(1) {
                    let some = _mm512_cvtepu8_epi32(_mm_loadu_si128(bytes.as_ptr().cast()));
                    _mm512_storeu_si512(room.as_mut_ptr().cast(), _mm512_add_epi32(some, base));
                }
            }
        }
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
