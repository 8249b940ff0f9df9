//! JSON text, appended to a buffer: strings are copied in runs, and only what must be escaped is.

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

/// Bytes looked at together, as one integer.
const WORD: usize = 8;
/// Words whose output is gathered on the stack before it is appended.
const STEP: usize = 4 * WORD;
/// `\u00XX`
const ESCAPE_BYTES_MAX: usize = 6;

/// Appends `text` as a JSON string.
pub fn push_string(out: &mut Vec<u8>, text: &str) {
    out.push(b'"');
    push_escaped(out, text);
    out.push(b'"');
}

/// Appends `text` as the inside of a JSON string.
///
/// Whole words are copied whether or not they hold a special byte; only what comes before that byte then
/// counts. Text with many quotes, as raw rows have it, costs a branch a quote instead of one a byte.
pub fn push_escaped(out: &mut Vec<u8>, text: &str) {
    let mut escaped = [0; STEP * ESCAPE_BYTES_MAX + WORD];
    for step in text.as_bytes().chunks(STEP) {
        let mut size = 0;
        let mut rest = step;
        while let Some(word) = rest.first_chunk::<WORD>() {
            escaped[size..size + WORD].copy_from_slice(word);
            let plain = plain_bytes(u64::from_le_bytes(*word));
            size += plain;
            rest = &rest[plain..];
            if plain < WORD {
                size += escape(rest[0], &mut escaped[size..]);
                rest = &rest[1..];
            }
        }
        for &byte in rest {
            size += escape(byte, &mut escaped[size..]);
        }
        out.extend_from_slice(&escaped[..size]);
    }
}

/// How many bytes of the word, from the lowest, stand for themselves.
#[inline]
fn plain_bytes(word: u64) -> usize {
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
pub fn push_number(out: &mut Vec<u8>, mut number: u64) {
    let mut digits = [0; 20];
    let mut first = digits.len();
    loop {
        first -= 1;
        digits[first] = b'0' + (number % 10).to_le_bytes()[0];
        number /= 10;
        if number == 0 {
            break;
        }
    }
    out.extend_from_slice(&digits[first..]);
}

/// Appends `bytes` as a JSON string of base64 (RFC 4648, 4, with padding).
pub fn push_base64(out: &mut Vec<u8>, bytes: &[u8]) {
    const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    out.push(b'"');
    for group in bytes.chunks(3) {
        let mut padded = [0; 3];
        padded[..group.len()].copy_from_slice(group);
        let [a, b, c] = padded;
        let sextets = [a >> 2, (a & 3) << 4 | b >> 4, (b & 15) << 2 | c >> 6, c & 63];
        let mut letters = sextets.map(|sextet| ALPHABET[usize::from(sextet)]);
        letters[group.len() + 1..].fill(b'=');
        out.extend_from_slice(&letters);
    }
    out.push(b'"');
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn any_text_comes_back(text in "(\\PC|[\\x00-\\x1f\"\\\\]){0,200}") {
            let mut out = Vec::new();
            push_string(&mut out, &text);
            prop_assert_eq!(serde_json::from_slice::<String>(&out).unwrap(), text);
        }
    }

    #[test]
    fn numbers_are_written_as_they_read() {
        for number in [0, 9, 10, 1_234_567_890, u64::MAX] {
            let mut out = Vec::new();
            push_number(&mut out, number);
            assert_eq!(out, number.to_string().as_bytes());
        }
    }

    #[test]
    fn base64_is_that_of_the_rfc() {
        let of = |bytes: &[u8]| {
            let mut out = Vec::new();
            push_base64(&mut out, bytes);
            String::from_utf8(out).unwrap()
        };
        for (bytes, wanted) in
            [("", ""), ("f", "Zg=="), ("fo", "Zm8="), ("foo", "Zm9v"), ("foobar", "Zm9vYmFy")]
        {
            assert_eq!(of(bytes.as_bytes()), format!("\"{wanted}\""));
        }
        assert_eq!(of(&[0xff, 0xfe, 0xfd]), "\"//79\"");
    }
}
