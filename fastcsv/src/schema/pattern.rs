//! `pattern`: ECMA-262 regular expressions, as far as the `regex` crate goes.
//!
//! The `regex` crate matches in time linear in the text, whatever the pattern: what it leaves out for
//! that (look-around, back-references) is refused by name, never emulated. Patterns are translated by
//! the same code that the `jsonschema` crate uses, so that `\d`, `\s`, `\w` and `.` mean the same in both.

use jsonschema_regex::{is_valid_ecma_regex, to_rust_regex};
use regex::{Regex, RegexBuilder};

use super::error::{SchemaError, SchemaReason};
use super::limits::SchemaLimits;

/// Compiles the pattern at `pointer`.
pub(crate) fn compile(
    text: &str,
    pointer: &str,
    limits: &SchemaLimits,
) -> Result<Regex, SchemaError> {
    let refuse = |reason, detail: String| Err(SchemaError::new(reason, pointer, detail));
    if text.len() > limits.pattern_bytes {
        let detail = format!("the pattern is over {} bytes (pattern_bytes)", limits.pattern_bytes);
        return refuse(SchemaReason::PatternTooLarge, detail);
    }
    if let Some(feature) = unsupported_feature(text) {
        let detail = format!("the pattern uses {feature}, which is not supported");
        return refuse(SchemaReason::PatternUnsupported, detail);
    }
    let invalid = "the pattern is no regular expression of ECMA-262";
    if !is_valid_ecma_regex(text) {
        return refuse(SchemaReason::PatternInvalid, invalid.into());
    }
    let Ok(translated) = to_rust_regex(text) else {
        return refuse(SchemaReason::PatternInvalid, invalid.into());
    };
    match RegexBuilder::new(&translated).size_limit(limits.pattern_compiled_bytes).build() {
        Ok(regex) => Ok(regex),
        Err(regex::Error::CompiledTooBig(bytes)) => {
            let detail =
                format!("the pattern compiles to over {bytes} bytes (pattern_compiled_bytes)");
            refuse(SchemaReason::PatternTooLarge, detail)
        }
        Err(_) => refuse(SchemaReason::PatternInvalid, invalid.into()),
    }
}

/// The name of the first construct that needs backtracking.
fn unsupported_feature(text: &str) -> Option<&'static str> {
    let mut in_class = false;
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        if !in_class && let Some(feature) = feature_at(rest) {
            return Some(feature);
        }
        in_class = match first {
            '[' => true,
            ']' => false,
            _ => in_class,
        };
        rest = &rest[first.len_utf8()..];
        if first == '\\' {
            rest = rest.chars().next().map_or("", |escaped| &rest[escaped.len_utf8()..]);
        }
    }
    None
}

fn feature_at(rest: &str) -> Option<&'static str> {
    let starts = |prefixes: &[&str]| prefixes.iter().any(|prefix| rest.starts_with(prefix));
    if starts(&["(?=", "(?!"]) {
        Some("look-ahead")
    } else if starts(&["(?<=", "(?<!"]) {
        Some("look-behind")
    } else if starts(&["\\k<"]) || matches!(rest.as_bytes(), [b'\\', b'1'..=b'9', ..]) {
        Some("a back-reference")
    } else {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(text: &str) -> (SchemaReason, String) {
        let error = compile(text, "/pattern", &SchemaLimits::default()).unwrap_err();
        assert_eq!(error.pointer, "/pattern");
        (error.reason, error.detail)
    }

    fn matches(pattern: &str, text: &str) -> bool {
        compile(pattern, "", &SchemaLimits::default()).unwrap().is_match(text)
    }

    #[test]
    fn backtracking_is_refused_by_name() {
        for (pattern, name) in [
            ("a(?=b)", "look-ahead"),
            ("a(?!b)", "look-ahead"),
            ("(?<=a)b", "look-behind"),
            ("(?<!a)b", "look-behind"),
            ("(a)\\1", "back-reference"),
            ("(?<x>a)\\k<x>", "back-reference"),
            ("[(?=](?=x)", "look-ahead"),
        ] {
            let (reason, detail) = refused(pattern);
            assert_eq!(reason, SchemaReason::PatternUnsupported, "{pattern}");
            assert!(detail.contains(name), "{pattern}: {detail}");
        }
    }

    #[test]
    fn what_only_looks_like_backtracking_is_taken() {
        for pattern in ["[(?=]", "\\(\\?=", "(?:a)", "(?<name>a)", "[\\](?=]", "\\\\\\\\1"] {
            assert!(compile(pattern, "", &SchemaLimits::default()).is_ok(), "{pattern}");
        }
    }

    #[test]
    fn other_dialects_and_broken_patterns_are_refused() {
        for pattern in ["(", "[a", "a{2,1}", "\\A", "\\z", "(?i)a", "(?P<x>a)", "*a", "\\p{Nope}"] {
            assert_eq!(refused(pattern).0, SchemaReason::PatternInvalid, "{pattern}");
        }
    }

    #[test]
    fn classes_mean_what_ecma_262_says() {
        assert!(!matches("^\\d$", "٣"));
        assert!(!matches("^\\w$", "é"));
        assert!(matches("^\\s$", "\u{feff}"));
        assert!(!matches("^.$", "\u{2028}"));
        assert!(!matches("^a$", "a\n"));
        assert!(matches("es", "yes it is"));
        assert!(matches("^😀*$", "😀😀"));
    }

    #[test]
    fn size_is_bounded_as_written_and_as_compiled() {
        let (reason, detail) = refused(&"a".repeat(5000));
        assert_eq!(reason, SchemaReason::PatternTooLarge);
        assert!(detail.contains("pattern_bytes"));
        let (reason, detail) = refused("((a{1,200}){1,200}){1,200}");
        assert_eq!(reason, SchemaReason::PatternTooLarge);
        assert!(detail.contains("pattern_compiled_bytes"));
    }
}
