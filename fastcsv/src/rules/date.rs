//! `format: date`: `full-date` of RFC 3339 section 5.6, a day of the proleptic Gregorian calendar.
//!
//! Years run from 0001: RFC 3339 would take 0000, PostgreSQL and Python would not.

use super::digits::Template;

/// Whether `text` is a calendar day, `YYYY-MM-DD`.
#[must_use]
pub fn is_date(text: &str) -> bool {
    takes(text.as_bytes())
}

/// Whether the bytes are a calendar day.
#[inline]
pub(crate) fn takes(text: &[u8]) -> bool {
    match text.first_chunk::<10>() {
        Some(date) if text.len() == 10 => day_of(date).is_some(),
        _ => false,
    }
}

/// A calendar day.
#[derive(Clone, Copy)]
pub(super) struct Day {
    pub year: u32,
    pub month: u32,
    pub of_month: u32,
}

const YEAR_AND_MONTH: Template = Template::of(*b"0000-00-");

/// The day that ten bytes spell, if there is such a day.
#[inline]
pub(super) fn day_of(date: &[u8; 10]) -> Option<Day> {
    let (year_and_month, day) = date.split_first_chunk::<8>()?;
    let digits = YEAR_AND_MONTH.read(*year_and_month)?;
    let (year, month) = (digits.pair(0) * 100 + digits.pair(2), digits.pair(5));
    let of_month = two_digits(day[0], day[1]);
    let real = year >= 1
        && month.wrapping_sub(1) < 12
        && of_month >= 1
        && (of_month <= 28 || of_month <= days_in(year, month));
    real.then_some(Day { year, month, of_month })
}

/// The number of days of a month from 1 to 12.
pub(super) fn days_in(year: u32, month: u32) -> u32 {
    match month {
        4 | 6 | 9 | 11 => 30,
        2 if is_leap(year) => 29,
        2 => 28,
        _ => 31,
    }
}

fn is_leap(year: u32) -> bool {
    year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400))
}

/// No pair of digits reaches this, and a pair with another byte in it always does.
const NOT_DIGITS: u32 = 1000;

/// The number that two digits spell, or at least `NOT_DIGITS`.
#[inline]
pub(super) fn two_digits(tens: u8, ones: u8) -> u32 {
    let (tens, ones) = (tens.wrapping_sub(b'0'), ones.wrapping_sub(b'0'));
    let penalty = if tens > 9 || ones > 9 { NOT_DIGITS } else { 0 };
    u32::from(tens) * 10 + u32::from(ones) + penalty
}

#[cfg(test)]
mod tests {
    use super::is_date;

    #[test]
    fn takes_real_days() {
        for date in ["2025-01-31", "0001-01-01", "9999-12-31", "2024-02-29", "2000-02-29"] {
            assert!(is_date(date), "{date}");
        }
    }

    #[test]
    fn refuses_days_that_never_were() {
        for date in [
            "",
            "2025-02-29",
            "1900-02-29",
            "2025-04-31",
            "2025-13-01",
            "2025-00-10",
            "2025-01-00",
            "2025-01-32",
            "0000-01-01",
            "2025-1-1",
            "20250101",
            "2025/01/01",
            "2025-01-01T",
            "2025-01-0१",
            "-025-01-01",
            "+2025-01-01",
            "2025-01-1 ",
            " 2025-01-01",
        ] {
            assert!(!is_date(date), "{date:?}");
        }
    }

    #[test]
    fn every_byte_in_every_place_but_the_right_ones_is_refused() {
        for place in 0..10 {
            for byte in 0..=127u8 {
                let mut date = *b"2025-06-15";
                if byte.is_ascii_digit() || byte == date[place] {
                    continue;
                }
                date[place] = byte;
                assert!(!is_date(std::str::from_utf8(&date).unwrap()));
            }
        }
    }
}
