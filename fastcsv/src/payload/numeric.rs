//! Whether PostgreSQL's `numeric`, and so its `jsonb`, can hold a number exactly as it is written.
//!
//! The type has up to 131,072 digits before the point and 16,383 behind it (PostgreSQL, table 8.2). Digits are counted
//! as they are written: `0e200000` is refused, although its value is zero.

use super::reader::RawNumber;

const WHOLE_DIGITS_MAX: i64 = 131_072;
const FRACTION_DIGITS_MAX: i64 = 16_383;

/// Whether the number fits.
#[inline]
pub(super) fn fits(number: RawNumber<'_>) -> bool {
    let short = number.text.len() <= 1000 && !number.has_exponent;
    short || fits_by_digits(number.text)
}

fn fits_by_digits(text: &str) -> bool {
    let unsigned = text.strip_prefix('-').unwrap_or(text);
    let (mantissa, exponent) = unsigned.split_once(['e', 'E']).unwrap_or((unsigned, "0"));
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    // An exponent that is no i64 is far out of range.
    let Ok(exponent) = exponent.parse::<i64>() else { return false };
    let digits = |text: &str| i64::try_from(text.len()).unwrap_or(i64::MAX);
    exponent.abs() <= WHOLE_DIGITS_MAX
        && digits(whole) + exponent <= WHOLE_DIGITS_MAX
        && digits(fraction) - exponent <= FRACTION_DIGITS_MAX
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_fits_up_to_the_digits_of_the_type() {
        let fits = |text: &str| fits(RawNumber { text, has_exponent: text.contains(['e', 'E']) });
        let long = |digits: usize| "9".repeat(digits);
        for text in
            ["0", "-1.5e-7", "1e131071", "1e-16383", &long(131_072), &format!("0.{}", long(16_383))]
        {
            assert!(fits(text), "{}", &text[..text.len().min(20)]);
        }
        for text in [
            "1e131072",
            "1e-16384",
            "1e99999999999999999999",
            &long(131_073),
            &format!("0.{}", long(16_384)),
        ] {
            assert!(!fits(text), "{}", &text[..text.len().min(20)]);
        }
    }
}
