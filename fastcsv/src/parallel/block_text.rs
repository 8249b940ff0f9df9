//! The text of a block's pieces, from the moment when they are framed until they are judged.

use std::ops::Range;

/// Bytes of text that a thread keeps of the block that it judges. It waits for its turn to write them, and writes the
/// rest while it judges. What a fuzzer tries is short.
pub const FLUSH_BYTES: usize = if cfg!(fuzzing) { 100 } else { 1 << 20 };

/// Where the text of each piece is. What is in the block is not copied; what began before it, or was decoded, is.
#[derive(Debug, Default)]
pub struct BlockText {
    /// The addresses of the block.
    block: Range<usize>,
    copied: Vec<u8>,
}

/// A range of the block, or of what was copied.
#[derive(Debug)]
pub struct TextPlace {
    pub in_block: bool,
    span: Range<usize>,
}

impl BlockText {
    /// From here on, pieces are of this block.
    pub fn set_block(&mut self, block: &[u8]) {
        let addresses = block.as_ptr_range();
        self.block = addresses.start.addr()..addresses.end.addr();
    }

    /// Notes where a piece is. If it is not in the block, `needed` of it is copied.
    pub fn place(&mut self, piece: &[u8], needed: Range<usize>) -> TextPlace {
        let start = piece.as_ptr().addr();
        let in_block = self.block.start <= start && start + piece.len() <= self.block.end;
        let span = if in_block {
            let start = start - self.block.start;
            start..start + piece.len()
        } else {
            let start = self.copied.len();
            self.copied.extend_from_slice(&piece[needed]);
            start..self.copied.len()
        };
        TextPlace { in_block, span }
    }

    /// The text at a place, in the block that the pieces were framed from.
    #[must_use]
    pub fn at<'a>(&'a self, place: &TextPlace, block: &'a [u8]) -> &'a [u8] {
        let text = if place.in_block { block } else { &self.copied };
        &text[place.span.clone()]
    }

    /// Forgets what was copied, and with it every place.
    pub fn clear(&mut self) {
        self.copied.clear();
    }
}
