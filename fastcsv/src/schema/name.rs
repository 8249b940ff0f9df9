//! The name of a column as it counts.

/// A header name without a byte-order mark and blanks around it: what is compared.
#[must_use]
pub fn clean(name: &str) -> &str {
    name.trim_matches(|c: char| c.is_whitespace() || c == '\u{feff}')
}
