//! What of a row schema the compiled checks leave to the general validator, and what that reports.
//!
//! Each compiled column is replaced by `true` in a copy of the document, and `required` goes too: what
//! is left asserts the rest and nothing twice. Where a reference may lead into a compiled column the
//! document is left whole, and the general validator judges all of it.

use std::borrow::Cow;

use jsonschema::error::{TypeKind, ValidationErrorKind};
use jsonschema::paths::{Location, LocationSegment};
use jsonschema::{ValidationError, Validator};
use serde_json::Value;

use super::bound::Violation;
use super::check::Side;
use super::compile::is_annotation;
use super::error::SchemaError;
use super::exact::{Exact, ExactNode, Row};
use super::limits::SchemaLimits;
use super::scalar::TypeSet;
use super::{document, general, message};
use crate::rules;

/// The field of a violation that belongs to no column.
const ROW_FIELD: &str = "_row";

/// Every keyword of JSON Schema 2020-12 that can fail, so that a violation names one without a copy.
const KEYWORDS: [&str; 36] = [
    "additionalProperties",
    "allOf",
    "anyOf",
    "const",
    "contains",
    "contentMediaType",
    "dependentRequired",
    "dependentSchemas",
    "enum",
    "exclusiveMaximum",
    "exclusiveMinimum",
    "falseSchema",
    "format",
    "if",
    "items",
    "maxContains",
    "maxItems",
    "maxLength",
    "maxProperties",
    "maximum",
    "minContains",
    "minItems",
    "minLength",
    "minProperties",
    "minimum",
    "multipleOf",
    "not",
    "oneOf",
    "pattern",
    "patternProperties",
    "prefixItems",
    "propertyNames",
    "required",
    "type",
    "unevaluatedItems",
    "unevaluatedProperties",
];

/// The general validator of what is left of a document.
#[derive(Debug)]
pub(super) struct Residue {
    validator: Validator<Exact>,
    /// Whether it judges the columns that could be compiled, too.
    pub whole: bool,
}

impl Residue {
    /// The residue of a row schema, of whose columns `compiled` are judged by checks. `None` where
    /// nothing is left.
    pub fn of(
        document: &Value,
        compiled: &[&str],
        limits: &SchemaLimits,
    ) -> Result<Option<Self>, SchemaError> {
        // Built always: a document is taken or refused by one measure, whatever judges its rows.
        let judge_of_all = general::build(document, limits)?;
        let keywords = document.as_object();
        let columns = keywords.and_then(|root| root.get("properties")).and_then(Value::as_object);
        let all_compiled = columns.is_none_or(|columns| columns.len() == compiled.len());
        if all_compiled && keywords.is_some_and(|root| root.iter().all(is_covered)) {
            return Ok(None);
        }
        let whole = compiled.is_empty() || refers_freely(document)?;
        let validator = if whole {
            judge_of_all
        } else {
            general::build(&without(document, compiled), limits)?
        };
        Ok(Some(Self { validator, whole }))
    }

    /// Pushes what the row fails; true where it fails nothing. What `out` holds from `first` on was said
    /// of the same row, and is not said again.
    pub fn check(&self, row: &Row<'_>, out: &mut Vec<Violation<'_>>, first: usize) -> bool {
        let node = ExactNode::Row(row);
        if self.validator.is_valid(node) {
            return true;
        }
        for error in self.validator.iter_errors(node) {
            push(&error, row, out);
            drop_repeated(out, first);
        }
        silence_behind_types(out, first);
        false
    }
}

/// Whether a keyword at the root is judged by the columns' checks, or asserts nothing.
fn is_covered((keyword, value): (&String, &Value)) -> bool {
    match keyword.as_str() {
        "$id" | "properties" | "required" | "type" => true,
        "additionalProperties" | "unevaluatedProperties" => value == &Value::Bool(true),
        keyword => is_annotation(keyword),
    }
}

/// Whether some reference may lead elsewhere than into `$defs` of the document.
fn refers_freely(document: &Value) -> Result<bool, SchemaError> {
    let mut freely = false;
    document::walk(document, &mut |keywords, pointer| {
        let target = keywords.get("$ref").and_then(Value::as_str).unwrap_or("#/$defs/");
        let named = ["$dynamicRef", "$anchor", "$dynamicAnchor"];
        freely |= !target.starts_with("#/$defs/")
            || named.iter().any(|name| keywords.contains_key(*name))
            || keywords.contains_key("$id") && !pointer.is_empty();
        Ok(())
    })?;
    Ok(freely)
}

/// The document with nothing to say of the compiled columns.
fn without(document: &Value, compiled: &[&str]) -> Value {
    let mut left = document.clone();
    if let Value::Object(root) = &mut left {
        root.remove("required");
        if let Some(Value::Object(columns)) = root.get_mut("properties") {
            for name in compiled {
                columns.insert((*name).to_owned(), Value::Bool(true));
            }
        }
    }
    left
}

/// Translates an error of the crate: to the column that it stands in, or to the row.
fn push(error: &ValidationError<'_>, row: &Row<'_>, out: &mut Vec<Violation<'_>>) {
    let keyword = keyword_of(error);
    let mut push = |field: &str, message: Cow<'static, str>| {
        let (column, field) = (row.places.get(field).copied(), Cow::Owned(field.to_owned()));
        out.push(Violation { column, field, keyword, message, sentence: None });
    };
    match error.kind() {
        ValidationErrorKind::Required { property } => {
            push(property.as_str().unwrap_or(ROW_FIELD), message::REQUIRED.into());
        }
        ValidationErrorKind::AdditionalProperties { unexpected }
        | ValidationErrorKind::UnevaluatedProperties { unexpected } => {
            for name in unexpected {
                push(name, "is not a column of the schema".into());
            }
        }
        kind => push(&field_of(error.instance_path()), message_of(kind).into()),
    }
}

/// The column that an error stands in. A cell has no members, so the path has one segment or none.
fn field_of(path: &Location) -> Cow<'_, str> {
    match path.into_iter().next() {
        Some(LocationSegment::Property(name)) => name,
        _ => Cow::Borrowed(ROW_FIELD),
    }
}

fn keyword_of(error: &ValidationError<'_>) -> &'static str {
    let name = error.kind().keyword();
    KEYWORDS.iter().find(|known| **known == name).copied().unwrap_or("schema")
}

/// The sentence for an error: the same as a compiled check's where there is one.
fn message_of(kind: &ValidationErrorKind) -> String {
    use ValidationErrorKind as Kind;
    match kind {
        Kind::Custom { message, .. } => message.clone(),
        Kind::Type { kind } => message::of_type(types_failed(kind)),
        Kind::MinLength { limit } => message::of_length(Side::AtLeast, *limit),
        Kind::MaxLength { limit } => message::of_length(Side::AtMost, *limit),
        Kind::Pattern { pattern } => message::of_pattern(pattern),
        Kind::Format { format } => match rules::format(format) {
            Some(ours) => message::of_format(ours.noun),
            None => format!("is not in the format {format}"),
        },
        Kind::FalseSchema => message::NEVER.into(),
        Kind::AnyOf { .. } | Kind::OneOfNotValid { .. } => message::NO_ALTERNATIVE.into(),
        Kind::OneOfMultipleValid { .. } => "fits more than one form where only one may fit".into(),
        Kind::Not { .. } => "is what the schema rules out".into(),
        Kind::MinProperties { limit } => format!("must have at least {limit} filled cells"),
        Kind::MaxProperties { limit } => format!("must have at most {limit} filled cells"),
        Kind::PropertyNames { .. } => "has a column whose name the schema rules out".into(),
        other => format!("fails {} of the schema", other.keyword()),
    }
}

fn types_failed(kind: &TypeKind) -> TypeSet {
    let named = |name: &dyn ToString| TypeSet::named(&name.to_string()).unwrap_or_default();
    match kind {
        TypeKind::Single(one) => named(one),
        TypeKind::Multiple(many) => {
            many.iter().fold(TypeSet::default(), |types, one| types.with(named(&one)))
        }
    }
}

/// Drops the last violation where it has been said before: two references may lead to the same fault.
fn drop_repeated(out: &mut Vec<Violation<'_>>, first: usize) {
    let repeated = out[first..].split_last().is_some_and(|(last, before)| before.contains(last));
    if repeated {
        out.pop();
    }
}

/// A wrong type silences the other violations of its column, as it does in the compiled checks.
fn silence_behind_types(out: &mut Vec<Violation<'_>>, first: usize) {
    let mistyped: Vec<u32> = out[first..]
        .iter()
        .filter(|violation| violation.keyword == "type")
        .filter_map(|violation| violation.column)
        .collect();
    let mut index = 0;
    out.retain(|violation| {
        index += 1;
        index <= first
            || violation.keyword == "type"
            || !violation.column.is_some_and(|column| mistyped.contains(&column))
    });
}
