//! The general validator: the `jsonschema` crate, with our rules in the place of its own.
//!
//! It judges what the compiled checks decline. Formats are asserted; the formats, the bounds, the
//! literals and `contentMediaType` are the very functions that the checks call; patterns run on the `regex` crate,
//! never on a backtracking engine. Nothing is ever fetched: what a reference names is in the document
//! or is one of the standard metaschemas, which the crate carries.

use jsonschema::json::Node;
use jsonschema::{Draft, Keyword, PatternOptions, Retrieve, Uri, ValidationError, Validator};
use serde_json::{Map, Value};

use super::check::{Check, Side};
use super::compile::asks_for_json;
use super::error::{SchemaError, SchemaReason};
use super::exact::{Exact, ExactNode};
use super::limits::SchemaLimits;
use super::{canonical, message, subschema};
use crate::rules::decimal::{Decimal, Divisor, Limit};
use crate::rules::{FORMATS, json};

/// Builds the validator of a document that `document::parse` has let pass.
pub(crate) fn build(
    schema: &Value,
    limits: &SchemaLimits,
) -> Result<Validator<Exact>, SchemaError> {
    let patterns = PatternOptions::regex().size_limit(limits.pattern_compiled_bytes);
    let json_depth = limits.json_depth.min(json::DEPTH_MAX);
    let mut options = jsonschema::options_for::<Exact>()
        .with_draft(Draft::Draft202012)
        .with_retriever(NoRetrieval)
        .with_pattern_options(patterns)
        .should_validate_formats(true)
        .should_ignore_unknown_formats(true)
        .with_keyword("const", |_, value, _| Ok(literals(std::slice::from_ref(value))))
        .with_keyword("enum", |_, value, _| {
            Ok(literals(value.as_array().map_or(&[], Vec::as_slice)))
        })
        .with_keyword("minimum", |_, value, _| bound(Side::AtLeast, value))
        .with_keyword("maximum", |_, value, _| bound(Side::AtMost, value))
        .with_keyword("exclusiveMinimum", |_, value, _| bound(Side::Above, value))
        .with_keyword("exclusiveMaximum", |_, value, _| bound(Side::Below, value))
        .with_keyword("multipleOf", |_, value, _| multiple(value))
        .with_keyword("uniqueItems", |_, value, _| Ok(unique(value)))
        .with_keyword("contentMediaType", move |parent, _, _| Ok(content(parent, json_depth)));
    for format in FORMATS {
        options = options.with_format(format.name, format.check);
    }
    options.build(schema).map_err(|error| refusal(schema, &error))
}

/// The retriever that retrieves nothing.
struct NoRetrieval;

impl Retrieve for NoRetrieval {
    fn retrieve(
        &self,
        _uri: &Uri<String>,
    ) -> Result<Value, Box<dyn std::error::Error + Send + Sync>> {
        Err("references out of the document are refused".into())
    }
}

fn refusal(schema: &Value, error: &ValidationError<'_>) -> SchemaError {
    if let jsonschema::error::ValidationErrorKind::Referencing(_) = error.kind() {
        let detail = "a reference leads out of the document";
        return SchemaError::new(
            SchemaReason::ReferenceRefused,
            &outward_reference(schema),
            detail,
        );
    }
    let pointer = error.schema_path().to_string();
    let detail = format!("the schema cannot be compiled: {}", error.masked());
    SchemaError::new(SchemaReason::SchemaInvalid, &pointer, detail)
}

/// The pointer of the first reference that is no pointer into the document.
fn outward_reference(schema: &Value) -> String {
    let mut found = String::new();
    let _ = subschema::walk(schema, &mut |keywords, pointer| {
        for keyword in ["$ref", "$dynamicRef"] {
            let target = keywords.get(keyword).and_then(Value::as_str).unwrap_or("#");
            let inside = target.strip_prefix('#').is_some_and(|at| schema.pointer(at).is_some());
            if found.is_empty() && !inside {
                found = format!("{pointer}/{keyword}");
            }
        }
        Ok(())
    });
    found
}

/// One of our checks in the place of a keyword of the crate.
struct CheckKeyword {
    check: Check,
    message: String,
}

impl<'i> Keyword<'i, Exact> for CheckKeyword {
    fn validate(&self, instance: ExactNode<'i>) -> Result<(), ValidationError<'i>> {
        if self.is_valid(instance) { Ok(()) } else { Err(ValidationError::custom(&self.message)) }
    }

    fn is_valid(&self, instance: ExactNode<'i>) -> bool {
        instance.scalar().is_none_or(|scalar| self.check.holds(&scalar))
    }
}

type KeywordResult<'a> = Result<Box<dyn for<'i> Keyword<'i, Exact>>, ValidationError<'a>>;

fn check_keyword(check: Check, message: String) -> Box<dyn for<'i> Keyword<'i, Exact>> {
    Box::new(CheckKeyword { check, message })
}

/// `enum` and `const`, with numbers compared exactly at every depth.
struct LiteralsKeyword {
    values: Vec<Value>,
    message: String,
}

impl<'i> Keyword<'i, Exact> for LiteralsKeyword {
    fn validate(&self, instance: ExactNode<'i>) -> Result<(), ValidationError<'i>> {
        if self.is_valid(instance) { Ok(()) } else { Err(ValidationError::custom(&self.message)) }
    }

    fn is_valid(&self, instance: ExactNode<'i>) -> bool {
        self.values.iter().any(|value| instance.equals_value(value))
    }
}

fn literals(values: &[Value]) -> Box<dyn for<'i> Keyword<'i, Exact>> {
    Box::new(LiteralsKeyword { values: values.to_vec(), message: message::of_values(values) })
}

/// `uniqueItems`, with numbers compared exactly at every depth.
struct UniqueKeyword;

impl<'i> Keyword<'i, Exact> for UniqueKeyword {
    fn validate(&self, instance: ExactNode<'i>) -> Result<(), ValidationError<'i>> {
        if self.is_valid(instance) {
            Ok(())
        } else {
            Err(ValidationError::custom(canonical::REPEATED))
        }
    }

    fn is_valid(&self, instance: ExactNode<'i>) -> bool {
        match instance {
            ExactNode::Value(Value::Array(items)) => !canonical::has_equal(items),
            _ => true,
        }
    }
}

fn unique(value: &Value) -> Box<dyn for<'i> Keyword<'i, Exact>> {
    if value == &Value::Bool(true) { Box::new(UniqueKeyword) } else { Box::new(AcceptAll) }
}

fn number_text(value: &Value) -> &str {
    match value {
        Value::Number(number) => number.as_str(),
        _ => "",
    }
}

fn bound(side: Side, value: &Value) -> KeywordResult<'_> {
    let text = number_text(value);
    let limit = Limit::of(text).ok_or_else(|| ValidationError::schema("must be a number"))?;
    Ok(check_keyword(Check::Bound(side, limit), message::of_bound(side, text)))
}

fn multiple(value: &Value) -> KeywordResult<'_> {
    let text = number_text(value);
    let divisor = Decimal::parse(text).and_then(|number| Divisor::of(&number));
    let divisor =
        divisor.ok_or_else(|| ValidationError::schema("must be positive, of at most 18 digits"))?;
    Ok(check_keyword(Check::MultipleOf(divisor), message::of_multiple(text)))
}

/// Text that is declared to be JSON is checked; any other media type is an annotation.
fn content(parent: &Map<String, Value>, json_depth: u32) -> Box<dyn for<'i> Keyword<'i, Exact>> {
    if asks_for_json(parent) {
        check_keyword(Check::Json(json_depth), message::JSON.into())
    } else {
        Box::new(AcceptAll)
    }
}

struct AcceptAll;

impl<'i> Keyword<'i, Exact> for AcceptAll {
    fn validate(&self, _instance: ExactNode<'i>) -> Result<(), ValidationError<'i>> {
        Ok(())
    }

    fn is_valid(&self, _instance: ExactNode<'i>) -> bool {
        true
    }
}
