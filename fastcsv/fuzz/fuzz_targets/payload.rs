//! Any payload is judged or refused, never panics; what is taken is JSON to another parser too; and tables and general
//! validator agree on every payload under a drawn schema.
//!
//! The first byte chooses: a payload as it stands, or a schema and payloads drawn by the property test's strategies with
//! the input as their seed.

#![no_main]

#[path = "../../tests/drawn/payloads.rs"]
mod payloads;

use fastcsv::payload::{PayloadLimits, PayloadSchema};
use fastcsv::schema::SchemaLimits;
use libfuzzer_sys::fuzz_target;
use proptest::strategy::{Strategy, ValueTree};
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};
use serde::de::IgnoredAny;
use std::sync::LazyLock;

/// The rules that are stricter than JSON.
const ADDED: [&str; 4] = ["nul", "surrogate", "duplicateMember", "number"];
static SCHEMAS: LazyLock<Vec<PayloadSchema>> = LazyLock::new(|| {
    let documents: [&[u8]; 3] = [
        include_bytes!("../../../schemas/json/buddy_webhook/1.0.json"),
        include_bytes!("../../../schemas/json/ecornell_webhook/1.0.json"),
        br##"{"not": {"const": 1}, "propertyNames": {"maxLength": 5}, "items": {"$ref": "#"}}"##,
    ];
    let compile = |document: &[u8]| {
        PayloadSchema::compile("a", "1.0", document, &SchemaLimits::default()).expect("it compiles")
    };
    documents.map(compile).into()
});

fuzz_target!(|data: &[u8]| {
    match data.split_first() {
        Some((first, rest)) if first % 2 == 0 => as_it_stands(rest),
        Some((_, rest)) => rest.first_chunk().into_iter().for_each(as_drawn),
        None => (),
    }
});

fn as_it_stands(payload: &[u8]) {
    for schema in SCHEMAS.iter() {
        let report = schema.judge(payload, true, &PayloadLimits::default());
        assert_eq!(report.is_valid(), report.violations.is_empty());
    }
    let any =
        PayloadSchema::compile("any", "1.0", b"{}", &SchemaLimits::default()).expect("it compiles");
    let report =
        any.judge(payload, false, &PayloadLimits { max_depth: 100, ..PayloadLimits::default() });
    if report.violations.iter().any(|it| ["depth", "encoding"].contains(&it.keyword)) {
        return;
    }
    // It reads no string and no number, so that it has no bounds and no names of its own.
    let is_json_to_others = serde_json::from_slice::<IgnoredAny>(payload).is_ok();
    let is_json = report.violations.iter().all(|it| ADDED.contains(&it.keyword));
    assert_eq!(is_json, is_json_to_others, "{:?}", payload.escape_ascii().to_string());
}

/// The input itself as randomness would not do: where it ends, rejection sampling goes on for ever.
fn as_drawn(seed: &[u8; 32]) {
    let rng = TestRng::from_seed(RngAlgorithm::ChaCha, seed);
    let mut runner = TestRunner::new_with_rng(Config::default(), rng);
    let Ok(drawn) = (payloads::schema(), payloads::payloads()).new_tree(&mut runner) else {
        return;
    };
    let (document, drawn) = drawn.current();
    let (tables, general) = payloads::compile_both(&document)
        .unwrap_or_else(|error| panic!("a drawn schema is refused: {error} in {document}"));
    for payload in &drawn {
        assert_eq!(
            payloads::verdict(&tables, payload),
            payloads::verdict(&general, payload),
            "{document} of {payload}"
        );
    }
}
