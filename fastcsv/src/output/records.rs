//! `records.jsonl`: one JSON object a quarantined row, with the row as it came and what is wrong with it.
//!
//! What is the same in every line (keys, file, schema, time) is written out once, when the batch begins.

use super::errors_csv;
#[cfg(target_arch = "x86_64")]
use super::escape_simd;
use super::json::{Escaper, Way, escape_each, push_base64, push_number, push_string};
use super::text::{Piece, Text};
use crate::schema::Violation;
use std::borrow::Cow;

pub const NAME: &str = "records.jsonl";

/// What every record of a batch says alike.
#[derive(Debug, Clone, Copy)]
pub struct Batch<'a> {
    pub header: &'a [String],
    pub csv_type: &'a str,
    pub schema_version: &'a str,
    pub source_file: &'a str,
    /// RFC 3339.
    pub quarantined_at: &'a str,
    pub max_errors_per_record: usize,
}

/// One row that goes into quarantine.
#[derive(Debug, Clone, Copy)]
pub struct Row<'a> {
    pub number: u64,
    pub line: u64,
    pub offset: u64,
    /// The record's bytes without the line end, or the first of them.
    pub raw: Raw<'a>,
    /// All its bytes.
    pub length: u64,
    pub cells: &'a [&'a str],
    pub violations: &'a [Violation<'a>],
    pub recovered: bool,
}

/// A record's bytes, as text where they are.
#[derive(Debug, Clone, Copy)]
pub enum Raw<'a> {
    Text(&'a str),
    Bytes(&'a [u8]),
}

impl<'a> From<&'a [u8]> for Raw<'a> {
    fn from(bytes: &'a [u8]) -> Self {
        std::str::from_utf8(bytes).map_or(Self::Bytes(bytes), Self::Text)
    }
}

/// Writes the rows of one batch.
#[derive(Debug, Clone)]
pub struct RecordWriter {
    /// Whether the processor has what `escape_simd` needs.
    #[cfg(target_arch = "x86_64")]
    has_avx512: bool,
    /// By position, what stands between the text before and the cell's: `","name":"`.
    keys: Vec<Piece>,
    /// `{"field":"name","message":"` by position.
    error_starts: Vec<Piece>,
    csv_fields: Vec<Vec<u8>>,
    /// From `quarantinedAt` to `lineNumber`.
    middle: Piece,
    quarantined_at: Vec<u8>,
    extra_key: Vec<u8>,
    max_errors: usize,
}

impl RecordWriter {
    #[must_use]
    pub fn new(batch: &Batch<'_>) -> Self {
        let mut middle = Text::default();
        middle.extend(b"],\"quarantinedAt\":");
        push_string(&mut middle, batch.quarantined_at);
        for (key, value) in [
            ("sourceFile", batch.source_file),
            ("csvType", batch.csv_type),
            ("schemaVersion", batch.schema_version),
        ] {
            middle.push(b',');
            push_string(&mut middle, key);
            middle.push(b':');
            push_string(&mut middle, value);
        }
        middle.extend(b",\"lineNumber\":");
        Self {
            #[cfg(target_arch = "x86_64")]
            has_avx512: escape_simd::has_avx512(),
            keys: (0..).zip(batch.header).map(|(at, name)| key(name, at > 0)).collect(),
            error_starts: batch.header.iter().map(|name| Piece::new(error_start(name))).collect(),
            csv_fields: batch.header.iter().map(|name| csv_cell(name)).collect(),
            middle: Piece::new(middle.as_bytes().to_vec()),
            quarantined_at: csv_cell(batch.quarantined_at),
            extra_key: extra_key(&extra_name(batch.header)),
            max_errors: batch.max_errors_per_record,
        }
    }

    /// Appends the row to `records` and its errors to `errors`.
    pub fn push(&self, row: &Row<'_>, records: &mut Text, errors: &mut Text) {
        #[cfg(target_arch = "x86_64")]
        if self.has_avx512 {
            return escape_simd::push_row(self, row, records, errors);
        }
        self.push_with(&Escaper(escape_each), row, records, errors);
    }

    #[inline(always)]
    pub(super) fn push_with(
        &self,
        escaper: &Escaper<impl Way>,
        row: &Row<'_>,
        records: &mut Text,
        errors: &mut Text,
    ) {
        records.extend(b"{\"rowNumber\":");
        push_number(records, row.number);
        records.extend(b",\"rawData\":{");
        self.push_cells(escaper, row.cells, records);
        records.extend(b"},\"errors\":[");
        for (index, violation) in row.violations.iter().take(self.max_errors).enumerate() {
            if index > 0 {
                records.push(b',');
            }
            let value = violation.column.and_then(|column| row.cells.get(column as usize).copied());
            self.push_error(escaper, violation, value, records);
            self.push_csv_error(row.number, violation, value, errors);
        }
        records.extend_piece(&self.middle);
        push_number(records, row.line);
        records.extend(b",\"byteOffset\":");
        push_number(records, row.offset);
        push_raw(escaper, row, records);
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
    fn push_cells(&self, escaper: &Escaper<impl Way>, cells: &[&str], out: &mut Text) {
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

    #[inline(always)]
    fn push_error(
        &self,
        escaper: &Escaper<impl Way>,
        violation: &Violation<'_>,
        value: Option<&str>,
        out: &mut Text,
    ) {
        match violation.column.and_then(|column| self.error_starts.get(column as usize)) {
            Some(start) => out.extend_piece(start),
            None => out.extend(&error_start(&violation.field)),
        }
        escaper.push(out, &violation.message);
        match value {
            Some(value) => {
                out.extend(b"\",\"value\":\"");
                escaper.push(out, value);
                out.extend(b"\",\"keyword\":\"");
            }
            None => out.extend(b"\",\"value\":null,\"keyword\":\""),
        }
        // A word of ours: nothing in it has to be escaped.
        out.extend(violation.keyword.as_bytes());
        out.extend(b"\"}");
    }

    fn push_csv_error(
        &self,
        row: u64,
        violation: &Violation<'_>,
        value: Option<&str>,
        out: &mut Text,
    ) {
        let known = violation.column.and_then(|column| self.csv_fields.get(column as usize));
        let field = known.map_or_else(|| Cow::Owned(csv_cell(&violation.field)), Cow::from);
        let message = &violation.message;
        errors_csv::push_error(out, row, &field, message, value, &self.quarantined_at);
    }
}

/// The record's bytes as text, or in base64 where they are no UTF-8; with their number where not all
/// of them are kept.
#[inline(always)]
fn push_raw(escaper: &Escaper<impl Way>, row: &Row<'_>, out: &mut Text) {
    let kept = match row.raw {
        Raw::Text(text) => {
            out.extend(b",\"rawRow\":");
            escaper.push_string(out, text);
            text.len()
        }
        Raw::Bytes(bytes) => {
            out.extend(b",\"rawRowBase64\":");
            push_base64(out, bytes);
            bytes.len()
        }
    };
    if row.length > kept as u64 {
        out.extend(b",\"rawRowBytes\":");
        push_number(out, row.length);
    }
}

fn key(name: &str, after_text: bool) -> Piece {
    let mut key = Text::default();
    key.extend(if after_text { b"\"," } else { b"" });
    push_string(&mut key, name);
    key.extend(b":\"");
    Piece::new(key.as_bytes().to_vec())
}

fn extra_key(name: &str) -> Vec<u8> {
    let mut key = Text::default();
    key.push(b',');
    push_string(&mut key, name);
    key.push(b':');
    key.as_bytes().to_vec()
}

fn error_start(field: &str) -> Vec<u8> {
    let mut start = Text::default();
    start.extend(b"{\"field\":");
    push_string(&mut start, field);
    start.extend(b",\"message\":\"");
    start.as_bytes().to_vec()
}

fn csv_cell(text: &str) -> Vec<u8> {
    let mut cell = Text::default();
    errors_csv::push_cell(&mut cell, text);
    cell.as_bytes().to_vec()
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
    use super::*;

    /// `push` takes the widest instructions that there are.
    #[test]
    fn a_row_is_the_same_with_every_set_of_instructions() {
        let header = ["a".to_owned(), "b \"c\"".to_owned()];
        let writer = RecordWriter::new(&Batch {
            header: &header,
            csv_type: "type",
            schema_version: "1.0",
            source_file: "\"file\".csv",
            quarantined_at: "2026-01-01T00:00:00Z",
            max_errors_per_record: 2,
        });
        let long = "0123456789\"\n\\\u{1}\u{e9}".repeat(200);
        let cells = ["", "=x", "a \"b\"", &long, "\t", "2,3"];
        for count in 0..=cells.len() {
            let violations = [Some(0), Some(1), None, Some(5)].map(|column| Violation {
                column,
                field: Cow::Borrowed("_row"),
                keyword: "pattern",
                message: Cow::Borrowed("does not \"match\", or"),
            });
            let row = Row {
                number: 7,
                line: u64::MAX,
                offset: 12,
                raw: if count % 2 == 0 { Raw::Text(&long) } else { Raw::Bytes(b"\xff\x00\"") },
                length: 4000,
                cells: &cells[..count],
                violations: &violations[..count.min(4)],
                recovered: count == 3,
            };
            let [mut records, mut errors, mut plain_records, mut plain_errors] =
                std::array::from_fn(|_| Text::default());
            writer.push(&row, &mut records, &mut errors);
            let scalar = Escaper(escape_each);
            writer.push_with(&scalar, &row, &mut plain_records, &mut plain_errors);
            assert_eq!(records.as_bytes(), plain_records.as_bytes());
            assert_eq!(errors.as_bytes(), plain_errors.as_bytes());
            let read: serde_json::Value = serde_json::from_slice(records.as_bytes()).unwrap();
            assert_eq!(read["rowNumber"], 7);
            assert_eq!(read["errors"].as_array().unwrap().len(), count.min(2));
            assert_eq!(read["rawData"].as_object().unwrap().len(), count.min(3));
        }
    }
}
