//! Compressed blocks, made blocks of text by whoever takes the next.
//!
//! A block of text is as long as one that is read, and what one step of the decompressor may add. So it does not matter
//! how much text a compressed block is, and what threads hold stays bounded.

use super::{BLOCK_BYTES, Decompressor, Room, Taken};
use crate::checksum::Received;
use crate::error::Error;

/// Bytes of text from which a block is full. What a fuzzer tries is short.
const TEXT_BYTES: usize = if cfg!(fuzzing) { 50 } else { BLOCK_BYTES };

/// The decompressor, and the block that it is at.
pub struct Unpacking<'a, 't> {
    decompressor: &'a mut Decompressor,
    received: &'a mut Received,
    /// What compressed blocks are read into.
    packed: Room,
    /// The compressed block, where it is not in there, and how much of it was decompressed.
    text: Option<&'t [u8]>,
    done_bytes: usize,
    /// Whether more may come of it.
    goes_on: bool,
    /// The number of the next block of text.
    next: u64,
}

impl<'a, 't> Unpacking<'a, 't> {
    #[must_use]
    pub fn new(decompressor: &'a mut Decompressor, received: &'a mut Received) -> Self {
        Self {
            decompressor,
            received,
            packed: Room::default(),
            text: None,
            done_bytes: 0,
            goes_on: false,
            next: 0,
        }
    }

    /// Puts the next block of text into the room; `None` where there is none, for `read`, which gets compressed ones, has
    /// no more. Nothing is left of what was read then.
    pub fn take(
        &mut self,
        room: &mut Room,
        mut read: impl FnMut(&mut Room) -> Result<Option<Taken<'t>>, Error>,
    ) -> Result<Option<Taken<'t>>, Error> {
        room.gather(|text| {
            while text.len() < TEXT_BYTES {
                if !self.goes_on {
                    let Some(taken) = read(&mut self.packed)? else { break };
                    self.text = taken.text;
                    self.received.add(taken.text.unwrap_or(&self.packed));
                    self.done_bytes = 0;
                }
                let packed = self.text.unwrap_or(&self.packed);
                let mut rest = &packed[self.done_bytes..];
                self.goes_on = self.decompressor.step(&mut rest, text)?;
                self.done_bytes = packed.len() - rest.len();
            }
            Ok(())
        })?;
        if room.is_empty() {
            return Ok(None);
        }
        self.next += 1;
        Ok(Some(Taken { number: self.next - 1, text: None }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::{InputError, LimitFault};
    use std::io::Write;

    /// Texts of a bomb, block by block, of which the compressed ones stand in a room or outside.
    fn unpack(packed: &[u8], max_bytes: u64, outside: bool) -> Result<(Vec<usize>, u64), Error> {
        let mut decompressor = Decompressor::new(max_bytes);
        decompressor.feed(&packed[..10], &mut |_| Ok(()))?;
        let mut received = Received::default();
        let mut unpacking = Unpacking::new(&mut decompressor, &mut received);
        let mut chunks = packed[10..].chunks(70_000);
        let mut read = |room: &mut Room| {
            let Some(chunk) = chunks.next() else { return Ok(None) };
            room.of(chunk.len()).copy_from_slice(chunk);
            Ok(Some(Taken { number: 0, text: outside.then_some(chunk) }))
        };
        let (mut room, mut sizes) = (Room::default(), Vec::new());
        while let Some(Taken { number, text: None }) = unpacking.take(&mut room, &mut read)? {
            assert_eq!(number, sizes.len() as u64);
            assert!(room.iter().all(|&byte| byte == b'x'));
            sizes.push(room.len());
        }
        assert!(unpacking.take(&mut room, &mut read)?.is_none(), "the end stays the end");
        decompressor.finish(&mut |rest| {
            sizes.push(rest.len());
            Ok(())
        })?;
        Ok((sizes, received.size_bytes + 10))
    }

    #[test]
    fn a_bomb_goes_off_in_blocks_of_bounded_size_and_not_beyond_its_bound() {
        let size_bytes = 10 << 20;
        let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
        gzip.write_all(&vec![b'x'; size_bytes]).unwrap();
        let zstd = zstd::encode_all(&vec![b'x'; size_bytes][..], 3).unwrap();
        for packed in [gzip.finish().unwrap(), zstd] {
            for outside in [false, true] {
                let (sizes, packed_bytes) = unpack(&packed, size_bytes as u64, outside).unwrap();
                assert_eq!(packed_bytes, packed.len() as u64);
                assert_eq!(sizes.iter().sum::<usize>(), size_bytes);
                assert!(sizes.iter().all(|&it| it < BLOCK_BYTES + (3 << 20)), "{sizes:?}");
                let refused = unpack(&packed, size_bytes as u64 - 1, outside).unwrap_err();
                let fault = InputError::Limit(LimitFault::DecompressedBytes(size_bytes as u64 - 1));
                assert_eq!(refused.to_string(), Error::from(fault).to_string());
            }
        }
    }
}
