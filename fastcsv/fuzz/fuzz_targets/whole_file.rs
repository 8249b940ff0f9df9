//! A whole batch from bytes to files: no input panics, every row is accounted for, every line of
//! records.jsonl is JSON, and neither cuts nor threads change a byte of what is written, compressed input or not.

#![no_main]

use fastcsv::error::Error;
use fastcsv::input::Source;
use fastcsv::options::Options;
use fastcsv::output::report::Report;
use fastcsv::schema::{RowSchema, SchemaLimits};
use fastcsv::validator::{BatchNames, Validator};
use flate2::Compression;
use flate2::write::GzEncoder;
use libfuzzer_sys::fuzz_target;
use std::collections::BTreeMap;
use std::io::{Cursor, Write};
use std::path::PathBuf;
use std::sync::LazyLock;

const DOCUMENT: &[u8] = br#"{
    "type": "object",
    "required": ["a"],
    "properties": {
        "a": {"type": "string", "maxLength": 5},
        "b": {"type": "integer"},
        "c": {"contentMediaType": "application/json"}
    }
}"#;

static SCHEMA: LazyLock<RowSchema> = LazyLock::new(|| {
    RowSchema::compile("abc", "1", DOCUMENT, &SchemaLimits::default()).expect("is a schema")
});

static FOLDER: LazyLock<PathBuf> = LazyLock::new(|| {
    let memory = PathBuf::from("/dev/shm");
    let parent = if memory.is_dir() { memory } else { std::env::temp_dir() };
    parent.join(format!("fastcsv-fuzz-{}", std::process::id()))
});

type Written = (Report, BTreeMap<String, Vec<u8>>);

fuzz_target!(|data: &[u8]| {
    let Some((&[choices, cut], body)) = data.split_first_chunk::<2>() else {
        return;
    };
    // Half of the inputs are given a header, or few would get past it.
    let header: &[u8] = match (choices & 1, cut % 4) {
        (0, 0) => b"sep=;\na;b;c\n",
        (0, 1) => b"\"sep=,\"\r\na,b,c\n",
        (0, _) => b"a,b,c\n",
        _ => b"",
    };
    let text = [header, body].concat();
    let input = if choices & 128 == 0 { text } else { compress(&text, text.len() % 2 == 0) };
    let options = Options {
        strict: choices & 2 != 0,
        accept_recovered: choices & 4 != 0,
        valid_out: choices & 8 != 0,
        max_record_bytes: if choices & 16 != 0 { 50 } else { 1 << 20 },
        max_field_bytes: if choices & 32 != 0 { 10 } else { 1 << 18 },
        max_decompressed_bytes: 1 << 20,
        // What has come in when it is asked depends on the cuts; the tests of the engine hold it to its bound.
        expansion_free_bytes: u64::MAX,
        ..Options::default()
    };
    let feed_all = |validator: &mut Validator| validator.feed(&input);
    let whole = validate(options.clone(), feed_all);
    let parts = if choices & 64 == 0 {
        let (left, right) = input.split_at(usize::from(cut) * input.len() / 255);
        let feed = |validator: &mut Validator| {
            validator.feed(left)?;
            validator.feed(right)
        };
        validate(options, feed)
    } else {
        let mut source = Source::new(Cursor::new(input.clone())).in_blocks(usize::from(cut));
        let feed = |validator: &mut Validator| {
            let mut asked = 0;
            let mut goes_on = || {
                asked += 1;
                asked % 9 != 0
            };
            while !validator.feed_from(&mut source, &mut goes_on)? {}
            Ok(())
        };
        validate(Options { threads: 2, ..options }, feed)
    };
    match (whole, parts) {
        (Ok(whole), Ok(parts)) => {
            check(&whole);
            assert_eq!(whole, parts);
        }
        (Err(whole), Err(parts)) => assert_eq!(whole.reason(), parts.reason()),
        _ => panic!("where the input is cut decides whether it is refused"),
    }
});

/// Little by little, so that threads have something to share.
fn compress(text: &[u8], gzip: bool) -> Vec<u8> {
    let pack = |piece: &[u8]| {
        if !gzip {
            return zstd::encode_all(piece, 1).expect("fits into memory");
        }
        let mut encoder = GzEncoder::new(Vec::new(), Compression::none());
        encoder.write_all(piece).expect("fits into memory");
        encoder.finish().expect("fits into memory")
    };
    let pieces = text.chunks(97).map(pack);
    pieces.flatten().collect()
}

fn validate(
    options: Options,
    feed: impl FnOnce(&mut Validator) -> Result<(), Error>,
) -> Result<Written, Error> {
    let names = BatchNames::default();
    let mut validator = Validator::new(&[SCHEMA.clone()], &FOLDER, names, options)?;
    let finished = feed(&mut validator).and_then(|()| validator.finish());
    if finished.is_err() {
        validator.abort()?;
    }
    let report = finished?;
    let mut files = BTreeMap::new();
    for entry in std::fs::read_dir(&*FOLDER)? {
        let path = entry?.path();
        files.insert(path.display().to_string(), std::fs::read(&path)?);
    }
    std::fs::remove_dir_all(&*FOLDER)?;
    Ok((report, files))
}

fn check((report, files): &Written) {
    assert_eq!(report.total_rows, report.valid_rows + report.quarantined_rows);
    let (_, records) = files.iter().find(|(path, _)| path.ends_with(".jsonl")).expect("is there");
    let lines: Vec<&[u8]> = records.split_inclusive(|&byte| byte == b'\n').collect();
    assert_eq!(lines.len() as u64, report.quarantined_rows);
    for line in lines {
        let record: serde_json::Value = serde_json::from_slice(line).expect("is JSON");
        assert!(record["errors"].as_array().is_some_and(|errors| !errors.is_empty()));
    }
}
