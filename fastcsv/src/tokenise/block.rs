//! One block of 64 bytes as bit masks, and the scalar kernel that every machine has.

/// Bytes that a kernel looks at in one step.
pub(super) const BLOCK: usize = 64;

/// Where the special bytes of a block stand: bit n is byte n.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct BlockMasks {
    pub quote: u64,
    pub delimiter: u64,
    pub lf: u64,
    pub cr: u64,
    pub nul: u64,
}

impl BlockMasks {
    /// All of them, by what gives the mask of one byte.
    #[inline(always)]
    pub(super) fn of(delimiter: u8, mask: impl Fn(u8) -> u64) -> Self {
        Self {
            quote: mask(b'"'),
            delimiter: mask(delimiter),
            lf: mask(b'\n'),
            cr: mask(b'\r'),
            nul: mask(0),
        }
    }
}

/// The three steps that are worth special instructions.
pub(super) trait Kernel {
    /// Whether `spread` costs the same whatever the bits: then a block that has none of a kind is no reason
    /// for a branch.
    const SPREADS_AT_ONCE: bool;

    fn masks(block: &[u8; 64], delimiter: u8) -> BlockMasks;

    /// Bit n of the result is the parity of bits 0 to n.
    fn prefix_xor(bits: u64) -> u64;

    /// Writes `base` and the place of each set bit, in order, and then anything.
    fn spread(bits: u64, base: u32, room: &mut [u32; 64]);
}

/// A scan of one piece of text. It is compiled anew for each kernel, whose steps are inlined into it: `run` has to be
/// `#[inline(always)]`.
pub(super) trait Scan {
    fn run<K: Kernel>(self) -> Option<u32>;
}

/// Positions count within one buffer, and the framer keeps buffers far below 4 GiB.
#[inline(always)]
pub(crate) fn narrow(index: usize) -> u32 {
    debug_assert!(u32::try_from(index).is_ok());
    #[allow(clippy::cast_possible_truncation, reason = "buffers are bounded below 4 GiB")]
    let index = index as u32;
    index
}

/// Positions written at once. Most blocks have fewer, and a loop over a count that cannot be foretold costs
/// a wrong guess a block.
const STEP: usize = 8;

/// `Kernel::spread` bit by bit.
#[inline(always)]
pub(super) fn spread_by_bits(mut bits: u64, base: u32, room: &mut [u32; 64]) {
    let steps = (bits.count_ones() as usize).div_ceil(STEP);
    for step in room.as_chunks_mut::<STEP>().0.iter_mut().take(steps) {
        for slot in step {
            *slot = base.wrapping_add(bits.trailing_zeros());
            bits &= bits.wrapping_sub(1);
        }
    }
}

/// Plain Rust: the twin that the SIMD kernels are held equal to, and the fallback.
pub(super) struct ScalarKernel;

impl Kernel for ScalarKernel {
    const SPREADS_AT_ONCE: bool = false;

    #[inline(always)]
    fn masks(block: &[u8; 64], delimiter: u8) -> BlockMasks {
        let mask = |wanted: u8| {
            block
                .iter()
                .enumerate()
                .fold(0, |bits, (index, &byte)| bits | u64::from(byte == wanted) << index)
        };
        BlockMasks::of(delimiter, mask)
    }

    #[inline(always)]
    fn prefix_xor(bits: u64) -> u64 {
        let mut parity = bits;
        for shift in [1, 2, 4, 8, 16, 32] {
            parity ^= parity << shift;
        }
        parity
    }
    #[inline(always)]
    fn spread(bits: u64, base: u32, room: &mut [u32; 64]) {
        spread_by_bits(bits, base, room);
    }
}
