//! Excel's `sep=;`: a first line that names the delimiter, and is neither header nor row.
//!
//! Excel writes it as `sep=;`, other programs quote it, write it in capitals, or fill it up with delimiters to the width
//! of the table. `sep=\t` stands for a tab, as people write it by hand.

/// The delimiters that a file may have without being told of.
pub const DELIMITERS: [u8; 4] = [b',', b';', b'\t', b'|'];

/// What a first line that is Excel's says of the delimiter.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Separator {
    BatchNames(u8),
    /// The line came through a program that took it for a row: the delimiter of that program fills it up, and what it
    /// names is no longer true.
    Outdated,
    /// It names none, or one that is not read.
    Unreadable,
}

impl Separator {
    /// Reads a line, with or without its end; `None` for a line that is none of Excel's.
    #[must_use]
    pub fn of_line(line: &[u8]) -> Option<Self> {
        let line = std::str::from_utf8(line).ok()?;
        let line = line.trim_matches(['\r', '\n', ' ']);
        let (named, padding) = match line.strip_prefix('"') {
            Some(quoted) => quoted.split_once('"')?,
            None => (line, ""),
        };
        let (start, named) = named.split_at_checked(4)?;
        if !start.eq_ignore_ascii_case("sep=") {
            return None;
        }
        let named = named.trim_matches(' ');
        let mut rest = named.chars();
        let first = rest.next();
        let (name, after) = match named.strip_prefix("\\t") {
            Some(after) => (Some('\t'), after),
            None => (first, rest.as_str()),
        };
        let is_delimiter = |it: char| u8::try_from(it).is_ok_and(|it| DELIMITERS.contains(&it));
        let mut filling = after.chars().chain(padding.chars());
        if !filling.clone().all(is_delimiter) {
            return None;
        }
        Some(match name.map(u8::try_from) {
            Some(Ok(name)) if DELIMITERS.contains(&name) => {
                if filling.all(|it| it == char::from(name)) {
                    Self::BatchNames(name)
                } else {
                    Self::Outdated
                }
            }
            _ => Self::Unreadable,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_line_names_its_delimiter_however_it_is_written() {
        for (line, named) in [
            ("sep=;", b';'),
            ("sep=;\r\n", b';'),
            ("\"sep=,\"\n", b','),
            ("SEP=|", b'|'),
            ("sep=\t\n", b'\t'),
            ("sep=\\t", b'\t'),
            ("\"sep=\t\"", b'\t'),
            (" sep= ; ", b';'),
            ("sep=;;;;", b';'),
            ("\"sep=,\",,,", b','),
        ] {
            assert_eq!(
                Separator::of_line(line.as_bytes()),
                Some(Separator::BatchNames(named)),
                "{line:?}"
            );
        }
    }

    #[test]
    fn a_line_that_another_program_filled_up_names_nothing_any_more() {
        for line in ["sep=;,,,", "\"sep=;\",,,", "\"sep=,\";;"] {
            assert_eq!(Separator::of_line(line.as_bytes()), Some(Separator::Outdated), "{line:?}");
        }
    }

    #[test]
    fn what_is_no_delimiter_is_unreadable_and_what_is_no_such_line_is_a_header() {
        for line in ["sep=", "sep=x", "sep=^", "\"sep=\"", "sep=§"] {
            assert_eq!(
                Separator::of_line(line.as_bytes()),
                Some(Separator::Unreadable),
                "{line:?}"
            );
        }
        for line in ["sep", "sep=a;b", "a;sep=;", "sep =;", "\"sep=;", "separator=;", "é=;;;"] {
            assert_eq!(Separator::of_line(line.as_bytes()), None, "{line:?}");
        }
        assert_eq!(Separator::of_line(b"sep=\xff"), None);
    }
}
