//! JSON text, appended to a buffer: strings are copied in runs, and only what must be escaped is.

use super::text::{BLOCK, TextBuffer, copy_short};

/// What a byte becomes: 0 itself, 1 `\u00XX`, else a backslash and this.
const ESCAPES: [u8; 256] = {
    let mut table = [0; 256];
    let mut byte = 0;
    while byte < 0x20 {
        table[byte] = 1;
        byte += 1;
    }
    table[b'"' as usize] = b'"';
    table[b'\\' as usize] = b'\\';
    table[b'\n' as usize] = b'n';
    table[b'\r' as usize] = b'r';
    table[b'\t' as usize] = b't';
    table
};

/// Bytes of text for which room is made at once.
const STEP: usize = 1024;
/// `\u00XX`
const ESCAPE_BYTES_MAX: usize = 6;

/// Appends `text` as a JSON string.
pub fn push_string(out: &mut TextBuffer, text: &str) {
    Escaper(escape_each).push_string(out, text);
}

/// Appends `text` as the inside of a JSON string.
pub fn push_escaped(out: &mut TextBuffer, text: &str) {
    Escaper(escape_each).push(out, text);
}

/// Writes at most `STEP` bytes of text as the inside of a JSON string into a room that has place for the worst case, and
/// says in how many bytes.
pub trait EscapeFunction: Fn(&[u8], &mut [u8]) -> usize {}

impl<F: Fn(&[u8], &mut [u8]) -> usize> EscapeFunction for F {}

/// Work that escapes text. It is compiled anew for each set of instructions, the escaping inlined into it: `run` has
/// to be `#[inline(always)]`.
pub trait EscapingWork {
    fn run(self, escaper: &Escaper<impl EscapeFunction>);
}

/// Escapes text by one of the functions that can.
#[derive(Debug, Clone, Copy)]
pub struct Escaper<W>(pub W);

impl<W: EscapeFunction> Escaper<W> {
    /// Appends `text` as the inside of a JSON string.
    #[inline(always)]
    pub fn push(&self, out: &mut TextBuffer, text: &str) {
        let bytes = text.as_bytes();
        if bytes.len() <= STEP {
            self.push_step(out, bytes);
        } else {
            // In steps, so that the worst case of a long cell does not ask for six times its length.
            bytes.chunks(STEP).for_each(|step| self.push_step(out, step));
        }
    }

    #[inline(always)]
    fn push_step(&self, out: &mut TextBuffer, step: &[u8]) {
        let written = (self.0)(step, out.room(STEP * ESCAPE_BYTES_MAX + 4 * BLOCK));
        out.advance(written);
    }

    /// Appends `text` as a JSON string.
    #[inline(always)]
    pub fn push_string(&self, out: &mut TextBuffer, text: &str) {
        out.push(b'"');
        self.push(out, text);
        out.push(b'"');
    }
}

/// Writes `text` as the inside of a JSON string into `room`, and says in how many bytes.
///
/// Whole blocks are copied whether or not they hold a special byte; only what comes before that byte
/// then counts. Text with many quotes, as raw rows have it, costs a branch a quote, not one a byte.
pub(super) fn escape_each(text: &[u8], room: &mut [u8]) -> usize {
    let (mut written, mut rest) = (0, text);
    while !rest.is_empty() {
        let block = block_of(rest);
        room[written..written + BLOCK].copy_from_slice(&block);
        let plain = plain_bytes(block);
        if plain >= rest.len().min(BLOCK) {
            written += rest.len().min(BLOCK);
            rest = &rest[rest.len().min(BLOCK)..];
        } else {
            written += plain;
            written += escape(rest[plain], &mut room[written..]);
            rest = &rest[plain + 1..];
        }
    }
    written
}

/// The first bytes of `rest`, filled up with letters where they are too few.
#[inline]
pub(super) fn block_of(rest: &[u8]) -> [u8; BLOCK] {
    if let Some(block) = rest.first_chunk::<BLOCK>() {
        return *block;
    }
    let mut block = [b'a'; BLOCK];
    copy_short(rest, &mut block);
    block
}

/// How many bytes of the block, from the first, stand for themselves.
#[inline]
fn plain_bytes(block: [u8; BLOCK]) -> usize {
    let word = u128::from_le_bytes(block);
    #[allow(clippy::cast_possible_truncation, reason = "the halves")]
    let (low, high) = (word as u64, (word >> 64) as u64);
    match plain_in_word(low) {
        8 => 8 + plain_in_word(high),
        plain => plain,
    }
}

/// How many bytes of the word, from the lowest, stand for themselves.
#[inline]
fn plain_in_word(word: u64) -> usize {
    const ONES: u64 = 0x0101_0101_0101_0101;
    const HIGHS: u64 = 0x8080_8080_8080_8080;
    // Exact for the lowest byte that is zero, which is all that counts.
    let zero_in = |word: u64| word.wrapping_sub(ONES) & !word & HIGHS;
    let control = word.wrapping_sub(ONES * 0x20) & !word & HIGHS;
    let quote = zero_in(word ^ (ONES * u64::from(b'"')));
    let backslash = zero_in(word ^ (ONES * u64::from(b'\\')));
    (control | quote | backslash).trailing_zeros() as usize / 8
}

/// Writes the byte as it must stand in a string, and says in how many bytes.
#[inline]
fn escape(byte: u8, out: &mut [u8]) -> usize {
    match ESCAPES[usize::from(byte)] {
        0 => {
            out[0] = byte;
            1
        }
        1 => {
            const HEX: &[u8; 16] = b"0123456789abcdef";
            let [high, low] = [byte >> 4, byte & 15].map(|digit| HEX[usize::from(digit)]);
            out[..6].copy_from_slice(&[b'\\', b'u', b'0', b'0', high, low]);
            6
        }
        letter => {
            out[..2].copy_from_slice(&[b'\\', letter]);
            2
        }
    }
}

/// Appends a whole number.
#[inline]
pub fn push_number(out: &mut TextBuffer, number: u64) {
    out.extend(itoa::Buffer::new().format(number).as_bytes());
}

/// Appends `bytes` as a JSON string of base64 (RFC 4648, 4, with padding).
pub fn push_base64(out: &mut TextBuffer, bytes: &[u8]) {
    const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    out.push(b'"');
    for group in bytes.chunks(3) {
        let mut padded = [0; 3];
        padded[..group.len()].copy_from_slice(group);
        let [a, b, c] = padded;
        let sextets = [a >> 2, (a & 3) << 4 | b >> 4, (b & 15) << 2 | c >> 6, c & 63];
        let mut letters = sextets.map(|sextet| ALPHABET[usize::from(sextet)]);
        letters[group.len() + 1..].fill(b'=');
        out.extend(&letters);
    }
    out.push(b'"');
}

#[cfg(test)]
mod tests {
    use super::*;
    #[cfg(target_arch = "x86_64")]
    use crate::output::escape_simd;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn any_text_comes_back(text in "(\\PC|[\\x00-\\x1f\"\\\\]){0,200}") {
            let mut out = TextBuffer::default();
            push_string(&mut out, &text);
            prop_assert_eq!(serde_json::from_slice::<String>(out.as_bytes()).unwrap(), &text[..]);
            #[cfg(target_arch = "x86_64")]
            for set in escape_simd::EscapeInstructions::all() {
                let mut twin = TextBuffer::default();
                Escaper(|text: &[u8], room: &mut [u8]| set.escape(text, room)).push_string(&mut twin, &text);
                prop_assert_eq!(out.as_bytes(), twin.as_bytes());
            }
        }
    }

    #[test]
    fn a_special_byte_is_escaped_in_every_place() {
        for length in 1..70 {
            for place in 0..length {
                for special in ["\"", "\\", "\n", "\r", "\t", "\0", "\u{1f}", "\u{7f}", "é"] {
                    let text = format!("{}{special}{}", "a".repeat(place), "\"".repeat(length));
                    let mut out = TextBuffer::default();
                    push_escaped(&mut out, &text);
                    let quoted = [b"\"", out.as_bytes(), b"\""].concat();
                    assert_eq!(serde_json::from_slice::<String>(&quoted).unwrap(), text);
                    #[cfg(target_arch = "x86_64")]
                    for set in escape_simd::EscapeInstructions::all() {
                        let mut twin = TextBuffer::default();
                        let escaper =
                            Escaper(|text: &[u8], room: &mut [u8]| set.escape(text, room));
                        escaper.push(&mut twin, &text);
                        assert_eq!(out.as_bytes(), twin.as_bytes(), "{text:?}");
                    }
                }
            }
        }
    }

    #[test]
    fn numbers_are_written_as_they_read() {
        for number in [0, 9, 10, 1_234_567_890, u64::MAX] {
            let mut out = TextBuffer::default();
            push_number(&mut out, number);
            assert_eq!(out.as_bytes(), number.to_string().as_bytes());
        }
    }

    #[test]
    fn base64_is_that_of_the_rfc() {
        let of = |bytes: &[u8]| {
            let mut out = TextBuffer::default();
            push_base64(&mut out, bytes);
            String::from_utf8(out.as_bytes().to_vec()).unwrap()
        };
        for (bytes, wanted) in
            [("", ""), ("f", "Zg=="), ("fo", "Zm8="), ("foo", "Zm9v"), ("foobar", "Zm9vYmFy")]
        {
            assert_eq!(of(bytes.as_bytes()), format!("\"{wanted}\""));
        }
        assert_eq!(of(&[0xff, 0xfe, 0xfd]), "\"//79\"");
    }
}
