//! Judges lines: counts the valid ones, and writes the others out with what is wrong.
//!
//! UTF-8 is proven for all lines that come together, and line by line only where that fails. A valid line costs no
//! allocation and, unless `valid.jsonl` is asked for, no copy.

use super::frame::{Lines, content_of, has_payload, spans};
use crate::check::Outcome;
use crate::options::KEPT_BYTES;
use crate::output::payloads::{PayloadRecordWriter, QuarantinedPayload};
use crate::output::record_text::{RawRecord, RecordSource};
use crate::payload::{PayloadDetector, PayloadLimits, PayloadReport, PayloadSchema};
use std::ops::Range;
use std::sync::Arc;

/// The schema, the writer and the bounds by which every line of a batch is judged.
#[derive(Debug)]
pub struct LineRules {
    pub schema: Arc<PayloadSchema>,
    /// Finds the schema that an invalid payload fits instead, where the first payload has told that of the batch.
    pub others: Option<PayloadDetector>,
    pub writer: PayloadRecordWriter,
    pub strict: bool,
    pub valid_out: bool,
    pub limits: PayloadLimits,
}

/// Judges lines, some together, one after another.
#[derive(Debug)]
pub struct LineChecker {
    rules: Arc<LineRules>,
}

impl LineChecker {
    #[must_use]
    pub fn new(rules: Arc<LineRules>) -> Self {
        Self { rules }
    }

    /// Adds the result of the lines to `outcome`, and gives that to `flush` whenever it has `flush_bytes`.
    pub fn check<E>(
        &mut self,
        lines: &Lines<'_>,
        outcome: &mut Outcome,
        flush_bytes: usize,
        mut flush: impl FnMut(&mut Outcome) -> Result<(), E>,
    ) -> Result<(), E> {
        let rules = &*self.rules;
        let all = simdutf8::basic::from_utf8(lines.text).ok();
        let mut checking = LineChecking {
            rules,
            outcome,
            line: lines.first_line,
            row: lines.first_row,
            all: lines.text,
            valid_run: 0..0,
        };
        if let Some(size_bytes) = lines.long_bytes {
            let raw = &lines.text[..lines.text.len().min(KEPT_BYTES)];
            checking.refuse_long(raw, size_bytes, lines.offset);
            return Ok(());
        }
        for span in spans(lines.text) {
            let content = content_of(&lines.text[span.clone()]);
            let offset = lines.offset + span.start as u64;
            if !has_payload(content, rules.limits.max_payload_bytes) {
                checking.line += 1;
                continue;
            }
            if content.len() > rules.limits.max_payload_bytes {
                let raw = &content[..content.len().min(KEPT_BYTES)];
                checking.refuse_long(raw, content.len() as u64, offset);
            } else {
                let text = all.and_then(|all| all.get(span.start..span.start + content.len()));
                checking.judge(content, text, span, offset);
            }
            if checking.outcome.text_bytes() >= flush_bytes {
                flush(checking.outcome)?;
            }
        }
        checking.end_valid_run();
        Ok(())
    }
}

/// Lines while they are judged.
struct LineChecking<'a> {
    rules: &'a LineRules,
    outcome: &'a mut Outcome,
    /// The number of the next line, and of the next payload.
    line: u64,
    row: u64,
    all: &'a [u8],
    /// Valid lines that stand side by side are copied together.
    valid_run: Range<usize>,
}

impl LineChecking<'_> {
    /// Judges a line, of which `text` is the content where it is known to be UTF-8.
    #[inline]
    fn judge(&mut self, content: &[u8], text: Option<&str>, line: Range<usize>, offset: u64) {
        let LineRules { schema, strict, limits, .. } = self.rules;
        let mut report = match text {
            Some(text) => schema.judge_text(text, *strict, limits),
            None => schema.judge(content, *strict, limits),
        };
        if let Some(others) = &self.rules.others
            && !report.is_valid()
            && let Some(other) = others.other_than(schema, content, limits)
        {
            report = PayloadReport::of_another_schema(&report, &other);
        }
        for pointer in &report.unknown_members {
            self.outcome.tally.unknown.count(pointer);
        }
        if report.is_valid() {
            self.outcome.tally.total_rows += 1;
            self.outcome.tally.valid_rows += 1;
            self.extend_valid_run(line);
            self.line += 1;
            self.row += 1;
            return;
        }
        let raw = text.map_or_else(|| RawRecord::from(content), RawRecord::Text);
        self.quarantine(&report, raw, content.len() as u64, offset);
    }

    #[cold]
    fn refuse_long(&mut self, raw: &[u8], size_bytes: u64, offset: u64) {
        let limit = self.rules.limits.max_payload_bytes;
        let report =
            PayloadReport::refused("payloadBytes", format!("is longer than {limit} bytes"));
        // The head may end inside a character.
        let raw = match std::str::from_utf8(raw) {
            Err(error) if error.error_len().is_none() => {
                RawRecord::from(&raw[..error.valid_up_to()])
            }
            _ => RawRecord::from(raw),
        };
        self.quarantine(&report, raw, size_bytes, offset);
    }

    fn quarantine(
        &mut self,
        report: &PayloadReport<'_>,
        raw: RawRecord<'_>,
        size_bytes: u64,
        offset: u64,
    ) {
        let Outcome { tally, records, errors, .. } = &mut *self.outcome;
        tally.total_rows += 1;
        tally.quarantined_rows += 1;
        tally.count_payload(report);
        let source = RecordSource { line: self.line, offset, raw, size_bytes };
        let payload = QuarantinedPayload { number: self.row, source, report };
        self.rules.writer.push(&payload, records, errors);
        self.line += 1;
        self.row += 1;
    }

    #[inline]
    fn extend_valid_run(&mut self, line: Range<usize>) {
        if !self.rules.valid_out {
            return;
        }
        if line.start != self.valid_run.end {
            self.end_valid_run();
            self.valid_run.start = line.start;
        }
        self.valid_run.end = line.end;
    }

    fn end_valid_run(&mut self) {
        let run = std::mem::take(&mut self.valid_run);
        self.outcome.valid.extend_from_slice(&self.all[run]);
    }
}
