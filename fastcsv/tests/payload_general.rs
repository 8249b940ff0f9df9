//! Payloads under schemas that need the general validator: pointers, messages and values as the tables have them, and
//! no payload that slips by.

use fastcsv::payload::{PayloadLimits, PayloadSchema};
use fastcsv::schema::SchemaLimits;
use serde_json::{Value, json};

type Told = (String, &'static str, String, Option<String>);

fn judged(document: &Value, payload: &str) -> Vec<Told> {
    let text = document.to_string();
    let schema =
        PayloadSchema::compile("a", "1.0", text.as_bytes(), &SchemaLimits::default()).unwrap();
    assert!(!schema.is_compiled(), "{document}");
    let report = schema.judge(payload.as_bytes(), false, &PayloadLimits::default());
    let told = |it: fastcsv::payload::PayloadViolation<'_>| {
        (
            it.pointer,
            it.keyword,
            it.message.into_owned(),
            it.value.map(std::borrow::Cow::into_owned),
        )
    };
    report.violations.into_iter().map(told).collect()
}

fn told(pointer: &str, keyword: &'static str, message: &str, value: Option<&str>) -> Told {
    (pointer.into(), keyword, message.into(), value.map(Into::into))
}

#[test]
fn every_violation_has_its_pointer_message_and_value() {
    let document = json!({
        "properties": {
            "a/b": {"items": {"type": "integer"}, "uniqueItems": true},
            "c": {"not": {"const": 1}},
            "d": {"oneOf": [{"type": "string"}, {"minLength": 1}]},
        },
        "required": ["e"],
        "dependentRequired": {"c": ["f"]},
        "unevaluatedProperties": false,
    });
    let payload = r#"{"a/b": [1, "x", "x"], "c": 1.0, "d": "text", "g": {"h": null}}"#;
    let mut found = judged(&document, payload);
    found.sort();
    assert_eq!(
        found,
        [
            told("/a~1b", "uniqueItems", "has an item twice", Some(r#"[1,"x","x"]"#)),
            told("/a~1b/1", "type", "must be a whole number", Some("\"x\"")),
            told("/a~1b/2", "type", "must be a whole number", Some("\"x\"")),
            told("/c", "not", "is what the schema rules out", Some("1.0")),
            told("/d", "oneOf", "fits more than one form where only one may fit", Some("\"text\"")),
            told("/e", "required", "is missing", None),
            told("/f", "dependentRequired", "is missing", None),
            told(
                "/g",
                "unevaluatedProperties",
                "is not a member of the schema",
                Some(r#"{"h":null}"#)
            ),
        ]
    );
}

#[test]
fn no_text_that_another_parser_reads_otherwise_slips_by() {
    let document = json!({"not": {"required": ["a"]}, "type": "object"});
    assert_eq!(judged(&document, r#"{"b": 1}"#), []);
    for payload in [
        r#"{"$serde_json::private::Number": 5, "a": 1}"#,
        r#"{"a": {"$serde_json::private::Number": "x"}}"#,
        r#"{"a": "\ud800"}"#,
        r#"{"\u0061": 1e99}"#,
    ] {
        let found = judged(&document, payload);
        assert!(found.iter().any(|it| it.1 == "not"), "{payload}: {found:?}");
    }
    let number = r#"{"$serde_json::private::Number": "1"}"#;
    assert_eq!(judged(&json!({"not": {"type": "number"}}), number), []);
}
