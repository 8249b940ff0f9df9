//! What a row schema says of headers and rows, the domain's schemas first.

use super::*;
use crate::schema::{MismatchReason, detect};
use serde_json::json;

const LANGUAGE_1_0: &str = include_str!("../../../../schemas/csv/language_session/1.0.json");
const LANGUAGE_1_1: &str = include_str!("../../../../schemas/csv/language_session/1.1.json");
const MENTORSHIP: &str = include_str!("../../../../schemas/csv/mentorship_session/1.0.json");

fn domain() -> [RowSchema; 3] {
    let compile = |name, version, text: &str| {
        RowSchema::compile(name, version, text.as_bytes(), &SchemaLimits::default()).unwrap()
    };
    [
        compile("language_session", "1.0", LANGUAGE_1_0),
        compile("language_session", "1.1", LANGUAGE_1_1),
        compile("mentorship_session", "1.0", MENTORSHIP),
    ]
}

fn header(names: &[&str]) -> Vec<String> {
    names.iter().map(|name| (*name).to_owned()).collect()
}

fn own_header(schema: &RowSchema) -> Vec<String> {
    schema.columns().iter().map(|column| column.name.clone()).collect()
}

/// The column and keyword of every violation.
fn verdict(schema: &Value, names: &[&str], cells: &[&str]) -> Vec<(String, &'static str)> {
    let text = schema.to_string();
    let schema = RowSchema::compile("t", "1", text.as_bytes(), &SchemaLimits::default()).unwrap();
    let bound = schema.bind(&header(names), false).unwrap();
    let mut out = Vec::new();
    let valid = bound.check_row(cells, &mut out);
    assert_eq!(valid, out.is_empty());
    out.iter().map(|violation| (violation.field.to_string(), violation.keyword)).collect()
}

fn pairs(expected: &[(&str, &'static str)]) -> Vec<(String, &'static str)> {
    expected.iter().map(|(field, keyword)| ((*field).to_owned(), *keyword)).collect()
}

#[test]
fn the_domain_schemas_compile_without_residue_or_warning() {
    for schema in domain() {
        assert!(schema.0.residue.is_none(), "{}", schema.name());
        assert!(schema.warnings().is_empty());
        let pii = schema.columns().iter().filter(|column| column.pii).count();
        let required = schema.columns().iter().filter(|column| column.required).count();
        assert_eq!((pii, required), (3, 4));
    }
}

#[test]
fn a_header_finds_its_own_schema() {
    let schemas = domain();
    let all: Vec<&RowSchema> = schemas.iter().collect();
    for (index, schema) in schemas.iter().enumerate() {
        assert_eq!(detect(&all, &own_header(schema)), Ok(index));
        let reversed: Vec<String> = own_header(schema).into_iter().rev().collect();
        assert_eq!(detect(&all, &reversed), Ok(index));
    }
}

#[test]
fn the_fewest_unknown_then_the_fewest_missing_then_the_newest_wins() {
    let schemas = domain();
    let all: Vec<&RowSchema> = schemas.iter().collect();
    let required = ["session_id", "participant_email", "volunteer_email", "scheduled_at"];
    // Neither version knows `extra`; 1.0 misses fewer of its own columns.
    assert_eq!(detect(&all, &header(&[&required[..], &["extra"]].concat())), Ok(0));
    assert_eq!(detect(&all, &header(&[&required[..], &["metadata"]].concat())), Ok(1));
    let twins = [&schemas[0], &schemas[0].clone()];
    assert_eq!(detect(&twins, &own_header(&schemas[0])), Ok(0));
    let reissue = |version: &str, date: &str| {
        let text = LANGUAGE_1_0.replace("2025-01-01", date);
        RowSchema::compile("l", version, text.as_bytes(), &SchemaLimits::default()).unwrap()
    };
    let (old, new) = (reissue("1.9", "2025-01-01"), reissue("1.2", "2026-01-01"));
    assert_eq!(detect(&[&old, &new], &own_header(&old)), Ok(1));
    let (nine, ten) = (reissue("1.9", "2025-01-01"), reissue("1.10", "2025-01-01"));
    assert_eq!(detect(&[&nine, &ten], &own_header(&old)), Ok(1));
}

#[test]
fn a_header_that_fits_nothing_names_the_nearest_schema() {
    let schemas = domain();
    let all: Vec<&RowSchema> = schemas.iter().collect();
    let error = detect(&all, &header(&["session_id", "mentor_email", "focus_area"])).unwrap_err();
    assert_eq!(error.reason, MismatchReason::MissingColumns);
    assert_eq!(error.nearest, Some(2));
    assert_eq!(error.columns, ["participant_email", "scheduled_at"]);
    assert!(error.detail.contains("mentorship_session 1.0"), "{error}");
    assert!(detect(&[], &header(&["a"])).is_err());
}

#[test]
fn names_count_exactly_once_cleaned() {
    let schema = &domain()[0];
    let mut names = own_header(schema);
    names[0] = "\u{feff} session_id\t".into();
    assert!(schema.bind(&names, true).is_ok());
    let refused = |names: &[&str]| schema.bind(&header(names), false).unwrap_err().reason;
    assert_eq!(refused(&["a", " "]), MismatchReason::EmptyName);
    assert_eq!(refused(&["a", "b", " a"]), MismatchReason::DoubledName);
    assert_eq!(refused(&["Session_id"]), MismatchReason::MissingColumns);
    names.push("extra".into());
    assert_eq!(schema.bind(&names, false).unwrap().unknown(), [10]);
    assert_eq!(schema.bind(&names, true).unwrap_err().columns, ["extra"]);
}

#[test]
fn a_header_of_which_nothing_is_known_never_fits() {
    let document = br#"{"properties": {"rating": {}, "note": {}}}"#;
    let free = RowSchema::compile("free", "1", document, &SchemaLimits::default()).unwrap();
    let [one, _, mentorship] = domain();
    let other = header(&["id", "name"]);
    for refused in [free.bind(&other, false).unwrap_err(), detect(&[&free], &other).unwrap_err()] {
        assert_eq!(refused.reason, MismatchReason::MissingColumns);
        assert!(
            refused.detail.contains("no column that free 1 knows; it has the columns id, name")
        );
    }
    let refused = detect(&[&free, &one], &other).unwrap_err();
    assert!(refused.detail.contains("none of its columns is known"), "{refused}");
    assert_eq!(refused.nearest, None);
    assert_eq!(detect(&[&one, &free, &mentorship], &header(&["note", "x"])), Ok(1));
    assert_eq!(detect(&[&free, &one], &own_header(&one)), Ok(1));
}

#[test]
fn a_refusal_lists_what_the_header_has_and_what_may_be_meant() {
    let [one, ..] = domain();
    let names = ["SESSION_ID", "participant email", "volunteer_email", "scheduled_at"];
    let refused = one.bind(&header(&names), false).unwrap_err().detail;
    for part in [
        "lacks the columns session_id, participant_email that language_session 1.0 requires",
        "it has the columns SESSION_ID, participant email, volunteer_email, scheduled_at",
        "SESSION_ID differs from session_id only in case",
        "participant email differs from participant_email only in blanks",
    ] {
        assert!(refused.contains(part), "{refused}");
    }
    let many: Vec<String> = (0..500).map(|at| format!("column_{at}_{}", "x".repeat(200))).collect();
    let refused = one.bind(&many, false).unwrap_err().detail;
    assert!(refused.len() < 2500 && refused.contains("and 480 more"), "{}", refused.len());
}

#[test]
fn a_row_in_the_place_of_the_header_is_not_told() {
    let [one, ..] = domain();
    for cell in ["ana@post.example", "2025-04-01", "7"] {
        let refused = one.bind(&header(&["secret", cell]), false).unwrap_err().detail;
        assert!(refused.contains("looks like data") && !refused.contains("secret"), "{refused}");
        assert!(!refused.contains(cell), "{refused}");
    }
}

#[test]
fn every_failing_field_of_a_row_is_reported() {
    let [_, schema, _] = domain();
    let bound = schema.bind(&own_header(&schema), true).unwrap();
    let mut out = Vec::new();
    let good = [
        "s-1",
        "ana@example.org",
        "vol@example.org",
        "2025-06-02T10:00:00Z",
        "2025-06-02",
        "60",
        "0.95",
        "Good, thanks",
        "B1",
        "work, travel",
        "{\"room\": 7}",
    ];
    assert!(bound.check_row(&good, &mut out), "{out:?}");
    let empty_options = ["s", "a@b.c", "d@e.f", "2025-06-02", "", "", "", "", "", "", ""];
    assert!(bound.check_row(&empty_options, &mut out), "{out:?}");
    let long = "x".repeat(5001);
    let bad = ["", "ana", "", "soon", "2025-02-30", "45.5", "1.01", &long, "D1", "", "{"];
    assert!(!bound.check_row(&bad, &mut out));
    let told: Vec<_> =
        out.iter().map(|it| (it.column.unwrap(), it.keyword, it.message.as_ref())).collect();
    let moment = "is neither a date and time with a zone (like 2025-01-31T09:30:00Z) \
                  nor a date (like 2025-01-31)";
    let expected = [
        (0, "required", "must not be empty"),
        (1, "format", "is not an e-mail address"),
        (2, "required", "must not be empty"),
        (3, "anyOf", moment),
        (4, "anyOf", moment),
        (5, "type", "must be a whole number"),
        (6, "maximum", "must be at most 1.00"),
        (7, "maxLength", "must have at most 5000 characters"),
        (8, "enum", "must be one of A1, A2, B1, B2, C1, C2"),
        (10, "contentMediaType", "is not valid JSON"),
    ];
    assert_eq!(told, expected);
}

#[test]
fn what_the_checks_decline_is_judged_by_the_general_validator() {
    let schema = json!({
        "properties": {
            "a": {"type": "integer", "minimum": 5},
            "b": {"oneOf": [{"type": "integer"}, {"const": "none"}]},
            "c": {"format": "hostname"},
        },
        "required": ["a"],
        "if": {"properties": {"a": {"const": 7}}},
        "then": {"required": ["c"], "properties": {"a": {"maximum": 6}}},
        "dependentRequired": {"c": ["b"]},
    });
    let names = ["a", "b", "c"];
    assert_eq!(verdict(&schema, &names, &["5", "none", "example.org"]), []);
    assert_eq!(
        verdict(&schema, &names, &["", "", ""]),
        pairs(&[("a", "required"), ("c", "required")])
    );
    assert_eq!(
        verdict(&schema, &names, &["4", "some", "-"]),
        pairs(&[("a", "minimum"), ("b", "oneOf"), ("c", "format")])
    );
    let seven = verdict(&schema, &names, &["07", "1", ""]);
    assert_eq!(seven, pairs(&[("c", "required"), ("a", "maximum")]));
    assert_eq!(verdict(&schema, &names, &["5", "", "x.org"]), pairs(&[("b", "dependentRequired")]));
    assert_eq!(
        verdict(&schema, &names, &["x", "1.5", ""]),
        pairs(&[("a", "type"), ("b", "oneOf")])
    );
}

#[test]
fn references_lead_about_inside_the_document() {
    let schema = json!({
        "$defs": {"mail": {"type": "string", "format": "email"}, "count": {"type": "integer"}},
        "properties": {
            "a": {"$ref": "#/$defs/mail"},
            "b": {"$ref": "#/$defs/count", "minimum": 5},
            "c": {"$ref": "#/properties/b"},
        },
        "required": ["a"],
    });
    let names = ["a", "b", "c"];
    assert_eq!(verdict(&schema, &names, &["a@b.c", "7", "007"]), []);
    assert_eq!(
        verdict(&schema, &names, &["a@b", "7.0", "4"]),
        pairs(&[("a", "format"), ("b", "type"), ("c", "minimum")])
    );
    assert_eq!(verdict(&schema, &names, &["", "", ""]), pairs(&[("a", "required")]));
}

fn compiled(schema: &Value) -> Result<RowSchema, SchemaError> {
    RowSchema::compile("t", "1", schema.to_string().as_bytes(), &SchemaLimits::default())
}

#[test]
fn columns_types_and_marks_are_followed_as_the_validator_follows() {
    let whole =
        json!({"$anchor": "whole", "type": "integer", "maximum": 99, "x-steward-pii": true});
    for hours in [
        json!({"$ref": "#/$defs/w%3Ch%3E"}),
        json!({"$ref": "#whole"}),
        json!({"allOf": [{"allOf": [{"$dynamicRef": "#whole"}]}]}),
    ] {
        let row = json!({"required": ["hours"], "properties": {"hours": hours}});
        let schema = json!({
            "allOf": [{"$ref": "#/$defs/row"}],
            "properties": {"title": {"type": "string"}},
            "unevaluatedProperties": false,
            "$defs": {"row": row, "w<h>": whole}
        });
        assert_eq!(verdict(&schema, &["title", "hours"], &["a", "20"]), []);
        let over = verdict(&schema, &["title", "hours"], &["a", "400"]);
        assert_eq!(over, pairs(&[("hours", "maximum")]));
        let schema = compiled(&schema).unwrap();
        let columns: Vec<_> =
            schema.columns().iter().map(|it| (it.name.as_str(), it.required, it.pii)).collect();
        assert_eq!(columns, [("title", false, false), ("hours", true, true)]);
        assert!(schema.bind(&header(&["title"]), false).is_err());
        assert!(schema.bind(&header(&["title", "hours"]), true).is_ok());
    }
    let pattern = json!({"properties": {"a": true}, "patternProperties": {"^h": {"type": "integer", "maximum": 99}}});
    assert_eq!(verdict(&pattern, &["a", "h"], &["", "20"]), []);
    assert_eq!(verdict(&pattern, &["a", "h"], &["", "400"]), pairs(&[("h", "maximum")]));
    assert!(compiled(&pattern).unwrap().bind(&header(&["h"]), true).is_ok());
}

#[test]
fn what_would_be_lost_is_refused_where_it_stands() {
    for (schema, pointer) in [
        (
            json!({"patternProperties": {"^m": {"x-steward-pii": true}}}),
            "/patternProperties/^m/x-steward-pii",
        ),
        (json!({"allOf": [{"x-steward-pii": true}]}), "/allOf/0/x-steward-pii"),
        (
            json!({"properties": {"a": {"items": {"x-steward-pii": true}}}}),
            "/properties/a/items/x-steward-pii",
        ),
        (json!({"anyOf": [{"x-steward-message": "no"}]}), "/anyOf/0/x-steward-message"),
        (json!({"properties": {"a": {"x-steward-pi": true}}}), "/properties/a/x-steward-pi"),
    ] {
        let mut schema = schema;
        if schema.get("properties").is_none() {
            schema["properties"] = json!({"z": true});
        }
        let error = compiled(&schema).unwrap_err();
        let found = (error.reason, error.pointer.as_str());
        assert_eq!(found, (SchemaReason::AnnotationInvalid, pointer));
    }
    let idle = json!({"properties": {"a": true}, "$defs": {"x": {"x-steward-pii": true}}});
    let warnings = compiled(&idle).unwrap();
    assert_eq!(
        warnings.warnings(),
        ["the annotation reaches no column (at /$defs/x/x-steward-pii)"]
    );
}

#[test]
fn a_dependent_column_says_who_asked_and_authors_say_it_better() {
    let messages = |schema: &Value, names: &[&str], cells: &[&str]| -> Vec<(String, String)> {
        let bound = compiled(schema).unwrap().bind(&header(names), false).unwrap();
        let mut out = Vec::new();
        assert!(!bound.check_row(cells, &mut out));
        out.iter().map(|it| (it.keyword.to_owned(), it.message.to_string())).collect()
    };
    let pair = |keyword: &str, message: &str| vec![(keyword.to_owned(), message.to_owned())];
    let mut schema =
        json!({"properties": {"a": true, "b": true}, "dependentRequired": {"a": ["b"]}});
    let ours = pair("dependentRequired", "must not be empty where a is filled");
    assert_eq!(messages(&schema, &["a", "b"], &["1", ""]), ours);
    schema["x-steward-message"] = json!({"dependentRequired": "give b with a"});
    let theirs = pair("dependentRequired", "give b with a");
    assert_eq!(messages(&schema, &["a", "b"], &["1", ""]), theirs);
    let schema = json!({
        "required": ["a"],
        "properties": {"a": {"$ref": "#/$defs/a"}, "b": {"minLength": 2, "x-steward-message": "more"}},
        "$defs": {"a": {"pattern": "^x", "x-steward-message": {"pattern": "begin with x", "required": "fill a"}}},
    });
    assert_eq!(messages(&schema, &["a", "b"], &["y", ""]), pair("pattern", "begin with x"));
    assert_eq!(messages(&schema, &["a", "b"], &["", ""]), pair("required", "fill a"));
    assert_eq!(messages(&schema, &["a", "b"], &["x", "z"]), pair("minLength", "more"));
}

#[test]
fn a_circle_by_an_anchor_is_refused() {
    let schema = json!({
        "$defs": {"x": {"$anchor": "x", "allOf": [{"$ref": "#x"}, {"minLength": 2}]}},
        "properties": {"a": {"$ref": "#x"}},
        "propertyNames": {"$ref": "#x", "maxLength": 2},
    });
    assert_eq!(compiled(&schema).unwrap_err().reason, SchemaReason::ReferenceRefused);
}

#[test]
fn references_out_of_the_document_are_refused_and_never_fetched() {
    for target in
        ["https://example.org/schema.json", "file:///etc/passwd", "other.json", "#/$defs/x"]
    {
        let schema = json!({"properties": {"a": {"type": "string"}, "b": {"$ref": target}}});
        let text = schema.to_string();
        let error = RowSchema::compile("t", "1", text.as_bytes(), &SchemaLimits::default());
        let error = error.unwrap_err();
        assert_eq!(error.reason, SchemaReason::ReferenceRefused, "{target}: {error}");
        assert_eq!(error.pointer, "/properties/b/$ref");
    }
}

#[test]
fn a_dynamic_reference_means_what_the_way_to_its_column_says() {
    let filled =
        json!({"$id": "filled", "$dynamicRef": "#T", "$defs": {"T": {"$dynamicAnchor": "T"}}});
    let number = json!({"$dynamicAnchor": "T", "type": "integer", "maximum": 99});
    let text = json!({"$dynamicAnchor": "T", "type": "string", "maxLength": 3, "x-steward-pii": true,
        "x-steward-message": {"maxLength": "write three letters"}});
    let schema = json!({
        "$id": "https://example.org/row",
        "properties": {"n": {"$ref": "number"}, "t": {"$ref": "text"}, "any": {"$ref": "filled"}},
        "$defs": {
            "filled": filled,
            "number": {"$id": "number", "$ref": "filled", "$defs": {"T": number}},
            "text": {"$id": "text", "$ref": "filled", "$defs": {"T": text}},
        },
    });
    let names = ["n", "t", "any"];
    assert_eq!(verdict(&schema, &names, &["007", "007", "007"]), []);
    let failed = pairs(&[("n", "maximum"), ("t", "maxLength")]);
    assert_eq!(verdict(&schema, &names, &["100", "0070", "1e9"]), failed);
    assert_eq!(verdict(&schema, &names, &["x", "x", "x"]), pairs(&[("n", "type")]));
    let text = schema.to_string();
    let schema = RowSchema::compile("t", "1", text.as_bytes(), &SchemaLimits::default()).unwrap();
    let pii: Vec<&str> =
        schema.columns().iter().filter(|it| it.pii).map(|it| it.name.as_str()).collect();
    assert_eq!(pii, ["t"]);
}

#[test]
fn unknown_columns_are_judged_where_the_document_speaks_of_them() {
    let schema = json!({"properties": {"a": true}, "additionalProperties": false});
    assert_eq!(verdict(&schema, &["a", "b"], &["1", ""]), []);
    assert_eq!(verdict(&schema, &["a", "b"], &["1", "2"]), pairs(&[("b", "additionalProperties")]));
    let schema = json!({"properties": {"a": true}, "patternProperties": {"^n_": {"type": "string", "maxLength": 1}}});
    assert_eq!(verdict(&schema, &["a", "n_b"], &["1", "23"]), pairs(&[("n_b", "maxLength")]));
}

#[test]
fn a_row_schema_is_an_object_with_columns() {
    for (schema, pointer) in [
        (json!(true), ""),
        (json!({}), "/properties"),
        (json!({"properties": {}}), "/properties"),
        (json!({"type": "array", "properties": {"a": true}}), "/type"),
        (json!({"properties": {" a": true}}), "/properties/ a"),
    ] {
        let text = schema.to_string();
        let error = RowSchema::compile("t", "1", text.as_bytes(), &SchemaLimits::default());
        let error = error.unwrap_err();
        assert_eq!((error.reason, error.pointer.as_str()), (SchemaReason::SchemaInvalid, pointer));
    }
    let limits = SchemaLimits { columns: 1, ..SchemaLimits::default() };
    let two = json!({"properties": {"a": true, "b": true}}).to_string();
    let error = RowSchema::compile("t", "1", two.as_bytes(), &limits).unwrap_err();
    assert_eq!(error.reason, SchemaReason::SchemaTooLarge);
}

#[test]
fn what_the_general_validator_refuses_is_refused_though_the_checks_would_do() {
    let text = json!({"$id": "urn:a^(b", "properties": {"a": {"type": "string"}}}).to_string();
    assert!(RowSchema::compile("t", "1", text.as_bytes(), &SchemaLimits::default()).is_err());
}

#[test]
fn what_has_no_effect_is_warned_of() {
    let text = json!({"properties": {"a": {"format": "emial"}}}).to_string();
    let schema = RowSchema::compile("t", "1", text.as_bytes(), &SchemaLimits::default()).unwrap();
    let warning = "the format emial is unknown and checks nothing (at /properties/a/format)";
    assert_eq!(schema.warnings(), [warning]);
}
