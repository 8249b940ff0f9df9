//! `records.jsonl`: one JSON object a quarantined row, with the row as it came and what is wrong with it.
//!
//! What is the same in every line (keys, file, schema, time) is written out once, when the batch begins.

use super::errors_csv;
#[cfg(target_arch = "x86_64")]
use super::escape_simd;
use super::json::{EscapeFunction, Escaper, EscapingWork, escape_each, push_number, push_string};
use super::record_text::{BatchContext, RecordSource, RecordText};
use super::text::{PaddedText, TextBuffer};
use crate::schema::{BoundSchema, Violation};

pub const NAME: &str = "records.jsonl";

/// One row that goes into quarantine.
#[derive(Debug, Clone, Copy)]
pub struct QuarantinedRow<'a> {
    pub number: u64,
    pub source: RecordSource<'a>,
    pub cells: &'a [&'a str],
    pub violations: &'a [Violation<'a>],
    pub recovered: bool,
}

/// Writes the rows of one batch.
#[derive(Debug, Clone)]
pub struct RecordWriter {
    /// The instructions for `escape_simd`, where the processor has them.
    #[cfg(target_arch = "x86_64")]
    quick: Option<escape_simd::EscapeInstructions>,
    /// By position, what stands between the text before and the cell's: `","name":"`.
    keys: Vec<PaddedText>,
    /// By their place in `BoundSchema::cell_messages`.
    cell_messages: Vec<PreparedMessage>,
    text: RecordText,
    extra_key: Vec<u8>,
    max_errors: usize,
}

/// One of the schema's messages for a cell, with the text around it, ready to be copied.
#[derive(Debug, Clone)]
struct PreparedMessage {
    /// `{"field":"name","message":"…","value":"`
    json: PaddedText,
    /// `","keyword":"…"}`
    json_end: PaddedText,
    /// `,name,…,`
    csv: PaddedText,
}

impl RecordWriter {
    /// A writer for rows that `schema`, laid over the batch's header, has judged. At most `max_errors` errors of a row
    /// are written out.
    #[must_use]
    pub fn new(
        batch: &BatchContext<'_>,
        header: &[String],
        max_errors: usize,
        schema: &BoundSchema,
    ) -> Self {
        Self {
            #[cfg(target_arch = "x86_64")]
            quick: escape_simd::EscapeInstructions::detect(),
            keys: (0..).zip(header).map(|(at, name)| key(name, at > 0)).collect(),
            cell_messages: schema
                .cell_messages()
                .map(|it| PreparedMessage::new(&header[it.place], it.keyword, it.message))
                .collect(),
            text: RecordText::new(batch),
            extra_key: extra_key(&extra_name(header)),
            max_errors,
        }
    }

    /// Appends the row to `records` and its errors to `errors`.
    pub fn push(
        &self,
        row: &QuarantinedRow<'_>,
        records: &mut TextBuffer,
        errors: &mut TextBuffer,
    ) {
        #[cfg(target_arch = "x86_64")]
        if let Some(quick) = self.quick {
            return quick.run(RowWriting { writer: self, row, records, errors });
        }
        self.push_with(&Escaper(escape_each), row, records, errors);
    }

    #[inline(always)]
    fn push_with(
        &self,
        escaper: &Escaper<impl EscapeFunction>,
        row: &QuarantinedRow<'_>,
        records: &mut TextBuffer,
        errors: &mut TextBuffer,
    ) {
        let mut digits = itoa::Buffer::new();
        let number = digits.format(row.number).as_bytes();
        records.extend(b"{\"rowNumber\":");
        records.extend(number);
        records.extend(b",\"rawData\":{");
        self.push_cells(escaper, row.cells, records);
        records.extend(b"},\"errors\":[");
        for (index, violation) in row.violations.iter().take(self.max_errors).enumerate() {
            if index > 0 {
                records.push(b',');
            }
            let value = violation.column.and_then(|column| row.cells.get(column as usize).copied());
            let cell_message =
                violation.cell_message.and_then(|it| self.cell_messages.get(it as usize));
            errors.extend(number);
            if let (Some(cell_message), Some(value)) = (cell_message, value) {
                records.extend_piece(&cell_message.json);
                escaper.push(records, value);
                records.extend_piece(&cell_message.json_end);
                errors.extend_piece(&cell_message.csv);
            } else {
                push_error(violation, value, records);
                errors_csv::push_message(errors, &violation.field, &violation.message);
            }
            errors_csv::push_value(errors, value.unwrap_or_default());
            errors.extend_piece(&self.text.csv_end);
        }
        self.text.push_source(escaper, &row.source, records);
        if row.violations.len() > self.max_errors {
            records.extend(b",\"errorCount\":");
            push_number(records, row.violations.len() as u64);
        }
        if row.recovered {
            records.extend(b",\"recovered\":true");
        }
        records.extend(b"}\n");
    }

    #[inline(always)]
    fn push_cells(
        &self,
        escaper: &Escaper<impl EscapeFunction>,
        cells: &[&str],
        out: &mut TextBuffer,
    ) {
        for (key, cell) in self.keys.iter().zip(cells) {
            out.extend_piece(key);
            escaper.push(out, cell);
        }
        if !cells.is_empty() && !self.keys.is_empty() {
            out.push(b'"');
        }
        if let Some(extra) = cells.get(self.keys.len()..).filter(|extra| !extra.is_empty()) {
            out.extend(&self.extra_key);
            for (index, cell) in extra.iter().enumerate() {
                out.push(if index == 0 { b'[' } else { b',' });
                escaper.push_string(out, cell);
            }
            out.push(b']');
        }
    }
}

/// The writing of one row.
#[cfg(target_arch = "x86_64")]
struct RowWriting<'a> {
    writer: &'a RecordWriter,
    row: &'a QuarantinedRow<'a>,
    records: &'a mut TextBuffer,
    errors: &'a mut TextBuffer,
}

#[cfg(target_arch = "x86_64")]
impl EscapingWork for RowWriting<'_> {
    #[inline(always)]
    fn run(self, escaper: &Escaper<impl EscapeFunction>) {
        self.writer.push_with(escaper, self.row, self.records, self.errors);
    }
}

impl PreparedMessage {
    fn new(field: &str, keyword: &str, message: &str) -> Self {
        let [mut json, mut json_end, mut csv] = std::array::from_fn(|_| TextBuffer::default());
        push_error_start(field, message, &mut json);
        json.extend(b"\"value\":\"");
        json_end.extend(b"\",");
        push_error_end(keyword, &mut json_end);
        errors_csv::push_message(&mut csv, field, message);
        Self { json: json.into(), json_end: json_end.into(), csv: csv.into() }
    }
}

/// An error whose message is none of `BoundSchema::cell_messages`.
#[cold]
fn push_error(violation: &Violation<'_>, value: Option<&str>, out: &mut TextBuffer) {
    push_error_start(&violation.field, &violation.message, out);
    out.extend(b"\"value\":");
    match value {
        Some(value) => push_string(out, value),
        None => out.extend(b"null"),
    }
    out.push(b',');
    push_error_end(violation.keyword, out);
}

/// `{"field":"name","message":"…",`
fn push_error_start(field: &str, message: &str, out: &mut TextBuffer) {
    out.extend(b"{\"field\":");
    push_string(out, field);
    out.extend(b",\"message\":");
    push_string(out, message);
    out.push(b',');
}

/// `"keyword":"…"}`, with a word of ours: nothing in it has to be escaped.
fn push_error_end(keyword: &str, out: &mut TextBuffer) {
    out.extend(b"\"keyword\":\"");
    out.extend(keyword.as_bytes());
    out.extend(b"\"}");
}

fn key(name: &str, after_text: bool) -> PaddedText {
    let mut key = TextBuffer::default();
    key.extend(if after_text { b"\"," } else { b"" });
    push_string(&mut key, name);
    key.extend(b":\"");
    key.into()
}

fn extra_key(name: &str) -> Vec<u8> {
    let mut key = TextBuffer::default();
    key.push(b',');
    push_string(&mut key, name);
    key.push(b':');
    key.as_bytes().to_vec()
}

/// The key of cells that have no column: `_extra`, unless that is a column.
fn extra_name(header: &[String]) -> String {
    let mut name = "_extra".to_owned();
    while header.contains(&name) {
        name.insert(0, '_');
    }
    name
}

#[cfg(test)]
mod tests {
    use super::super::record_text::RawRecord;
    use super::*;
    use crate::schema::{RowSchema, SchemaLimits};
    use std::borrow::Cow;

    /// The message for the length of the second column: each column has one for an empty cell first.
    const LENGTH: u32 = 2;

    /// A writer for two columns, the second of which may fail `maxLength`.
    fn writer(max_errors: usize) -> RecordWriter {
        let document = r#"{"properties": {"a": {}, "b \"c\"": {"maxLength": 2}}}"#;
        let schema =
            RowSchema::compile("type", "1.0", document.as_bytes(), &SchemaLimits::default());
        let header = ["a".to_owned(), "b \"c\"".to_owned()];
        let batch = BatchContext {
            schema: "type",
            schema_version: "1.0",
            source_file: "\"file\".csv",
            quarantined_at: "2026-01-01T00:00:00Z",
        };
        let schema = schema.unwrap().bind(&header, false).unwrap();
        RecordWriter::new(&batch, &header, max_errors, &schema)
    }

    fn violation(
        column: Option<u32>,
        field: &'static str,
        keyword: &'static str,
        message: &'static str,
    ) -> Violation<'static> {
        let (field, message) = (Cow::Borrowed(field), Cow::Borrowed(message));
        Violation { column, field, keyword, message, cell_message: None }
    }

    #[test]
    fn a_row_is_the_same_with_every_set_of_instructions() {
        #[cfg_attr(not(target_arch = "x86_64"), allow(unused_mut, reason = "there are no others"))]
        let mut writers = vec![writer(3)];
        #[cfg(target_arch = "x86_64")]
        for set in escape_simd::EscapeInstructions::all() {
            writers.push(RecordWriter { quick: Some(set), ..writer(3) });
        }
        let long = "0123456789\"\n\\\u{1}\u{e9}".repeat(200);
        let cells = ["", "=x", "a \"b\"", &long, "\t", "2,3"];
        let mut violations = [
            violation(Some(0), "a", "pattern", "does not \"match\", or"),
            violation(Some(1), "b \"c\"", "maxLength", "must have at most 2 characters"),
            violation(None, "_row", "cells", "the row has 3 cells"),
            violation(Some(5), "f", "pattern", "does not"),
        ];
        violations[1].cell_message = Some(LENGTH);
        for count in 0..=cells.len() {
            let row = QuarantinedRow {
                number: 7,
                source: RecordSource {
                    line: u64::MAX,
                    offset: 12,
                    raw: if count % 2 == 0 {
                        RawRecord::Text(&long)
                    } else {
                        RawRecord::Bytes(b"\xff\x00\"")
                    },
                    size_bytes: 4000,
                },
                cells: &cells[..count],
                violations: &violations[..count.min(4)],
                recovered: count == 3,
            };
            let [mut records, mut errors] = [TextBuffer::default(), TextBuffer::default()];
            writers[0].push_with(&Escaper(escape_each), &row, &mut records, &mut errors);
            for writer in &writers {
                let [mut quick_records, mut quick_errors] =
                    [TextBuffer::default(), TextBuffer::default()];
                writer.push(&row, &mut quick_records, &mut quick_errors);
                assert_eq!(quick_records.as_bytes(), records.as_bytes());
                assert_eq!(quick_errors.as_bytes(), errors.as_bytes());
            }
            let read: serde_json::Value = serde_json::from_slice(records.as_bytes()).unwrap();
            assert_eq!(read["rowNumber"], 7);
            assert_eq!(read["errors"].as_array().unwrap().len(), count.min(3));
            assert_eq!(read["rawData"].as_object().unwrap().len(), count.min(3));
        }
    }

    /// A message that was prepared, and one that is put together for the row.
    #[test]
    fn an_error_reads_the_same_whether_or_not_its_message_is_prepared() {
        let writer = writer(9);
        let said = [None, Some(LENGTH)].map(|cell_message| {
            let unprepared =
                violation(Some(1), "b \"c\"", "maxLength", "must have at most 2 characters");
            let row = QuarantinedRow {
                number: 1,
                source: RecordSource {
                    line: 2,
                    offset: 3,
                    raw: RawRecord::Text(""),
                    size_bytes: 0,
                },
                cells: &["", "\"x\",y"],
                violations: &[Violation { cell_message, ..unprepared }],
                recovered: false,
            };
            let (mut records, mut errors) = (TextBuffer::default(), TextBuffer::default());
            writer.push(&row, &mut records, &mut errors);
            [records, errors].map(|it| String::from_utf8(it.as_bytes().to_vec()).unwrap())
        });
        assert_eq!(said[0], said[1]);
        let [record, line] = &said[1];
        assert!(record.contains(concat!(
            r#"{"field":"b \"c\"","message":"must have at most 2 characters","#,
            r#""value":"\"x\",y","keyword":"maxLength"}"#
        )));
        assert_eq!(
            line,
            "1,\"b \"\"c\"\"\",must have at most 2 characters,\
             \"\"\"x\"\",y\",2026-01-01T00:00:00Z\r\n"
        );
    }
}
