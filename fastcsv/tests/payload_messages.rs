//! `x-steward-message` in schemas of payloads: the author's words, the same by the tables and by the general validator.

use fastcsv::payload::{PayloadLimits, PayloadSchema};
use fastcsv::schema::{SchemaLimits, SchemaReason};
use serde_json::{Value, json};

/// Pointer, keyword and message of each violation, by both paths.
fn said(document: &Value, payload: &Value, strict: bool) -> Vec<(String, &'static str, String)> {
    let (text, limits) = (document.to_string(), SchemaLimits::default());
    let by_tables = PayloadSchema::compile("a", "1.0", text.as_bytes(), &limits).unwrap();
    let general = PayloadSchema::compile_general("a", "1.0", text.as_bytes(), &limits).unwrap();
    assert!(by_tables.is_compiled());
    let payload = payload.to_string();
    let told = |schema: &PayloadSchema, strict| {
        let report = schema.judge(payload.as_bytes(), strict, &PayloadLimits::default());
        let each = report.violations.into_iter();
        let mut said: Vec<_> =
            each.map(|it| (it.pointer, it.keyword, it.message.into_owned())).collect();
        said.sort();
        said
    };
    assert_eq!(told(&by_tables, false), told(&general, false));
    told(&by_tables, strict)
}

fn line(pointer: &str, keyword: &'static str, message: &str) -> (String, &'static str, String) {
    (pointer.into(), keyword, message.into())
}

#[test]
fn a_text_speaks_for_every_keyword_of_its_value_and_a_named_one_comes_first() {
    let document = json!({
        "x-steward-message": {"required": "is needed", "maximum": "is too much"},
        "required": ["a", "b"],
        "properties": {
            "a": {"type": "string", "maxLength": 2, "pattern": "^x", "x-steward-message": "write x and a digit"},
            "b": {"minimum": 1, "maximum": 2, "x-steward-message": {"minimum": "from 1 on"}},
        },
    });
    let both = [
        line("/a", "maxLength", "write x and a digit"),
        line("/a", "pattern", "write x and a digit"),
        line("/b", "minimum", "from 1 on"),
    ];
    assert_eq!(said(&document, &json!({"a": "yyy", "b": 0}), false), both);
    let missing = [line("/a", "required", "is needed"), line("/b", "maximum", "is too much")];
    assert_eq!(said(&document, &json!({"b": 3}), false), missing);
    let mistyped = [line("/a", "type", "write x and a digit"), line("/b", "required", "is needed")];
    assert_eq!(said(&document, &json!({"a": 1}), false), mistyped);
}

#[test]
fn messages_reach_nested_values_items_patterns_and_references() {
    let document = json!({
        "$defs": {"mail": {"type": "string", "format": "email", "x-steward-message": "an address, please"}},
        "x-steward-message": {"type": "has another type"},
        "properties": {
            "user": {
                "type": "object",
                "properties": {"a/b": {"$ref": "#/$defs/mail"}, "c": {"type": "number"}},
                "dependentRequired": {"c": ["d"]},
                "x-steward-message": {"dependentRequired": "belongs to c"},
            },
            "list": {
                "prefixItems": [{"type": "boolean", "x-steward-message": "not said: the root names the keyword"}],
                "items": {"$ref": "#/$defs/mail", "x-steward-message": {"type": "a text"}},
                "uniqueItems": true,
                "x-steward-message": "a list without repetition",
            },
        },
        "patternProperties": {"^x-": {"maxLength": 1, "x-steward-message": "one letter"}},
        "additionalProperties": {"enum": [1], "x-steward-message": "one"},
    });
    let payload = json!({
        "user": {"a/b": "ana", "c": "1"},
        "list": [1, "x", "x", 2],
        "x-1": "ab",
        "other": 2,
    });
    assert_eq!(
        said(&document, &payload, false),
        [
            line("/list", "uniqueItems", "a list without repetition"),
            line("/list/0", "type", "has another type"),
            line("/list/1", "format", "an address, please"),
            line("/list/2", "format", "an address, please"),
            line("/list/3", "type", "a text"),
            line("/other", "enum", "one"),
            line("/user/a~1b", "format", "an address, please"),
            line("/user/c", "type", "has another type"),
            line("/user/d", "dependentRequired", "belongs to c"),
            line("/x-1", "maxLength", "one letter"),
        ]
    );
}

#[test]
fn of_a_member_that_the_schema_does_not_name_the_object_speaks() {
    let document = json!({"properties": {"a": {}}, "x-steward-message": "only a"});
    assert_eq!(
        said(&document, &json!({"b": 1}), true),
        [line("/b", "additionalProperties", "only a")]
    );
}

#[test]
fn a_recursive_schema_says_the_same_at_every_depth() {
    let document = json!({
        "type": "object",
        "properties": {"next": {"$ref": "#"}, "n": {"maximum": 1, "x-steward-message": "at most one"}},
    });
    let payload = json!({"n": 2, "next": {"next": {"n": 3}}});
    let expected =
        [line("/n", "maximum", "at most one"), line("/next/next/n", "maximum", "at most one")];
    assert_eq!(said(&document, &payload, false), expected);
}

#[test]
fn the_rules_of_the_reader_keep_their_words() {
    let document =
        br#"{"properties": {"a": {"x-steward-message": "mine"}}, "x-steward-message": "ours"}"#;
    let schema = PayloadSchema::compile("a", "1.0", document, &SchemaLimits::default()).unwrap();
    for payload in [r#"{"a": "\u0000"}"#, r#"{"a": 1, "a": 2}"#, "{", r#"{"a": 1e200000}"#] {
        let report = schema.judge(payload.as_bytes(), false, &PayloadLimits::default());
        assert!(!report.is_valid());
        for violation in report.violations {
            assert!(!["mine", "ours"].contains(&&*violation.message), "{payload}");
        }
    }
}

#[test]
fn a_message_that_no_way_leads_to_is_warned_of_and_a_wrong_form_refused() {
    let compiled = |document: Value| {
        let text = document.to_string();
        PayloadSchema::compile("a", "1.0", text.as_bytes(), &SchemaLimits::default())
    };
    let idle = json!({"anyOf": [{"maximum": 1, "x-steward-message": "lost"}, {"const": 7}]});
    let warnings = compiled(idle).unwrap().warnings().to_vec();
    assert_eq!(warnings, ["the annotation reaches no member (at /anyOf/0/x-steward-message)"]);
    for message in [json!(""), json!(1), json!({"patern": "x"}), json!("a\nb")] {
        let error = compiled(json!({"x-steward-message": message})).unwrap_err();
        assert_eq!(error.reason, SchemaReason::AnnotationInvalid);
    }
}
