//! The shared vectors of payloads: one valid payload a schema, changes that leave it valid, and for every field each
//! way to be invalid, with a keyword that fails at that place. Python reads them too.
//!
//! A change puts a value at a pointer: as it stands, `{"repeat": [text, times]}`, or `{"json": "…"}` for a spelling that
//! must be kept. `absent` removes it. `pointer` names another place that fails, perhaps beside others.

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

fn value_of(written: &Value) -> Value {
    if let Some(repeat) = written.get("repeat").and_then(Value::as_array) {
        let times = usize::try_from(repeat[1].as_u64().unwrap()).unwrap();
        return repeat[0].as_str().unwrap().repeat(times).into();
    }
    match written.get("json") {
        Some(text) => serde_json::from_str(text.as_str().unwrap()).unwrap(),
        None => written.clone(),
    }
}

fn changed(payload: &Value, change: &Value) -> Value {
    let mut payload = payload.clone();
    let (parent, name) = change["at"].as_str().unwrap().rsplit_once('/').unwrap();
    let parent = payload.pointer_mut(parent).unwrap().as_object_mut().unwrap();
    if change.get("absent").is_some() {
        parent.remove(name).unwrap();
    } else {
        parent.insert(name.to_owned(), value_of(&change["value"]));
    }
    payload
}

fn faults(schema: &PayloadSchema, payload: &Value) -> Vec<(String, String)> {
    let text = payload.to_string();
    let report = schema.judge(text.as_bytes(), true, &PayloadLimits::default());
    report.violations.into_iter().map(|it| (it.pointer, it.keyword.to_owned())).collect()
}

#[test]
fn every_field_is_judged_as_its_vectors_say() {
    for name in names() {
        let schema = schema(&name);
        let vectors = folder("tests/vectors/payloads").join(format!("{name}.json"));
        let vectors: Value = serde_json::from_slice(&read(&vectors)).unwrap();
        let payload = &vectors["payload"];
        assert_eq!(faults(&schema, payload), [], "{name}");
        for change in vectors["valid"].as_array().unwrap() {
            assert_eq!(faults(&schema, &changed(payload, change)), [], "{name}: {change}");
        }
        for change in vectors["invalid"].as_array().unwrap() {
            let text = |key: &str| change[key].as_str().map(str::to_owned);
            let found = faults(&schema, &changed(payload, change));
            let keyword = text("keyword").unwrap();
            match text("pointer") {
                Some(pointer) => assert!(found.contains(&(pointer, keyword)), "{name}: {change}"),
                None => {
                    let at = text("at").unwrap();
                    assert!(found.iter().all(|(pointer, _)| *pointer == at), "{name}: {change}");
                    assert!(found.contains(&(at, keyword)), "{name}: {change}: {found:?}");
                }
            }
        }
    }
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
