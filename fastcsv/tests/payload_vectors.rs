//! The shared vectors of payloads: for every field of every schema a valid value, and each way to be invalid. Python reads
//! them too.
//!
//! A case is a change of its group's base: `set` a JSON Pointer `to` a value, to the `raw` JSON text or to `repeat`ed text;
//! `remove` a pointer; or a whole `document`. `errors` are all violations, as pointer and keyword.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use fastcsv::payload::{PayloadLimits, PayloadSchema};
use fastcsv::schema::SchemaLimits;
use serde_json::Value;

fn folder(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(name)
}

fn read(path: &Path) -> Vec<u8> {
    fs::read(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// The names of the schemas, which are those of the vectors.
fn names() -> Vec<String> {
    let stem = |path: PathBuf| path.file_stem().unwrap().to_str().unwrap().to_owned();
    let list = |name: &str| -> Vec<String> {
        let entries = fs::read_dir(folder(name)).unwrap();
        let mut names: Vec<String> = entries.map(|it| stem(it.unwrap().path())).collect();
        names.sort();
        names
    };
    let schemas = list("schemas/json");
    assert_eq!(schemas, list("tests/vectors/payloads"), "every schema has its vectors");
    assert_eq!(schemas.len(), 9);
    schemas
}

fn schema(name: &str) -> PayloadSchema {
    let document = read(&folder("schemas/json").join(name).join("1.0.json"));
    let schema = PayloadSchema::compile(name, "1.0", &document, &SchemaLimits::default()).unwrap();
    assert!(schema.is_compiled(), "{name} needs the general validator");
    assert!(schema.warnings().is_empty(), "{:?}", schema.warnings());
    schema
}

fn value_of(case: &Value) -> Value {
    if let Some(repeat) = case["repeat"].as_array() {
        let times = usize::try_from(repeat[1].as_u64().unwrap()).unwrap();
        return repeat[0].as_str().unwrap().repeat(times).into();
    }
    case["raw"]
        .as_str()
        .map_or_else(|| case["to"].clone(), |text| serde_json::from_str(text).unwrap())
}

/// The payload of a case.
fn payload_of(base: &Value, case: &Value) -> String {
    if let Some(document) = case["document"].as_str() {
        return document.to_owned();
    }
    let mut payload = base.clone();
    let at = case["set"].as_str().or(case["remove"].as_str()).expect("a case changes something");
    let (parent, name) = at.rsplit_once('/').unwrap();
    let parent = payload.pointer_mut(parent).unwrap().as_object_mut().unwrap();
    if case["remove"].is_string() {
        parent.remove(name).unwrap();
    } else {
        parent.insert(name.to_owned(), value_of(case));
    }
    payload.to_string()
}

fn faults(schema: &PayloadSchema, payload: &str) -> BTreeSet<(String, String)> {
    let report = schema.judge(payload.as_bytes(), false, &PayloadLimits::default());
    let found: BTreeSet<_> =
        report.violations.iter().map(|it| (it.pointer.clone(), it.keyword.to_owned())).collect();
    assert_eq!(found.len() as u64, report.total_violations, "nothing is said twice: {payload}");
    found
}

#[test]
fn every_field_is_judged_as_its_vectors_say() {
    let mut cases = 0;
    for name in names() {
        let schema = schema(&name);
        let vectors = folder("tests/vectors/payloads").join(format!("{name}.json"));
        let groups: Vec<Value> = serde_json::from_slice(&read(&vectors)).unwrap();
        for group in &groups {
            assert_eq!(faults(&schema, &group["base"].to_string()), BTreeSet::new(), "{name}");
            for case in group["cases"].as_array().unwrap() {
                let text = |value: &Value| value.as_str().unwrap().to_owned();
                let errors = case["errors"].as_array().unwrap().iter();
                let wanted = errors.map(|it| (text(&it[0]), text(&it[1]))).collect();
                let found = faults(&schema, &payload_of(&group["base"], case));
                assert_eq!(found, wanted, "{name}: {case}");
                cases += 1;
            }
        }
    }
    assert!(cases > 1000, "{cases} cases");
}

#[test]
fn data_is_judged_by_its_event_type_wherever_that_stands() {
    let schema = schema("buddy_webhook");
    let limits = PayloadLimits::default();
    let (head, data) = (
        r#""event_type":"checkin.submitted","event_id":"e","timestamp":"2025-11-13T10:00:00Z""#,
        r#""data":{"match_id":"x","mood":"good","mood":"bad","new":{"a":1,"a":2}}"#,
    );
    let reports = [format!("{{{head},{data}}}"), format!("{{{data},{head}}}")].map(|payload| {
        let report = schema.judge(payload.as_bytes(), false, &limits);
        let found = report.violations.into_iter().map(|it| (it.pointer, it.keyword));
        let mut found: Vec<_> = found.collect();
        found.sort();
        (found, report.unknown_members)
    });
    assert_eq!(reports[0], reports[1]);
    let wanted = [
        ("/data/match_id", "format"),
        ("/data/mood", "duplicateMember"),
        ("/data/new/a", "duplicateMember"),
    ];
    let wanted: Vec<_> = wanted.iter().map(|(at, keyword)| ((*at).to_owned(), *keyword)).collect();
    assert_eq!(reports[0], (wanted, vec!["/data/new".to_owned()]));
}

#[test]
fn a_member_that_the_schema_does_not_name_is_kept_or_refused_under_strict() {
    let schema = schema("buddy_match");
    let payload = br#"{"participant_id":"2eb8aa08-aa98-11ea-b4aa-73b441d16380",
        "buddy_id":"2eb8aa08-aa98-11ea-b4aa-73b441d16380","extra":"x"}"#;
    let limits = PayloadLimits::default();
    let report = schema.judge(payload, false, &limits);
    assert!(report.is_valid());
    assert_eq!(report.unknown_members, ["/extra"]);
    let report = schema.judge(payload, true, &limits);
    let [violation] = report.violations.as_slice() else { panic!("{report:?}") };
    assert_eq!((violation.pointer.as_str(), violation.keyword), ("/extra", "additionalProperties"));
    assert_eq!(violation.value.as_deref(), Some("\"x\""));
}
