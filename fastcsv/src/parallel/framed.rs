//! The frames of a block, kept from the moment when it is this thread's turn to frame until they are judged.

use super::block_text::{BlockText, FLUSH_BYTES, TextPlace};
use super::work::BlockWork;
use crate::check::{Checker, Outcome};
use crate::frame::{Borrowed, Frame, Record, Sink};
use std::convert::Infallible;
use std::ops::Range;

/// The frames of a block, to be judged when others frame.
///
/// What a long frame borrows is kept, and the framer goes on in memory of the thread whose turn it is: so nothing is
/// copied, and nothing has to come from another core's cache. What a short one borrows is copied: there may be
/// thousands of them in a block of broken records, and memory for a long one is large.
#[derive(Debug, Default)]
pub struct FramedBlock {
    text: BlockText,
    pieces: Vec<FramePiece>,
    /// Memory for what long frames borrow.
    spare: Vec<Borrowed>,
}

/// Bytes from which a frame is long. A whole window is twice that. What a fuzzer tries is short.
const LONG_BYTES: usize = if cfg!(fuzzing) { 50 } else { 64 << 10 };

/// One frame.
#[derive(Debug)]
struct FramePiece {
    place: TextPlace,
    is_long: bool,
    borrowed: Borrowed,
    seen_nul: bool,
    offset: u64,
    first_row: u64,
}

/// The work on the rows of a CSV: frames of a block, and what judges them.
#[derive(Debug)]
pub struct CsvWork {
    pub checker: Checker,
    pub framed: FramedBlock,
}

impl CsvWork {
    #[must_use]
    pub fn new(checker: Checker) -> Self {
        Self { checker, framed: FramedBlock::default() }
    }
}

impl BlockWork for CsvWork {
    fn judge<E>(
        &mut self,
        block: &[u8],
        outcome: &mut Outcome,
        flush: impl FnMut(&mut Outcome) -> Result<(), E>,
    ) -> Result<(), E> {
        self.framed.judge(block, &mut self.checker, outcome, flush)
    }
}

impl FramedBlock {
    /// Has `feed` frame the block.
    pub fn frame<E>(
        &mut self,
        block: &[u8],
        feed: impl FnOnce(&[u8], &mut Self) -> Result<(), E>,
    ) -> Result<(), E> {
        self.text.set_block(block);
        feed(block, self)
    }

    /// Judges what was framed, and forgets it: not when it is to frame again, for then it is this thread's turn.
    fn judge<E>(
        &mut self,
        block: &[u8],
        checker: &mut Checker,
        outcome: &mut Outcome,
        mut flush: impl FnMut(&mut Outcome) -> Result<(), E>,
    ) -> Result<(), E> {
        for piece in &mut self.pieces {
            if !piece.place.in_block {
                piece.rebase();
            }
            let text = self.text.at(&piece.place, block);
            checker.check(&piece.frame(text), outcome, FLUSH_BYTES, &mut flush)?;
        }
        self.text.clear();
        let long = self.pieces.drain(..).filter(|piece| piece.is_long);
        self.spare.extend(long.map(|piece| piece.borrowed));
        Ok(())
    }

    /// Notes a frame, and says where; what it borrows is `borrowed`, now or soon.
    fn note(&mut self, frame: &Frame<'_>, is_long: bool, borrowed: Borrowed) -> &mut FramePiece {
        let &Frame { text, seen_nul, offset, first_row, .. } = frame;
        let place = self.text.place(text, span_of(frame));
        let piece = FramePiece { place, is_long, borrowed, seen_nul, offset, first_row };
        let index = self.pieces.len();
        self.pieces.push(piece);
        &mut self.pieces[index]
    }
}

/// Where the records of a frame stand in its text.
fn span_of(frame: &Frame<'_>) -> Range<usize> {
    let start = frame.records.first().map_or(0, |first| first.start as usize);
    start..frame.records.last().map_or(start, |last| last.next as usize)
}

impl Sink for FramedBlock {
    type Error = Infallible;

    fn take(&mut self, frame: Frame<'_>) -> Result<(), Infallible> {
        self.note(&frame, false, Borrowed::copied(&frame));
        Ok(())
    }

    fn keep(&mut self, frame: Frame<'_>) -> Option<&mut Borrowed> {
        if span_of(&frame).len() < LONG_BYTES {
            return None;
        }
        let memory = self.spare.pop().unwrap_or_default();
        Some(&mut self.note(&frame, true, memory).borrowed)
    }
}

impl FramePiece {
    /// Makes all positions count from the first record, where the text begins that was copied.
    fn rebase(&mut self) {
        let Borrowed { marks, escapes, records } = &mut self.borrowed;
        let Some(&Record { start, first_mark, first_escape, .. }) = records.first() else { return };
        marks.rebase(first_mark as usize, start);
        escapes.rebase(first_escape as usize, start);
        for record in records {
            record.start -= start;
            record.end -= start;
            record.next -= start;
        }
        self.offset += u64::from(start);
    }

    /// The frame again, in the text that it stands in.
    fn frame<'a>(&'a self, text: &'a [u8]) -> Frame<'a> {
        let Self { borrowed: Borrowed { marks, escapes, records }, .. } = self;
        Frame {
            text,
            marks: marks.as_slice(),
            escapes: escapes.as_slice(),
            records,
            seen_nul: self.seen_nul,
            offset: self.offset,
            first_row: self.first_row,
        }
    }
}
