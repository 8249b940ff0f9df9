//! The tables and the `jsonschema` crate give the same verdict on every schema and payload that is drawn.
//!
//! Deterministic; `AGREEMENT_CASES` asks for more than the usual number.

#[path = "drawn/payloads.rs"]
mod payloads;

use std::cell::Cell;
use std::env;

use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};

#[test]
fn the_tables_agree_with_the_general_validator() {
    let cases = env::var("AGREEMENT_CASES").map_or(500, |cases| cases.parse().expect("a number"));
    let config = Config { cases, failure_persistence: None, ..Config::default() };
    let rng = TestRng::deterministic_rng(RngAlgorithm::ChaCha);
    let (compiled, valid, invalid) = (Cell::new(0u32), Cell::new(0u32), Cell::new(0u32));
    TestRunner::new_with_rng(config, rng)
        .run(&(payloads::schema(), payloads::payloads()), |(document, payloads)| {
            let (tables, general) =
                payloads::compile_both(&document).expect("a drawn schema compiles");
            compiled.set(compiled.get() + u32::from(tables.is_compiled()));
            for payload in &payloads {
                let found = payloads::verdict(&tables, payload);
                let count = if found.is_empty() { &valid } else { &invalid };
                count.set(count.get() + 1);
                assert_eq!(found, payloads::verdict(&general, payload), "{document} of {payload}");
            }
            Ok(())
        })
        .unwrap_or_else(|error| panic!("{error}"));
    let (compiled, valid, invalid) = (compiled.get(), valid.get(), invalid.get());
    assert!(
        compiled > cases / 2 && valid > cases / 4 && invalid > cases,
        "{compiled} compiled, {valid} valid payloads, {invalid} invalid"
    );
}
