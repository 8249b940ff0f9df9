//! Decodes UTF-8 and, behind a byte-order mark, UTF-16 to UTF-8. (The mark of UTF-8 is passed on.)
//!
//! Damage is passed on, not judged: a lone surrogate becomes the three bytes that UTF-8 forbids for it, and
//! half a code unit the byte FF, so that the row in which it stands is quarantined as no UTF-8 and its
//! neighbours are not. UTF-32 is refused.

use crate::error::{EncodingFault, Error, InputError};

/// Code units turned into UTF-8 before they are passed on.
const STEP: usize = 32 << 10;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Encoding {
    Utf8,
    Utf16Le,
    Utf16Be,
}

impl Encoding {
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Utf8 => "utf-8",
            Self::Utf16Le => "utf-16le",
            Self::Utf16Be => "utf-16be",
        }
    }
}

type TakeText<'a> = &'a mut dyn FnMut(&[u8]) -> Result<(), Error>;

/// Decodes one input, fed in chunks.
#[derive(Debug, Default)]
pub struct Decoder {
    encoding: Option<Encoding>,
    /// The first bytes, until they are enough to tell.
    held: Vec<u8>,
    utf16: Utf16,
}

/// What is left over between chunks.
#[derive(Debug, Default)]
struct Utf16 {
    half_unit: Option<u8>,
    high_surrogate: Option<u16>,
    text: Vec<u8>,
}

impl Decoder {
    #[must_use]
    pub fn encoding(&self) -> Encoding {
        self.encoding.unwrap_or(Encoding::Utf8)
    }

    pub fn feed(&mut self, data: &[u8], take: TakeText<'_>) -> Result<(), Error> {
        if self.encoding.is_some() {
            return self.pass(data, take);
        }
        if self.held.is_empty() && data.len() >= 4 {
            let mark = self.find_mark(data)?;
            return self.pass(&data[mark..], take);
        }
        self.held.extend_from_slice(data);
        if self.held.len() < 4 { Ok(()) } else { self.pass_held(take) }
    }

    pub fn finish(&mut self, take: TakeText<'_>) -> Result<(), Error> {
        if self.encoding.is_none() {
            self.pass_held(take)?;
        }
        let utf16 = &mut self.utf16;
        if let Some(high) = utf16.high_surrogate.take() {
            push_forbidden(high, &mut utf16.text);
        }
        if utf16.half_unit.take().is_some() {
            utf16.text.push(0xff);
        }
        utf16.deliver(take)
    }

    fn pass_held(&mut self, take: TakeText<'_>) -> Result<(), Error> {
        let held = std::mem::take(&mut self.held);
        let mark = self.find_mark(&held)?;
        self.pass(&held[mark..], take)
    }

    /// Finds the encoding from the first bytes, and says how many of them are the mark.
    fn find_mark(&mut self, start: &[u8]) -> Result<usize, Error> {
        let (encoding, mark) = match start {
            [0xff, 0xfe, 0, 0, ..] | [0, 0, 0xfe, 0xff, ..] => {
                return Err(InputError::Encoding(EncodingFault::Utf32).into());
            }
            [0xff, 0xfe, ..] => (Encoding::Utf16Le, 2),
            [0xfe, 0xff, ..] => (Encoding::Utf16Be, 2),
            _ => (Encoding::Utf8, 0),
        };
        self.encoding = Some(encoding);
        Ok(mark)
    }

    fn pass(&mut self, data: &[u8], take: TakeText<'_>) -> Result<(), Error> {
        let unit: fn([u8; 2]) -> u16 = match self.encoding() {
            Encoding::Utf8 => return if data.is_empty() { Ok(()) } else { take(data) },
            Encoding::Utf16Le => u16::from_le_bytes,
            Encoding::Utf16Be => u16::from_be_bytes,
        };
        let utf16 = &mut self.utf16;
        let mut data = data;
        if let (Some(first), Some((&second, rest))) = (utf16.half_unit, data.split_first()) {
            utf16.half_unit = None;
            utf16.push(unit([first, second]));
            data = rest;
        }
        for step in data.chunks(2 * STEP) {
            let (units, half) = step.as_chunks::<2>();
            for &bytes in units {
                utf16.push(unit(bytes));
            }
            utf16.half_unit = half.first().copied();
            utf16.deliver(take)?;
        }
        utf16.deliver(take)
    }
}

impl Utf16 {
    fn push(&mut self, unit: u16) {
        if let Some(high) = self.high_surrogate.take() {
            if let Some(Ok(character)) = char::decode_utf16([high, unit]).next() {
                push_char(character, &mut self.text);
                return;
            }
            push_forbidden(high, &mut self.text);
        }
        match unit {
            0xd800..=0xdbff => self.high_surrogate = Some(unit),
            0xdc00..=0xdfff => push_forbidden(unit, &mut self.text),
            _ => {
                if let Some(character) = char::from_u32(u32::from(unit)) {
                    push_char(character, &mut self.text);
                }
            }
        }
    }

    fn deliver(&mut self, take: TakeText<'_>) -> Result<(), Error> {
        if self.text.is_empty() {
            return Ok(());
        }
        take(&self.text)?;
        self.text.clear();
        Ok(())
    }
}

fn push_char(character: char, out: &mut Vec<u8>) {
    out.extend_from_slice(character.encode_utf8(&mut [0; 4]).as_bytes());
}

/// A surrogate, encoded as if UTF-8 had room for it.
fn push_forbidden(surrogate: u16, out: &mut Vec<u8>) {
    let [high, low] = surrogate.to_be_bytes();
    out.extend([0xe0 | high >> 4, 0x80 | (high & 0x0f) << 2 | low >> 6, 0x80 | low & 0x3f]);
}
