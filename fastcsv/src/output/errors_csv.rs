//! `errors.csv`: one line an error, for people to read in a spreadsheet.
//!
//! A cell that a spreadsheet would take for a formula gets an apostrophe in front, and so does one that
//! begins with an apostrophe already, so that taking one leading apostrophe away gives back what was
//! there. A value over a spreadsheet's cell limit is cut; records.jsonl has it whole.

use super::json::push_number;
use super::text::Text;

pub const NAME: &str = "errors.csv";
pub const HEADER: &str = "Row Number,Field,Error Message,Invalid Value,Quarantined At\r\n";
/// Characters that spreadsheets hold in one cell.
const CELL_CHARS_MAX: usize = 32_767;

/// Appends one error; `field` and `quarantined_at` are cells already.
#[inline(always)]
pub fn push_error(
    out: &mut Text,
    row: u64,
    field: &[u8],
    message: &str,
    value: Option<&str>,
    quarantined_at: &[u8],
) {
    push_number(out, row);
    out.push(b',');
    out.extend(field);
    out.push(b',');
    push_cell(out, message);
    out.push(b',');
    push_cell(out, cut(value.unwrap_or_default()));
    out.push(b',');
    out.extend(quarantined_at);
    out.extend(b"\r\n");
}

/// Appends a cell that is safe to open in a spreadsheet, quoted where it must be (RFC 4180).
#[inline(always)]
pub fn push_cell(out: &mut Text, text: &str) {
    let bytes = text.as_bytes();
    let guarded = matches!(bytes.first(), Some(b'=' | b'+' | b'-' | b'@' | b'\t' | b'\r' | b'\''));
    let apostrophe: &[u8] = if guarded { b"'" } else { b"" };
    let special = bytes
        .iter()
        .fold(0, |special, &byte| special | u8::from(matches!(byte, b'"' | b',' | b'\n' | b'\r')));
    if special == 0 {
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
        let mut out = Text::default();
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
