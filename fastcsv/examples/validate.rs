//! Validates a file with the core alone, and says what it cost: for profiling and quick comparisons.
//!
//! `cargo run --release --example validate -- SCHEMA.json FILE.csv [THREADS] [valid]`

use fastcsv::input::Source;
use fastcsv::options::Options;
use fastcsv::schema::{RowSchema, SchemaLimits};
use fastcsv::validator::{BatchNames, Validator};
use std::error::Error;
use std::fs::File;
use std::time::Instant;

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [schema, file, rest @ ..] = arguments.as_slice() else {
        return Err("usage: validate SCHEMA.json FILE.csv [THREADS] [valid]".into());
    };
    let threads = rest.first().map_or(Ok(1), |it| it.parse())?;
    let valid_out = rest.get(1).is_some_and(|it| it == "valid");
    let schema =
        RowSchema::compile("schema", "1", &std::fs::read(schema)?, &SchemaLimits::default())?;
    let folder = std::env::temp_dir().join(format!("fastcsv-{}", std::process::id()));
    let options = Options { threads, valid_out, ..Options::default() };
    let begun = Instant::now();
    let mut validator = Validator::new(&[schema], &folder, BatchNames::default(), options)?;
    let mut file = Source::of_file(File::open(file)?)?;
    validator.feed_from(&mut file, &mut || true)?;
    let progress = validator.progress();
    let judged_s = begun.elapsed().as_secs_f64();
    let report = validator.finish()?;
    std::fs::remove_dir_all(&folder)?;
    #[allow(clippy::cast_precision_loss, reason = "a rate")]
    let rate = progress.total_rows as f64 / judged_s / 1e6;
    println!(
        "{} rows, {} quarantined, {judged_s:.3} s, {rate:.2} M rows/s",
        report.total_rows, report.quarantined_rows
    );
    Ok(())
}
