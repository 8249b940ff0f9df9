//! The shared vectors: cells and the keywords that each fails, a file per rule. Python reads them too.

use std::fs;
use std::path::Path;

use fastcsv::schema::{RowSchema, SchemaLimits};
use serde_json::{Value, json};

/// A cell is text, or `{"repeat": [[text, times], …]}` where it would be too long to write.
fn cell_of(value: &Value) -> String {
    if let Some(text) = value.as_str() {
        return text.to_owned();
    }
    let parts = value["repeat"].as_array().expect("a cell is text or repeated text");
    let part = |part: &Value| {
        let times = usize::try_from(part[1].as_u64().expect("a count")).expect("a small count");
        part[0].as_str().expect("text").repeat(times)
    };
    parts.iter().map(part).collect()
}

/// The keywords that a cell fails in a required column of that schema.
fn verdict(schema: &Value, cell: &str) -> Vec<&'static str> {
    let document = json!({"properties": {"cell": schema}, "required": ["cell"]}).to_string();
    let schema = RowSchema::compile("v", "1", document.as_bytes(), &SchemaLimits::default());
    let bound = schema.expect("a vector's schema compiles").bind(&["cell".into()], true);
    let bound = bound.expect("the header fits");
    let mut violations = Vec::new();
    let valid = bound.check_row(&[cell], &mut violations);
    assert_eq!(valid, violations.is_empty());
    violations.iter().map(|violation| violation.keyword).collect()
}

#[test]
fn every_vector_has_its_verdict() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/vectors/rules");
    let mut cells = 0;
    for entry in fs::read_dir(&folder).expect("the vectors are beside the crate") {
        let path = entry.expect("a readable folder").path();
        let file: Value = serde_json::from_slice(&fs::read(&path).expect("a readable file"))
            .unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        let list = |name: &str| file[name].as_array().expect("a list").clone();
        let valid = list("valid").into_iter().map(|cell| (cell, Vec::new()));
        let invalid = list("invalid").into_iter().map(|case| {
            let keywords = case["keywords"].as_array().expect("a list").clone();
            (case["cell"].clone(), keywords)
        });
        for (cell, keywords) in valid.chain(invalid) {
            let cell = cell_of(&cell);
            let mut found = verdict(&file["schema"], &cell);
            let mut wanted: Vec<&str> = keywords.iter().filter_map(Value::as_str).collect();
            found.sort_unstable();
            wanted.sort_unstable();
            assert_eq!(found, wanted, "{}: {cell:?}", path.display());
            cells += 1;
        }
    }
    assert!(cells > 300, "only {cells} cells were read");
}
