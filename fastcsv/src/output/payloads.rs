//! `records.jsonl` of payloads: one JSON object a quarantined payload, with the keys that the record of a row has.
//!
//! `rawData` is the payload itself, as it was written where every parser reads it alike, and null where it is no JSON.
//! The value of an error is its JSON text. What is the same in every line is written out once.

use super::errors_csv;
#[cfg(target_arch = "x86_64")]
use super::escape_simd;
use super::json::{
    EscapeFunction, Escaper, EscapingWork, escape_each, push_base64, push_number, push_string,
};
use super::records::RawRecord;
use super::text::{PaddedText, TextBuffer};
use crate::payload::{PayloadReport, PayloadText, read_tree};
use crate::tally::ROW_FIELD;

/// What is the same in every record of a batch of payloads.
#[derive(Debug, Clone, Copy)]
pub struct PayloadContext<'a> {
    pub schema: &'a str,
    pub schema_version: &'a str,
    pub source_file: &'a str,
    /// RFC 3339.
    pub quarantined_at: &'a str,
}

/// One payload that goes into quarantine.
#[derive(Debug, Clone, Copy)]
pub struct QuarantinedPayload<'a> {
    pub number: u64,
    pub line: u64,
    pub offset: u64,
    /// The line's bytes without the line end, or the first of them.
    pub raw: RawRecord<'a>,
    /// All its bytes.
    pub size_bytes: u64,
    pub report: &'a PayloadReport<'a>,
}

/// Writes the payloads of one batch.
#[derive(Debug, Clone)]
pub struct PayloadRecordWriter {
    /// The instructions for `escape_simd`, where the processor has them.
    #[cfg(target_arch = "x86_64")]
    quick: Option<escape_simd::EscapeInstructions>,
    /// From `quarantinedAt` to `lineNumber`.
    middle: PaddedText,
    /// The last cell of a line of errors.csv, and the line's end.
    csv_end: PaddedText,
}

impl PayloadRecordWriter {
    #[must_use]
    pub fn new(batch: &PayloadContext<'_>) -> Self {
        let mut middle = TextBuffer::default();
        middle.extend(b"],\"quarantinedAt\":");
        push_string(&mut middle, batch.quarantined_at);
        for (key, value) in [
            ("sourceFile", batch.source_file),
            ("csvType", batch.schema),
            ("schemaVersion", batch.schema_version),
        ] {
            middle.push(b',');
            push_string(&mut middle, key);
            middle.push(b':');
            push_string(&mut middle, value);
        }
        middle.extend(b",\"lineNumber\":");
        let mut csv_end = TextBuffer::default();
        csv_end.push(b',');
        errors_csv::push_cell(&mut csv_end, batch.quarantined_at);
        csv_end.extend(b"\r\n");
        Self {
            #[cfg(target_arch = "x86_64")]
            quick: escape_simd::EscapeInstructions::detect(),
            middle: middle.into(),
            csv_end: csv_end.into(),
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
            errors.extend_piece(&self.csv_end);
        }
        records.extend_piece(&self.middle);
        push_number(records, payload.line);
        records.extend(b",\"byteOffset\":");
        push_number(records, payload.offset);
        push_raw(escaper, payload, records);
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
    match (payload.report.text, payload.raw) {
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

/// The line's bytes as text, or in base64 where they are no UTF-8; with their number where not all of them are kept.
#[inline(always)]
fn push_raw(
    escaper: &Escaper<impl EscapeFunction>,
    payload: &QuarantinedPayload<'_>,
    out: &mut TextBuffer,
) {
    let kept = match payload.raw {
        RawRecord::Text(text) => {
            out.extend(b",\"rawRow\":");
            escaper.push_string(out, text);
            text.len()
        }
        RawRecord::Bytes(bytes) => {
            out.extend(b",\"rawRowBase64\":");
            push_base64(out, bytes);
            bytes.len()
        }
    };
    if payload.size_bytes > kept as u64 {
        out.extend(b",\"rawRowBytes\":");
        push_number(out, payload.size_bytes);
    }
}
