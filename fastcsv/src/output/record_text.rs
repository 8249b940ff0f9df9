//! What the records of rows and of payloads have in common: what is the same in every line of a batch, and the end of a
//! record, which has the bytes that came.

use super::errors_csv;
use super::json::{EscapeFunction, Escaper, push_base64, push_number, push_string};
use super::text::{PaddedText, TextBuffer};

/// What is the same in every record of a batch.
#[derive(Debug, Clone, Copy)]
pub struct BatchContext<'a> {
    pub schema: &'a str,
    pub schema_version: &'a str,
    pub source_file: &'a str,
    /// RFC 3339.
    pub quarantined_at: &'a str,
}

/// The text of a `BatchContext`, written out once, when the batch begins.
#[derive(Debug, Clone)]
pub struct RecordText {
    /// From `quarantinedAt` to `lineNumber`.
    pub middle: PaddedText,
    /// The last cell of a line of errors.csv, and the line's end.
    pub csv_end: PaddedText,
}

impl RecordText {
    #[must_use]
    pub fn new(batch: &BatchContext<'_>) -> Self {
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
        Self { middle: middle.into(), csv_end: csv_end.into() }
    }
}

/// A record's bytes, as text where they are.
#[derive(Debug, Clone, Copy)]
pub enum RawRecord<'a> {
    Text(&'a str),
    Bytes(&'a [u8]),
}

impl<'a> From<&'a [u8]> for RawRecord<'a> {
    fn from(bytes: &'a [u8]) -> Self {
        std::str::from_utf8(bytes).map_or(Self::Bytes(bytes), Self::Text)
    }
}

/// Where a record began, and the bytes that it was.
#[derive(Debug, Clone, Copy)]
pub struct RecordSource<'a> {
    pub line: u64,
    pub offset: u64,
    /// The record's bytes without the line end, or the first of them.
    pub raw: RawRecord<'a>,
    /// All its bytes.
    pub size_bytes: u64,
}

impl RecordText {
    /// From `quarantinedAt` to the raw record: as text, or in base64 where it is no UTF-8; with the number of its bytes
    /// where not all of them are kept.
    #[inline(always)]
    pub fn push_source(
        &self,
        escaper: &Escaper<impl EscapeFunction>,
        source: &RecordSource<'_>,
        out: &mut TextBuffer,
    ) {
        out.extend_piece(&self.middle);
        push_number(out, source.line);
        out.extend(b",\"byteOffset\":");
        push_number(out, source.offset);
        let kept = match source.raw {
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
        if source.size_bytes > kept as u64 {
            out.extend(b",\"rawRowBytes\":");
            push_number(out, source.size_bytes);
        }
    }
}
