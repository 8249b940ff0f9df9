//! Schemas of payloads and payloads, drawn: the payloads have the members and types that the schemas speak of, so that
//! every keyword is passed and failed. The property test and a fuzz target draw from here.

use std::collections::BTreeSet;

use fastcsv::payload::{PayloadLimits, PayloadSchema};
use fastcsv::schema::{SchemaError, SchemaLimits};
use proptest::prelude::*;
use proptest::sample::{select, subsequence};
use serde_json::{Value, json};

const NAMES: [&str; 4] = ["a", "b", "kind", "data"];

fn leaf() -> impl Strategy<Value = Value> {
    select(vec![
        json!({}),
        json!(true),
        json!(false),
        json!({"type": "string", "minLength": 2, "maxLength": 4}),
        json!({"type": "string", "format": "email", "x-steward-message": {"format": "write an address"}}),
        json!({"format": "date-time"}),
        json!({"type": "string", "pattern": "^[a-c]+$"}),
        json!({"type": "integer", "minimum": 0, "maximum": 10}),
        json!({"type": "number", "exclusiveMinimum": 0, "multipleOf": 0.5}),
        json!({"type": ["string", "null"], "enum": ["x", "y", null]}),
        json!({"const": 1.0}),
        json!({"const": {"a": 1}}),
        json!({"anyOf": [{"type": "object"}, {"type": "string", "maxLength": 1}]}),
        json!({"anyOf": [{"format": "uuid"}, {"format": "date"}], "type": "string"}),
        json!({"type": "boolean"}),
        json!({"type": "object"}),
        json!({"type": "array", "maxItems": 1}),
        json!({"not": {"type": "string"}}),
        json!({"$ref": "#/$defs/short"}),
        json!({"$ref": "#/$defs/tree"}),
    ])
}

fn node() -> impl Strategy<Value = Value> {
    leaf().prop_recursive(3, 24, 4, |inner| {
        let object = (
            prop::collection::vec(inner.clone(), NAMES.len()),
            subsequence(NAMES.to_vec(), 0..=NAMES.len()),
            subsequence(NAMES.to_vec(), 0..=2),
            prop_oneof![
                3 => Just(None),
                1 => any::<bool>().prop_map(|allowed| Some(Value::Bool(allowed))),
                1 => inner.clone().prop_map(Some),
            ],
            select(vec![
                json!({}),
                json!({"type": "object"}),
                json!({"minProperties": 1, "maxProperties": 2}),
                json!({"dependentRequired": {"a": ["b", "data"], "other": ["a"]}}),
                json!({"x-steward-message": {"required": "fill it in", "type": "write it in another way"}}),
                json!({"x-steward-message": "mend it"}),
            ]),
            prop_oneof![
                4 => Just(None),
                2 => inner.clone().prop_map(|schema| Some(json!({"^oth": schema}))),
                1 => (inner.clone(), inner.clone())
                    .prop_map(|(first, second)| Some(json!({"^ot": first, "^ki": second}))),
                1 => inner.clone().prop_map(|schema| Some(json!({"e": schema, "^k": true}))),
            ],
        )
            .prop_map(|(schemas, named, required, others, more, patterns)| {
                let named = NAMES.iter().zip(schemas).filter(|(name, _)| named.contains(name));
                let mut object = json!({"required": required});
                object["properties"] =
                    named.map(|(name, schema)| ((*name).to_owned(), schema)).collect();
                if let Some(others) = others {
                    object["additionalProperties"] = others;
                }
                if let Some(patterns) = patterns {
                    object["patternProperties"] = patterns;
                }
                object.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
                object
            });
        let list = (inner.clone(), inner.clone(), 0..3u32, 0..4).prop_map(
            |(items, first, count, form)| match form {
                0 => json!({"type": "array", "items": items, "minItems": count}),
                1 => json!({"items": items, "maxItems": count}),
                2 => json!({"prefixItems": [first, items], "items": {"type": "number"}}),
                _ => json!({"prefixItems": [first], "uniqueItems": true, "maxItems": count + 1}),
            },
        );
        let choice = (inner.clone(), inner).prop_map(|(first, second)| {
            let branch = |text: &str, schema: &Value| {
                json!({
                    "if": {"properties": {"kind": {"const": text}}, "required": ["kind"]},
                    "then": {"properties": {"data": schema}},
                })
            };
            json!({
                "type": "object",
                "properties": {"kind": {"type": "string"}, "data": {}},
                "allOf": [branch("x", &first), branch("y", &second)],
            })
        });
        prop_oneof![4 => object, 2 => list, 2 => choice]
    })
}

/// A schema of payloads; one in some has a keyword that only the general validator knows.
pub fn schema() -> impl Strategy<Value = Value> {
    node().prop_map(|node| {
        let mut document = match node {
            Value::Object(_) if node.get("$ref").is_none() => node,
            other => json!({"properties": {"a": other}}),
        };
        document["$defs"] = json!({
            "short": {"type": "string", "maxLength": 1},
            "tree": {"type": "object", "properties": {"a": {"$ref": "#/$defs/tree"}}},
        });
        document
    })
}

/// The JSON text of payloads.
pub fn payloads() -> impl Strategy<Value = Vec<String>> {
    let scalar = select(vec![
        "null",
        "true",
        "0",
        "1",
        "1.0",
        "1e0",
        "-3",
        "2.5",
        "10.01",
        "1e400",
        "\"\"",
        "\"x\"",
        "\"y\"",
        "\"ab\"",
        "\"abcde\"",
        "\"\\u0061b\"",
        "\"\\ud83d\\ude00\"",
        "\"ana@example.org\"",
        "\"2025-01-31T09:30:00Z\"",
        "\"2025-01-31\"",
        "\"2eb8aa08-aa98-11ea-b4aa-73b441d16380\"",
        "{}",
        "[]",
    ])
    .prop_map(str::to_owned);
    let value = scalar.prop_recursive(4, 32, 4, |inner| {
        let member = (select(vec!["a", "b", "kind", "data", "other", "k\\u0069nd"]), inner.clone());
        let object = prop::collection::vec(member, 0..5).prop_map(|members| {
            let members = members.iter().map(|(name, value)| format!("\"{name}\": {value}"));
            format!("{{{}}}", members.collect::<Vec<_>>().join(", "))
        });
        let list =
            prop::collection::vec(inner, 0..4).prop_map(|items| format!("[{}]", items.join(",")));
        prop_oneof![4 => object, 1 => list]
    });
    prop::collection::vec(value, 1..8)
}

/// A schema by its tables, and by the general validator alone.
pub fn compile_both(document: &Value) -> Result<(PayloadSchema, PayloadSchema), SchemaError> {
    let (text, limits) = (document.to_string(), SchemaLimits::default());
    Ok((
        PayloadSchema::compile("a", "1.0", text.as_bytes(), &limits)?,
        PayloadSchema::compile_general("a", "1.0", text.as_bytes(), &limits)?,
    ))
}

/// Pointer, keyword and message of every violation, but for the message of `anyOf`, where one side names the formats. Of a
/// payload with a doubled member only that is told: which of the two the general validator sees is open.
pub fn verdict(schema: &PayloadSchema, payload: &str) -> BTreeSet<(String, &'static str, String)> {
    let limits = PayloadLimits { max_violations: 10_000, ..PayloadLimits::default() };
    let report = schema.judge(payload.as_bytes(), false, &limits);
    assert_eq!(report.is_valid(), report.violations.is_empty());
    let said = report.violations.into_iter().map(|it| {
        let message = if it.keyword == "anyOf" { String::new() } else { it.message.into_owned() };
        (it.pointer, it.keyword, message)
    });
    let found: BTreeSet<_> = said.collect();
    let doubled = |it: &&(String, &'static str, String)| it.1 == "duplicateMember";
    if found.iter().any(|it| doubled(&it)) {
        return found.iter().filter(doubled).cloned().collect();
    }
    found
}
