//! One block of 64 bytes as bit masks, and the scalar kernel that every machine has.

/// Where the special bytes of a block stand: bit n is byte n.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Masks {
    pub quote: u64,
    pub delimiter: u64,
    pub lf: u64,
    pub cr: u64,
    pub nul: u64,
}

/// The two steps that are worth special instructions.
pub(super) trait Kernel {
    fn masks(block: &[u8; 64], delimiter: u8) -> Masks;

    /// Bit n of the result is the parity of bits 0 to n.
    fn prefix_xor(bits: u64) -> u64;
}

/// Plain Rust: the twin that the SIMD kernels are held equal to, and the fallback.
pub(super) struct Scalar;

impl Kernel for Scalar {
    #[inline(always)]
    fn masks(block: &[u8; 64], delimiter: u8) -> Masks {
        let mask = |wanted: u8| {
            block
                .iter()
                .enumerate()
                .fold(0, |bits, (index, &byte)| bits | u64::from(byte == wanted) << index)
        };
        Masks {
            quote: mask(b'"'),
            delimiter: mask(delimiter),
            lf: mask(b'\n'),
            cr: mask(b'\r'),
            nul: mask(0),
        }
    }

    #[inline(always)]
    fn prefix_xor(bits: u64) -> u64 {
        let mut parity = bits;
        for shift in [1, 2, 4, 8, 16, 32] {
            parity ^= parity << shift;
        }
        parity
    }
}
