//! Several threads and small blocks write byte for byte what one thread writes that is given all at once.
//!
//! Real files are cut every 256 KiB; here every few bytes, so that the threads take turns all the time.

use std::collections::BTreeMap;
use std::fs;
use std::io::{Cursor, Error as IoError, ErrorKind, Read, Write};
use std::iter;

use fastcsv::error::Error;
use fastcsv::input::Source;
use fastcsv::options::Options;
use fastcsv::schema::{RowSchema, SchemaLimits};
use fastcsv::validator::{BatchNames, Validator};
use proptest::prelude::*;

const DOCUMENT: &[u8] = br#"{
    "type": "object",
    "required": ["a"],
    "properties": {
        "a": {"type": "string", "maxLength": 5},
        "b": {"type": "integer", "minimum": 0},
        "c": {"contentMediaType": "application/json"}
    }
}"#;

type Files = BTreeMap<String, Vec<u8>>;

fn validate(
    threads: usize,
    feed: impl FnOnce(&mut Validator) -> Result<(), Error>,
) -> Result<Files, Error> {
    validate_with(&Options { threads, ..Options::default() }, feed)
}

fn validate_with(
    options: &Options,
    feed: impl FnOnce(&mut Validator) -> Result<(), Error>,
) -> Result<Files, Error> {
    let schema = RowSchema::compile("abc", "1", DOCUMENT, &SchemaLimits::default())?;
    let parent = tempfile::tempdir()?;
    let folder = parent.path().join("out");
    let options = Options { valid_out: true, max_record_bytes: 200, ..options.clone() };
    let mut validator = Validator::new(&[schema], &folder, BatchNames::default(), options)?;
    feed(&mut validator)?;
    validator.finish()?;
    let mut files = Files::new();
    for entry in fs::read_dir(&folder)? {
        let path = entry?.path();
        files.insert(path.file_name().unwrap().to_string_lossy().into_owned(), fs::read(&path)?);
    }
    Ok(files)
}

/// Reads the source to its end, with pauses.
fn read(source: &mut Source) -> impl FnOnce(&mut Validator) -> Result<(), Error> {
    read_with_pauses(source, 9)
}

fn read_with_pauses(
    source: &mut Source,
    every: u64,
) -> impl FnOnce(&mut Validator) -> Result<(), Error> {
    move |validator| {
        let mut asked = 0;
        let mut goes_on = || {
            asked += 1;
            asked % every != 0
        };
        while !validator.feed_from(source, &mut goes_on)? {}
        Ok(())
    }
}

fn cell() -> impl Strategy<Value = String> {
    prop_oneof![
        4 => "[a-z]{0,7}",
        2 => "-?[0-9]{1,3}",
        2 => "\"([a-z,\r\n]|\"\"){0,9}\"",
        1 => Just("\"{\"\"k\"\": [1, 2]}\"".to_owned()),
        1 => Just("\"never closed".to_owned()),
        1 => Just("stray\"".to_owned()),
        1 => "[äöü😀\0]{1,2}",
    ]
}

fn rows() -> impl Strategy<Value = String> {
    let row = prop::collection::vec(cell(), 1..5).prop_map(|cells| cells.join(","));
    let line = (row, prop_oneof!["\n", "\r\n", "\n\n"]).prop_map(|(row, end)| row + &end);
    prop::collection::vec(line, 0..120).prop_map(|lines| lines.concat())
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(120) })]

    #[test]
    fn threads_and_blocks_change_nothing(
        header in prop_oneof!["a,b,c", "a", "(\"sep=,\"|sep=,)\r?\na,b,c"], rows in rows(), threads in 1usize..5, block_bytes in 1usize..80,
    ) {
        let text = format!("{header}\n{rows}");
        let wanted = validate(1, |validator| validator.feed(text.as_bytes())).unwrap();
        let mut file = tempfile::tempfile()?;
        file.write_all(text.as_bytes())?;
        for source in [Source::new(Cursor::new(text.clone())), Source::of_file(file)?] {
            let mut source = source.in_blocks(block_bytes);
            prop_assert_eq!(&validate(threads, read(&mut source)).unwrap(), &wanted, "{}", text);
        }
    }
}

#[test]
fn a_large_piece_is_judged_together() {
    let rows = "abc,1,{}\nabcdef,-1,{\n\"a \"\"b\"\"\",x,\n".repeat(40_000);
    let text = format!("a,b,c\n{rows}");
    let (header, rest) = text.as_bytes().split_at(6);
    let wanted = validate(1, |validator| validator.feed(text.as_bytes())).unwrap();
    for threads in [2, 3] {
        let feed = |validator: &mut Validator| {
            validator.feed(header)?;
            validator.feed(rest)
        };
        assert!(validate(threads, feed).unwrap() == wanted);
    }
}

/// Long enough for what a thread framed to be kept as it is, in the input's own bytes and in others.
#[test]
fn long_frames_are_judged_as_short_ones_are() {
    let whole = "abc,1,{}\nabcdef,-1,{\n\n\"a \"\"b\"\"\",x,\n\"two\r\nlines\",7,\r\n".repeat(200);
    let broken = "stray\"quote,1,{}\n\"never closed,1,\n".repeat(3);
    let endless = format!("{}\n", "x".repeat(100_000));
    let mut text = String::from("a,b,c\n");
    for number in 0..60 {
        text += &whole;
        text += ["", &broken, "nul\0,1,\n", "\n\n", &endless][number % 5];
    }
    let utf16: Vec<u8> = text.encode_utf16().flat_map(u16::to_le_bytes).collect();
    let utf16 = [b"\xff\xfe", utf16.as_slice()].concat();
    for (text, block_bytes) in [(text.into_bytes(), 300_000), (utf16, 500_000)] {
        let wanted = validate(1, |validator| validator.feed(&text)).unwrap();
        for threads in [2, 3] {
            let mut source = Source::new(Cursor::new(text.clone())).in_blocks(block_bytes);
            assert!(validate(threads, read(&mut source)).unwrap() == wanted, "{threads}");
        }
    }
}

/// Rows of which no two are alike, so that they stay long when they are compressed.
fn many_rows(count: u64) -> String {
    let row = |row: u64| {
        let drawn = row.wrapping_mul(0x9e37_79b9_7f4a_7c15);
        let cell = ["", "stray\"", "\"two\nlines\"", "abcdefgh"][(drawn >> 60) as usize % 4];
        format!("{cell},{},\"[{drawn}, \"\"{:x}\"\"]\"\n", drawn >> 50, !drawn)
    };
    iter::once("a,b,c\n".to_owned()).chain((0..count).map(row)).collect()
}

fn gzip(text: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(text).unwrap();
    encoder.finish().unwrap()
}

fn zstd(text: &[u8]) -> Vec<u8> {
    zstd::encode_all(text, 1).unwrap()
}

#[test]
fn compressed_text_is_judged_together_as_what_it_is() {
    let text = many_rows(40_000).into_bytes();
    let mut plain = validate(1, |validator| validator.feed(&text)).unwrap();
    assert!(plain.remove("report.json").is_some(), "it says what came in");
    let (head, tail) = text.split_at(text.len() / 3);
    for packed in [
        gzip(&text),
        zstd(&text),
        [gzip(head), gzip(b""), gzip(tail)].concat(),
        [zstd(head), zstd(b""), zstd(tail)].concat(),
    ] {
        assert!(packed.len() > 3 << 18, "blocks enough for three threads: {}", packed.len());
        let wanted = validate(1, |validator| validator.feed(&packed)).unwrap();
        assert!(plain.iter().all(|(name, text)| wanted.get(name) == Some(text)));
        for threads in [2, 3] {
            assert!(validate(threads, |validator| validator.feed(&packed)).unwrap() == wanted);
        }
        // The second block is much more text than one that is judged: work is stopped in the middle of it.
        for (block_bytes, pause) in [(packed.len() / 2 + 1, 1), (999, 9)] {
            let mut source = Source::new(Cursor::new(packed.clone())).in_blocks(block_bytes);
            assert!(validate(2, read_with_pauses(&mut source, pause)).unwrap() == wanted);
        }
    }
}

#[test]
fn compressed_utf16_is_judged_together() {
    let utf16 = many_rows(10_000).encode_utf16().flat_map(u16::to_be_bytes).collect::<Vec<u8>>();
    let packed = gzip(&[b"\xfe\xff", utf16.as_slice()].concat());
    let wanted = validate(1, |validator| validator.feed(&packed)).unwrap();
    let mut source = Source::new(Cursor::new(packed)).in_blocks(20_001);
    assert!(validate(2, read(&mut source)).unwrap() == wanted);
}

#[test]
fn damage_to_what_is_compressed_and_too_much_of_it_end_the_work_of_all() {
    let text = many_rows(10_000).into_bytes();
    let bound = Options { max_decompressed_bytes: text.len() as u64 * 2, ..Options::default() };
    let not_gzip: &[u8] = b"\x1f\x8b\x07 is a method that there is not";
    for (whole, garbage) in [(gzip(&text), not_gzip), (zstd(&text), b"no frame begins so")] {
        let damaged = [&whole, garbage, &whole, &whole].concat();
        let too_much = [whole.as_slice(); 3].concat();
        for (packed, reason) in
            [(damaged, "COMPRESSION_INVALID"), (too_much, "DECOMPRESSED_TOO_LARGE")]
        {
            for threads in 1..4 {
                let mut source = Source::new(Cursor::new(packed.clone())).in_blocks(40_000);
                let feed = |validator: &mut Validator| {
                    let error = read(&mut source)(validator).expect_err("not only at the end");
                    assert_eq!(error.reason(), reason);
                    Err(error)
                };
                let options = Options { threads, ..bound.clone() };
                assert_eq!(validate_with(&options, feed).unwrap_err().reason(), reason);
            }
        }
        let cut = &whole[..whole.len() - 1];
        for threads in 1..3 {
            let error = validate(threads, |validator| validator.feed(cut)).unwrap_err();
            assert_eq!(error.reason(), "COMPRESSION_INVALID");
        }
    }
}

/// The frame is written by hand (RFC 8878, 3.1.1): zstd itself chooses no window larger than the content.
#[test]
fn a_window_that_is_too_large_is_refused_wherever_the_input_is_cut() {
    let content = b"a,b,c\n".repeat(50);
    for (window_log, fits) in [(10, true), (23, true), (24, false), (27, false)] {
        let size = u16::try_from(content.len() - 256).unwrap().to_le_bytes();
        let block = u32::try_from(content.len() << 3 | 1).unwrap().to_le_bytes();
        let head = [0x28, 0xb5, 0x2f, 0xfd, 0x40, (window_log - 10) << 3];
        let frame = [&head, size.as_slice(), &block[..3], &content].concat();
        for cut in 0..frame.len() {
            let (left, right) = frame.split_at(cut);
            let feed = |validator: &mut Validator| {
                validator.feed(left)?;
                validator.feed(right)?;
                validator.feed(b"")
            };
            let done = validate(1, feed).map_err(|error| error.reason());
            let wanted = if fits { Ok(()) } else { Err("COMPRESSION_INVALID") };
            assert_eq!(done.map(|_| ()), wanted, "2^{window_log} at {cut}");
        }
    }
}

/// Which of two things is told does not depend on who comes first: the output is too much long before the damage, of
/// which another thread knows by then.
#[test]
fn of_two_faults_the_first_in_the_input_is_told() {
    let text = many_rows(20_000).into_bytes();
    let parts: Vec<u8> = text.chunks(4000).flat_map(gzip).collect();
    let damaged = [&parts, b"\x1f\x8b\x07 no method".as_slice()].concat();
    for (max_output_bytes, wanted) in
        [(1 << 20, "OUTPUT_TOO_LARGE"), (1 << 40, "COMPRESSION_INVALID")]
    {
        for threads in [1, 2, 3, 8, 2, 3, 8] {
            let options = Options { threads, max_output_bytes, ..Options::default() };
            let mut source = Source::new(Cursor::new(damaged.clone())).in_blocks(50_000);
            let error = validate_with(&options, read(&mut source)).unwrap_err();
            assert_eq!(error.reason(), wanted, "{threads}");
        }
    }
}

/// Little of it may be much text: somebody who wants to stop is asked on the way, and what is left comes later, in
/// whatever way the work goes on.
#[test]
fn who_wants_to_stop_is_asked_on_the_way_through_a_compressed_block() {
    let text = ["a,b,c\n", &"\n".repeat(5 << 20), "abcdefgh,,\n"].concat();
    for pack in [gzip, zstd] {
        // The header's block is read by one thread, the second by all.
        let head = pack(many_rows(2000).as_bytes());
        let block_bytes = head.len();
        let packed = [head, pack(text.as_bytes())].concat();
        let wanted = validate(1, |validator| validator.feed(&packed)).unwrap();
        for threads in [1, 2] {
            for stops in [4, usize::MAX] {
                let mut asked = 0;
                let mut first = Source::new(Cursor::new(packed.clone())).in_blocks(block_bytes);
                let mut source = Source::new(Cursor::new(packed[block_bytes..].to_vec()));
                let feed = |validator: &mut Validator| {
                    while validator.schema_index().is_none() {
                        assert!(!validator.feed_from(&mut first, &mut || false)?);
                    }
                    let mut goes_on = || {
                        asked += 1;
                        false
                    };
                    for _ in 0..stops {
                        if validator.feed_from(&mut source, &mut goes_on)? {
                            break;
                        }
                    }
                    Ok(())
                };
                assert!(validate(threads, feed).unwrap() == wanted);
                assert!(asked > 15 || stops == 4, "{asked}");
            }
        }
    }
}

/// As pzstd does it.
#[test]
fn zstd_may_begin_with_a_frame_to_be_skipped() {
    let skipped = b"\x50\x2a\x4d\x18\x04\0\0\0size";
    let packed = [skipped.as_slice(), &zstd(b"a,b,c\nx,1,\n")].concat();
    for cut in 0..packed.len() {
        let (left, right) = packed.split_at(cut);
        let feed = |it: &mut Validator| it.feed(left).and_then(|()| it.feed(right));
        let files = validate(1, feed).unwrap();
        assert_eq!(files["valid.csv"], b"a,b,c\nx,1,\n");
    }
}

#[test]
fn a_bound_on_lines_may_be_as_large_as_it_likes() {
    let options = Options { max_record_lines: usize::MAX, ..Options::default() };
    let text = b"a,b,c\n\"1\n2\",1,\n\"1\n2\",1,\n";
    let files = validate_with(&options, |validator| validator.feed(text)).unwrap();
    assert_eq!(files["valid.csv"], text);
}

/// What comes before the damage counts, wherever the input is cut: a header that is wrong is said to be wrong, if it is
/// complete by then.
#[test]
fn a_wrong_header_and_damage_behind_it_are_told_alike_wherever_the_input_is_cut() {
    let text = format!("wrong,header\n{}", many_rows(2));
    let two_blocks = {
        let mut encoder = zstd::Encoder::new(Vec::new(), 1).unwrap();
        for part in text.as_bytes().chunks(text.len() / 2 + 1) {
            encoder.write_all(part).unwrap();
            encoder.flush().unwrap();
        }
        encoder.finish().unwrap()
    };
    let rest = b"more of it\n";
    let bound = Options { max_decompressed_bytes: 20, ..Options::default() };
    for packed in [
        [gzip(text.as_bytes()), gzip(rest)].concat(),
        [zstd(text.as_bytes()), zstd(rest)].concat(),
        two_blocks,
    ] {
        let mut reasons = BTreeMap::new();
        let mut told_alike = |packed: &[u8], options: &Options| {
            let reason = |cut| {
                let (left, right): (&[u8], &[u8]) = packed.split_at(cut);
                let feed = |it: &mut Validator| it.feed(left).and_then(|()| it.feed(right));
                validate_with(options, feed).unwrap_err().reason()
            };
            let wanted = reason(0);
            for cut in (1..packed.len()).step_by(7) {
                assert_eq!(reason(cut), wanted, "{packed:?} at {cut}");
            }
            *reasons.entry(wanted).or_insert(0) += 1;
        };
        told_alike(&packed, &bound);
        for place in (4..packed.len()).step_by(5) {
            let mut damaged = packed.clone();
            damaged[place] ^= 0x55;
            told_alike(&damaged, &Options::default());
            told_alike(&packed[..place], &Options::default());
        }
        assert!(reasons.len() > 1, "{reasons:?}");
    }
}

/// Rows, and then a disk that fails.
struct Broken(usize);

impl Read for Broken {
    fn read(&mut self, buffer: &mut [u8]) -> Result<usize, IoError> {
        let left = self.0.checked_sub(1).ok_or(IoError::from(ErrorKind::UnexpectedEof))?;
        self.0 = left;
        buffer[..2].copy_from_slice(b"a\n");
        Ok(2)
    }
}

/// A terminal after its first end of input, or a pipe with a second writer.
struct Resumed(Vec<&'static [u8]>);

impl Read for Resumed {
    fn read(&mut self, buffer: &mut [u8]) -> Result<usize, IoError> {
        if self.0.is_empty() {
            return Ok(0);
        }
        let first = self.0.remove(0);
        let (now, later) = first.split_at(first.len().min(buffer.len()));
        buffer[..now.len()].copy_from_slice(now);
        if !later.is_empty() {
            self.0.insert(0, later);
        }
        Ok(now.len())
    }
}

#[test]
fn what_comes_after_the_end_of_a_stream_is_not_read_and_nobody_waits_for_it() {
    let text: &[u8] = b"a,b,c\nx,1,{}\nabcdefgh,1,{}\ny,1,";
    let wanted = validate(1, |validator| validator.feed(text)).unwrap();
    for threads in 1..4 {
        for block_bytes in [1, 4, 7, 64] {
            let pieces = vec![text, b"", b"after,the,end\n", b"", b"more"];
            let mut source = Source::new(Resumed(pieces)).in_blocks(block_bytes);
            assert_eq!(validate(threads, read(&mut source)).unwrap(), wanted);
        }
    }
}

#[test]
fn an_error_of_the_source_ends_the_work_of_all() {
    for threads in 1..4 {
        let mut source = Source::new(Broken(5000)).in_blocks(64);
        let error = validate(threads, read(&mut source)).unwrap_err();
        assert!(matches!(error, Error::Io(error) if error.kind() == ErrorKind::UnexpectedEof));
    }
}

/// What little input may become is bounded by how much came in: decompressed, and written.
#[test]
fn what_expands_beyond_its_bound_is_stopped_whatever_the_compression_and_the_threads() {
    let good = [b"a,b,c\n".as_slice(), &b"x,1,\n".repeat(40_000)].concat();
    let bad = [b"a,b,c\n".as_slice(), &b"1\n".repeat(10_000)].concat();
    let (good_gzip, good_zstd) = (gzip(&good), zstd(&good));
    let bad_gzip = gzip(&bad);
    for (input, times, wanted) in [
        (&good, 4, None),
        (&good_gzip, 100_000, None),
        (&good_gzip, 20, Some("decompresses to more than 20 times")),
        (&good_zstd, 20, Some("decompresses to more than 20 times")),
        (&bad, 1000, None),
        (&bad, 20, Some("come to more than 20 times")),
        (&bad_gzip, 1000, Some("come to more than 1000 times")),
    ] {
        for threads in [1, 3] {
            let free_bytes = 1 << 16;
            let options = Options {
                threads,
                max_expansion: times,
                expansion_free_bytes: free_bytes,
                ..Options::default()
            };
            let whole = validate_with(&options, |it| it.feed(input));
            let mut source = Source::new(Cursor::new(input.clone())).in_blocks(1000);
            let parts = validate_with(&options, read(&mut source));
            for done in [whole, parts] {
                match (done, wanted) {
                    (Ok(_), None) => {}
                    (Err(error), Some(wanted)) => {
                        assert_eq!(error.reason(), "EXPANSION_TOO_LARGE");
                        assert!(error.to_string().contains(wanted), "{error}");
                    }
                    (done, _) => panic!("{:?} with {times} on {threads}", done.err()),
                }
            }
            let free = Options { expansion_free_bytes: 1 << 40, ..options };
            validate_with(&free, |it| it.feed(input)).unwrap();
        }
    }
}
