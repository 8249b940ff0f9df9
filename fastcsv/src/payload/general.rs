//! What the general validator says of a payload, in the words and pointers of the tables.
//!
//! The crate reports an error at the value; of missing and of unexpected members it names the object. Here each such
//! member is a violation of its own, as the tables report it.

use std::borrow::Cow;
use std::collections::HashSet;

use jsonschema::error::ValidationErrorKind;
use jsonschema::paths::LocationSegment;
use jsonschema::{ValidationError, Validator};
use serde_json::Value;

use super::compile::NEVER;
use super::path::push_token;
use super::report::{PayloadReport, PayloadViolation, shown};
use crate::schema::exact::{Exact, ExactNode};
use crate::schema::residue::{keyword_of, message_of};

/// Adds every violation of a payload to the report; keeps at most `kept`.
pub(super) fn judge(
    validator: &Validator<Exact>,
    payload: &Value,
    kept: usize,
    report: &mut PayloadReport<'_>,
) {
    let node = ExactNode::Value(payload);
    if validator.is_valid(node) {
        return;
    }
    let mut found = Vec::new();
    for error in validator.iter_errors(node) {
        push(&error, &mut found);
    }
    let mistyped: HashSet<String> =
        found.iter().filter(|it| it.keyword == "type").map(|it| it.pointer.clone()).collect();
    let mut said = HashSet::new();
    for mut violation in found {
        // A wrong type silences the other rules of its value, and two ways may lead to one fault.
        let is_silenced = violation.keyword != "type" && mistyped.contains(&violation.pointer);
        if is_silenced || !said.insert((violation.pointer.clone(), violation.keyword)) {
            continue;
        }
        if report.keeps_another(violation.keyword, kept) {
            let value = payload.pointer(&violation.pointer);
            violation.value = value.map(|value| Cow::Owned(shown(&value.to_string()).into_owned()));
            report.violations.push(violation);
        }
    }
}

fn push(error: &ValidationError<'_>, found: &mut Vec<PayloadViolation<'static>>) {
    let at = error.instance_path().to_string();
    let member = |name: &str| {
        let mut pointer = format!("{at}/");
        push_token(&mut pointer, name);
        pointer
    };
    let mut add = |pointer: String, keyword: &'static str, message: String| {
        found.push(PayloadViolation { pointer, keyword, message: message.into(), value: None });
    };
    match error.kind() {
        ValidationErrorKind::Required { property } => {
            let name = property.as_str().unwrap_or_default();
            let keyword =
                if is_of(error, "dependentRequired") { "dependentRequired" } else { "required" };
            add(member(name), keyword, "is missing".into());
        }
        ValidationErrorKind::AdditionalProperties { unexpected }
        | ValidationErrorKind::UnevaluatedProperties { unexpected } => {
            for name in unexpected {
                add(member(name), keyword_of(error), "is not a member of the schema".into());
            }
        }
        kind => add(at.clone(), keyword_of(error), structure_message(kind)),
    }
}

/// Whether an error comes from a keyword that the crate does not name.
fn is_of(error: &ValidationError<'_>, keyword: &str) -> bool {
    let last = error.schema_path().into_iter().next_back();
    matches!(last, Some(LocationSegment::Property(name)) if name == keyword)
}

/// The message for an error of an object or a list; other messages are those of cells.
fn structure_message(kind: &ValidationErrorKind) -> String {
    use ValidationErrorKind as Kind;
    match kind {
        Kind::MinProperties { limit } => format!("must have at least {limit} members"),
        Kind::MaxProperties { limit } => format!("must have at most {limit} members"),
        Kind::MinItems { limit } => format!("must have at least {limit} items"),
        Kind::MaxItems { limit } => format!("must have at most {limit} items"),
        Kind::FalseSchema => NEVER.into(),
        Kind::PropertyNames { .. } => "has a member whose name the schema rules out".into(),
        other => message_of(other),
    }
}
