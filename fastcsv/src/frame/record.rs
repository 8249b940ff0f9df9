//! Frames: records with the text and the marks that they stand in, and the trait of what takes them.

use crate::tokenise::Positions;

/// Why a record could not be read as one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// A quote inside a cell that does not begin with one.
    StrayQuote,
    /// Text between a closing quote and the separator.
    TrailingText,
    UnclosedQuote,
    RecordBytes,
    RecordLines,
}

/// One record, as positions in the text that it is handed on with.
#[derive(Debug, Clone, Copy)]
pub struct Record {
    pub start: u32,
    /// After the last byte that is kept, before the line end.
    pub end: u32,
    /// After the line end.
    pub next: u32,
    /// The first of its separators in `Frame::marks`, and how many: one for each cell.
    pub first_mark: u32,
    pub cells: u32,
    /// The first of its doubled quotes in `Frame::escapes`, and how many.
    pub first_escape: u32,
    pub escapes: u32,
    pub line: u64,
    /// Length without the line end. More than `end - start` where the line was over the bound.
    pub length: u64,
    pub fault: Option<Fault>,
    /// Read again from a broken record's lines.
    pub recovered: bool,
}

/// Consecutive records of one piece of text.
#[derive(Debug, Clone, Copy)]
pub struct Frame<'a> {
    pub text: &'a [u8],
    pub marks: &'a [u32],
    /// Positions of the second quote of each doubled one.
    pub escapes: &'a [u32],
    pub records: &'a [Record],
    /// Whether any of them may hold NUL.
    pub seen_nul: bool,
    /// Where `text` begins in the input.
    pub offset: u64,
    /// The row number of the first record.
    pub first_row: u64,
}

impl Frame<'_> {
    /// The separators of one of the records, and its doubled quotes.
    #[inline]
    #[must_use]
    pub fn marks_of(&self, record: &Record) -> (&[u32], &[u32]) {
        let (marks, escapes) = (record.first_mark as usize, record.first_escape as usize);
        (
            &self.marks[marks..marks + record.cells as usize],
            &self.escapes[escapes..escapes + record.escapes as usize],
        )
    }
}

/// What takes the records.
pub trait Sink {
    type Error;
    fn take(&mut self, frame: Frame<'_>) -> Result<(), Self::Error>;

    /// Takes the frame in another way, where what it borrows is then put in the place that this returns, and the memory
    /// that stands there is used instead. `None`: it was not taken.
    fn keep(&mut self, _frame: Frame<'_>) -> Option<&mut Borrowed> {
        None
    }
}

/// What a frame borrows, beside its text.
#[derive(Debug, Default)]
pub struct Borrowed {
    pub marks: Positions,
    pub escapes: Positions,
    pub records: Vec<Record>,
}

impl Borrowed {
    /// What the frame's records need, copied.
    #[must_use]
    pub fn copied(frame: &Frame<'_>) -> Self {
        let first = |positions: &[u32], ends: &dyn Fn(&Record) -> u32| {
            let count = frame.records.iter().map(ends).max().unwrap_or(0);
            Positions::from(positions[..count as usize].to_vec())
        };
        Self {
            marks: first(frame.marks, &|it| it.first_mark + it.cells),
            escapes: first(frame.escapes, &|it| it.first_escape + it.escapes),
            records: frame.records.to_vec(),
        }
    }
}
