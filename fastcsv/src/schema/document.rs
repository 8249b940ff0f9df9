//! A schema document before it is compiled: parsed, and held to the dialect and the limits.
//!
//! Nothing here knows of CSV.

use std::fmt::Write;

use serde_json::{Map, Value};

use super::error::{SchemaError, SchemaReason};
use super::limits::SchemaLimits;
use super::subschema::{escaped, walk};
use super::{doubled, pattern, reference};
use crate::rules::decimal::{Decimal, Divisor};

const DIALECT: &str = "https://json-schema.org/draft/2020-12/schema";

/// Bounds on the numbers of a schema: far beyond use, near enough to compare without care.
const NUMBER_BYTES: usize = 1000;
const EXPONENT_DIGITS: usize = 6;

/// Parses a document, and refuses what is no JSON Schema 2020-12 within the limits.
pub(crate) fn parse(bytes: &[u8], limits: &SchemaLimits) -> Result<Value, SchemaError> {
    if bytes.len() > limits.document_bytes {
        let detail = format!("the schema is over {} bytes (document_bytes)", limits.document_bytes);
        return Err(SchemaError::new(SchemaReason::SchemaTooLarge, "", detail));
    }
    let document: Value = serde_json::from_slice(bytes).map_err(|error| {
        let detail = format!("the schema is no JSON document: {error}");
        SchemaError::new(SchemaReason::SchemaNotJson, "", detail)
    })?;
    doubled::check(bytes)?;
    walk(&document, &mut check_dialect)?;
    if let Err(error) = jsonschema::draft202012::meta::validate(&document) {
        let pointer = error.instance_path().to_string();
        let detail = format!("the schema is no JSON Schema 2020-12: {}", error.masked());
        return Err(SchemaError::new(SchemaReason::SchemaInvalid, &pointer, detail));
    }
    check_numbers(&document, &mut String::new())?;
    walk(&document, &mut |schema, pointer| {
        check_patterns(schema, pointer, limits)?;
        check_divisor(schema, pointer)
    })?;
    reference::check(&document)?;
    Ok(document)
}

/// The dialect is that of the whole document: an embedded schema may name no other.
fn check_dialect(schema: &Map<String, Value>, pointer: &str) -> Result<(), SchemaError> {
    match schema.get("$schema") {
        None => Ok(()),
        Some(Value::String(uri)) if uri.trim_end_matches('#') == DIALECT => Ok(()),
        Some(_) => {
            let detail = "the schema is not in the dialect 2020-12";
            let pointer = format!("{pointer}/$schema");
            Err(SchemaError::new(SchemaReason::DialectUnsupported, &pointer, detail))
        }
    }
}

/// Every number of the document, data included: they become bounds and literals.
fn check_numbers(value: &Value, pointer: &mut String) -> Result<(), SchemaError> {
    match value {
        Value::Number(number) if is_too_large(number.as_str()) => {
            let detail = format!(
                "the number has over {NUMBER_BYTES} digits, or an exponent of over {EXPONENT_DIGITS}"
            );
            Err(SchemaError::new(SchemaReason::NumberTooLarge, pointer, detail))
        }
        Value::Array(items) => items.iter().enumerate().try_for_each(|(index, item)| {
            below(pointer, &index.to_string(), |pointer| check_numbers(item, pointer))
        }),
        Value::Object(members) => members.iter().try_for_each(|(name, member)| {
            below(pointer, name, |pointer| check_numbers(member, pointer))
        }),
        _ => Ok(()),
    }
}

fn is_too_large(number: &str) -> bool {
    let exponent = number.split_once(['e', 'E']).map_or("", |(_, exponent)| exponent);
    number.len() > NUMBER_BYTES
        || exponent.trim_start_matches(['+', '-', '0']).len() > EXPONENT_DIGITS
        || Decimal::parse(number).is_none()
}

/// A `multipleOf` is short enough to divide by exactly. The metaschema has made it positive.
fn check_divisor(schema: &Map<String, Value>, pointer: &str) -> Result<(), SchemaError> {
    match schema.get("multipleOf") {
        Some(Value::Number(number))
            if Decimal::parse(number.as_str()).and_then(|it| Divisor::of(&it)).is_none() =>
        {
            let pointer = format!("{pointer}/multipleOf");
            let detail = "the number has over 18 significant digits";
            Err(SchemaError::new(SchemaReason::NumberTooLarge, &pointer, detail))
        }
        _ => Ok(()),
    }
}

fn check_patterns(
    schema: &Map<String, Value>,
    pointer: &str,
    limits: &SchemaLimits,
) -> Result<(), SchemaError> {
    if let Some(Value::String(text)) = schema.get("pattern") {
        pattern::compile(text, &format!("{pointer}/pattern"), limits)?;
    }
    if let Some(Value::Object(table)) = schema.get("patternProperties") {
        for text in table.keys() {
            pattern::compile(text, &format!("{pointer}/patternProperties"), limits)?;
        }
    }
    Ok(())
}

/// Runs `body` with one more reference token on the pointer (RFC 6901).
fn below<T>(pointer: &mut String, token: &str, body: impl FnOnce(&mut String) -> T) -> T {
    let length = pointer.len();
    let _ = write!(pointer, "/{}", escaped(token));
    let result = body(pointer);
    pointer.truncate(length);
    result
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn reason(document: &Value) -> (SchemaReason, String) {
        let bytes = document.to_string();
        let error = parse(bytes.as_bytes(), &SchemaLimits::default()).unwrap_err();
        (error.reason, error.pointer)
    }

    #[test]
    fn a_document_is_json_of_the_dialect_and_the_metaschema() {
        let limits = SchemaLimits::default();
        assert!(parse(b"{}", &limits).is_ok());
        assert_eq!(parse(b"{", &limits).unwrap_err().reason, SchemaReason::SchemaNotJson);
        let draft_7 = json!({"$schema": "http://json-schema.org/draft-07/schema#"});
        assert_eq!(reason(&draft_7), (SchemaReason::DialectUnsupported, "/$schema".into()));
        let embedded = json!({"properties": {"a": {"$schema": "https://example.org/mine"}}});
        let pointer = "/properties/a/$schema".into();
        assert_eq!(reason(&embedded), (SchemaReason::DialectUnsupported, pointer));
        let negative = json!({"properties": {"a/b": {"maxLength": -1}}});
        let pointer = "/properties/a~1b/maxLength".into();
        assert_eq!(reason(&negative), (SchemaReason::SchemaInvalid, pointer));
    }

    #[test]
    fn every_limit_is_named() {
        let small = SchemaLimits { document_bytes: 10, ..SchemaLimits::default() };
        let error = parse(b"{\"title\": \"x\"}", &small).unwrap_err();
        assert_eq!(error.reason, SchemaReason::SchemaTooLarge);
        assert!(error.detail.contains("document_bytes"));
        let number = |text: &str| format!("{{\"properties\": {{\"a\": {{\"maximum\": {text}}}}}}}");
        for text in ["1e9999999", &"9".repeat(1001)] {
            let error = parse(number(text).as_bytes(), &SchemaLimits::default()).unwrap_err();
            assert_eq!(error.reason, SchemaReason::NumberTooLarge);
            assert_eq!(error.pointer, "/properties/a/maximum");
        }
        let divisor = r#"{"multipleOf": 0.1234567890123456789}"#;
        let error = parse(divisor.as_bytes(), &SchemaLimits::default()).unwrap_err();
        assert_eq!(
            (error.reason, error.pointer.as_str()),
            (SchemaReason::NumberTooLarge, "/multipleOf")
        );
        assert!(parse(number("1e400").as_bytes(), &SchemaLimits::default()).is_ok());
    }

    #[test]
    fn patterns_are_checked_wherever_a_schema_stands() {
        let deep = json!({"anyOf": [{"properties": {"a": {"not": {"pattern": "(?=a)"}}}}]});
        let pointer = "/anyOf/0/properties/a/not/pattern".into();
        assert_eq!(reason(&deep), (SchemaReason::PatternUnsupported, pointer));
        let data = json!({"const": {"pattern": "(?=a)"}});
        assert!(parse(data.to_string().as_bytes(), &SchemaLimits::default()).is_ok());
    }
}
