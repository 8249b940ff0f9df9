//! The lines of a block, kept from the moment when it is this thread's turn to frame until they are judged.

use super::check::LineChecker;
use super::frame::{LineSink, Lines};
use crate::check::Outcome;
use crate::parallel::BlockWork;
use std::convert::Infallible;
use std::ops::Range;

/// Bytes of text that a thread keeps of the block that it judges. It waits for its turn to write them, and writes the
/// rest while it judges. What a fuzzer tries is short.
const FLUSH_BYTES: usize = if cfg!(fuzzing) { 100 } else { 1 << 20 };

/// The lines of a block, to be judged when others frame. Lines that stand in the block are not copied.
#[derive(Debug, Default)]
pub struct FramedLines {
    /// The addresses of the block.
    block: Range<usize>,
    /// Text that does not stand in the block: lines that began before it, or that were decoded.
    text: Vec<u8>,
    pieces: Vec<LinesPiece>,
}

#[derive(Debug)]
struct LinesPiece {
    in_block: bool,
    text: Range<usize>,
    offset: u64,
    first_line: u64,
    first_row: u64,
    long_bytes: Option<u64>,
}

impl FramedLines {
    /// Has `feed` frame the block.
    pub fn frame<E>(
        &mut self,
        block: &[u8],
        feed: impl FnOnce(&[u8], &mut Self) -> Result<(), E>,
    ) -> Result<(), E> {
        let addresses = block.as_ptr_range();
        self.block = addresses.start.addr()..addresses.end.addr();
        feed(block, self)
    }
}

impl LineSink for FramedLines {
    type Error = Infallible;

    fn take(&mut self, lines: Lines<'_>) -> Result<(), Infallible> {
        let Lines { text, offset, first_line, first_row, long_bytes } = lines;
        let start = text.as_ptr().addr();
        let in_block = self.block.start <= start && start + text.len() <= self.block.end;
        let text = if in_block {
            let start = start - self.block.start;
            start..start + text.len()
        } else {
            let start = self.text.len();
            self.text.extend_from_slice(text);
            start..self.text.len()
        };
        self.pieces.push(LinesPiece { in_block, text, offset, first_line, first_row, long_bytes });
        Ok(())
    }
}

/// The work on the lines of a JSON Lines text: those of a block, and what judges them.
#[derive(Debug)]
pub struct LineWork {
    pub checker: LineChecker,
    pub framed: FramedLines,
}

impl LineWork {
    #[must_use]
    pub fn new(checker: LineChecker) -> Self {
        Self { checker, framed: FramedLines::default() }
    }
}

impl BlockWork for LineWork {
    fn judge<E>(
        &mut self,
        block: &[u8],
        outcome: &mut Outcome,
        mut flush: impl FnMut(&mut Outcome) -> Result<(), E>,
    ) -> Result<(), E> {
        let FramedLines { text: copied, pieces, .. } = &mut self.framed;
        for piece in pieces.drain(..) {
            let LinesPiece { in_block, text, offset, first_line, first_row, long_bytes } = piece;
            let text = if in_block { &block[text] } else { &copied[text] };
            let lines = Lines { text, offset, first_line, first_row, long_bytes };
            self.checker.check(&lines, outcome, FLUSH_BYTES, &mut flush)?;
        }
        copied.clear();
        Ok(())
    }
}
