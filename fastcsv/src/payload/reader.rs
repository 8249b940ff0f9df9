//! Reads the tokens of JSON text, strictly by RFC 8259. It builds nothing, and knows no schema.
//!
//! The text is UTF-8 already. A string comes back as it stands, between its quotes; `text` decodes it where it has
//! escapes. Strings are scanned eight bytes at a time (see `rules::json`).

use super::fault::JsonFault;
use crate::rules::json::special;

/// A string as it stands between its quotes, its escapes valid by the grammar.
#[derive(Clone, Copy, Debug)]
pub(super) struct RawString<'p> {
    pub text: &'p str,
    pub has_escapes: bool,
}

/// A number as it stands.
#[derive(Clone, Copy, Debug)]
pub(super) struct RawNumber<'p> {
    pub text: &'p str,
    pub has_exponent: bool,
}

const BLOCK_BYTES: usize = 32;

/// Whether a block has no quote, backslash or control character. A loop of one length becomes vector compares.
#[inline]
fn is_plain_block(block: &[u8; BLOCK_BYTES]) -> bool {
    let special =
        |byte: u8| u8::from(byte < 0x20) | u8::from(byte == b'"') | u8::from(byte == b'\\');
    block.iter().fold(0, |found, &byte| found | special(byte)) == 0
}

/// A position in JSON text.
#[derive(Debug)]
pub(super) struct JsonReader<'p> {
    pub text: &'p str,
    pub at: usize,
}

impl<'p> JsonReader<'p> {
    pub fn new(text: &'p str) -> Self {
        Self { text, at: 0 }
    }

    #[inline]
    pub fn peek(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    /// The bytes from here on.
    #[inline]
    pub fn rest(&self) -> &'p [u8] {
        &self.text.as_bytes()[self.at..]
    }

    /// The fault of the byte here, or of the end.
    pub fn unexpected(&self) -> JsonFault {
        if self.peek().is_none() { JsonFault::EndsEarly } else { JsonFault::UnexpectedByte }
    }

    #[inline]
    pub fn skip_blanks(&mut self) {
        if self.peek().is_some_and(|byte| byte > b' ') {
            return;
        }
        while matches!(self.peek(), Some(b' ' | b'\n' | b'\r' | b'\t')) {
            self.at += 1;
        }
    }

    /// Reads a word such as `true`.
    pub fn word<const N: usize>(&mut self, word: &[u8; N]) -> Result<(), JsonFault> {
        for byte in word {
            if self.peek() != Some(*byte) {
                return Err(self.unexpected());
            }
            self.at += 1;
        }
        Ok(())
    }

    /// Reads a string, from its first quote on.
    #[inline]
    pub fn string(&mut self) -> Result<RawString<'p>, JsonFault> {
        self.at += 1;
        let start = self.at;
        let mut has_escapes = false;
        loop {
            self.skip_plain();
            match self.peek() {
                Some(b'"') => {
                    let text = &self.text[start..self.at];
                    self.at += 1;
                    return Ok(RawString { text, has_escapes });
                }
                Some(b'\\') => {
                    has_escapes = true;
                    self.escape()?;
                }
                Some(_) => return Err(JsonFault::ControlCharacter),
                None => return Err(JsonFault::EndsEarly),
            }
        }
    }

    /// Skips to the next quote, backslash or control character.
    #[inline]
    fn skip_plain(&mut self) {
        let bytes = self.text.as_bytes();
        // Most texts end within the first two words; of longer ones much is passed at once.
        let mut words = 0;
        while let Some(eight) = bytes.get(self.at..).and_then(<[u8]>::first_chunk) {
            let special = special(u64::from_le_bytes(*eight));
            if special != 0 {
                self.at += (special.trailing_zeros() / 8) as usize;
                return;
            }
            self.at += 8;
            words += 1;
            if words == 2 {
                while let Some(block) = bytes.get(self.at..).and_then(<[u8]>::first_chunk)
                    && is_plain_block(block)
                {
                    self.at += BLOCK_BYTES;
                }
            }
        }
        while self.peek().is_some_and(|byte| byte >= 0x20 && byte != b'"' && byte != b'\\') {
            self.at += 1;
        }
    }

    /// Passes an escape, from its backslash on. What the code unit of `\uXXXX` means is for `text` to say.
    fn escape(&mut self) -> Result<(), JsonFault> {
        let bytes = self.text.as_bytes();
        match bytes.get(self.at + 1) {
            Some(b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't') => {
                self.at += 2;
                Ok(())
            }
            Some(b'u') => match bytes.get(self.at + 2..self.at + 6) {
                Some(digits) if digits.iter().all(u8::is_ascii_hexdigit) => {
                    self.at += 6;
                    Ok(())
                }
                Some(_) => Err(JsonFault::EscapeInvalid),
                None => Err(JsonFault::EndsEarly),
            },
            Some(_) => Err(JsonFault::EscapeInvalid),
            None => Err(JsonFault::EndsEarly),
        }
    }

    /// Reads a number, from its first byte on.
    #[inline]
    pub fn number(&mut self) -> Result<RawNumber<'p>, JsonFault> {
        let start = self.at;
        if self.peek() == Some(b'-') {
            self.at += 1;
        }
        if self.peek() == Some(b'0') {
            self.at += 1;
        } else {
            self.digits()?;
        }
        if self.peek() == Some(b'.') {
            self.at += 1;
            self.digits()?;
        }
        let has_exponent = matches!(self.peek(), Some(b'e' | b'E'));
        if has_exponent {
            self.at += 1;
            if matches!(self.peek(), Some(b'+' | b'-')) {
                self.at += 1;
            }
            self.digits()?;
        }
        Ok(RawNumber { text: &self.text[start..self.at], has_exponent })
    }

    #[inline]
    fn digits(&mut self) -> Result<(), JsonFault> {
        let start = self.at;
        while self.peek().is_some_and(|byte| byte.is_ascii_digit()) {
            self.at += 1;
        }
        if self.at > start { Ok(()) } else { Err(self.unexpected()) }
    }

    /// Passes a value that is known to be JSON; nothing where the text ends first.
    pub fn skip_value(&mut self) -> Option<()> {
        let mut depth = 0_usize;
        loop {
            match self.peek()? {
                b'"' => drop(self.string().ok()?),
                b'{' | b'[' => {
                    depth += 1;
                    self.at += 1;
                }
                b'}' | b']' => {
                    depth = depth.checked_sub(1)?;
                    self.at += 1;
                }
                b' ' | b'\t' | b'\n' | b'\r' | b',' | b':' => self.at += 1,
                _ => {
                    while self.peek().is_some_and(|byte| !b" \t\n\r,:}]".contains(&byte)) {
                        self.at += 1;
                    }
                }
            }
            if depth == 0 {
                return Some(());
            }
        }
    }
}
