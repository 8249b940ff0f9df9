//! `errors.csv`: one line an error, for people to read in a spreadsheet.
//!
//! A cell that a spreadsheet would take for a formula gets an apostrophe in front, and so does one that
//! begins with an apostrophe already, so that taking one leading apostrophe away gives back what was
//! there. A value over a spreadsheet's cell limit is cut; records.jsonl has it whole.

use super::text::{BLOCK, TextBuffer, copy_short};

pub const NAME: &str = "errors.csv";
pub const HEADER: &str = "Row Number,Field,Error Message,Invalid Value,Quarantined At\r\n";
/// Characters that spreadsheets hold in one cell.
const CELL_CHARS_MAX: usize = 32_767;

/// Appends `,field,message,`. The writer of records has done so for most errors when the batch began.
#[cold]
pub fn push_message(out: &mut TextBuffer, field: &str, message: &str) {
    for cell in [field, message] {
        out.push(b',');
        push_cell(out, cell);
    }
    out.push(b',');
}

/// Appends a value, or as much of it as a spreadsheet takes.
#[inline(always)]
pub fn push_value(out: &mut TextBuffer, value: &str) {
    push_cell(out, cut(value));
}

/// Appends a cell that is safe to open in a spreadsheet, quoted where it must be (RFC 4180).
#[inline(always)]
pub fn push_cell(out: &mut TextBuffer, text: &str) {
    let bytes = text.as_bytes();
    let guarded = matches!(bytes.first(), Some(b'=' | b'+' | b'-' | b'@' | b'\t' | b'\r' | b'\''));
    let apostrophe: &[u8] = if guarded { b"'" } else { b"" };
    if !must_be_quoted(bytes) {
        out.extend(apostrophe);
        out.extend(bytes);
        return;
    }
    out.push(b'"');
    out.extend(apostrophe);
    let mut from = 0;
    for quote in memchr::memchr_iter(b'"', bytes) {
        out.extend(&bytes[from..=quote]);
        from = quote;
    }
    out.extend(&bytes[from..]);
    out.push(b'"');
}

/// Whether a cell holds what would end it. By blocks: most values are as long as one or two.
#[inline(always)]
fn must_be_quoted(bytes: &[u8]) -> bool {
    let special = |block: &[u8; BLOCK]| {
        let is_special = |byte| matches!(byte, b'"' | b',' | b'\n' | b'\r');
        block.iter().fold(false, |found, &byte| found | is_special(byte))
    };
    let (blocks, rest) = bytes.as_chunks::<BLOCK>();
    let mut last = [0; BLOCK];
    copy_short(rest, &mut last);
    blocks.iter().fold(special(&last), |found, block| found | special(block))
}

#[inline(always)]
fn cut(value: &str) -> &str {
    if value.len() < CELL_CHARS_MAX {
        return value;
    }
    // One character is left for the apostrophe.
    value.char_indices().nth(CELL_CHARS_MAX - 1).map_or(value, |(end, _)| &value[..end])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cell(text: &str) -> String {
        let mut out = TextBuffer::default();
        push_cell(&mut out, text);
        String::from_utf8(out.as_bytes().to_vec()).unwrap()
    }

    #[test]
    fn formulas_are_disarmed_and_the_apostrophe_can_be_taken_away() {
        for text in ["=1+1", "+1", "-1", "@SUM(A1)", "\tx", "'quoted", "''"] {
            assert_eq!(cell(text), format!("'{text}"));
        }
        assert_eq!(cell("\rx"), "\"'\rx\"");
        assert_eq!(cell("=\"a\",b"), "\"'=\"\"a\"\",b\"");
        for text in ["", "plain", "1-1", "a=b", "é"] {
            assert_eq!(cell(text), text);
        }
    }

    #[test]
    fn a_value_over_the_limit_of_spreadsheets_is_cut_between_characters() {
        let long = "é".repeat(CELL_CHARS_MAX + 10);
        assert_eq!(cut(&long).chars().count(), CELL_CHARS_MAX - 1);
        let exact = "é".repeat(CELL_CHARS_MAX - 1);
        assert_eq!(cut(&exact), exact);
    }
}
