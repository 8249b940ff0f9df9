//! `records.jsonl` of payloads: one JSON object a quarantined payload, with the keys that the record of a row has.
//!
//! `rawData` is the payload itself, as it was written where every parser reads it alike, and null where it is no JSON.
//! The value of an error is its JSON text. What is the same in every line is written out once.

use super::errors_csv;
#[cfg(target_arch = "x86_64")]
use super::escape_simd;
use super::json::{EscapeFunction, Escaper, EscapingWork, escape_each, push_number};
use super::record_text::{BatchContext, RawRecord, RecordSource, RecordText};
use super::text::TextBuffer;
use crate::payload::{PayloadReport, PayloadText, read_tree};
use crate::tally::ROW_FIELD;

/// One payload that goes into quarantine.
#[derive(Debug, Clone, Copy)]
pub struct QuarantinedPayload<'a> {
    pub number: u64,
    pub source: RecordSource<'a>,
    pub report: &'a PayloadReport<'a>,
}

/// Writes the payloads of one batch.
#[derive(Debug, Clone)]
pub struct PayloadRecordWriter {
    /// The instructions for `escape_simd`, where the processor has them.
    #[cfg(target_arch = "x86_64")]
    quick: Option<escape_simd::EscapeInstructions>,
    text: RecordText,
}

impl PayloadRecordWriter {
    #[must_use]
    pub fn new(batch: &BatchContext<'_>) -> Self {
        Self {
            #[cfg(target_arch = "x86_64")]
            quick: escape_simd::EscapeInstructions::detect(),
            text: RecordText::new(batch),
        }
    }

    /// Appends the payload to `records` and its errors to `errors`.
    pub fn push(
        &self,
        payload: &QuarantinedPayload<'_>,
        records: &mut TextBuffer,
        errors: &mut TextBuffer,
    ) {
        #[cfg(target_arch = "x86_64")]
        if let Some(quick) = self.quick {
            return quick.run(PayloadWriting { writer: self, payload, records, errors });
        }
        self.push_with(&Escaper(escape_each), payload, records, errors);
    }

    #[inline(always)]
    fn push_with(
        &self,
        escaper: &Escaper<impl EscapeFunction>,
        payload: &QuarantinedPayload<'_>,
        records: &mut TextBuffer,
        errors: &mut TextBuffer,
    ) {
        let report = payload.report;
        let mut digits = itoa::Buffer::new();
        let number = digits.format(payload.number).as_bytes();
        records.extend(b"{\"rowNumber\":");
        records.extend(number);
        records.extend(b",\"rawData\":");
        push_data(payload, records);
        records.extend(b",\"errors\":[");
        for (index, violation) in report.violations.iter().enumerate() {
            let pointer = &*violation.pointer;
            let field = if pointer.is_empty() { ROW_FIELD } else { pointer };
            records.extend(if index > 0 { b",{\"field\":" } else { b"{\"field\":" });
            escaper.push_string(records, field);
            records.extend(b",\"message\":");
            escaper.push_string(records, &violation.message);
            records.extend(b",\"value\":");
            match &violation.value {
                Some(value) => escaper.push_string(records, value),
                None => records.extend(b"null"),
            }
            records.extend(b",\"keyword\":\"");
            records.extend(violation.keyword.as_bytes());
            records.extend(b"\"}");
            errors.extend(number);
            errors_csv::push_message(errors, field, &violation.message);
            errors_csv::push_value(errors, violation.value.as_deref().unwrap_or_default());
            errors.extend_piece(&self.text.csv_end);
        }
        self.text.push_source(escaper, &payload.source, records);
        if report.total_violations > report.violations.len() as u64 {
            records.extend(b",\"errorCount\":");
            push_number(records, report.total_violations);
        }
        records.extend(b"}\n");
    }
}

/// The writing of one payload.
#[cfg(target_arch = "x86_64")]
struct PayloadWriting<'a> {
    writer: &'a PayloadRecordWriter,
    payload: &'a QuarantinedPayload<'a>,
    records: &'a mut TextBuffer,
    errors: &'a mut TextBuffer,
}

#[cfg(target_arch = "x86_64")]
impl EscapingWork for PayloadWriting<'_> {
    #[inline(always)]
    fn run(self, escaper: &Escaper<impl EscapeFunction>) {
        self.writer.push_with(escaper, self.payload, self.records, self.errors);
    }
}

/// The payload as a JSON value, on one line: a CR between its tokens would end the line for some readers.
#[inline(always)]
fn push_data(payload: &QuarantinedPayload<'_>, out: &mut TextBuffer) {
    match (payload.report.text, payload.source.raw) {
        (PayloadText::Sound, RawRecord::Text(text))
            if memchr::memchr(b'\r', text.as_bytes()).is_none() =>
        {
            out.extend(text.trim_ascii().as_bytes());
        }
        (PayloadText::Refused, _) | (_, RawRecord::Bytes(_)) => out.extend(b"null"),
        (_, RawRecord::Text(text)) => match read_tree(text) {
            Ok(value) => out.extend(value.to_string().as_bytes()),
            Err(_) => out.extend(b"null"),
        },
    }
}
