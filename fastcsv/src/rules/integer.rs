//! Whole numbers: an optional sign and digits. `007` is one; `60.0`, `6e1` and `1,000` are not.
//!
//! This is the grammar of a cell under `type: integer`. Whether a number written otherwise is whole,
//! which is what JSON Schema asks (`60.0` is), is `Decimal::is_whole`.

use super::decimal::Decimal;

/// The whole number that `text` spells, if it is one. Any number of digits.
#[must_use]
#[inline]
pub fn parse(text: &str) -> Option<Decimal<'_>> {
    Decimal::parse(text).filter(Decimal::is_digits_alone)
}

#[cfg(test)]
mod tests {
    use super::parse;

    #[test]
    fn takes_a_sign_and_digits() {
        for text in ["0", "7", "007", "+7", "-7", "-0", "480", &"9".repeat(400)] {
            assert!(parse(text).is_some_and(|number| number.is_whole()), "{text}");
        }
    }

    #[test]
    fn refuses_every_other_spelling() {
        for text in [
            "", "+", "-", "45.5", "60.0", "6e1", "1,000", " 7", "7 ", "0x1f", "1e400", "٣", "+-7",
            "NaN", "seven",
        ] {
            assert!(parse(text).is_none(), "{text:?}");
        }
    }
}
