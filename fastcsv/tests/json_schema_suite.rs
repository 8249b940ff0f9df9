//! The official JSON Schema Test Suite, draft 2020-12 with its optional tests, through the general
//! validator, through the judging of payloads and, where they claim every keyword of a schema, through the compiled
//! checks.
//!
//! Where this project means to differ, deviations.json says so: a group or a test, and why. A deviation
//! that has gone is a failure too, and docs/schemas.md must give the reason.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::PathBuf;

use fastcsv::payload::{PayloadLimits, PayloadSchema};
use fastcsv::schema::{SchemaLimits, SchemaReason, ValueSchema};
use serde_json::Value;

fn read(name: &str) -> String {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("..").join(name);
    fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

fn suite() -> Vec<Value> {
    let lines = read("tests/vectors/json-schema-test-suite/draft2020-12.jsonl");
    lines.lines().map(|line| serde_json::from_str(line).expect("a group a line")).collect()
}

/// What differs, as `file: group: test`, or `file: group` where the schema itself is refused.
fn differences(groups: &[Value]) -> (BTreeMap<String, String>, [usize; 3]) {
    let mut found = BTreeMap::new();
    let (mut by_checks, mut by_payload, mut by_tables) = (0, 0, 0);
    for group in groups {
        let text = |value: &Value, name: &str| value[name].as_str().unwrap_or_default().to_owned();
        let title = format!("{}: {}", text(group, "file"), text(group, "description"));
        let document = group["schema"].to_string();
        let schema = match ValueSchema::compile(document.as_bytes(), &SchemaLimits::default()) {
            Ok(schema) => schema,
            Err(error) => {
                found.insert(title, format!("{}: {error}", error.reason.as_str()));
                continue;
            }
        };
        let payload_schema = payload_schema(document.as_bytes());
        for test in group["tests"].as_array().expect("a list of tests") {
            let title = format!("{title}: {}", text(test, "description"));
            let (data, valid) = (&test["data"], test["valid"].as_bool());
            let verdict = schema.is_valid(data);
            if let Some(schema) = &payload_schema {
                assert_eq!(is_valid_payload(schema, data), verdict, "a payload differs: {title}");
                by_payload += 1;
                by_tables += usize::from(schema.is_compiled());
            }
            if let Some(checked) = schema.is_valid_by_checks(data) {
                assert_eq!(checked, verdict, "the two paths differ: {title}");
                by_checks += 1;
            }
            if Some(verdict) != valid {
                found.insert(title, format!("says {verdict}"));
            }
        }
    }
    (found, [by_checks, by_payload, by_tables])
}

/// The schema as one of payloads; nothing where it has a name that is nearly a keyword, which such schemas refuse.
fn payload_schema(document: &[u8]) -> Option<PayloadSchema> {
    match PayloadSchema::compile("suite", "1.0", document, &SchemaLimits::default()) {
        Ok(schema) => Some(schema),
        Err(error) if error.reason == SchemaReason::KeywordUnknown => None,
        Err(error) => panic!("{error}"),
    }
}

/// The verdict on a payload, what PostgreSQL could not store aside.
fn is_valid_payload(schema: &PayloadSchema, data: &Value) -> bool {
    let payload = data.to_string();
    let report = schema.judge(payload.as_bytes(), false, &PayloadLimits::default());
    report.violations.iter().all(|it| ["nul", "surrogate", "number"].contains(&it.keyword))
}

#[test]
fn the_suite_passes_but_for_the_deviations() {
    let groups = suite();
    let (found, [by_checks, by_payload, by_tables]) = differences(&groups);
    let listed: BTreeMap<String, Vec<String>> =
        serde_json::from_str(&read("tests/vectors/json-schema-test-suite/deviations.json"))
            .expect("a table of reasons");
    let listed: BTreeSet<&String> = listed.values().flatten().collect();
    let unlisted: Vec<_> = found.iter().filter(|(title, _)| !listed.contains(title)).collect();
    assert!(unlisted.is_empty(), "{} not listed: {unlisted:#?}", unlisted.len());
    let gone: Vec<_> = listed.iter().filter(|title| !found.contains_key(**title)).collect();
    assert!(gone.is_empty(), "deviations that are none: {gone:#?}");
    let tests: usize =
        groups.iter().map(|group| group["tests"].as_array().map_or(0, Vec::len)).sum();
    assert!(tests > 2000 && by_checks > 500, "{tests} tests, {by_checks} of them by the checks");
    assert!(by_payload > 1800 && by_tables > 600, "{by_payload} payloads, {by_tables} by tables");
}

#[test]
fn every_deviation_has_its_reason_in_the_docs() {
    let listed: BTreeMap<String, Value> =
        serde_json::from_str(&read("tests/vectors/json-schema-test-suite/deviations.json"))
            .expect("a table of reasons");
    let page = read("docs/schemas.md");
    for reason in listed.keys() {
        assert!(page.contains(&format!("`{reason}`")), "docs/schemas.md does not explain {reason}");
    }
}
