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
#[derive(Clone, Debug, Default)]
pub struct Checks {
    pub rules: Box<[Rule]>,
}

/// One keyword of a schema, and what is said of a value that fails it.
#[derive(Clone, Debug)]
pub struct Rule {
    pub check: Check,
    pub keyword: &'static str,
    pub message: Box<str>,
    /// Its index among the checks of the column's cells, once they are known.
    pub place: u32,
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
    /// `anyOf` where every alternative is one format of ours: no less true, and a level less to follow.
    AnyFormat(Box<[&'static Format]>),
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
    /// How many there are: a document is bounded far below 4 GiB.
    #[must_use]
    pub fn len(&self) -> u32 {
        u32::try_from(self.rules.len()).unwrap_or(u32::MAX)
    }

    /// Whether the value passes every check.
    #[must_use]
    pub fn hold(&self, value: &Scalar<'_>) -> bool {
        self.rules.iter().all(|rule| rule.check.holds(value))
    }

    /// Hands over every rule that the value fails; a wrong type silences the rules behind it.
    #[inline]
    pub fn failures<'s>(&'s self, value: &Scalar<'_>, mut report: impl FnMut(&'s Rule)) {
        let mut typed = true;
        let mut judge = |rule: &'s Rule, holds: bool| {
            if !holds && typed {
                typed = !matches!(rule.check, Check::Type(_));
                report(rule);
            }
        };
        // The kind of the value is asked once a cell, not once a rule.
        match value {
            Scalar::Text(text) => {
                self.rules.iter().for_each(|rule| judge(rule, rule.check.takes_text(text)));
            }
            value => self.rules.iter().for_each(|rule| judge(rule, rule.check.holds(value))),
        }
    }

    /// Hands over every rule that an object or a list fails; a wrong type silences the rules behind it.
    pub fn failures_of_container<'s>(
        &'s self,
        container: TypeSet,
        mut report: impl FnMut(&'s Rule),
    ) {
        for rule in self.rules.iter().filter(|rule| !rule.check.holds_for_container(container)) {
            report(rule);
            if matches!(rule.check, Check::Type(_)) {
                return;
            }
        }
    }

    /// The checks that a filled cell, read as these types, can fail.
    pub(super) fn of_cells(&self, types: TypeSet) -> Self {
        let can_fail = |rule: &&Rule| match &rule.check {
            Check::MinLength(least) => *least > 1,
            Check::Type(named) => !(types.reads_text_alone() && named.has(TypeSet::STRING)),
            Check::Bound(..) | Check::MultipleOf(_) => !types.reads_text_alone(),
            _ => true,
        };
        let rules = self.rules.iter().filter(can_fail).zip(0..);
        Self { rules: rules.map(|(rule, place)| Rule { place, ..rule.clone() }).collect() }
    }

    /// The least `maxLength`: text of no more bytes has no more characters.
    pub(super) fn max_length(&self) -> usize {
        let lengths = self.rules.iter().filter_map(|rule| match rule.check {
            Check::MaxLength(max) => Some(max),
            _ => None,
        });
        lengths.min().unwrap_or(usize::MAX)
    }

    pub(super) fn without_max_length(&self) -> Self {
        let asks_more = |rule: &&Rule| !matches!(rule.check, Check::MaxLength(_));
        Self { rules: self.rules.iter().filter(asks_more).cloned().collect() }
    }
}

impl Check {
    #[must_use]
    pub fn holds(&self, value: &Scalar<'_>) -> bool {
        match (self, value) {
            (_, Scalar::Text(text)) => self.takes_text(text),
            (Self::Bound(side, limit), Scalar::Number(number)) => {
                side.allows(number.compare(&limit.value()))
            }
            (Self::MultipleOf(divisor), Scalar::Number(number)) => number.is_multiple_of(divisor),
            (Self::Type(types), _) => types.takes(value),
            (Self::Literals(literals), _) => literals.contain(value),
            (Self::AnyOf(members), _) => members.iter().any(|member| member.hold(value)),
            (Self::Never, _) => false,
            _ => true,
        }
    }

    /// Whether an object or a list passes. Literals must have been compiled from scalars alone.
    fn holds_for_container(&self, container: TypeSet) -> bool {
        match self {
            Self::Type(types) => types.has(container),
            Self::AnyOf(members) => members.iter().any(|member| {
                member.rules.iter().all(|rule| rule.check.holds_for_container(container))
            }),
            Self::Literals(_) | Self::Never => false,
            _ => true,
        }
    }

    #[inline]
    fn takes_text(&self, text: &str) -> bool {
        match self {
            Self::MaxLength(max) => has_max_length(text, *max),
            Self::Format(format) => (format.check)(text),
            Self::MinLength(min) => has_min_length(text, *min),
            Self::Literals(literals) => literals.contain_text(text),
            Self::Json(depth_max) => json::is_json(text, *depth_max),
            Self::AnyOf(members) => members
                .iter()
                .any(|member| member.rules.iter().all(|rule| rule.check.takes_text_deep(text))),
            Self::AnyFormat(formats) => formats.iter().any(|format| (format.check)(text)),
            Self::Pattern(pattern) => pattern.is_match(text),
            Self::Type(types) => types.has(TypeSet::STRING),
            Self::Bound(..) | Self::MultipleOf(_) => true,
            Self::Never => false,
        }
    }

    /// `takes_text` for its own recursion. It is out of line, so that `takes_text` can be inlined.
    #[inline(never)]
    fn takes_text_deep(&self, text: &str) -> bool {
        self.takes_text(text)
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
        for (text, characters) in [("", 0), ("abc", 3), ("äöü", 3), ("😀😀", 2), ("e\u{301}", 2)]
        {
            for bound in 0..6 {
                assert_eq!(has_min_length(text, bound), characters >= bound, "{text} {bound}");
                assert_eq!(has_max_length(text, bound), characters <= bound, "{text} {bound}");
            }
        }
    }
}
