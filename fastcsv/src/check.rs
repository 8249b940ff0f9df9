//! Judges framed records: counts the valid ones, and writes the others out with what is wrong.
//!
//! UTF-8 is proven for a whole frame at once, and record by record only where that fails. A valid row
//! costs no allocation and, unless `valid.csv` is asked for, no copy.

use crate::cells::{self, Unescaped, Window};
use crate::frame::{Fault, Frame, Record};
use crate::output::record_text::{RawRecord, RecordSource};
use crate::output::records::{QuarantinedRow, RecordWriter};
use crate::output::text::TextBuffer;
use crate::schema::{BATCH_RECORDS, BoundSchema, ColumnBits, RecordBatch, RecordPlace, Violation};
use crate::tally::{ROW_FIELD, Tally};
use std::borrow::Cow;
use std::ops::Range;
use std::sync::Arc;

/// The schema, the writer and the bounds by which every row of a batch is judged.
#[derive(Debug)]
pub struct RowRules {
    pub schema: BoundSchema,
    pub writer: RecordWriter,
    pub columns: usize,
    pub delimiter: u8,
    pub accept_recovered: bool,
    pub valid_out: bool,
    pub max_fields: usize,
    pub max_field_bytes: usize,
    pub max_record_bytes: usize,
    pub max_record_lines: usize,
}

/// The result of judging some rows: text for the files, and counts.
#[derive(Debug, Default)]
pub struct Outcome {
    pub tally: Tally,
    pub records: TextBuffer,
    pub errors: TextBuffer,
    pub valid: Vec<u8>,
}

impl Outcome {
    /// Forgets everything, and keeps the memory.
    pub fn clear(&mut self) {
        self.tally.clear();
        self.clear_text();
    }

    /// Adds the text of rows that come after these, and not their counts.
    pub fn extend_text(&mut self, later: &Self) {
        self.records.extend(later.records.as_bytes());
        self.errors.extend(later.errors.as_bytes());
        self.valid.extend_from_slice(&later.valid);
    }

    pub fn clear_text(&mut self) {
        self.records.clear();
        self.errors.clear();
        self.valid.clear();
    }

    /// How much text there is to write.
    #[must_use]
    pub fn text_bytes(&self) -> usize {
        self.records.len() + self.errors.len() + self.valid.len()
    }
}

/// Judges frames, one after another.
#[derive(Debug)]
pub struct Checker {
    rules: Arc<RowRules>,
    unescaped: Unescaped,
}

impl Checker {
    #[must_use]
    pub fn new(rules: Arc<RowRules>) -> Self {
        Self { rules, unescaped: Unescaped::default() }
    }

    /// Adds the result of the frame's records to `outcome`, and gives that to `flush` whenever it has `flush_bytes`: the
    /// result of a row of two bytes may have a hundred thousand.
    pub fn check<E>(
        &mut self,
        frame: &Frame<'_>,
        outcome: &mut Outcome,
        flush_bytes: usize,
        mut flush: impl FnMut(&mut Outcome) -> Result<(), E>,
    ) -> Result<(), E> {
        let (Some(first), Some(last)) = (frame.records.first(), frame.records.last()) else {
            return Ok(());
        };
        let base = first.start as usize;
        let window = simdutf8::basic::from_utf8(&frame.text[base..last.next as usize])
            .map(|text| Window { text, base });
        let mut rows = FrameRows {
            rules: &self.rules,
            frame,
            outcome,
            unescaped: &mut self.unescaped,
            violations: Vec::new(),
            spare: Vec::with_capacity(self.rules.columns),
            valid_run: 0..0,
        };
        for (first_row, records) in
            (frame.first_row..).step_by(BATCH_RECORDS).zip(frame.records.chunks(BATCH_RECORDS))
        {
            let unproven = rows.prefilter(records, window.ok());
            for ((number, record), unproven) in (first_row..).zip(records).zip(unproven) {
                match window {
                    Ok(_) if unproven == 0 => rows.pass(record),
                    Ok(window) if record.fault.is_none() => {
                        rows.judge(number, record, window, unproven);
                    }
                    _ => rows.judge_alone(number, record),
                }
                if rows.outcome.text_bytes() >= flush_bytes {
                    flush(rows.outcome)?;
                }
            }
        }
        rows.end_valid_run();
        Ok(())
    }
}

/// The rows of one frame while they are judged.
struct FrameRows<'a> {
    rules: &'a RowRules,
    frame: &'a Frame<'a>,
    outcome: &'a mut Outcome,
    unescaped: &'a mut Unescaped,
    violations: Vec<Violation<'a>>,
    /// Memory for the cells of the next row.
    spare: Vec<&'static str>,
    /// Valid rows that stand side by side are copied together.
    valid_run: Range<usize>,
}

impl FrameRows<'_> {
    /// Which columns of each of at most `BATCH_RECORDS` records are not proven valid: all of them where the
    /// prefilter cannot judge the record.
    #[inline]
    fn prefilter(
        &self,
        records: &[Record],
        window: Option<Window<'_>>,
    ) -> [ColumnBits; BATCH_RECORDS] {
        let mut unproven = [ColumnBits::MAX; BATCH_RECORDS];
        let (Some(prefilter), Some(Window { text, base })) =
            (self.rules.schema.prefilter(), window)
        else {
            return unproven;
        };
        if self.frame.seen_nul {
            return unproven;
        }
        let mut places = [RecordPlace::default(); BATCH_RECORDS];
        let mut count = 0;
        for (index, record) in (0..).zip(records) {
            let &Record { start, first_mark, .. } = record;
            places[count] = RecordPlace { start, first_mark, index };
            let ordinary = record.fault.is_none()
                && !record.recovered
                && record.cells as usize == self.rules.columns
                && record.length <= self.rules.max_field_bytes as u64;
            if ordinary {
                unproven[index as usize] = 0;
                count += 1;
            }
        }
        let batch = RecordBatch { text, base, marks: self.frame.marks, places: &places[..count] };
        prefilter.mark_unproven(batch, &mut unproven);
        unproven
    }

    /// Counts a row that is valid.
    #[inline]
    fn pass(&mut self, record: &Record) {
        self.outcome.tally.total_rows += 1;
        self.outcome.tally.valid_rows += 1;
        self.extend_valid_run(record);
    }

    /// Judges the unproven columns of a record whose text is known to be UTF-8.
    fn judge(&mut self, number: u64, record: &Record, window: Window<'_>, unproven: ColumnBits) {
        let (rules, frame) = (self.rules, self.frame);
        let mut unescaped = std::mem::take(self.unescaped);
        let mut cells = cells::recycle(std::mem::take(&mut self.spare));
        let (marks, escapes) = frame.marks_of(record);
        cells::split(window, marks, escapes, record.start, &mut unescaped, &mut cells);
        if cells.len() == rules.columns {
            let sound = rules.schema.check_columns(&cells, unproven, &mut self.violations);
            debug_assert_eq!(sound, self.violations.is_empty());
            if frame.seen_nul || record.length > rules.max_field_bytes as u64 {
                self.check_bounds(&cells);
            }
        } else {
            self.violations.push(ragged(cells.len(), rules));
            cells.truncate(rules.max_fields);
        }
        let raw =
            &window.text[record.start as usize - window.base..record.end as usize - window.base];
        self.settle(number, record, &cells, RawRecord::Text(raw));
        self.spare = cells::recycle(cells);
        *self.unescaped = unescaped;
    }

    /// Judges a record that is malformed, or that stands in a frame where something is no UTF-8.
    fn judge_alone(&mut self, number: u64, record: &Record) {
        let base = record.start as usize;
        let raw = &self.frame.text[base..record.end as usize];
        let violation = match (record.fault, simdutf8::basic::from_utf8(raw)) {
            (None, Ok(text)) => {
                return self.judge(number, record, Window { text, base }, ColumnBits::MAX);
            }
            (Some(fault), _) => malformed(fault, self.rules),
            (None, Err(_)) => row_violation("encoding", "the row is not UTF-8"),
        };
        self.violations.push(violation);
        let guessed = if record.length > raw.len() as u64 {
            Vec::new()
        } else {
            cells::guess(raw, self.rules.delimiter, self.rules.max_fields)
        };
        let cells: Vec<&str> = guessed.iter().map(String::as_str).collect();
        self.settle(number, record, &cells, RawRecord::from(raw));
    }

    /// The bounds that hold for every column, whatever the schema says.
    fn check_bounds(&mut self, cells: &[&str]) {
        let limit = self.rules.max_field_bytes;
        for ((column, cell), name) in (0..).zip(cells).zip(self.rules.schema.names()) {
            let mut push = |keyword, message| {
                let (column, field) = (Some(column), Cow::Borrowed(name));
                let violation = Violation { column, field, keyword, message, cell_message: None };
                self.violations.push(violation);
            };
            if self.frame.seen_nul && memchr::memchr(0, cell.as_bytes()).is_some() {
                push("nul", "holds a NUL character".into());
            }
            if cell.len() > limit {
                push("fieldBytes", format!("is longer than {limit} bytes").into());
            }
        }
    }

    /// Counts the row and, if it is not good, writes it out.
    #[inline]
    fn settle(&mut self, number: u64, record: &Record, cells: &[&str], raw: RawRecord<'_>) {
        if record.recovered {
            self.outcome.tally.recovered_rows += 1;
            if self.violations.is_empty() && !self.rules.accept_recovered {
                let message = "stands in the lines of a broken record and may be part of its text";
                self.violations.push(row_violation("recovered", message));
            }
        }
        if self.violations.is_empty() {
            self.pass(record);
        } else {
            self.outcome.tally.total_rows += 1;
            self.quarantine(number, record, cells, raw);
        }
    }

    #[inline]
    fn extend_valid_run(&mut self, record: &Record) {
        if !self.rules.valid_out {
            return;
        }
        if record.start as usize != self.valid_run.end {
            self.end_valid_run();
            self.valid_run.start = record.start as usize;
        }
        self.valid_run.end = record.next as usize;
    }

    fn end_valid_run(&mut self) {
        self.outcome.valid.extend_from_slice(&self.frame.text[self.valid_run.clone()]);
        self.valid_run = 0..0;
    }

    fn quarantine(&mut self, number: u64, record: &Record, cells: &[&str], raw: RawRecord<'_>) {
        let Outcome { tally, records, errors, .. } = &mut *self.outcome;
        tally.quarantined_rows += 1;
        for violation in &self.violations {
            tally.count(violation);
        }
        let row = QuarantinedRow {
            number,
            source: RecordSource {
                line: record.line,
                offset: self.frame.offset + u64::from(record.start),
                raw,
                size_bytes: record.length,
            },
            cells,
            violations: &self.violations,
            recovered: record.recovered,
        };
        self.rules.writer.push(&row, records, errors);
        self.violations.clear();
    }
}

fn row_violation(
    keyword: &'static str,
    message: impl Into<Cow<'static, str>>,
) -> Violation<'static> {
    let field = Cow::Borrowed(ROW_FIELD);
    Violation { column: None, field, keyword, message: message.into(), cell_message: None }
}

fn ragged(cells: usize, rules: &RowRules) -> Violation<'static> {
    if cells > rules.max_fields {
        let message = format!("the row has more than {} cells", rules.max_fields);
        return row_violation("fields", message);
    }
    let message = format!("the row has {cells} cells where the header has {}", rules.columns);
    row_violation("cells", message)
}

fn malformed(fault: Fault, rules: &RowRules) -> Violation<'static> {
    match fault {
        Fault::StrayQuote => row_violation("quoting", "a quote stands inside an unquoted cell"),
        Fault::TrailingText => row_violation("quoting", "text follows a closing quote"),
        Fault::UnclosedQuote => row_violation("quoting", "a quote is never closed"),
        Fault::RecordBytes => {
            let message = format!("the record is longer than {} bytes", rules.max_record_bytes);
            row_violation("recordBytes", message)
        }
        Fault::RecordLines => {
            let message = format!("the record has more than {} lines", rules.max_record_lines);
            row_violation("recordLines", message)
        }
    }
}
