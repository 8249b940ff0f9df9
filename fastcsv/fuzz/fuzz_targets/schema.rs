//! Any document compiles or is refused, never panics; and both paths agree on every row under it.
//!
//! The first byte chooses: a document as it stands, with its cells behind NUL bytes, or a schema and rows
//! drawn by the property test's strategies with the input as their seed.

#![no_main]

#[path = "../../tests/drawn/mod.rs"]
mod drawn;

use fastcsv::schema::BoundSchema;
use libfuzzer_sys::fuzz_target;
use proptest::strategy::{Strategy, ValueTree};
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};

fuzz_target!(|data: &[u8]| {
    match data.split_first() {
        Some((first, rest)) if first % 2 == 0 => as_it_stands(rest),
        Some((_, rest)) => rest.first_chunk().into_iter().for_each(as_drawn),
        None => (),
    }
});

fn as_it_stands(data: &[u8]) {
    let mut parts = data.split(|byte| *byte == 0);
    let Some((compiled, general)) = drawn::compile_both(parts.next().unwrap_or_default()) else {
        return;
    };
    let columns = compiled.columns().iter();
    let mut header: Vec<String> = columns.map(|column| column.name.clone()).collect();
    header.push("unknown to it".into());
    let (Ok(compiled), Ok(general)) = (compiled.bind(&header, false), general.bind(&header, false))
    else {
        return;
    };
    let cells: Vec<&str> = parts.filter_map(|cell| std::str::from_utf8(cell).ok()).collect();
    let rows: Vec<Vec<&str>> =
        cells.chunks_exact(header.len()).take(16).map(<[&str]>::to_vec).collect();
    agree(&compiled, &general, &header, &rows);
}

/// The input itself as randomness would not do: where it ends, rejection sampling goes on for ever.
fn as_drawn(seed: &[u8; 32]) {
    let rng = TestRng::from_seed(RngAlgorithm::ChaCha, seed);
    let mut runner = TestRunner::new_with_rng(Config::default(), rng);
    let Ok(drawn) = (drawn::row_schema(), drawn::rows()).new_tree(&mut runner) else {
        return;
    };
    let (document, rows) = drawn.current();
    let (compiled, general) = drawn::compile_both(document.to_string().as_bytes())
        .unwrap_or_else(|| panic!("a drawn schema is refused: {document}"));
    let header = drawn::header();
    let (Ok(compiled), Ok(general)) = (compiled.bind(&header, false), general.bind(&header, false))
    else {
        panic!("a drawn schema knows the header: {document}");
    };
    let rows: Vec<Vec<&str>> =
        rows.iter().map(|row| row.iter().map(String::as_str).collect()).collect();
    agree(&compiled, &general, &header, &rows);
}

fn agree(compiled: &BoundSchema, general: &BoundSchema, header: &[String], rows: &[Vec<&str>]) {
    for row in rows {
        assert_eq!(drawn::verdict(compiled, row), drawn::verdict(general, row), "{row:?}");
    }
    assert_eq!(
        drawn::verdicts_in_a_file(compiled, header, rows),
        drawn::verdicts_in_a_file(general, header, rows),
        "{rows:?}"
    );
}
