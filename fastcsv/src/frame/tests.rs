//! Framing against the rule as it is written: one record at a time, by the byte-by-byte machine.

use super::*;
use proptest::prelude::*;

#[derive(Debug, Clone, PartialEq, Eq)]
struct Seen {
    row: u64,
    offset: u64,
    line: u64,
    text: Vec<u8>,
    cells: Vec<Vec<u8>>,
    length: u64,
    fault: Option<Fault>,
    recovered: bool,
}

#[derive(Default)]
struct Collect(Vec<Seen>);

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
            self.0.push(Seen {
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

/// The rule as the module's opening tells it.
fn reference(text: &[u8], bounds: Bounds) -> Vec<Seen> {
    let (mut found, mut start, mut line, mut recover_until) = (vec![], 0, 1, 0);
    while start < text.len() {
        let read = read_one(&text[start..], bounds);
        let (length, next, lines) = match read {
            Ok((ref cells, length)) => {
                let lines = line_ends(&text[start..start + length]).count() as u64 + 1;
                let next = after_line_end(text, start + length, true).unwrap();
                if length > 0 {
                    found.push(Seen {
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
                found.push(Seen {
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
                (length, after_line_end(text, start + length, true).unwrap(), 1)
            }
        };
        assert!(next > start || length == 0);
        (start, line) = (next, line + lines);
    }
    found
}

/// The cells and the length of the record that `text` begins with, or the first rule that it breaks.
fn read_one(text: &[u8], bounds: Bounds) -> Result<(Vec<Vec<u8>>, usize), Breach> {
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

fn framed(text: &[u8], bounds: Bounds, cuts: &[usize]) -> Vec<Seen> {
    let mut collect = Collect::default();
    let mut framer = Framer::new(b',', bounds, 0, 1);
    let mut from = 0;
    for &cut in cuts {
        framer.feed(&text[from..cut], &mut collect).unwrap();
        from = cut;
    }
    framer.feed(&text[from..], &mut collect).unwrap();
    framer.finish(&mut collect).unwrap();
    collect.0
}

const ROOMY: Bounds = Bounds { record_bytes: 1 << 20, record_lines: 1000 };

fn csv_like() -> impl Strategy<Value = Vec<u8>> {
    let part = prop_oneof![
        4 => Just("a,b\n"), 2 => Just("\"q,\"\"\n\",x\r\n"), 2 => Just("\n"), 1 => Just("\r"),
        1 => Just("\""), 1 => Just("x\"y\n"), 1 => Just("\"x\"y,"), 1 => Just("plain text here"),
        1 => Just("\"\n"), 1 => Just("\"\","), 1 => Just("\r\n"), 1 => Just("0123456789,0123456789\n")
    ];
    prop::collection::vec(part, 0..40).prop_map(|parts| parts.concat().into_bytes())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(3000))]

    #[test]
    fn records_are_those_of_the_rule(
        text in csv_like(), record_bytes in 1_usize..80, record_lines in 1_usize..6,
        cuts in prop::collection::vec(any::<prop::sample::Index>(), 0..6),
    ) {
        let mut cuts: Vec<usize> = cuts.iter().map(|cut| cut.index(text.len() + 1)).collect();
        cuts.sort_unstable();
        for bounds in [ROOMY, Bounds { record_bytes, record_lines }] {
            let wanted = reference(&text, bounds);
            prop_assert_eq!(&framed(&text, bounds, &[]), &wanted);
            prop_assert_eq!(&framed(&text, bounds, &cuts), &wanted);
        }
    }
}

#[test]
fn fed_byte_by_byte_nothing_changes() {
    let text = b"a,b\r\nc,\"d\r\ne\",f\n\n\"open,x\ny,z\n\"k\" l\n1,2\r3,4\r\n\"tail\n5,6";
    let every: Vec<usize> = (1..text.len()).collect();
    let wanted = reference(text, ROOMY);
    assert_eq!(framed(text, ROOMY, &every), wanted);
    assert_eq!(wanted.iter().filter(|record| record.fault.is_some()).count(), 3);
}

#[test]
fn a_line_over_the_bound_is_kept_by_its_head_and_its_neighbours_stay() {
    let long = "x".repeat(300_000);
    let text = format!("a,b\n{long}\nc,d\n\"{long}\",e\nf,g\n");
    let bounds = Bounds { record_bytes: 100_000, record_lines: 10 };
    let wanted = reference(text.as_bytes(), bounds);
    for step in [1000, 4096, 65_536, 250_000, 1 << 20] {
        let cuts: Vec<usize> = (step..text.len()).step_by(step).collect();
        assert_eq!(framed(text.as_bytes(), bounds, &cuts), wanted, "step {step}");
    }
    assert_eq!(wanted.len(), 5);
    assert_eq!(wanted[1].text.len(), KEPT_BYTES);
    assert_eq!(wanted[1].length, 300_000);
    assert!(!wanted[2].recovered && !wanted[4].recovered);
}
