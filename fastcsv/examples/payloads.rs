//! What judging a payload costs: `cargo run --release --example payloads`, on the shared vectors of all nine schemas.
//!
//! Prints the CPU time for each payload, valid and half of them invalid, by the tables and by the general validator.

use fastcsv::payload::{PayloadLimits, PayloadSchema};
use fastcsv::schema::SchemaLimits;
use serde_json::Value;
use std::fs;
use std::hint::black_box;
use std::path::Path;
use std::time::Instant;

/// Longer payloads are tests of lengths.
const PAYLOAD_BYTES_MAX: usize = 800;
const ROUNDS: usize = 15;

struct Sample {
    schema: PayloadSchema,
    general: PayloadSchema,
    valid: Vec<Vec<u8>>,
    invalid: Vec<Vec<u8>>,
}

fn main() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let folders = fs::read_dir(root.join("schemas/json")).expect("the schemas are there");
    let names = folders.map(|it| it.expect("a folder").file_name().into_string().expect("a name"));
    let samples: Vec<Sample> = names.map(|name| sample(&root, &name)).collect();
    for (title, share) in [("valid", 0), ("half invalid", 1)] {
        let [tables, general] = [false, true].map(|general| measure(&samples, share, general));
        println!("{title}: {tables:.0} ns by the tables, {general:.0} ns by the general validator");
    }
}

fn sample(root: &Path, name: &str) -> Sample {
    let read = |path: String| fs::read(root.join(path)).expect("the file is there");
    let document = read(format!("schemas/json/{name}/1.0.json"));
    let groups: Vec<Value> =
        serde_json::from_slice(&read(format!("tests/vectors/payloads/{name}.json"))).expect("JSON");
    let limits = SchemaLimits::default();
    let schema = PayloadSchema::compile(name, "1.0", &document, &limits).expect("it compiles");
    let general =
        PayloadSchema::compile_general(name, "1.0", &document, &limits).expect("it compiles");
    let (mut valid, mut invalid) = (Vec::new(), Vec::new());
    for group in &groups {
        let base = group["base"].to_string().into_bytes();
        for case in group["cases"].as_array().into_iter().flatten() {
            let (Some(at), Some(value)) = (case["set"].as_str(), case.get("to")) else { continue };
            let mut payload = group["base"].clone();
            *payload.pointer_mut(at).expect("a member") = value.clone();
            let payload = payload.to_string().into_bytes();
            if payload.len() <= PAYLOAD_BYTES_MAX && case["errors"] != Value::Array(Vec::new()) {
                invalid.push(payload);
                valid.push(base.clone());
            }
        }
    }
    Sample { schema, general, valid, invalid }
}

/// Nanoseconds for each payload, the least of all rounds. `share` is how many of two are invalid.
fn measure(samples: &[Sample], share: usize, general: bool) -> f64 {
    let limits = PayloadLimits::default();
    let mut best = f64::INFINITY;
    for _ in 0..ROUNDS {
        let (begin, mut count) = (Instant::now(), 0_u32);
        for Sample { schema, general: other, valid, invalid } in samples {
            let schema = if general { other } else { schema };
            for (index, pair) in valid.iter().zip(invalid).enumerate() {
                let payload = if index % 2 < share { pair.1 } else { pair.0 };
                black_box(schema.judge(black_box(payload), false, &limits));
                count += 1;
            }
        }
        best = best.min(begin.elapsed().as_secs_f64() * 1e9 / f64::from(count));
    }
    best
}
