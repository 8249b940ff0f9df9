//! The messages of violations, one for each keyword, for the users of spreadsheets.
//!
//! They are written when the schema is compiled. A message completes "this cell …" in lower case. It quotes
//! the schema, never the cell.

use serde_json::Value;

use super::check::{Check, Checks, Side};
use super::scalar::TypeSet;

/// How many allowed values a message lists before it counts the rest.
const VALUES_LISTED: usize = 20;

pub(crate) const REQUIRED: &str = "must not be empty";
pub(crate) const NEVER: &str = "must be empty";
pub(crate) const NO_ALTERNATIVE: &str = "fits none of the forms that the schema allows";
pub(crate) const JSON: &str = "is not valid JSON";

pub(crate) fn of_type(types: TypeSet) -> String {
    let names = TypeSet::NAMES.iter().filter(|(set, ..)| types.has(*set)).map(|(.., name)| *name);
    format!("must be {}", any_of(&names.collect::<Vec<_>>()))
}

pub(crate) fn of_values(values: &[Value]) -> String {
    let shown: Vec<String> = values.iter().take(VALUES_LISTED).map(shown).collect();
    match (values.len(), shown.as_slice()) {
        (0, _) => NEVER.into(),
        (1, [only]) => format!("must be {only}"),
        (count, _) if count > VALUES_LISTED => {
            format!("must be one of {} … ({count} values)", shown.join(", "))
        }
        _ => format!("must be one of {}", shown.join(", ")),
    }
}

fn shown(value: &Value) -> String {
    match value {
        Value::String(text) if text.is_empty() => "\"\"".into(),
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

pub(crate) fn of_length(side: Side, characters: u64) -> String {
    let unit = if characters == 1 { "character" } else { "characters" };
    let side = if side == Side::AtLeast { "at least" } else { "at most" };
    format!("must have {side} {characters} {unit}")
}

pub(crate) fn of_bound(side: Side, limit: &str) -> String {
    match side {
        Side::AtLeast => format!("must be at least {limit}"),
        Side::AtMost => format!("must be at most {limit}"),
        Side::Above => format!("must be more than {limit}"),
        Side::Below => format!("must be less than {limit}"),
    }
}

/// Of a cell that another filled cell asks for.
pub(crate) fn of_dependent(asker: impl std::fmt::Display) -> String {
    format!("must not be empty where {asker} is filled")
}

pub(crate) fn of_multiple(divisor: &str) -> String {
    format!("must be a multiple of {divisor}")
}

pub(crate) fn of_pattern(pattern: &str) -> String {
    format!("does not match the pattern {pattern}")
}

pub(crate) fn of_format(noun: &str) -> String {
    format!("is not {noun}")
}

/// Alternatives that are one format each are named; others have no short name.
pub(crate) fn of_alternatives(members: &[Checks]) -> String {
    let nouns: Option<Vec<&str>> = members.iter().map(noun).collect();
    match nouns.as_deref() {
        Some([first, rest @ ..]) if !rest.is_empty() => {
            format!("is neither {first} nor {}", rest.join(" nor "))
        }
        Some([only]) => format!("is not {only}"),
        _ => NO_ALTERNATIVE.into(),
    }
}

/// The name of a schema that is a single format, its `type: string` aside.
fn noun(checks: &Checks) -> Option<&'static str> {
    let telling =
        checks.rules.iter().filter(|rule| !matches!(rule.check, Check::Type(TypeSet::STRING)));
    match telling.map(|rule| &rule.check).collect::<Vec<_>>().as_slice() {
        [Check::Format(format)] => Some(format.noun),
        _ => None,
    }
}

fn any_of(names: &[&str]) -> String {
    match names {
        [] => "nothing".into(),
        [only] => (*only).into(),
        [first @ .., last] => format!("{} or {last}", first.join(", ")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn sentences_are_plain() {
        assert_eq!(of_type(TypeSet::INTEGER), "must be a whole number");
        let types = TypeSet::STRING.with(TypeSet::NUMBER).with(TypeSet::NULL);
        assert_eq!(of_type(types), "must be a number, null or text");
        assert_eq!(of_values(&[json!("A1"), json!("B2")]), "must be one of A1, B2");
        assert_eq!(of_values(&[json!(true)]), "must be true");
        assert_eq!(of_length(Side::AtMost, 255), "must have at most 255 characters");
        assert_eq!(of_length(Side::AtLeast, 1), "must have at least 1 character");
        assert_eq!(of_bound(Side::AtMost, "1.00"), "must be at most 1.00");
    }

    #[test]
    fn a_long_list_is_cut_and_counted() {
        let values: Vec<Value> = (0..30).map(|value| json!(value)).collect();
        let message = of_values(&values);
        assert!(message.contains("18, 19 … (30 values)"), "{message}");
    }
}
