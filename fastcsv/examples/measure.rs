//! Measures the stages of validation one by one, in memory: what the tokeniser's DESIGN.md quotes.
//!
//! `cargo run --release --example measure -- SCHEMA.json FILE.csv`, best of nine, pinned to one core.

use fastcsv::check::{Checker, Outcome, RowRules};
use fastcsv::checksum::Crc32c;
use fastcsv::frame::{Bounds, Frame, Framer, Sink};
use fastcsv::output::record_text::BatchContext;
use fastcsv::output::records::RecordWriter;
use fastcsv::schema::{RowSchema, SchemaLimits};
use fastcsv::tokenise::{Instructions, Tokeniser};
use std::convert::Infallible;
use std::error::Error;
use std::hint::black_box;
use std::sync::Arc;
use std::time::Instant;

const WINDOW: usize = 128 << 10;
const BOUNDS: Bounds = Bounds { record_bytes: 1 << 20, record_lines: 10_000 };

struct Ignore;

impl Sink for Ignore {
    type Error = Infallible;

    fn take(&mut self, frame: Frame<'_>) -> Result<(), Infallible> {
        black_box(frame.records.len());
        Ok(())
    }
}

struct Judge(Checker, Outcome);

impl Sink for Judge {
    type Error = Infallible;

    fn take(&mut self, frame: Frame<'_>) -> Result<(), Infallible> {
        let Ok(()) = self.0.check::<Infallible>(&frame, &mut self.1, usize::MAX, |_| Ok(()));
        self.1.clear();
        Ok(())
    }
}

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [schema, file] = arguments.as_slice() else {
        return Err("usage: measure SCHEMA.json FILE.csv".into());
    };
    let schema =
        RowSchema::compile("schema", "1", &std::fs::read(schema)?, &SchemaLimits::default())?;
    let text = std::fs::read(file)?;
    let rows_at = text.iter().position(|&byte| byte == b'\n').ok_or("no header")? + 1;
    let header: Vec<String> =
        std::str::from_utf8(&text[..rows_at - 1])?.split(',').map(str::to_owned).collect();
    let rows = &text[rows_at..];

    for (name, instructions) in Instructions::all() {
        measure(&format!("scan, {name}"), rows.len(), || {
            let mut tokeniser = Tokeniser::new(b',', instructions);
            for window in rows.chunks(WINDOW) {
                black_box(tokeniser.scan(window, 0));
                tokeniser.marks.clear();
            }
        });
    }
    measure("frame", rows.len(), || frame(rows, &mut Ignore));
    measure("UTF-8", rows.len(), || {
        black_box(rows.chunks(WINDOW).filter(|it| simdutf8::basic::from_utf8(it).is_ok()).count());
    });
    measure("crc32c", rows.len(), || {
        let mut sum = Crc32c::default();
        rows.chunks(WINDOW).for_each(|window| sum.add(window));
        black_box(sum.value());
    });
    let rules = Arc::new(rules(&schema, &header)?);
    measure("frame and judge", rows.len(), || {
        frame(rows, &mut Judge(Checker::new(Arc::clone(&rules)), Outcome::default()));
    });
    Ok(())
}

fn frame(rows: &[u8], sink: &mut impl Sink<Error = Infallible>) {
    let mut framer = Framer::new(b',', BOUNDS, 0, 1);
    let Ok(()) = framer.feed(rows, sink).and_then(|()| framer.finish(sink));
}

fn rules(schema: &RowSchema, header: &[String]) -> Result<RowRules, Box<dyn Error>> {
    let batch = BatchContext {
        schema: "schema",
        schema_version: "1",
        source_file: "file.csv",
        quarantined_at: "2025-11-13T10:00:00Z",
    };
    let schema = schema.bind(header, false)?;
    Ok(RowRules {
        writer: RecordWriter::new(&batch, header, 100, &schema),
        schema,
        columns: header.len(),
        delimiter: b',',
        accept_recovered: false,
        valid_out: false,
        max_fields: 4096,
        max_field_bytes: 256 << 10,
        max_record_bytes: BOUNDS.record_bytes,
        max_record_lines: BOUNDS.record_lines,
    })
}

fn measure(what: &str, size_bytes: usize, mut work: impl FnMut()) {
    let best_s = (0..9)
        .map(|_| {
            let begun = Instant::now();
            work();
            begun.elapsed().as_secs_f64()
        })
        .fold(f64::INFINITY, f64::min);
    #[allow(clippy::cast_precision_loss, reason = "a rate")]
    let rate = size_bytes as f64 / best_s / 1e9;
    println!("{what:18} {rate:6.2} GB/s  {:6.1} ms", best_s * 1e3);
}
