//! The compiled checks and the general validator give the same verdict on every input that is drawn.
//!
//! Deterministic; `AGREEMENT_CASES` asks for more than the usual number.

mod drawn;

use std::cell::Cell;
use std::path::Path;
use std::{env, fs};

use fastcsv::rules::FORMATS;
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

/// A format that was added in part only would look well tested.
#[test]
fn every_format_has_vectors_cells_that_are_drawn_and_a_line_on_the_page() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let page = fs::read_to_string(root.join("docs/schemas.md")).expect("the page of schemas");
    let section = page.split("### Formats\n").nth(1).expect("a section of formats");
    let section = section.split("\n### ").next().unwrap_or_default();
    let (table, by_the_crate) = section.split_once("\n\n`").expect("a table, then text");
    for format in FORMATS {
        let name = format.name;
        let quoted = format!("`{name}`");
        let vectors = root.join(format!("tests/vectors/rules/{name}.json"));
        assert!(vectors.is_file(), "{} is not there", vectors.display());
        assert!(drawn::FORMATS.contains(&name), "no drawn schema has {name}");
        assert!(drawn::TEXTS.iter().any(|text| (format.check)(text)), "no drawn cell is {name}");
        assert!(table.contains(&quoted), "docs/schemas.md says nothing of {name}");
        assert!(!by_the_crate.contains(&quoted), "docs/schemas.md has {name} among the crate's");
    }
}
