//! Decimal numbers, compared exactly in the text that spells them: never through a float.
//!
//! The grammar is that of RFC 8259 section 6 with a `+` and leading zeros allowed: a sign, digits, a
//! fraction, an exponent. `NaN`, `Infinity`, `.5`, `5.` and digit grouping are refused.
//!
//! Up to 18 digits without an exponent, which is every number that people write, fit an `i64` and a
//! scale: comparing is one multiplication. Anything longer is compared digit by digit where it stands,
//! so that a cell of a million digits or `1e999999999` costs no more than its own length.

use std::cmp::Ordering;

const SMALL_DIGITS: usize = 18;

/// Powers of ten up to `10^18`.
const POWERS: [i64; SMALL_DIGITS + 1] = {
    let mut powers = [1; SMALL_DIGITS + 1];
    let mut i = 1;
    while i <= SMALL_DIGITS {
        powers[i] = powers[i - 1] * 10;
        i += 1;
    }
    powers
};

/// A decimal number in the text that spells it.
#[derive(Clone, Copy, Debug)]
pub struct Decimal<'a> {
    text: &'a str,
    small: Option<SmallDecimal>,
}

/// `mantissa / 10^scale`, of at most 18 digits.
#[derive(Clone, Copy, Debug)]
pub(crate) struct SmallDecimal {
    mantissa: i64,
    scale: u8,
}

impl<'a> Decimal<'a> {
    /// The number that `text` spells, if it is one.
    #[must_use]
    #[inline]
    pub fn parse(text: &'a str) -> Option<Self> {
        let bytes = text.as_bytes();
        let signed = matches!(bytes.first(), Some(b'+' | b'-'));
        let unsigned = &bytes[usize::from(signed)..];
        let (value, rest) = take_digits(unsigned, 0);
        let whole = unsigned.len() - rest.len();
        let (value, rest, scale) = match rest {
            [b'.', fraction @ ..] => {
                let (value, rest) = take_digits(fraction, value);
                let scale = fraction.len() - rest.len();
                if scale == 0 {
                    return None;
                }
                (value, rest, scale)
            }
            _ => (value, rest, 0),
        };
        if whole == 0 || !(rest.is_empty() || is_exponent(rest)) {
            return None;
        }
        let small = (rest.is_empty() && whole + scale <= SMALL_DIGITS).then(|| {
            let mantissa = value.cast_signed();
            // `scale` is at most 18 here.
            #[allow(clippy::cast_possible_truncation)]
            let scale = scale as u8;
            SmallDecimal { mantissa: if bytes[0] == b'-' { -mantissa } else { mantissa }, scale }
        });
        Some(Self { text, small })
    }

    /// The text as it stood.
    #[must_use]
    pub fn text(&self) -> &'a str {
        self.text
    }

    /// Whether the text has neither a fraction nor an exponent.
    #[must_use]
    #[inline]
    pub fn is_digits_alone(&self) -> bool {
        match self.small {
            Some(small) => small.scale == 0,
            None => !self.text.contains(['.', 'e', 'E']),
        }
    }

    /// The order of the two values. `-0` equals `0`, `1.0` equals `1`.
    #[must_use]
    #[inline]
    pub fn compare(&self, other: &Decimal<'_>) -> Ordering {
        match (self.small, other.small) {
            (Some(a), Some(b)) => a.compare(b),
            _ => SignificantDigits::of(self.text).compare(&SignificantDigits::of(other.text)),
        }
    }

    /// Appends what equal numbers have in common, however they are spelt, and no other number has.
    pub(crate) fn push_key(&self, key: &mut Vec<u8>) {
        let digits = SignificantDigits::of(self.text);
        key.push(match digits.sign() {
            -1 => b'-',
            0 => return key.push(b'0'),
            _ => b'+',
        });
        key.extend(digits.iter());
        key.push(b'e');
        key.extend_from_slice(&digits.point.to_le_bytes());
    }

    /// Whether there is nothing but zeros behind the point: what `type: integer` asks of a number.
    #[must_use]
    pub fn is_whole(&self) -> bool {
        match self.small {
            Some(small) => {
                small.scale == 0 || small.mantissa % POWERS[usize::from(small.scale)] == 0
            }
            None => SignificantDigits::of(self.text).lowest_power() >= 0,
        }
    }

    /// Whether the value is a whole multiple of the divisor. Zero is one of any.
    #[must_use]
    pub fn is_multiple_of(&self, divisor: &Divisor) -> bool {
        let digits = SignificantDigits::of(self.text);
        // The digits end in no zero, so they have no factor ten to give to a finer power.
        let Ok(power) = u32::try_from(digits.lowest_power().saturating_sub(divisor.power).min(64))
        else {
            return digits.is_zero();
        };
        let modulus = u128::from(divisor.digits);
        let push = |rest: u128, digit: u32| (rest * 10 + u128::from(digit)) % modulus;
        let rest = digits.iter().fold(0, |rest, byte| push(rest, u32::from(byte - b'0')));
        // Beyond 10^64 every factor two and five of a 64-bit divisor is paid: more changes nothing.
        (0..power).fold(rest, |rest, _| push(rest, 0)) == 0
    }
}

impl SmallDecimal {
    /// The number that plain text spells: digits and, it may be, a fraction, 18 digits in all and no sign.
    #[inline]
    pub(crate) fn plain(text: &[u8]) -> Option<Self> {
        if text.len() > SMALL_DIGITS {
            return None;
        }
        let (value, rest) = take_digits(text, 0);
        if rest.len() == text.len() {
            return None;
        }
        let [b'.', fraction @ ..] = rest else {
            return rest.is_empty().then_some(Self { mantissa: value.cast_signed(), scale: 0 });
        };
        let (value, rest) = take_digits(fraction, value);
        // It is shorter than the text.
        #[allow(clippy::cast_possible_truncation)]
        let scale = fraction.len() as u8;
        (rest.is_empty() && scale > 0).then_some(Self { mantissa: value.cast_signed(), scale })
    }

    /// The value, where it is written without a fraction.
    pub(crate) fn whole(self) -> Option<i64> {
        (self.scale == 0).then_some(self.mantissa)
    }

    #[inline]
    pub(crate) fn compare(self, other: Self) -> Ordering {
        if self.scale == other.scale {
            return self.mantissa.cmp(&other.mantissa);
        }
        let scaled =
            |a: Self, b: Self| i128::from(a.mantissa) * i128::from(POWERS[usize::from(b.scale)]);
        scaled(self, other).cmp(&scaled(other, self))
    }
}

/// A number of a schema that cells are compared with, parsed once.
#[derive(Clone, Debug)]
pub struct Limit {
    text: Box<str>,
    small: Option<SmallDecimal>,
}

impl Limit {
    /// The limit that a number of a JSON document spells.
    #[must_use]
    pub fn of(text: &str) -> Option<Self> {
        let small = Decimal::parse(text)?.small;
        Some(Self { text: text.into(), small })
    }

    /// The number, where it is a short one.
    pub(crate) fn small(&self) -> Option<SmallDecimal> {
        self.small
    }

    #[must_use]
    #[inline]
    pub fn value(&self) -> Decimal<'_> {
        Decimal { text: &self.text, small: self.small }
    }
}

/// The divisor of `multipleOf`: at most 18 significant digits times a power of ten.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Divisor {
    digits: u64,
    power: i64,
}

impl Divisor {
    /// The divisor that a number spells, if it is positive and short enough.
    #[must_use]
    pub fn of(number: &Decimal<'_>) -> Option<Self> {
        let digits = SignificantDigits::of(number.text);
        if digits.negative || digits.is_zero() || digits.len() > SMALL_DIGITS {
            return None;
        }
        let value = digits.iter().fold(0, |value, byte| value * 10 + u64::from(byte - b'0'));
        Some(Self { digits: value, power: digits.lowest_power() })
    }
}

/// A number as its significant digits, `0.d₁d₂…dₙ × 10^point`, with no zero at either end.
#[derive(Clone, Copy)]
struct SignificantDigits<'a> {
    negative: bool,
    whole: &'a [u8],
    fraction: &'a [u8],
    point: i64,
}

impl<'a> SignificantDigits<'a> {
    /// The digits of text that is a number.
    fn of(text: &'a str) -> Self {
        let bytes = text.as_bytes();
        let unsigned = text.strip_prefix(['+', '-']).unwrap_or(text);
        let (mantissa, exponent) = unsigned.split_once(['e', 'E']).unwrap_or((unsigned, "0"));
        let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
        let mut whole = whole.trim_start_matches('0');
        let mut fraction = fraction.trim_end_matches('0');
        let mut point = length(whole);
        if whole.is_empty() {
            let significant = fraction.trim_start_matches('0');
            point = length(significant) - length(fraction);
            fraction = significant;
        }
        if fraction.is_empty() {
            whole = whole.trim_end_matches('0');
        }
        Self {
            negative: bytes.first() == Some(&b'-'),
            whole: whole.as_bytes(),
            fraction: fraction.as_bytes(),
            point: point.saturating_add(saturated(exponent)),
        }
    }

    fn len(&self) -> usize {
        self.whole.len() + self.fraction.len()
    }

    fn is_zero(&self) -> bool {
        self.len() == 0
    }

    /// The power of ten of the last significant digit.
    fn lowest_power(&self) -> i64 {
        if self.is_zero() {
            return 0;
        }
        self.point.saturating_sub(i64::try_from(self.len()).unwrap_or(i64::MAX))
    }

    fn iter(&self) -> impl Iterator<Item = u8> + use<'a> {
        self.whole.iter().chain(self.fraction).copied()
    }

    fn compare(&self, other: &SignificantDigits<'_>) -> Ordering {
        match (self.sign(), other.sign()) {
            (1, 1) => self.compare_size(other),
            (-1, -1) => other.compare_size(self),
            (a, b) => a.cmp(&b),
        }
    }

    fn sign(&self) -> i8 {
        match (self.is_zero(), self.negative) {
            (true, _) => 0,
            (false, true) => -1,
            (false, false) => 1,
        }
    }

    fn compare_size(&self, other: &SignificantDigits<'_>) -> Ordering {
        self.point.cmp(&other.point).then_with(|| self.iter().cmp(other.iter()))
    }
}

fn length(text: &str) -> i64 {
    i64::try_from(text.len()).unwrap_or(i64::MAX)
}

/// The value of an exponent, held within ±4e18: further out it meets no number of a schema, whose
/// exponents are bounded.
fn saturated(exponent: &str) -> i64 {
    const FAR: i64 = i64::MAX / 2;
    let negative = exponent.starts_with('-');
    let digits = exponent.trim_start_matches(['+', '-']).trim_start_matches('0');
    let value = if digits.is_empty() { 0 } else { digits.parse::<i64>().unwrap_or(FAR).min(FAR) };
    if negative { -value } else { value }
}

/// Adds leading digits to `value` (wrapping: past 18 digits the value is not used) and returns the rest.
#[inline]
fn take_digits(bytes: &[u8], mut value: u64) -> (u64, &[u8]) {
    let mut rest = bytes;
    while let [byte @ b'0'..=b'9', after @ ..] = rest {
        value = value.wrapping_mul(10).wrapping_add(u64::from(byte - b'0'));
        rest = after;
    }
    (value, rest)
}

fn is_exponent(bytes: &[u8]) -> bool {
    let ([b'e' | b'E', b'+' | b'-', digits @ ..] | [b'e' | b'E', digits @ ..]) = bytes else {
        return false;
    };
    !digits.is_empty() && digits.iter().all(u8::is_ascii_digit)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn number(text: &str) -> Decimal<'_> {
        Decimal::parse(text).unwrap_or_else(|| panic!("{text} is a number"))
    }

    #[test]
    fn refuses_what_is_no_decimal() {
        for text in [
            "", "+", "-", ".", ".5", "5.", "1.e5", "1e", "1e+", "e5", "NaN", "nan", "inf",
            "Infinity", "1,5", "1 000", " 1", "1 ", "0x1", "1_000", "--1", "1.2.3", "1e5.5", "٣",
            "½",
        ] {
            assert!(Decimal::parse(text).is_none(), "{text:?}");
        }
    }

    #[test]
    fn equal_values_compare_equal_however_they_are_written() {
        let spellings =
            ["1", "+1", "01", "1.0", "1.000", "10e-1", "0.1e1", "0.01E+2", "1e0", "100e-2"];
        for a in spellings {
            for b in spellings {
                assert_eq!(number(a).compare(&number(b)), Ordering::Equal, "{a} {b}");
            }
        }
        for zero in ["0", "-0", "+0.00", "0e999", "-0.0e-7"] {
            assert_eq!(number(zero).compare(&number("0")), Ordering::Equal, "{zero}");
        }
    }

    #[test]
    fn order_is_exact_where_floats_are_not() {
        let long = format!("0.{}1", "0".repeat(400));
        let rising = [
            "-1e400",
            "-1e22",
            "-9223372036854775809",
            "-9223372036854775808",
            "-1.000000000000000000001",
            "-1",
            "-0.5",
            "-1e-400",
            "0",
            "1e-999999999999999999999",
            "1e-402",
            long.as_str(),
            "0.1",
            "0.1000000000000000000000001",
            "0.3",
            "1",
            "1.0000000000000000001",
            "9007199254740992",
            "9007199254740993",
            "18446744073709551615",
            "18446744073709551616",
            "1e308",
            "1e400",
            "1e999999999999999999999",
        ];
        for (i, a) in rising.iter().enumerate() {
            for (j, b) in rising.iter().enumerate() {
                assert_eq!(number(a).compare(&number(b)), i.cmp(&j), "{a} {b}");
            }
        }
    }

    #[test]
    fn wholeness_is_of_the_value() {
        for text in ["0", "-7", "60.0", "6e1", "0.5e1", "1.500e2", "1e999999999", "0.0"] {
            assert!(number(text).is_whole(), "{text}");
        }
        for text in ["0.5", "45.5", "6e-1", "1.55e1", "1e-999999999", "100000000000000000000.5"] {
            assert!(!number(text).is_whole(), "{text}");
        }
    }

    #[test]
    fn multiples_are_exact() {
        let divides = |divisor: &str, text: &str| {
            number(text).is_multiple_of(&Divisor::of(&number(divisor)).unwrap())
        };
        for (divisor, text) in [
            ("0.01", "4.02"),
            ("0.01", "0"),
            ("0.01", "-4.02"),
            ("0.1", "0.3"),
            ("3", "9e50"),
            ("7", "14"),
            ("0.0001", "0.0075"),
            ("1e-8", "12391239123"),
            ("2.50", "5"),
            ("0.5", "1e308"),
            ("1e3", "5e3"),
            ("3", "111111111111111111111111111111"),
            ("7e5", "49e9"),
            ("0.01", "1e999999999"),
        ] {
            assert!(divides(divisor, text), "{text} is a multiple of {divisor}");
        }
        for (divisor, text) in [
            ("0.01", "4.021"),
            ("0.1", "0.35"),
            ("3", "1e50"),
            ("7", "15"),
            ("0.0001", "0.00751"),
            ("10", "5"),
            ("1e3", "5e2"),
            ("3", "1e999999999"),
            ("1", "1e-999999999"),
            ("2.5", "6"),
        ] {
            assert!(!divides(divisor, text), "{text} is no multiple of {divisor}");
        }
    }

    #[test]
    fn a_divisor_is_positive_and_short() {
        for text in ["0", "-1", "0.000", "1234567890123456789"] {
            assert!(Divisor::of(&number(text)).is_none(), "{text}");
        }
        assert!(Divisor::of(&number("123456789012345678e-40")).is_some());
    }
}
