//! Blocks, and the memory that they are read into, page by page.

use crate::error::Error;
use std::ops::Deref;

/// A block's first byte stands at a multiple of this.
///
/// The kernel copies from pages of this size with `rep movsb`, which Zen 3 runs at a third of its speed where the
/// target lies 1 to 31 bytes further into its page than the source: 0.24 s instead of 0.08 s for 308 MB. A large
/// `Vec` lies there, 16 bytes into its first page, behind what malloc notes of it.
const PAGE_BYTES: usize = 4096;

/// Room for one block, empty at first, kept from block to block.
#[derive(Debug, Default)]
pub struct Room {
    /// The block, and a page more in all before and behind it.
    memory: Vec<u8>,
    begin: usize,
    size_bytes: usize,
}

/// A block, by its number from 0.
#[derive(Debug)]
pub struct Taken<'t> {
    pub number: u64,
    /// Its text, where that is not in the room it was offered.
    pub text: Option<&'t [u8]>,
    /// Why there is no text, and none after it: to be told when everything before has been written.
    pub fault: Option<Error>,
}

impl<'t> Taken<'t> {
    /// A block that is there.
    #[must_use]
    pub fn new(number: u64, text: Option<&'t [u8]>) -> Self {
        Self { number, text, fault: None }
    }
}

impl Room {
    /// Makes it so long, and gives it away to be filled: it holds anything.
    pub fn of(&mut self, size_bytes: usize) -> &mut [u8] {
        if self.memory.len() < size_bytes + PAGE_BYTES {
            self.memory.resize(size_bytes + PAGE_BYTES, 0);
            // Anywhere is right, only slow; so nothing has to be said of targets that cannot tell.
            self.begin = self.memory.as_ptr().align_offset(PAGE_BYTES).min(PAGE_BYTES);
        }
        self.size_bytes = size_bytes;
        &mut self.memory[self.begin..][..size_bytes]
    }

    /// Empties it, and has it filled from its begin by who does not know how much it will be.
    pub fn gather(
        &mut self,
        fill: impl FnOnce(&mut Vec<u8>) -> Result<(), Error>,
    ) -> Result<(), Error> {
        self.memory.clear();
        self.begin = 0;
        let done = fill(&mut self.memory);
        self.size_bytes = self.memory.len();
        done
    }

    /// Lets go of what stands behind so many bytes.
    pub fn truncate(&mut self, size_bytes: usize) {
        self.size_bytes = self.size_bytes.min(size_bytes);
    }
}

impl Deref for Room {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        &self.memory[self.begin..][..self.size_bytes]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_block_begins_with_a_page_and_keeps_its_text_whatever_its_size() {
        let mut room = Room::default();
        assert!(room.is_empty());
        for size_bytes in [0, 1, 10, 4096, 300_000, 5, 262_144, 1 << 20, 1 << 20] {
            room.of(size_bytes).fill(b'x');
            assert_eq!((room.len(), room.as_ptr().align_offset(PAGE_BYTES)), (size_bytes, 0));
            room.truncate(7);
            assert_eq!(&*room, &b"xxxxxxx"[..size_bytes.min(7)]);
        }
        for text in [b"".as_slice(), b"text"] {
            let fill = |memory: &mut Vec<u8>| {
                memory.extend_from_slice(text);
                Ok(())
            };
            room.gather(fill).unwrap();
            assert_eq!(&*room, text);
            room.of(text.len() + 1).fill(b'x');
            assert_eq!(&*room, &b"xxxxx"[..=text.len()]);
        }
    }
}
