//! Decompresses compressed blocks into blocks of text, one for each call.
//!
//! A compressed block may hold any amount of text. The text is given out in blocks no longer than plain ones, so that
//! threads hold no more memory than with plain text.

use super::block::{BlockBuffer, TakenBlock};
use super::compression::Decompressor;
use super::source::BLOCK_BYTES;
use crate::checksum::Received;
use crate::error::Error;

/// Bytes of a whole block of text. What a fuzzer tries is short.
const TEXT_BYTES: usize = if cfg!(fuzzing) { 50 } else { BLOCK_BYTES };

/// A compressed block, and how much of it has been decompressed.
#[derive(Debug, Default)]
pub struct Packed {
    /// The buffer that it is read into.
    pub block: BlockBuffer,
    pub done_bytes: usize,
    /// Whether more may come of it.
    pub goes_on: bool,
}

impl Packed {
    /// Begins with the block that was just read, which may stand outside.
    pub fn begin(&mut self, outside: Option<&[u8]>, received: &mut Received) {
        received.add(outside.unwrap_or(&self.block));
        self.done_bytes = 0;
        self.goes_on = true;
    }

    /// Puts the next block of text into the buffer: what comes of the compressed block, which may be nothing, or as
    /// much of that as goes into a block. An error comes where there is no text before it.
    pub fn unpack(
        &mut self,
        outside: Option<&[u8]>,
        decompressor: &mut Decompressor,
        buffer: &mut BlockBuffer,
    ) -> Result<(), Error> {
        let packed = outside.unwrap_or(&self.block);
        let mut rest = &packed[self.done_bytes..];
        let mut goes_on = true;
        buffer.gather(|text| {
            while goes_on
                && text.len() < TEXT_BYTES
                && (text.is_empty() || !decompressor.has_fault())
            {
                goes_on = decompressor.step(&mut rest, TEXT_BYTES - text.len(), text)?;
            }
            Ok(())
        })?;
        self.done_bytes = packed.len() - rest.len();
        self.goes_on = goes_on;
        Ok(())
    }
}

/// The decompressor, and the compressed block that it reads.
pub struct Unpacking<'a, 't> {
    decompressor: &'a mut Decompressor,
    received: &'a mut Received,
    packed: &'a mut Packed,
    /// The compressed block, where it is not in there.
    outside: Option<&'t [u8]>,
    /// An error was told; nothing comes after it.
    ended: bool,
    /// The number of the next block of text.
    next: u64,
}

impl<'a, 't> Unpacking<'a, 't> {
    #[must_use]
    pub fn new(
        decompressor: &'a mut Decompressor,
        received: &'a mut Received,
        packed: &'a mut Packed,
    ) -> Self {
        Self { decompressor, received, packed, outside: None, ended: false, next: 0 }
    }

    /// Puts the next block of text into the buffer. `None` where `read`, which gets compressed ones, has no more. An
    /// error comes as the block that it stands for.
    pub fn take(
        &mut self,
        buffer: &mut BlockBuffer,
        read: impl FnOnce(&mut BlockBuffer) -> Result<Option<TakenBlock<'t>>, Error>,
    ) -> Option<TakenBlock<'t>> {
        if self.ended {
            return None;
        }
        let taken = match self.read_on(read) {
            Ok(true) => self.packed.unpack(self.outside, self.decompressor, buffer),
            Ok(false) => return None,
            Err(fault) => Err(fault),
        };
        self.ended = taken.is_err();
        self.next += 1;
        Some(TakenBlock { number: self.next - 1, text: None, fault: taken.err() })
    }

    /// Says whether there is a compressed block of which more may come.
    fn read_on(
        &mut self,
        read: impl FnOnce(&mut BlockBuffer) -> Result<Option<TakenBlock<'t>>, Error>,
    ) -> Result<bool, Error> {
        if self.packed.goes_on {
            return Ok(true);
        }
        let Some(taken) = read(&mut self.packed.block)? else { return Ok(false) };
        self.outside = taken.text;
        self.packed.begin(taken.text, self.received);
        Ok(true)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::{InputError, LimitFault};
    use crate::options::Options;
    use std::io::Write;

    type Sizes = Vec<usize>;

    /// Sizes of a bomb's blocks, where the compressed ones stand in a buffer or outside.
    fn unpack(packed: &[u8], max_bytes: u64, outside: bool) -> Result<Sizes, Error> {
        let mut decompressor = Decompressor::new(max_bytes, Options::default().expansion());
        decompressor.feed(&packed[..4], &mut |_| Ok(()))?;
        let mut received = Received::default();
        let mut packed_block = Packed::default();
        let mut unpacking = Unpacking::new(&mut decompressor, &mut received, &mut packed_block);
        let mut chunks = packed[4..].chunks(5000);
        let mut read = |buffer: &mut BlockBuffer| {
            let Some(chunk) = chunks.next() else { return Ok(None) };
            buffer.of(chunk.len()).copy_from_slice(chunk);
            Ok(Some(TakenBlock::new(0, outside.then_some(chunk))))
        };
        let (mut buffer, mut sizes) = (BlockBuffer::default(), Sizes::new());
        while let Some(taken) = unpacking.take(&mut buffer, &mut read) {
            assert!(taken.number == sizes.len() as u64 && taken.text.is_none());
            if let Some(fault) = taken.fault {
                assert!(unpacking.take(&mut buffer, &mut read).is_none(), "the end stays the end");
                return Err(fault);
            }
            assert!(buffer.iter().all(|&byte| byte == b'x'));
            sizes.push(buffer.len());
        }
        assert!(unpacking.take(&mut buffer, &mut read).is_none(), "the end stays the end");
        assert_eq!(received.size_bytes, packed.len() as u64 - 4);
        decompressor.finish(&mut |rest| {
            sizes.push(rest.len());
            Ok(())
        })?;
        Ok(sizes)
    }

    #[test]
    fn a_bomb_goes_off_in_blocks_as_plain_text_has_them_and_not_beyond_its_bound() {
        let size_bytes = 10 << 20;
        let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
        gzip.write_all(&vec![b'x'; size_bytes]).unwrap();
        let zstd = zstd::encode_all(&vec![b'x'; size_bytes][..], 3).unwrap();
        for packed in [gzip.finish().unwrap(), zstd] {
            for outside in [false, true] {
                let sizes = unpack(&packed, size_bytes as u64, outside).unwrap();
                assert_eq!(sizes.iter().sum::<usize>(), size_bytes);
                assert!(sizes.iter().all(|&it| it <= TEXT_BYTES), "{sizes:?}");
                assert!(sizes.len() < size_bytes / TEXT_BYTES + 9, "{sizes:?}");
                let refused = unpack(&packed, size_bytes as u64 - 1, outside).unwrap_err();
                let fault = InputError::Limit(LimitFault::DecompressedBytes(size_bytes as u64 - 1));
                assert_eq!(refused.to_string(), Error::from(fault).to_string());
            }
        }
    }
}
