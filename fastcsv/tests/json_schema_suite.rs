//! The official JSON Schema Test Suite, draft 2020-12 with its optional tests, through the general
//! validator and, where they claim every keyword of a schema, through the compiled checks.
//!
//! Where this project means to differ, deviations.json says so: a group or a test, and why. A deviation
//! that has gone is a failure too, and docs/schemas.md must give the reason.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::PathBuf;

use fastcsv::schema::{SchemaLimits, ValueSchema};
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
fn differences(groups: &[Value]) -> (BTreeMap<String, String>, usize) {
    let mut found = BTreeMap::new();
    let mut by_checks = 0;
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
        for test in group["tests"].as_array().expect("a list of tests") {
            let title = format!("{title}: {}", text(test, "description"));
            let (data, valid) = (&test["data"], test["valid"].as_bool());
            let verdict = schema.is_valid(data);
            if let Some(checked) = schema.is_valid_by_checks(data) {
                assert_eq!(checked, verdict, "the two paths differ: {title}");
                by_checks += 1;
            }
            if Some(verdict) != valid {
                found.insert(title, format!("says {verdict}"));
            }
        }
    }
    (found, by_checks)
}

#[test]
fn the_suite_passes_but_for_the_deviations() {
    let groups = suite();
    let (found, by_checks) = differences(&groups);
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
