//! The kernel with NEON, which every 64-bit ARM has. One of the files with `unsafe`.
//!
//! Each block argues its safety; `ScalarKernel` is the twin, and a test holds both equal. Parity is by shifts: a carry-less
//! multiplication is of the cryptographic extension, which not every processor has, and no block waits for the parity
//! of the one before, only for its last bit.
#![allow(unsafe_code, reason = "intrinsics; every block below carries its argument")]

use super::block::{BlockMasks, Kernel, ScalarKernel, spread_by_bits};
use std::arch::aarch64::{
    uint8x16_t, vandq_u8, vceqq_u8, vdupq_n_u8, vgetq_lane_u64, vld1q_u8, vpaddq_u8,
    vreinterpretq_u64_u8,
};

const _: () =
    assert!(cfg!(target_feature = "neon"), "this is compiled for a processor without NEON");

pub(super) struct Neon;

/// The bit of each byte among eight.
const BITS: [u8; 16] = [1, 2, 4, 8, 16, 32, 64, 128, 1, 2, 4, 8, 16, 32, 64, 128];

impl Kernel for Neon {
    const SPREADS_AT_ONCE: bool = false;

    #[inline(always)]
    fn masks(block: &[u8; 64], delimiter: u8) -> BlockMasks {
        // SAFETY: the whole program is compiled for NEON, as is said above.
        unsafe { masks(block, delimiter) }
    }

    #[inline(always)]
    fn prefix_xor(bits: u64) -> u64 {
        ScalarKernel::prefix_xor(bits)
    }

    #[inline(always)]
    fn spread(bits: u64, base: u32, room: &mut [u32; 64]) {
        spread_by_bits(bits, base, room);
    }
}

#[inline]
#[target_feature(enable = "neon")]
fn masks(block: &[u8; 64], delimiter: u8) -> BlockMasks {
    let (quarters, _) = block.as_chunks::<16>();
    let bytes = [load(&quarters[0]), load(&quarters[1]), load(&quarters[2]), load(&quarters[3])];
    let mask = |wanted: u8| {
        let wanted = vdupq_n_u8(wanted);
        one_bit_each(bytes.map(|bytes| vceqq_u8(bytes, wanted)))
    };
    BlockMasks::of(delimiter, mask)
}

/// Bytes of all ones or all zeros as bits: each keeps its own bit, and neighbours are added until eight are one byte.
#[inline]
#[target_feature(enable = "neon")]
fn one_bit_each(bytes: [uint8x16_t; 4]) -> u64 {
    let bits = load(&BITS);
    let [first, second, third, fourth] = bytes.map(|bytes| vandq_u8(bytes, bits));
    let halves = vpaddq_u8(vpaddq_u8(first, second), vpaddq_u8(third, fourth));
    vgetq_lane_u64::<0>(vreinterpretq_u64_u8(vpaddq_u8(halves, halves)))
}

#[inline]
#[target_feature(enable = "neon")]
fn load(bytes: &[u8; 16]) -> uint8x16_t {
    // SAFETY: reads an array of 16 bytes, which may stand anywhere.
    unsafe { vld1q_u8(bytes.as_ptr()) }
}
