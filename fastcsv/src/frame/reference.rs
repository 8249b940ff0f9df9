//! The rule of framing, one record and one byte at a time: the oracle of the tests and the fuzz target.
//!
//! Slow and plain on purpose: it holds all of the text, looks at every byte alone, and shares nothing
//! with the framer.

use super::{Bounds, Fault, Frame, KEPT_BYTES, Sink};

type ReferenceBreach = (usize, Fault);

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found {
    pub row: u64,
    pub offset: u64,
    pub line: u64,
    pub text: Vec<u8>,
    pub cells: Vec<Vec<u8>>,
    pub length: u64,
    pub fault: Option<Fault>,
    pub recovered: bool,
}

#[derive(Default)]
pub struct Collect(pub Vec<Found>);

impl Sink for Collect {
    type Error = ();
    fn take(&mut self, frame: Frame<'_>) -> Result<(), ()> {
        for (index, record) in frame.records.iter().enumerate() {
            let mut cells = vec![];
            let mut start = record.start as usize;
            for mark in 0..record.cells {
                let end = frame.marks[(record.first_mark + mark) as usize] as usize;
                cells.push(frame.text[start..end].to_vec());
                start = end + 1;
            }
            let text = frame.text[record.start as usize..record.end as usize].to_vec();
            self.0.push(Found {
                row: frame.first_row + index as u64,
                offset: frame.offset + u64::from(record.start),
                line: record.line,
                text,
                cells,
                length: record.length,
                fault: record.fault,
                recovered: record.recovered,
            });
        }
        Ok(())
    }
}

/// Where lines end in `text`: at CR, and at LF without a CR before it.
fn line_ends(text: &[u8]) -> impl Iterator<Item = usize> {
    (0..text.len())
        .filter(|&at| text[at] == b'\r' || text[at] == b'\n' && (at == 0 || text[at - 1] != b'\r'))
}

fn after_line_end(text: &[u8], end: usize) -> usize {
    match text[end..] {
        [b'\r', b'\n', ..] => end + 2,
        [_, ..] => end + 1,
        [] => end,
    }
}

/// The rule as the framer's opening tells it.
pub fn reference(text: &[u8], bounds: Bounds) -> Vec<Found> {
    let (mut found, mut start, mut line, mut recover_until) = (vec![], 0, 1, 0);
    while start < text.len() {
        let read = read_one(&text[start..], bounds);
        let (length, next, lines) = match read {
            Ok((ref cells, length)) => {
                let lines = line_ends(&text[start..start + length]).count() as u64 + 1;
                let next = after_line_end(text, start + length);
                if length > 0 {
                    found.push(Found {
                        row: found.len() as u64 + 1,
                        offset: start as u64,
                        line,
                        text: text[start..start + length].to_vec(),
                        cells: cells.clone(),
                        length: length as u64,
                        fault: None,
                        recovered: start < recover_until,
                    });
                }
                (length, next, lines)
            }
            Err((at, fault)) => {
                let length = line_ends(&text[start..]).next().unwrap_or(text.len() - start);
                let kept =
                    if length > bounds.record_bytes { length.min(KEPT_BYTES) } else { length };
                found.push(Found {
                    row: found.len() as u64 + 1,
                    offset: start as u64,
                    line,
                    text: text[start..start + kept].to_vec(),
                    cells: vec![],
                    length: length as u64,
                    fault: Some(fault),
                    recovered: start < recover_until,
                });
                recover_until = recover_until.max(start + at);
                (length, after_line_end(text, start + length), 1)
            }
        };
        assert!(next > start || length == 0);
        (start, line) = (next, line + lines);
    }
    found
}

/// The cells and the length of the record that `text` begins with, or the first rule that it breaks.
fn read_one(text: &[u8], bounds: Bounds) -> Result<(Vec<Vec<u8>>, usize), ReferenceBreach> {
    #[derive(PartialEq, Clone, Copy)]
    enum At {
        FieldStart,
        Bare,
        Quoted,
        QuoteEnd,
    }
    let (mut cells, mut cell, mut at, mut lines) = (vec![], vec![], At::FieldStart, 0);
    for (index, &byte) in text.iter().enumerate() {
        let ends = matches!(byte, b'\r' | b'\n');
        if ends && at != At::Quoted {
            cells.push(cell);
            return Ok((cells, index));
        }
        if at == At::Bare && byte == b'"' {
            return Err((index, Fault::StrayQuote));
        }
        if at == At::QuoteEnd && byte != b'"' && byte != b',' {
            return Err((index, Fault::TrailingText));
        }
        if ends && (byte == b'\r' || index == 0 || text[index - 1] != b'\r') {
            lines += 1;
            if lines == bounds.record_lines && index <= bounds.record_bytes.saturating_sub(1) {
                return Err((index, Fault::RecordLines));
            }
        }
        if index == bounds.record_bytes {
            return Err((index, Fault::RecordBytes));
        }
        if byte == b',' && at != At::Quoted {
            cells.push(std::mem::take(&mut cell));
            at = At::FieldStart;
            continue;
        }
        cell.push(byte);
        at = match (at, byte) {
            (At::Quoted, b'"') => At::QuoteEnd,
            (At::FieldStart | At::QuoteEnd, b'"') | (At::Quoted, _) => At::Quoted,
            _ => At::Bare,
        };
    }
    if at == At::Quoted {
        return Err((text.len(), Fault::UnclosedQuote));
    }
    cells.push(cell);
    Ok((cells, text.len()))
}
