//! Compiles the schema of one value to a list of checks, or declines it for the general validator.
//!
//! All or nothing: a schema with one keyword that `add_keyword` does not have is declined as a whole, so that
//! a value is never judged twice. Knows no CSV; `TypeSet::read` reads the cells.

use serde_json::{Map, Number, Value};

use super::check::{Check, Checks, Rule, Side};
use super::error::SchemaError;
use super::limits::SchemaLimits;
use super::literal::Literals;
use super::reading::types_named;
use super::{message, pattern};
use crate::rules::decimal::{Decimal, Divisor, Limit};
use crate::rules::{self, Format};

/// Keywords that assert nothing. Unknown `x-…` keywords assert nothing either.
const ANNOTATIONS: [&str; 11] = [
    "$comment",
    "$defs",
    "$schema",
    "contentSchema",
    "default",
    "deprecated",
    "description",
    "examples",
    "readOnly",
    "title",
    "writeOnly",
];

/// Formats of JSON Schema 2020-12 that only the general validator knows.
const GENERAL_FORMATS: &[&str] = &[
    "duration",
    "hostname",
    "idn-email",
    "idn-hostname",
    "iri",
    "iri-reference",
    "json-pointer",
    "regex",
    "relative-json-pointer",
    "uri-reference",
    "uri-template",
];

/// Whether a keyword asserts nothing.
pub(crate) fn is_annotation(keyword: &str) -> bool {
    ANNOTATIONS.contains(&keyword) || keyword.starts_with("x-")
}

/// Whether a format is checked, here or by the general validator.
pub(crate) fn is_known_format(name: &str) -> bool {
    rules::format(name).is_some() || GENERAL_FORMATS.contains(&name)
}

/// Whether a schema's text is checked to be JSON. Encoded text is not: it is no JSON before decoding.
pub(crate) fn asks_for_json(schema: &Map<String, Value>) -> bool {
    let media_type = schema.get("contentMediaType").and_then(Value::as_str);
    media_type.is_some_and(|name| name.eq_ignore_ascii_case("application/json"))
        && !schema.contains_key("contentEncoding")
}

/// The checks of the schema at `pointer`; `None` where it needs the general validator.
pub(crate) fn compile(
    schema: &Value,
    pointer: &str,
    limits: &SchemaLimits,
) -> Result<Option<Checks>, SchemaError> {
    let keywords = match schema {
        Value::Object(keywords) => keywords,
        Value::Bool(false) => return Ok(Some(never())),
        _ => {
            return Ok(Some(Checks { rules: Box::default() }));
        }
    };
    let mut compiler = Compiler { pointer, limits, rules: Vec::new() };
    for (keyword, value) in keywords {
        if !compiler.add_keyword(keyword, value, keywords)? {
            return Ok(None);
        }
    }
    Ok(Some(Checks { rules: compiler.rules.into() }))
}

fn never() -> Checks {
    let (check, message) = (Check::Never, message::NEVER.into());
    let rule = Rule { check, keyword: "falseSchema", message, place: 0 };
    Checks { rules: Box::new([rule]) }
}

struct Compiler<'a> {
    pointer: &'a str,
    limits: &'a SchemaLimits,
    rules: Vec<Rule>,
}

impl Compiler<'_> {
    /// Adds a keyword's check; false where the keyword is not ours.
    fn add_keyword(
        &mut self,
        keyword: &str,
        value: &Value,
        schema: &Map<String, Value>,
    ) -> Result<bool, SchemaError> {
        match (keyword, value) {
            ("type", _) => Ok(self.add_type(value)),
            ("enum", Value::Array(values)) => Ok(self.add_literals("enum", values)),
            ("const", _) => Ok(self.add_literals("const", std::slice::from_ref(value))),
            ("minLength", Value::Number(count)) => Ok(self.add_length("minLength", count)),
            ("maxLength", Value::Number(count)) => Ok(self.add_length("maxLength", count)),
            ("minimum", Value::Number(limit)) => {
                Ok(self.add_bound("minimum", Side::AtLeast, limit))
            }
            ("maximum", Value::Number(limit)) => Ok(self.add_bound("maximum", Side::AtMost, limit)),
            ("exclusiveMinimum", Value::Number(limit)) => {
                Ok(self.add_bound("exclusiveMinimum", Side::Above, limit))
            }
            ("exclusiveMaximum", Value::Number(limit)) => {
                Ok(self.add_bound("exclusiveMaximum", Side::Below, limit))
            }
            ("multipleOf", Value::Number(divisor)) => Ok(self.add_multiple(divisor)),
            ("pattern", Value::String(text)) => self.add_pattern(text),
            ("format", Value::String(name)) => Ok(self.add_format(name)),
            ("contentMediaType" | "contentEncoding", _) => {
                if keyword == "contentMediaType" && asks_for_json(schema) {
                    let check = Check::Json(self.limits.json_depth);
                    self.add("contentMediaType", check, message::JSON);
                }
                Ok(true)
            }
            ("anyOf", Value::Array(members)) => self.add_alternatives(members),
            _ => Ok(is_annotation(keyword)),
        }
    }

    fn add(&mut self, keyword: &'static str, check: Check, message: impl Into<Box<str>>) {
        self.rules.push(Rule { check, keyword, message: message.into(), place: 0 });
    }

    fn add_type(&mut self, value: &Value) -> bool {
        let types = types_named(value);
        // First, since a wrong type silences the rules behind it.
        let (check, message) = (Check::Type(types), message::of_type(types).into());
        self.rules.insert(0, Rule { check, keyword: "type", message, place: 0 });
        true
    }

    fn add_literals(&mut self, keyword: &'static str, values: &[Value]) -> bool {
        self.add(keyword, Check::Literals(Literals::of(values)), message::of_values(values));
        true
    }

    fn add_length(&mut self, keyword: &'static str, count: &Number) -> bool {
        let Some(count) = count.as_u64() else {
            return false;
        };
        // A length past the address space is one that no text reaches.
        let characters = usize::try_from(count).unwrap_or(usize::MAX);
        let (side, check) = match keyword {
            "minLength" => (Side::AtLeast, Check::MinLength(characters)),
            _ => (Side::AtMost, Check::MaxLength(characters)),
        };
        self.add(keyword, check, message::of_length(side, count));
        true
    }

    fn add_bound(&mut self, keyword: &'static str, side: Side, limit: &Number) -> bool {
        let text = limit.as_str();
        let Some(limit) = Limit::of(text) else {
            return false;
        };
        self.add(keyword, Check::Bound(side, limit), message::of_bound(side, text));
        true
    }

    fn add_multiple(&mut self, divisor: &Number) -> bool {
        let text = divisor.as_str();
        let Some(divisor) = Decimal::parse(text).and_then(|number| Divisor::of(&number)) else {
            return false;
        };
        self.add("multipleOf", Check::MultipleOf(divisor), message::of_multiple(text));
        true
    }

    fn add_pattern(&mut self, text: &str) -> Result<bool, SchemaError> {
        let pattern = pattern::compile(text, &format!("{}/pattern", self.pointer), self.limits)?;
        self.add("pattern", Check::Pattern(pattern), message::of_pattern(text));
        Ok(true)
    }

    fn add_format(&mut self, name: &str) -> bool {
        if let Some(format) = rules::format(name) {
            self.add("format", Check::Format(format), message::of_format(format.noun));
            return true;
        }
        // An unknown format asserts nothing; the row schema warns of it.
        !GENERAL_FORMATS.contains(&name)
    }

    fn add_alternatives(&mut self, members: &[Value]) -> Result<bool, SchemaError> {
        let mut compiled = Vec::with_capacity(members.len());
        for (index, member) in members.iter().enumerate() {
            let pointer = format!("{}/anyOf/{index}", self.pointer);
            match compile(member, &pointer, self.limits)? {
                Some(checks) => compiled.push(checks),
                None => return Ok(false),
            }
        }
        let message = message::of_alternatives(&compiled);
        let formats: Option<Box<[_]>> = compiled.iter().map(only_format).collect();
        self.add("anyOf", formats.map_or(Check::AnyOf(compiled.into()), Check::AnyFormat), message);
        Ok(true)
    }
}

/// The format that is all that a schema asks.
fn only_format(checks: &Checks) -> Option<&'static Format> {
    match &*checks.rules {
        [Rule { check: Check::Format(format), .. }] => Some(format),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::schema::links::{Links, Scope};
    use crate::schema::reading::types_of;
    use serde_json::json;

    fn checks(schema: &Value) -> Checks {
        compile(schema, "", &SchemaLimits::default()).unwrap().expect("a schema of our keywords")
    }

    fn failing(schema: &Value, cell: &str) -> Vec<&'static str> {
        let checks = checks(schema);
        let mut keywords = Vec::new();
        let types = types_of(schema, &Links::of(schema), &Scope::default());
        checks.failures(&types.read(cell), |rule| keywords.push(rule.keyword));
        keywords
    }

    #[test]
    fn every_failing_keyword_is_reported_but_a_wrong_type_stands_alone() {
        let schema = json!({"minLength": 3, "pattern": "^a", "type": "string", "enum": ["abc"]});
        assert_eq!(failing(&schema, "b"), ["minLength", "pattern", "enum"]);
        assert!(failing(&schema, "abc").is_empty());
        let schema = json!({"minimum": 1, "enum": [1, 2], "type": "integer"});
        assert_eq!(failing(&schema, "45.5"), ["type"]);
        assert_eq!(failing(&schema, "0"), ["minimum", "enum"]);
    }

    #[test]
    fn bounds_are_exact() {
        let text = r#"{"type": "number", "maximum": 1.00, "exclusiveMinimum": 0.1}"#;
        let schema = serde_json::from_str(text).unwrap();
        assert!(failing(&schema, "1.0000").is_empty());
        assert_eq!(failing(&schema, "1.00000000000000000000000001"), ["maximum"]);
        assert!(failing(&schema, "0.1000000000000000000000000001").is_empty());
        assert_eq!(failing(&schema, "0.10"), ["exclusiveMinimum"]);
        assert_eq!(checks(&schema).rules[1].message.as_ref(), "must be at most 1.00");
    }

    #[test]
    fn alternatives_share_one_value() {
        let day = json!({"anyOf": [{"format": "date-time"}, {"format": "date"}]});
        assert!(failing(&day, "2025-01-31").is_empty());
        assert!(failing(&day, "2025-01-31T10:00:00Z").is_empty());
        assert_eq!(failing(&day, "2025-02-31"), ["anyOf"]);
        let mixed = json!({"anyOf": [{"type": "integer", "minimum": 5}, {"enum": ["none"]}]});
        assert!(failing(&mixed, "5").is_empty());
        assert!(failing(&mixed, "none").is_empty());
        assert_eq!(failing(&mixed, "4"), ["anyOf"]);
    }

    #[test]
    fn encoded_text_is_not_read_as_json() {
        let json = json!({"contentMediaType": "application/json"});
        assert_eq!(failing(&json, "{"), ["contentMediaType"]);
        let encoded = json!({"contentMediaType": "application/json", "contentEncoding": "base64"});
        assert!(failing(&encoded, "e30K").is_empty());
        assert!(failing(&json!({"contentMediaType": "text/html"}), "<").is_empty());
    }

    #[test]
    fn what_is_not_ours_is_declined_whole() {
        for schema in [
            json!({"$ref": "#/$defs/a"}),
            json!({"type": "string", "not": {"const": "a"}}),
            json!({"oneOf": [{"const": "a"}]}),
            json!({"format": "hostname"}),
            json!({"anyOf": [{"const": "a"}, {"allOf": []}]}),
        ] {
            assert!(compile(&schema, "", &SchemaLimits::default()).unwrap().is_none(), "{schema}");
        }
    }
}
