//! The lines of a block, kept from the moment when it is this thread's turn to frame until they are judged.

use super::check::LineChecker;
use super::frame::{LineSink, Lines};
use crate::check::Outcome;
use crate::parallel::{BlockText, BlockWork, FLUSH_BYTES, TextPlace};
use std::convert::Infallible;

/// The lines of a block, to be judged when others frame. Lines that stand in the block are not copied.
#[derive(Debug, Default)]
pub struct FramedLines {
    text: BlockText,
    pieces: Vec<LinesPiece>,
}

#[derive(Debug)]
struct LinesPiece {
    place: TextPlace,
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
        self.text.set_block(block);
        feed(block, self)
    }
}

impl LineSink for FramedLines {
    type Error = Infallible;

    fn take(&mut self, lines: Lines<'_>) -> Result<(), Infallible> {
        let Lines { text, offset, first_line, first_row, long_bytes } = lines;
        let place = self.text.place(text, 0..text.len());
        self.pieces.push(LinesPiece { place, offset, first_line, first_row, long_bytes });
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
        let FramedLines { text: kept, pieces } = &mut self.framed;
        for piece in pieces.drain(..) {
            let LinesPiece { place, offset, first_line, first_row, long_bytes } = piece;
            let text = kept.at(&place, block);
            let lines = Lines { text, offset, first_line, first_row, long_bytes };
            self.checker.check(&lines, outcome, FLUSH_BYTES, &mut flush)?;
        }
        kept.clear();
        Ok(())
    }
}
