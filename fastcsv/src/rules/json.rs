//! `contentMediaType: application/json`: text that is one JSON value, strictly by RFC 8259.
//!
//! Checked where it stands, nothing is built. Refused beyond the grammar: `\u0000` and lone surrogates
//! (no PostgreSQL text can hold them) and nesting past a bound. The open brackets are one bit each in
//! a `u128`, which is what bounds the depth at 128 and needs no stack. Strings are looked through eight
//! bytes at a time, which takes a note of 250 characters from 160 to 55 ns; short keys and values neither
//! gain nor lose by it (75 ns for an object of 80 bytes and eleven strings, some 3 ns a token).

/// The deepest nesting that the check can follow.
pub const DEPTH_MAX: u32 = 128;

/// Whether `text` is a JSON value nested at most `depth_max` deep (`DEPTH_MAX` at the most).
#[must_use]
pub fn is_json(text: &str, depth_max: u32) -> bool {
    Reader::<1>::takes(text.as_bytes(), depth_max)
}

/// Whether a cell holds such a value, read where it stands in the file: inside the cell's quotes every
/// quote is doubled, and a cell without quotes around it has none inside.
#[must_use]
pub fn is_json_in_csv(cell: &[u8], depth_max: u32) -> bool {
    Reader::<2>::takes(cell, depth_max)
}

/// Reads text in which a quote takes `QUOTE` bytes.
struct Reader<'a, const QUOTE: usize> {
    bytes: &'a [u8],
    at: usize,
    /// One bit per open bracket, innermost last: set for an object.
    objects: u128,
    depth: u32,
}

impl<'a, const QUOTE: usize> Reader<'a, QUOTE> {
    fn takes(bytes: &'a [u8], depth_max: u32) -> bool {
        let mut reader = Self { bytes, at: 0, objects: 0, depth: 0 };
        reader.document(depth_max.min(DEPTH_MAX)).is_some()
    }

    /// Reads one value and the blanks around it to the very end. `None` is "not JSON", here and below.
    fn document(&mut self, depth_max: u32) -> Option<()> {
        loop {
            let opened = self.value(depth_max)?;
            if opened {
                continue;
            }
            while self.depth > 0 && self.close_or_next()? {}
            if self.depth == 0 {
                self.blanks();
                return (self.at == self.bytes.len()).then_some(());
            }
        }
    }

    /// Reads a scalar, an empty container, or an opening up to where its first value starts.
    /// True where a value has to follow.
    #[inline]
    fn value(&mut self, depth_max: u32) -> Option<bool> {
        self.blanks();
        match self.peek()? {
            open @ (b'{' | b'[') => return self.open(open == b'{', depth_max),
            b'"' => self.string()?,
            b't' => self.word(b"true")?,
            b'f' => self.word(b"false")?,
            b'n' => self.word(b"null")?,
            _ => self.number()?,
        }
        Some(false)
    }

    #[inline]
    fn open(&mut self, object: bool, depth_max: u32) -> Option<bool> {
        self.at += 1;
        self.blanks();
        let empty = self.peek()? == if object { b'}' } else { b']' };
        if self.depth == depth_max {
            return None;
        }
        if empty {
            self.at += 1;
            return Some(false);
        }
        self.depth += 1;
        self.objects = self.objects << 1 | u128::from(object);
        if object {
            self.key()?;
        }
        Some(true)
    }

    /// After a value inside a container: true where a bracket closed, false where a value follows.
    #[inline]
    fn close_or_next(&mut self) -> Option<bool> {
        self.blanks();
        let object = self.objects & 1 == 1;
        let byte = self.peek()?;
        self.at += 1;
        match byte {
            b',' if object => {
                self.blanks();
                self.key()?;
                Some(false)
            }
            b',' => Some(false),
            b'}' if object => Some(self.pop()),
            b']' if !object => Some(self.pop()),
            _ => None,
        }
    }

    fn pop(&mut self) -> bool {
        self.depth -= 1;
        self.objects >>= 1;
        true
    }

    #[inline]
    fn key(&mut self) -> Option<()> {
        if self.peek()? != b'"' {
            return None;
        }
        self.string()?;
        self.blanks();
        self.word(b":")
    }

    #[inline]
    fn string(&mut self) -> Option<()> {
        self.at += QUOTE;
        loop {
            self.plain();
            match self.peek()? {
                b'"' => {
                    self.at += QUOTE;
                    return Some(());
                }
                b'\\' => self.escape()?,
                _ => return None,
            }
        }
    }

    /// Skips to the next quote, backslash or control character.
    #[inline]
    fn plain(&mut self) {
        while let Some(eight) = self.bytes.get(self.at..).and_then(<[u8]>::first_chunk) {
            let special = special(u64::from_le_bytes(*eight));
            if special != 0 {
                self.at += (special.trailing_zeros() / 8) as usize;
                return;
            }
            self.at += 8;
        }
        while self.peek().is_some_and(|byte| byte >= 0x20 && byte != b'"' && byte != b'\\') {
            self.at += 1;
        }
    }

    /// Reads on from a backslash.
    fn escape(&mut self) -> Option<()> {
        self.at += 1;
        let byte = self.peek()?;
        self.at += if byte == b'"' { QUOTE } else { 1 };
        match byte {
            b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't' => Some(()),
            b'u' => match self.code_unit()? {
                0 | 0xDC00..=0xDFFF => None,
                0xD800..=0xDBFF => {
                    self.word(b"\\u")?;
                    matches!(self.code_unit()?, 0xDC00..=0xDFFF).then_some(())
                }
                _ => Some(()),
            },
            _ => None,
        }
    }

    fn code_unit(&mut self) -> Option<u32> {
        let digits = self.bytes.get(self.at..)?.first_chunk::<4>()?;
        self.at += 4;
        digits.iter().try_fold(0, |unit, &digit| Some(unit << 4 | char::from(digit).to_digit(16)?))
    }

    #[inline]
    fn number(&mut self) -> Option<()> {
        if self.peek()? == b'-' {
            self.at += 1;
        }
        if self.peek()? == b'0' {
            self.at += 1;
        } else {
            self.digits()?;
        }
        if self.peek() == Some(b'.') {
            self.at += 1;
            self.digits()?;
        }
        if matches!(self.peek(), Some(b'e' | b'E')) {
            self.at += 1;
            if matches!(self.peek(), Some(b'+' | b'-')) {
                self.at += 1;
            }
            self.digits()?;
        }
        Some(())
    }

    #[inline]
    fn digits(&mut self) -> Option<()> {
        let start = self.at;
        while self.peek().is_some_and(|byte| byte.is_ascii_digit()) {
            self.at += 1;
        }
        (self.at > start).then_some(())
    }

    /// Compared as an array, which is one load: a slice of unknown length would be a call.
    #[inline]
    fn word<const N: usize>(&mut self, word: &[u8; N]) -> Option<()> {
        let found = self.bytes.get(self.at..)?.first_chunk::<N>()? == word;
        self.at += N;
        found.then_some(())
    }

    #[inline]
    fn blanks(&mut self) {
        if self.peek().is_some_and(|byte| byte > b' ') {
            return;
        }
        while matches!(self.peek(), Some(b' ' | b'\n' | b'\r' | b'\t')) {
            self.at += 1;
        }
    }

    #[inline]
    fn peek(&self) -> Option<u8> {
        self.bytes.get(self.at).copied()
    }
}

/// The high bit of every byte that cannot stand in a string as it is. Bits above the lowest may be
/// wrong (a borrow runs upwards); the lowest is not.
#[inline]
pub(crate) fn special(eight: u64) -> u64 {
    const ONES: u64 = 0x0101_0101_0101_0101;
    let below = |word: u64, end: u64| word.wrapping_sub(ONES * end) & !word;
    let quote = below(eight ^ (ONES * 0x22), 1);
    let backslash = below(eight ^ (ONES * 0x5c), 1);
    (quote | backslash | below(eight, 0x20)) & (ONES * 0x80)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn is_json(text: &str, depth_max: u32) -> bool {
        let plain = super::is_json(text, depth_max);
        let doubled = text.replace('"', "\"\"");
        assert_eq!(is_json_in_csv(doubled.as_bytes(), depth_max), plain, "{text:?} in a cell");
        plain
    }

    #[test]
    fn takes_json() {
        for text in [
            "{}",
            "[]",
            "null",
            "true",
            "false",
            "0",
            "-0",
            "1.5e-7",
            "1E+999",
            "\"\"",
            " [ 1 , 2 ] ",
            "{\"a\":{\"b\":[1,{\"c\":null}]},\"a\":2}",
            "\"\\u00e9\\ud83d\\ude00\\n\\/\"",
            "\"é😀\u{7f}\"",
            "\t\r\n[[],{},[{}]]\n",
            "[[1],2]",
        ] {
            assert!(is_json(text, 8), "{text}");
        }
    }

    #[test]
    fn refuses_what_looks_like_it() {
        for text in [
            "",
            " ",
            "{",
            "}",
            "[1,]",
            "[,1]",
            "{\"a\":1,}",
            "{a:1}",
            "{'a':1}",
            "{\"a\"}",
            "{\"a\" 1}",
            "{1:2}",
            "[1 2]",
            "1 2",
            "[1}",
            "{\"a\":1]",
            "nul",
            "nullx",
            "True",
            "NaN",
            "Infinity",
            "+1",
            "01",
            "-",
            "1.",
            ".5",
            "1e",
            "1e+",
            "-01",
            "0x1",
            "\"",
            "\"\\",
            "\"\\x\"",
            "\"\\u12\"",
            "\"\\u12g4\"",
            "\"a\nb\"",
            "\"\t\"",
            "// x\n1",
            "[1]//",
            "\u{feff}1",
            "\u{a0}1",
            "[1]]",
            "[",
            "[[]",
            "{\"a\":}",
            "\"\\u+123\"",
            "{\"a\":1 \"b\":2}",
            "{,}",
        ] {
            assert!(!is_json(text, 8), "{text:?}");
        }
    }

    #[test]
    fn refuses_what_no_database_text_can_hold() {
        for text in [
            "\"\\u0000\"",
            "\"\\ud800\"",
            "\"\\udc00\"",
            "\"\\ud800\\ud800\"",
            "\"\\ud83dx\"",
            "\"\\ud83d\\n\"",
            "{\"\\u0000\":1}",
            "\"\\ude00\\ud83d\"",
        ] {
            assert!(!is_json(text, 8), "{text}");
        }
    }

    #[test]
    fn a_special_byte_is_found_in_every_place() {
        for length in 0..20 {
            for place in 0..length {
                for byte in 0..128u8 {
                    let mut text = vec![b'x'; length];
                    text[place] = byte;
                    let text = format!("\"{}\"", String::from_utf8(text).unwrap());
                    let plain = byte >= 0x20 && byte != b'"' && byte != b'\\';
                    assert_eq!(is_json(&text, 8), plain, "{text:?}");
                }
            }
        }
    }

    #[test]
    fn depth_is_bounded() {
        let nested = |depth: usize| "[".repeat(depth) + &"]".repeat(depth);
        let objects = |depth: usize| "{\"a\":".repeat(depth) + "1" + &"}".repeat(depth);
        for make in [&nested as &dyn Fn(usize) -> String, &objects] {
            assert!(is_json(&make(8), 8));
            assert!(!is_json(&make(9), 8));
            assert!(is_json(&make(128), u32::MAX));
            assert!(!is_json(&make(129), u32::MAX));
        }
        assert!(is_json("1", 0));
        assert!(!is_json("[]", 0));
    }
}
