//! CRC-32C (Castagnoli; RFC 3720, B.4), of data that comes in pieces.

use crc_fast::{CrcAlgorithm, Digest};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// What has been summed up so far.
#[derive(Debug, Clone)]
pub struct Crc32c(Digest);

impl Default for Crc32c {
    fn default() -> Self {
        Self(Digest::new(CrcAlgorithm::Crc32Iscsi))
    }
}

impl Crc32c {
    pub fn add(&mut self, bytes: &[u8]) {
        self.0.update(bytes);
    }

    #[must_use]
    #[allow(clippy::cast_possible_truncation, reason = "a checksum of 32 bits")]
    pub fn value(&self) -> u32 {
        self.0.finalize() as u32
    }
}

/// How much came in, and its checksum.
#[derive(Debug, Clone, Default)]
pub struct Received {
    pub size_bytes: u64,
    pub crc32c: Crc32c,
    /// The size again, for threads that write while more comes in.
    pub shared_size: Arc<AtomicU64>,
}

impl Received {
    pub fn add(&mut self, bytes: &[u8]) {
        self.size_bytes += bytes.len() as u64;
        self.shared_size.store(self.size_bytes, Ordering::Relaxed);
        self.crc32c.add(bytes);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The definition, bit by bit, with the polynomial reflected.
    fn by_definition(bytes: &[u8]) -> u32 {
        let step = |sum: u32, _| sum >> 1 ^ (0x82f6_3b78 & 0_u32.wrapping_sub(sum & 1));
        !bytes.iter().fold(!0, |sum, byte| (0..8).fold(sum ^ u32::from(*byte), step))
    }

    #[test]
    fn the_sum_is_that_of_the_rfc_and_of_the_definition_however_the_data_comes() {
        assert_eq!(by_definition(b"123456789"), 0xe306_9283);
        assert_eq!(by_definition(&[0; 32]), 0x8a91_36aa);
        let bytes: Vec<u8> = (0_u32..3000).flat_map(|it| (it * 7919).to_le_bytes()).collect();
        for size in (0..400).chain([1023, 1024, 1025, 4096, 11_999, 12_000]) {
            for piece in [1, 7, 64, 1000, 12_000] {
                let mut sum = Crc32c::default();
                bytes[..size].chunks(piece).for_each(|it| sum.add(it));
                assert_eq!(sum.value(), by_definition(&bytes[..size]), "{size} in {piece}");
            }
        }
    }
}
