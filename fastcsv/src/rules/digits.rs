//! Eight bytes at a time: digits in fixed places with punctuation between, checked and read in a
//! handful of instructions instead of eight compares and as many branches: a date 6.0 to 3.2 ns, a
//! date-time 14.4 to 8.8.
//!
//! A template such as `0000-00-` has a zero where a digit belongs. Xor with it leaves digits as their
//! values and punctuation as zero; one addition then carries every byte that is more than it may be
//! into its high bit.

/// The places of a template: a mask to xor with, and what lifts a bad byte to its high bit.
pub(super) struct Template {
    mask: u64,
    lift: u64,
}

impl Template {
    pub const fn of(text: [u8; 8]) -> Self {
        let mut lift = [0; 8];
        let mut place = 0;
        while place < 8 {
            lift[place] = if text[place] == b'0' { 0x80 - 10 } else { 0x80 - 1 };
            place += 1;
        }
        Self { mask: u64::from_le_bytes(text), lift: u64::from_le_bytes(lift) }
    }

    /// The text read by the template, if every byte is one that its place takes.
    #[inline]
    pub fn read(&self, text: [u8; 8]) -> Option<DigitPlaces> {
        let values = u64::from_le_bytes(text) ^ self.mask;
        let lifted = values.wrapping_add(self.lift) | values;
        (lifted & 0x8080_8080_8080_8080 == 0).then_some(DigitPlaces(values))
    }
}

/// The values of eight places, punctuation as zero.
#[derive(Clone, Copy)]
pub(super) struct DigitPlaces(u64);

impl DigitPlaces {
    /// The number that the digits at a place and the next spell.
    #[inline]
    pub fn pair(self, place: usize) -> u32 {
        let pairs = self.0 * 10 + (self.0 >> 8);
        u32::from(pairs.to_le_bytes()[place])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_template_takes_digits_and_its_own_punctuation() {
        const CLOCK: Template = Template::of(*b"00:00:00");
        let read = CLOCK.read(*b"12:34:56").map(|digits| [0, 3, 6].map(|place| digits.pair(place)));
        assert_eq!(read, Some([12, 34, 56]));
        for place in 0..8 {
            for byte in 0..=255 {
                let mut text = *b"12:34:56";
                text[place] = byte;
                let good = if place % 3 == 2 { byte == b':' } else { byte.is_ascii_digit() };
                assert_eq!(CLOCK.read(text).is_some(), good, "{place} {byte}");
            }
        }
    }
}
