//! The compiled form of a column's schema: a list of checks, each one keyword, run on a scalar.
//!
//! Nothing here allocates: the messages were written when the schema was compiled, and a violation
//! borrows them. As JSON Schema has it, a keyword says nothing about values of other types: a length
//! holds for every number, a bound for every text. `type` is what refuses those.

use std::cmp::Ordering;

use regex::Regex;

use super::literal::Literals;
use super::scalar::{Scalar, TypeSet};
use crate::rules::decimal::{Divisor, Limit};
use crate::rules::{Format, json};

/// The checks of one schema.
#[derive(Clone, Debug)]
pub struct Checks {
    pub rules: Box<[Rule]>,
}

/// One keyword of a schema, and what is said of a value that fails it.
#[derive(Clone, Debug)]
pub struct Rule {
    pub check: Check,
    pub keyword: &'static str,
    pub message: Box<str>,
}

#[derive(Clone, Debug)]
pub enum Check {
    Type(TypeSet),
    Literals(Literals),
    /// Unicode characters.
    MinLength(usize),
    MaxLength(usize),
    Bound(Side, Limit),
    MultipleOf(Divisor),
    Pattern(Regex),
    Format(&'static Format),
    /// The text is JSON, nested at most so deep.
    Json(u32),
    AnyOf(Box<[Checks]>),
    /// The schema `false`.
    Never,
}

/// Which side of a bound a number has to lie on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    AtLeast,
    AtMost,
    Above,
    Below,
}

impl Side {
    pub(super) fn allows(self, order: Ordering) -> bool {
        match self {
            Self::AtLeast => order.is_ge(),
            Self::AtMost => order.is_le(),
            Self::Above => order.is_gt(),
            Self::Below => order.is_lt(),
        }
    }
}

impl Checks {
    /// Whether the value passes every check.
    #[must_use]
    pub fn hold(&self, value: &Scalar<'_>) -> bool {
        self.rules.iter().all(|rule| rule.check.holds(value))
    }

    /// Hands over every rule that the value fails; a wrong type silences the rules behind it.
    #[inline]
    pub fn failures<'s>(&'s self, value: &Scalar<'_>, mut report: impl FnMut(&'s Rule)) {
        for rule in &self.rules {
            if !rule.check.holds(value) {
                report(rule);
                if matches!(rule.check, Check::Type(_)) {
                    return;
                }
            }
        }
    }
}

impl Check {
    #[must_use]
    #[inline]
    pub fn holds(&self, value: &Scalar<'_>) -> bool {
        match (self, value) {
            (Self::Type(types), _) => types.takes(value),
            (Self::Literals(literals), _) => literals.contain(value),
            (Self::AnyOf(members), _) => members.iter().any(|member| member.hold(value)),
            (Self::Never, _) => false,
            (Self::MinLength(min), Scalar::Text(text)) => has_min_length(text, *min),
            (Self::MaxLength(max), Scalar::Text(text)) => has_max_length(text, *max),
            (Self::Pattern(pattern), Scalar::Text(text)) => pattern.is_match(text),
            (Self::Format(format), Scalar::Text(text)) => (format.check)(text),
            (Self::Json(depth_max), Scalar::Text(text)) => json::is_json(text, *depth_max),
            (Self::Bound(side, limit), Scalar::Number(number)) => {
                side.allows(number.compare(&limit.value()))
            }
            (Self::MultipleOf(divisor), Scalar::Number(number)) => number.is_multiple_of(divisor),
            _ => true,
        }
    }
}

/// Characters are counted only where the bytes leave it open: each has one to four.
#[inline]
fn has_min_length(text: &str, min: usize) -> bool {
    text.len() >= min && (text.len() / 4 >= min || text.chars().count() >= min)
}

#[inline]
fn has_max_length(text: &str, max: usize) -> bool {
    text.len() <= max || text.len() / 4 <= max && text.chars().count() <= max
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_count_characters() {
        for (text, characters) in [
            ("", 0),
            ("abc", 3),
            ("äöü", 3),
            ("😀😀", 2),
            ("e\u{301}", 2),
        ] {
            for bound in 0..6 {
                assert_eq!(
                    has_min_length(text, bound),
                    characters >= bound,
                    "{text} {bound}"
                );
                assert_eq!(
                    has_max_length(text, bound),
                    characters <= bound,
                    "{text} {bound}"
                );
            }
        }
    }
}
