//! The checks of a single value, one file a rule.
//!
//! A rule looks at text that is already unescaped and valid UTF-8, allocates nothing, and says yes or
//! no. `FORMATS` is the list of the `format` names that are ours: the compiled path calls these
//! functions and the `jsonschema` crate is given the same ones, so that a format has one meaning.
//! A new format is one file here and one line in the list.

pub mod date;
pub mod date_time;
pub mod decimal;
mod digits;
pub mod email;
#[cfg(target_arch = "x86_64")]
mod email_simd;
pub mod integer;
pub mod ip;
pub mod json;
pub mod time;
pub mod uri;
pub mod uuid;

/// A `format` of JSON Schema 2020-12: its name, its check, and what a spreadsheet user would call it.
#[derive(Debug)]
pub struct Format {
    pub name: &'static str,
    pub check: fn(&str) -> bool,
    /// Completes "is not …".
    pub noun: &'static str,
}

/// Every `format` that is checked here. Others are left to the `jsonschema` crate.
pub const FORMATS: &[Format] = &[
    Format { name: "date", check: date::is_date, noun: "a date (like 2025-01-31)" },
    Format {
        name: "date-time",
        check: date_time::is_date_time,
        noun: "a date and time with a zone (like 2025-01-31T09:30:00Z)",
    },
    Format { name: "email", check: email::is_email, noun: "an e-mail address" },
    Format { name: "ipv4", check: ip::is_ipv4, noun: "an IPv4 address" },
    Format { name: "ipv6", check: ip::is_ipv6, noun: "an IPv6 address" },
    Format { name: "time", check: time::is_time, noun: "a time with a zone (like 09:30:00Z)" },
    Format { name: "uri", check: uri::is_uri, noun: "a URI (like https://example.org/page)" },
    Format { name: "uuid", check: uuid::is_uuid, noun: "a UUID" },
];

/// The format of that name, if it is one of ours.
#[must_use]
pub fn format(name: &str) -> Option<&'static Format> {
    FORMATS.iter().find(|format| format.name == name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn formats_are_sorted_and_unique() {
        assert!(FORMATS.windows(2).all(|pair| pair[0].name < pair[1].name));
    }

    #[test]
    fn a_format_is_found_by_its_exact_name() {
        assert_eq!(format("email").map(|format| format.noun), Some("an e-mail address"));
        assert!(format("Email").is_none());
    }
}
