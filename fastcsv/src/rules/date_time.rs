//! `format: date-time`: a timestamp of RFC 3339 section 5.6, on a real calendar day, with a zone.
//!
//! `T` and `Z` are upper case, years run from 0001, offsets to ±15:59 (see `date` and `time`).
//! A leap second is taken at 23:59:60 UTC on the last day of a month, where one may be inserted
//! (RFC 3339 section 5.7); PostgreSQL reads it as the second after.

use super::date::{Day, day_of, days_in};
use super::time::{Clock, clock_of};

/// Whether `text` is a timestamp with a zone, `YYYY-MM-DDTHH:MM:SS[.f…](Z|±HH:MM)`.
#[must_use]
pub fn is_date_time(text: &str) -> bool {
    takes(text.as_bytes())
}

/// Whether the bytes are a timestamp with a zone.
#[inline]
pub(crate) fn takes(text: &[u8]) -> bool {
    let Some((date, rest)) = text.split_first_chunk::<10>() else {
        return false;
    };
    let [b'T', time @ ..] = rest else {
        return false;
    };
    match (day_of(date), clock_of(time)) {
        (Some(day), Some(clock)) => !clock.is_leap_second || ends_a_month(day, clock),
        _ => false,
    }
}

/// Whether the UTC day of a leap second is the last of its month.
#[cold]
fn ends_a_month(day: Day, clock: Clock) -> bool {
    let last = days_in(day.year, day.month);
    match clock.utc_day_offset {
        -1 => day.of_month == 1,
        0 => day.of_month == last,
        _ => day.of_month + 1 == last,
    }
}

#[cfg(test)]
mod tests {
    use super::is_date_time;

    #[test]
    fn takes_timestamps() {
        for timestamp in [
            "2025-01-31T09:30:00Z",
            "0001-01-01T00:00:00Z",
            "9999-12-31T23:59:59.999999Z",
            "2024-02-29T12:00:00+05:30",
            "1963-06-19T08:30:06.283185Z",
            "1990-12-31T15:59:50.123-08:00",
        ] {
            assert!(is_date_time(timestamp), "{timestamp}");
        }
    }

    #[test]
    fn refuses_what_is_no_timestamp() {
        for timestamp in [
            "",
            "2025-01-31",
            "2025-01-31T09:30:00",
            "2025-01-31 09:30:00Z",
            "2025-01-31t09:30:00Z",
            "2025-01-31T09:30:00z",
            "2025-02-30T09:30:00Z",
            "0000-01-01T00:00:00Z",
            "2025-01-31T24:00:00Z",
            "2025-01-31T09:30:00+16:00",
            "2025-W05-5T09:30:00Z",
            "2025-031T09:30:00Z",
            "2025-01-31T09:30Z",
            "2025-01-31TT9:30:00Z",
        ] {
            assert!(!is_date_time(timestamp), "{timestamp:?}");
        }
    }

    #[test]
    fn a_leap_second_ends_a_month_in_utc() {
        assert!(is_date_time("1998-12-31T23:59:60Z"));
        assert!(is_date_time("1998-12-31T15:59:60.123-08:00"));
        assert!(is_date_time("1999-01-01T00:59:60+01:00"));
        assert!(is_date_time("2016-06-30T23:59:60Z"));
        assert!(!is_date_time("1998-12-30T23:59:60Z"));
        assert!(!is_date_time("1998-12-31T22:59:60Z"));
        assert!(!is_date_time("1998-12-31T23:58:60Z"));
        assert!(!is_date_time("1999-01-02T00:59:60+01:00"));
        assert!(!is_date_time("1998-12-31T23:59:61Z"));
    }
}
