//! The compiled checks and the general validator give the same verdict on every input that is drawn.
//!
//! Deterministic; `AGREEMENT_CASES` asks for more than the usual number.

mod drawn;

use std::cell::Cell;
use std::env;

use proptest::prelude::*;
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};

#[test]
fn the_checks_agree_with_the_general_validator() {
    let cases = env::var("AGREEMENT_CASES").map_or(1500, |cases| cases.parse().expect("a number"));
    let config = Config { cases, failure_persistence: None, ..Config::default() };
    let rng = TestRng::deterministic_rng(RngAlgorithm::ChaCha);
    let header = drawn::header();
    let (valid, invalid) = (Cell::new(0u32), Cell::new(0u32));
    TestRunner::new_with_rng(config, rng)
        .run(&(drawn::row_schema(), drawn::rows()), |(document, rows)| {
            let text = document.to_string();
            let (compiled, general) = drawn::compile_both(text.as_bytes()).expect(&text);
            let compiled = compiled.bind(&header, false).unwrap();
            let general = general.bind(&header, false).unwrap();
            let lines: Vec<Vec<&str>> =
                rows.iter().map(|row| row.iter().map(String::as_str).collect()).collect();
            prop_assert_eq!(
                drawn::verdicts_in_a_file(&compiled, &header, &lines),
                drawn::verdicts_in_a_file(&general, &header, &lines),
                "{:?}",
                lines
            );
            for row in &rows {
                let cells: Vec<&str> = row.iter().map(String::as_str).collect();
                let found = drawn::verdict(&compiled, &cells);
                let count = if found.is_empty() { &valid } else { &invalid };
                count.set(count.get() + 1);
                prop_assert_eq!(found, drawn::verdict(&general, &cells), "{:?}", cells);
            }
            Ok(())
        })
        .unwrap_or_else(|error| panic!("{error}"));
    let (valid, invalid) = (valid.get(), invalid.get());
    assert!(valid > cases / 4 && invalid > cases, "{valid} valid rows, {invalid} invalid");
}
