//! The rest of a row schema that the compiled checks do not cover. The general validator judges it.
//!
//! In a copy of the document each compiled column becomes `true`, and `required` is removed: the copy
//! asserts the rest, and nothing twice. Where a reference may lead into a compiled column, nothing is
//! removed, and the general validator judges every column.

use std::borrow::Cow;
use std::collections::HashSet;

use jsonschema::error::{TypeKind, ValidationErrorKind};
use jsonschema::paths::{Location, LocationSegment};
use jsonschema::{ValidationError, Validator};
use serde_json::Value;

use super::author::AuthorMessages;
use super::check::Side;
use super::compile::is_annotation;
use super::error::SchemaError;
use super::exact::{CellRow, Exact, ExactNode};
use super::limits::SchemaLimits;
use super::scalar::TypeSet;
use super::subschema::walk;
use super::violation::Violation;
use super::{general, keyword, message};
use crate::rules;

/// The field of a violation that belongs to no column.
const ROW_FIELD: &str = "_row";

const DEPENDENT_REQUIRED: &str = "dependentRequired";
const UNEVALUATED: &str = "unevaluatedProperties";

/// The general validator of what is left of a document.
#[derive(Debug)]
pub(super) struct Residue {
    validator: Validator<Exact>,
    said: AuthorMessages,
    /// Which column, when it is filled, asks for which other (`dependentRequired`), in the document's order.
    dependents: Vec<(String, String)>,
    /// The names of the schema's columns.
    columns: HashSet<String>,
    /// Whether it judges the columns that could be compiled, too.
    pub whole: bool,
}

impl Residue {
    /// The residue of a row schema, of whose columns `compiled` are judged by checks. `None` where
    /// nothing is left.
    pub fn of(
        document: &Value,
        columns: HashSet<String>,
        compiled: &[&str],
        said: AuthorMessages,
        limits: &SchemaLimits,
    ) -> Result<Option<Self>, SchemaError> {
        // Built always: a document is taken or refused by one measure, whatever judges its rows.
        let judge_of_all = general::build(document, limits)?;
        let keywords = document.as_object();
        let properties = keywords.and_then(|root| root.get("properties"));
        let properties = properties.and_then(Value::as_object);
        let all_compiled = properties.is_none_or(|it| it.len() == compiled.len());
        if all_compiled && keywords.is_some_and(|root| root.iter().all(is_covered)) {
            return Ok(None);
        }
        let whole = compiled.is_empty() || refers_freely(document)?;
        let validator = if whole {
            judge_of_all
        } else {
            general::build(&without(document, compiled), limits)?
        };
        let dependents = dependents_of(document)?;
        Ok(Some(Self { validator, said, dependents, columns, whole }))
    }

    /// Pushes what the row fails; true where it fails nothing. What `out` holds from `first` on was said
    /// of the same row, and is not said again.
    pub fn check(&self, row: &CellRow<'_>, out: &mut Vec<Violation<'_>>, first: usize) -> bool {
        let node = ExactNode::Row(row);
        if self.validator.is_valid(node) {
            return true;
        }
        for error in self.validator.iter_errors(node) {
            push(&error, row, self, out);
            drop_repeated(out, first);
        }
        self.silence(out, first);
        false
    }
}

impl Residue {
    /// A wrong type silences the other violations of its column, as it does in the compiled checks. Any violation of a
    /// row silences that columns of the schema are not evaluated: what failed evaluates nothing.
    fn silence(&self, out: &mut Vec<Violation<'_>>, first: usize) {
        let row = &out[first..];
        let mistyped = row.iter().filter(|it| it.keyword == "type");
        let mistyped: Vec<u32> = mistyped.filter_map(|violation| violation.column).collect();
        let failed = row.iter().any(|violation| violation.keyword != UNEVALUATED);
        let mut index = 0;
        out.retain(|violation| {
            index += 1;
            index <= first
                || match violation.keyword {
                    "type" => true,
                    UNEVALUATED => !failed || !self.columns.contains(&*violation.field),
                    _ => !violation.column.is_some_and(|column| mistyped.contains(&column)),
                }
        });
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
    walk(document, &mut |keywords, pointer| {
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
fn push(
    error: &ValidationError<'_>,
    row: &CellRow<'_>,
    residue: &Residue,
    out: &mut Vec<Violation<'_>>,
) {
    let Residue { said, dependents, .. } = residue;
    let asker = asker_of(error, row, dependents);
    let keyword = if asker.is_some() { DEPENDENT_REQUIRED } else { keyword_of(error) };
    let mut push = |field: &str, message: Cow<'static, str>| {
        let message = said.of(field, keyword).map_or(message, |text| text.to_owned().into());
        let (column, field) = (row.places.get(field).copied(), Cow::Owned(field.to_owned()));
        out.push(Violation { column, field, keyword, message, cell_message: None });
    };
    match error.kind() {
        ValidationErrorKind::Required { property } => {
            let message = asker.map_or(message::REQUIRED.into(), message::of_dependent);
            push(property.as_str().unwrap_or(ROW_FIELD), message.into());
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

/// Every pair of columns of which the filled one asks for the other.
fn dependents_of(document: &Value) -> Result<Vec<(String, String)>, SchemaError> {
    let mut found = Vec::new();
    walk(document, &mut |keywords, _| {
        let Some(Value::Object(asked)) = keywords.get(DEPENDENT_REQUIRED) else { return Ok(()) };
        for (asker, asked) in asked {
            let names = asked.as_array().into_iter().flatten().filter_map(Value::as_str);
            found.extend(names.map(|name| (asker.clone(), name.to_owned())));
        }
        Ok(())
    })?;
    Ok(found)
}

/// The column whose filled cell asks for the missing one, where `dependentRequired` failed. The crate's path ends with
/// the keyword and does not say which member of it.
fn asker_of<'d>(
    error: &ValidationError<'_>,
    row: &CellRow<'_>,
    dependents: &'d [(String, String)],
) -> Option<&'d str> {
    let ValidationErrorKind::Required { property } = error.kind() else { return None };
    let last = error.schema_path().into_iter().next_back();
    if !matches!(last, Some(LocationSegment::Property(name)) if name == DEPENDENT_REQUIRED) {
        return None;
    }
    let is_filled = |asker: &String| {
        let place = row.places.get(asker.as_str()).and_then(|&place| usize::try_from(place).ok());
        place.and_then(|place| row.cells.get(place)).is_some_and(|cell| !cell.is_empty())
    };
    let missing = property.as_str();
    let asks = |(asker, asked): &&(String, String)| missing == Some(asked) && is_filled(asker);
    dependents.iter().find(asks).map(|(asker, _)| asker.as_str())
}

pub(crate) fn keyword_of(error: &ValidationError<'_>) -> &'static str {
    let name = error.kind().keyword();
    keyword::FAILING.iter().find(|known| **known == name).copied().unwrap_or("schema")
}

/// The message for an error of a value: the same as the compiled check's where there is one.
pub(crate) fn message_of(kind: &ValidationErrorKind) -> String {
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
