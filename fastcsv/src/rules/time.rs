//! `format: time`: `full-time` of RFC 3339 section 5.6, a time of day with its zone.
//!
//! `Z` is upper case (RFC 3339 lets an application say so), offsets run to ±15:59, the widest that
//! PostgreSQL stores. Second 60 is taken where a leap second can be: at 23:59 UTC.

use super::date::two_digits;
use super::digits::Template;

/// Whether `text` is a time of day with a zone, `HH:MM:SS[.f…](Z|±HH:MM)`.
#[must_use]
pub fn is_time(text: &str) -> bool {
    clock_of(text.as_bytes()).is_some()
}

/// What a leap second needs to know about a time.
#[derive(Clone, Copy)]
pub(super) struct Clock {
    pub is_leap_second: bool,
    /// The day of the UTC instant less the day that the text names: -1, 0 or 1.
    pub utc_day_offset: i32,
}

const CLOCK: Template = Template::of(*b"00:00:00");

/// The time that the bytes spell, if there is such a time.
#[inline]
pub(super) fn clock_of(time: &[u8]) -> Option<Clock> {
    let (clock, rest) = time.split_first_chunk::<8>()?;
    let digits = CLOCK.read(*clock)?;
    let (hour, minute, second) = (digits.pair(0), digits.pair(3), digits.pair(6));
    if hour > 23 || minute > 59 || second > 60 {
        return None;
    }
    let zone = match rest {
        [b'.', fraction @ ..] => after_digits(fraction)?,
        _ => rest,
    };
    let offset_minutes = zone_of(zone)?;
    if second < 60 {
        return Some(Clock { is_leap_second: false, utc_day_offset: 0 });
    }
    leap_second((hour * 60 + minute).cast_signed() - offset_minutes)
}

const DAY_MINUTES: i32 = 24 * 60;

#[cold]
fn leap_second(utc_minutes: i32) -> Option<Clock> {
    let at_the_end = utc_minutes.rem_euclid(DAY_MINUTES) == DAY_MINUTES - 1;
    let utc_day_offset = utc_minutes.div_euclid(DAY_MINUTES);
    at_the_end.then_some(Clock { is_leap_second: true, utc_day_offset })
}

/// What follows one digit or more.
fn after_digits(bytes: &[u8]) -> Option<&[u8]> {
    let digits = bytes.iter().take_while(|byte| byte.is_ascii_digit()).count();
    if digits == 0 { None } else { Some(&bytes[digits..]) }
}

/// The offset from UTC in minutes.
fn zone_of(zone: &[u8]) -> Option<i32> {
    match *zone {
        [b'Z'] => Some(0),
        [sign @ (b'+' | b'-'), h1, h2, b':', m1, m2] => {
            let (hour, minute) = (two_digits(h1, h2), two_digits(m1, m2));
            let minutes = (hour * 60 + minute).cast_signed();
            (hour <= 15 && minute <= 59).then_some(if sign == b'+' { minutes } else { -minutes })
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::is_time;

    #[test]
    fn takes_times_with_a_zone() {
        for time in [
            "09:30:00Z",
            "00:00:00Z",
            "23:59:59Z",
            "09:30:00.5Z",
            "09:30:00.123456789012345678+05:30",
            "09:30:00-00:00",
            "09:30:00+15:59",
            "09:30:00-15:59",
            "23:59:60Z",
            "15:59:60-08:00",
            "00:29:60.25+00:30",
        ] {
            assert!(is_time(time), "{time}");
        }
    }

    #[test]
    fn refuses_other_times() {
        for time in [
            "",
            "09:30:00",
            "09:30Z",
            "9:30:00Z",
            "24:00:00Z",
            "09:60:00Z",
            "09:30:61Z",
            "09:30:00z",
            "09:30:00.Z",
            "09:30:00,5Z",
            "09:30:00+16:00",
            "09:30:00+05:60",
            "09:30:00+0530",
            "09:30:00+05",
            "09:30:00 Z",
            "09:30:00Z ",
            "09:30:60Z",
            "23:59:60+01:00",
            "22:59:60Z",
            "09-30-00Z",
            "09:30:00+5:30",
            "09:30:00.१Z",
        ] {
            assert!(!is_time(time), "{time:?}");
        }
    }
}
