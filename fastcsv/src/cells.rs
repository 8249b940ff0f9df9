//! The cells of one record, without their quotes. A cell is copied only where it holds a doubled quote.

use crate::tokenise::{Instructions, Tokeniser};
use std::ops::Range;

/// The text of the cells that had to be unescaped. Its memory is kept from row to row.
#[derive(Debug, Default)]
pub struct Unescaped {
    text: String,
    /// Which cells, and where each ends in `text`.
    cells: Vec<(usize, usize)>,
}

/// Text that begins at a frame's position `base`.
#[derive(Debug, Clone, Copy)]
pub struct Window<'t> {
    pub text: &'t str,
    pub base: usize,
}

/// Pushes to `cells` those that the frame's `marks` part. `escapes` are the record's doubled quotes.
#[inline]
pub fn split<'t>(
    window: Window<'t>,
    marks: &[u32],
    mut escapes: &[u32],
    record_start: u32,
    unescaped: &'t mut Unescaped,
    cells: &mut Vec<&'t str>,
) {
    unescaped.text.clear();
    unescaped.cells.clear();
    let Window { text, base } = window;
    let mut start = record_start as usize - base;
    for &mark in marks {
        let end = mark as usize - base;
        let mut cell = &text[start..end];
        if cell.as_bytes().first() == Some(&b'"') {
            cell = &cell[1..cell.len() - 1];
            if escapes.first().is_some_and(|&escape| escape < mark) {
                escapes = unescape(window, start + 1..end - 1, escapes, &mut unescaped.text);
                unescaped.cells.push((cells.len(), unescaped.text.len()));
            }
        }
        cells.push(cell);
        start = end + 1;
    }
    let mut start = 0;
    for &(index, end) in &unescaped.cells {
        cells[index] = &unescaped.text[start..end];
        start = end;
    }
}

/// Adds a quoted cell's content, each doubled quote as one; returns the escapes of later cells.
fn unescape<'e>(
    window: Window<'_>,
    content: Range<usize>,
    mut escapes: &'e [u32],
    out: &mut String,
) -> &'e [u32] {
    let Window { text, base } = window;
    let mut from = content.start;
    while let Some((&escape, later)) = escapes.split_first() {
        let escape = escape as usize - base;
        if escape >= content.end {
            break;
        }
        out.push_str(&text[from..escape]);
        (from, escapes) = (escape + 1, later);
    }
    out.push_str(&text[from..content.end]);
    escapes
}

/// Empties a vector of borrowed cells for another lifetime, and keeps its memory.
#[must_use]
pub fn recycle<'a>(mut cells: Vec<&str>) -> Vec<&'a str> {
    cells.clear();
    cells.into_iter().map(|_| "").collect()
}

/// The cells of a malformed line as far as they can be read, for people to look at: a stray quote stays a
/// quote, and bytes that are not UTF-8 become U+FFFD. At most `limit` cells.
#[must_use]
pub fn guess(line: &[u8], delimiter: u8, limit: usize) -> Vec<String> {
    let mut cells = Vec::new();
    let (mut cell, mut quoted) = (Vec::new(), false);
    let mut bytes = line.iter().copied().peekable();
    while let Some(byte) = bytes.next() {
        match byte {
            b'"' if quoted && bytes.peek() == Some(&b'"') => cell.extend(bytes.next()),
            b'"' if quoted => quoted = false,
            b'"' if cell.is_empty() => quoted = true,
            _ if byte == delimiter && !quoted => {
                if cells.len() + 1 == limit {
                    break;
                }
                cells.push(String::from_utf8_lossy(&cell).into_owned());
                cell.clear();
            }
            _ => cell.push(byte),
        }
    }
    cells.push(String::from_utf8_lossy(&cell).into_owned());
    cells
}

/// The cells of a line on its own, such as a header; `None` if its quotes are at fault.
#[must_use]
pub fn parse_line(line: &str, delimiter: u8) -> Option<Vec<String>> {
    let mut tokeniser = Tokeniser::new(delimiter, Instructions::detect());
    if tokeniser.scan(line.as_bytes(), 0).is_some() || tokeniser.in_quotes() {
        return None;
    }
    tokeniser.marks.end_at(u32::try_from(line.len()).ok()?);
    let (mut unescaped, mut cells) = (Unescaped::default(), Vec::new());
    let (window, marks) = (Window { text: line, base: 0 }, &tokeniser.marks);
    let (separators, escapes) = (marks.separators.as_slice(), marks.escapes.as_slice());
    split(window, separators, escapes, 0, &mut unescaped, &mut cells);
    Some(cells.into_iter().map(str::to_owned).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quoted_cells_lose_their_quotes_and_doubled_ones_are_halved() {
        let cells = parse_line("a,\"b,c\",\"d \"\"e\"\"\",\"\",\"\"\"\",", b',').unwrap();
        assert_eq!(cells, ["a", "b,c", "d \"e\"", "", "\"", ""]);
    }

    #[test]
    fn a_line_with_stray_quotes_is_refused_but_can_be_guessed() {
        for line in ["a\"b,c", "\"a\"b,c", "\"a,b"] {
            assert_eq!(parse_line(line, b','), None);
        }
        assert_eq!(guess(b"a\"b,c", b',', 9), ["a\"b", "c"]);
        assert_eq!(guess(b"\"a\"b,c", b',', 9), ["ab", "c"]);
        assert_eq!(guess(b"\"a,\"\"b", b',', 9), ["a,\"b"]);
        assert_eq!(guess(b"a,b,c,d", b',', 2), ["a", "b"]);
        assert_eq!(guess(b"\xff,b", b',', 9), ["\u{fffd}", "b"]);
    }

    #[test]
    fn a_recycled_vector_keeps_its_memory() {
        let cells = vec!["a"; 100];
        let capacity = cells.capacity();
        let address = cells.as_ptr() as usize;
        let again: Vec<&str> = recycle(cells);
        assert_eq!((again.len(), again.capacity()), (0, capacity));
        assert_eq!(again.as_ptr() as usize, address);
    }
}
