//! Decodes the escapes of a JSON string (RFC 8259 section 7), and finds what no PostgreSQL text can hold.

use std::borrow::Cow;

use super::reader::RawString;

/// A string of JSON that PostgreSQL could not store.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum TextFault {
    /// `\u0000`
    Nul,
    /// Half of a surrogate pair without the other half.
    LoneSurrogate,
}

impl TextFault {
    pub const fn keyword(self) -> &'static str {
        match self {
            Self::Nul => "nul",
            Self::LoneSurrogate => "surrogate",
        }
    }

    pub const fn message(self) -> &'static str {
        match self {
            Self::Nul => "holds a NUL character",
            Self::LoneSurrogate => "holds half of a surrogate pair",
        }
    }
}

/// The text of a string, and the first fault in it. A lone surrogate becomes U+FFFD.
#[inline]
pub(super) fn decode(raw: RawString<'_>) -> (Cow<'_, str>, Option<TextFault>) {
    if !raw.has_escapes {
        return (Cow::Borrowed(raw.text), None);
    }
    decode_escapes(raw.text)
}

fn decode_escapes(text: &str) -> (Cow<'_, str>, Option<TextFault>) {
    let mut decoded = String::with_capacity(text.len());
    let mut fault = None;
    let mut rest = text;
    while let Some(at) = memchr::memchr(b'\\', rest.as_bytes()) {
        decoded.push_str(&rest[..at]);
        let (letter, after) = rest[at + 1..].split_at(1);
        rest = after;
        match letter {
            "b" => decoded.push('\u{8}'),
            "f" => decoded.push('\u{c}'),
            "n" => decoded.push('\n'),
            "r" => decoded.push('\r'),
            "t" => decoded.push('\t'),
            "u" => {
                let (character, taken) = code_point(rest);
                rest = &rest[taken..];
                let found = match character {
                    Some('\0') => Some(TextFault::Nul),
                    Some(_) => None,
                    None => Some(TextFault::LoneSurrogate),
                };
                fault = fault.or(found);
                decoded.push(character.unwrap_or(char::REPLACEMENT_CHARACTER));
            }
            itself => decoded.push_str(itself),
        }
    }
    decoded.push_str(rest);
    (Cow::Owned(decoded), fault)
}

/// The character of a `\u` escape from its digits on, and how many bytes it takes; none for a lone surrogate.
fn code_point(digits: &str) -> (Option<char>, usize) {
    let unit = |at: usize| digits.get(at..at + 4).and_then(|it| u16::from_str_radix(it, 16).ok());
    let first = unit(0).unwrap_or(0);
    if let Some(character) = char::from_u32(u32::from(first)) {
        return (Some(character), 4);
    }
    let second = digits.get(4..6).filter(|it| *it == "\\u").and_then(|_| unit(6));
    let pair = second.and_then(|second| char::decode_utf16([first, second]).next()?.ok());
    // Two halves decode to one character; anything else leaves the first half alone.
    match pair {
        Some(character) => (Some(character), 10),
        None => (None, 4),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn decoded(text: &str) -> (String, Option<TextFault>) {
        let (text, fault) = decode(RawString { text, has_escapes: text.contains('\\') });
        (text.into_owned(), fault)
    }

    #[test]
    fn escapes_become_what_they_stand_for() {
        for (raw, text) in [
            ("plain é", "plain é"),
            (r#"\"\\\/\b\f\n\r\t"#, "\"\\/\u{8}\u{c}\n\r\t"),
            (r"a\u00e9\u20AC.", "aé€."),
            (r"\ud83d\ude00", "😀"),
            (r"\\u0000", "\\u0000"),
        ] {
            assert_eq!(decoded(raw), (text.to_owned(), None), "{raw}");
        }
    }

    #[test]
    fn what_no_database_text_can_hold_is_found() {
        assert_eq!(decoded(r"a\u0000b"), ("a\0b".to_owned(), Some(TextFault::Nul)));
        for raw in [r"\ud800", r"\udc00", r"\ud800x", r"\ud83d\n", r"\ud83d\u0041", r"\ud800\ud800"]
        {
            assert_eq!(decoded(raw).1, Some(TextFault::LoneSurrogate), "{raw}");
        }
        assert_eq!(decoded(r"\ud83d\u0041").0, "\u{fffd}A");
        assert_eq!(decoded(r"\ud800\ud83d\ude00").0, "\u{fffd}😀");
    }
}
