//! One batch from its first byte to its report: input, header, rows, files.
//!
//! Bytes are fed in chunks of any size; where they are cut changes nothing. After an error nothing goes
//! on: the validator is spent, and `abort` takes back what it wrote.

mod start;
mod writing;

use self::start::InputStart;
use self::writing::{FrameWriter, OutputBound, WRITE_BYTES, write, write_if_much};
use crate::check::{Checker, Outcome, RowRules};
use crate::checksum::Received;
use crate::error::{Error, InputError};
use crate::frame::{Bounds, Framer};
use crate::header::{Header, HeaderReader, HeaderRecord};
use crate::input::{
    BLOCK_BYTES, BlockBuffer, Compression, Decoder, Decompressor, MAGIC_BYTES, Packed, Source,
    TakenBlock, Unpacking,
};
use crate::locking::lock;
use crate::options::Options;
use crate::output::folder::Folder;
use crate::output::records::{RecordContext, RecordWriter};
use crate::output::report::Report;
use crate::parallel::{self, FramedBlock, WorkerState};
use crate::schema::{Difference, RowSchema, SchemaLimits};
use crate::tally::Tally;
use std::io::{self, ErrorKind};
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

/// The names that a batch's records carry.
#[derive(Debug, Clone, Default)]
pub struct BatchNames {
    pub batch: String,
    pub source_file: String,
    /// RFC 3339; also when the report was made.
    pub quarantined_at: String,
}

/// How far a batch has come.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Progress {
    /// Of the input as it came.
    pub size_bytes: u64,
    pub crc32c: u32,
    pub total_rows: u64,
    pub valid_rows: u64,
    pub quarantined_rows: u64,
}

/// Validates one batch.
pub struct Validator {
    decompressor: Decompressor,
    decoder: Decoder,
    text: TextValidator,
    received: Received,
    /// What was read of a file, and buffer for text of it if it is compressed, where one thread judges.
    packed: Packed,
    buffer: BlockBuffer,
    spent: bool,
}

/// Validates decoded text: the header first, then the rows.
struct TextValidator {
    schemas: Vec<RowSchema>,
    options: Options,
    names: BatchNames,
    folder: Folder,
    bound: OutputBound,
    start: InputStart,
    header_reader: HeaderReader,
    rows: Option<RowState>,
}

/// The state of reading rows. It exists once the header has been read.
struct RowState {
    header: Header,
    framer: Framer,
    /// One for each thread, the caller's first.
    workers: Vec<WorkerState>,
    /// The outcome that is not written yet.
    outcome: Outcome,
    /// The counts of all rows judged and written so far.
    tally: Tally,
}

impl Validator {
    /// Makes the output files. `schemas` are the candidates; the header picks one.
    pub fn new(
        schemas: &[RowSchema],
        folder: &Path,
        names: BatchNames,
        options: Options,
    ) -> Result<Self, Error> {
        let limits = SchemaLimits { json_depth: options.max_json_depth, ..SchemaLimits::default() };
        let schemas = if limits == SchemaLimits::default() {
            schemas.to_vec()
        } else {
            schemas.iter().map(|schema| again(schema, &limits)).collect::<Result<_, _>>()?
        };
        let received = Received::default();
        Ok(Self {
            decompressor: Decompressor::new(options.max_decompressed_bytes, options.expansion()),
            decoder: Decoder::default(),
            text: TextValidator {
                schemas,
                folder: Folder::create(folder, options.valid_out)?,
                bound: OutputBound::new(&options, &received.shared_size),
                start: InputStart::default(),
                header_reader: HeaderReader::new(options.max_header_bytes),
                rows: None,
                options,
                names,
            },
            received,
            packed: Packed::default(),
            buffer: BlockBuffer::default(),
            spent: false,
        })
    }

    /// Which of the candidates the header fits; `None` until the header has been read.
    #[must_use]
    pub fn schema_index(&self) -> Option<usize> {
        self.text.rows.as_ref().map(|rows| rows.header.schema_index)
    }

    /// How the header differs from its schema; `None` until the header has been read.
    #[must_use]
    pub fn difference(&self) -> Option<&Difference> {
        self.text.rows.as_ref().map(|rows| &rows.header.difference)
    }

    #[must_use]
    pub fn progress(&self) -> Progress {
        let tally = self.text.rows.as_ref().map(|rows| &rows.tally);
        Progress {
            size_bytes: self.received.size_bytes,
            crc32c: self.received.crc32c.value(),
            total_rows: tally.map_or(0, |tally| tally.total_rows),
            valid_rows: tally.map_or(0, |tally| tally.valid_rows),
            quarantined_rows: tally.map_or(0, |tally| tally.quarantined_rows),
        }
    }

    /// Takes the next bytes of the input.
    pub fn feed(&mut self, data: &[u8]) -> Result<(), Error> {
        self.feed_all(&[data], usize::MAX)
    }

    /// Takes the next bytes of the input, in several pieces, on at most `threads` threads.
    pub fn feed_all(&mut self, pieces: &[&[u8]], threads: usize) -> Result<(), Error> {
        self.catch_up()?;
        // Block by block, so that what was summed up is still in the cache when it is scanned.
        let blocks: Vec<&[u8]> = pieces.iter().flat_map(|it| it.chunks(BLOCK_BYTES)).collect();
        let mut left_bytes: usize = pieces.iter().map(|it| it.len()).sum();
        for (number, block) in blocks.iter().enumerate() {
            let rest = &blocks[number..];
            let threads = threads.min(rest.len());
            if threads > 1 && left_bytes > BLOCK_BYTES && self.text.has_helpers() {
                let next = AtomicUsize::new(0);
                let take = |_: &mut BlockBuffer| {
                    let number = next.fetch_add(1, Ordering::Relaxed);
                    let taken = |&text| TakenBlock::new(number as u64, Some(text));
                    Ok(rest.get(number).map(taken))
                };
                return self.feed_together(threads, take, &AtomicBool::new(false), &mut || ());
            }
            self.unless_spent(|it| it.feed_piece(block))?;
            left_bytes -= block.len();
        }
        if blocks.is_empty() { self.unless_spent(|_| Ok(())) } else { Ok(()) }
    }

    fn feed_piece(&mut self, piece: &[u8]) -> Result<(), Error> {
        self.received.add(piece);
        let Self { decompressor, decoder, text, .. } = self;
        decompressor.feed(piece, &mut |bytes| text.decode(decoder, bytes))
    }

    /// Reads on from `source`, until `goes_on`, which is asked after every block of the calling thread, says no, or a
    /// signal interrupts the reading of a stream; returns whether that was the end.
    pub fn feed_from(
        &mut self,
        source: &mut Source,
        goes_on: &mut dyn FnMut() -> bool,
    ) -> Result<bool, Error> {
        while self.packed.goes_on || !self.text.has_helpers() {
            if !self.packed.goes_on {
                let taken = self.unless_spent(|it| match source.take(&mut it.packed.block) {
                    Err(error) if error.kind() == ErrorKind::Interrupted => Ok(None),
                    taken => Ok(Some(taken?)),
                })?;
                match taken {
                    Some(Some(_)) => self.packed.begin(None, &mut self.received),
                    Some(None) => return Ok(true),
                    None => return Ok(false),
                }
            }
            self.unless_spent(Self::read_on)?;
            if !goes_on() {
                return Ok(false);
            }
        }
        let begin = source.taken();
        let (stopped, ended) = (AtomicBool::new(false), AtomicBool::new(false));
        let take = |buffer: &mut BlockBuffer| {
            let taken = match source.take(buffer) {
                Err(error) if error.kind() == ErrorKind::Interrupted => {
                    stopped.store(true, Ordering::Relaxed);
                    return Ok(None);
                }
                taken => taken?,
            };
            ended.fetch_or(taken.is_none(), Ordering::Relaxed);
            Ok(taken.map(|number| TakenBlock::new(number - begin, None)))
        };
        self.feed_together(usize::MAX, take, &stopped, &mut || {
            stopped.fetch_or(!goes_on(), Ordering::Relaxed);
        })?;
        Ok(ended.into_inner())
    }

    /// Goes on with the block that was read: by at most one block of text if it is compressed, since a small input may
    /// hold much text.
    fn read_on(&mut self) -> Result<(), Error> {
        let Self { decompressor, decoder, text, packed, buffer, .. } = self;
        let mut take = |piece: &[u8]| text.decode(decoder, piece);
        if decompressor.compression() != Compression::None {
            packed.unpack(None, decompressor, buffer)?;
            return if buffer.is_empty() { Ok(()) } else { take(buffer) };
        }
        let rest = &packed.block[packed.done_bytes..];
        let now = if decompressor.knows() { rest.len() } else { rest.len().min(MAGIC_BYTES) };
        let done = decompressor.feed(&rest[..now], &mut take);
        packed.goes_on = now < rest.len();
        packed.done_bytes += now;
        done
    }

    /// First judges the rest of a block that `feed_from` read before it was told to stop.
    fn catch_up(&mut self) -> Result<(), Error> {
        while self.packed.goes_on {
            self.unless_spent(Self::read_on)?;
        }
        Ok(())
    }

    /// Judges the blocks that `take` gets until it is stopped, on so many threads at most. What is compressed is
    /// decompressed by one of them at a time, while the others judge.
    fn feed_together<'t>(
        &mut self,
        threads: usize,
        take: impl Fn(&mut BlockBuffer) -> io::Result<Option<TakenBlock<'t>>> + Sync,
        stopped: &AtomicBool,
        pause: &mut dyn FnMut(),
    ) -> Result<(), Error> {
        self.unless_spent(|it| {
            let Self { decompressor, decoder, text, received, packed, .. } = it;
            let goes_on = || !stopped.load(Ordering::Relaxed);
            let take =
                |buffer: &mut BlockBuffer| if goes_on() { Ok(take(buffer)?) } else { Ok(None) };
            if decompressor.compression() == Compression::None {
                return text.judge(threads, decoder, take, |block| received.add(block), pause);
            }
            let unpacking = Mutex::new(Unpacking::new(decompressor, received, packed));
            let take = |buffer: &mut BlockBuffer| {
                Ok(if goes_on() { lock(&unpacking).take(buffer, take) } else { None })
            };
            text.judge(threads, decoder, take, |_| (), pause)
        })
    }

    /// Ends the input, writes what is left and the report, and makes all of it durable.
    pub fn finish(&mut self) -> Result<Report, Error> {
        self.catch_up()?;
        let report = self.unless_spent(|it| {
            let Self { decompressor, decoder, text, .. } = it;
            decompressor.finish(&mut |bytes| text.decode(decoder, bytes))?;
            let mut start = std::mem::take(&mut text.start);
            start.finish(|| {
                decoder.finish(&mut |piece| text.feed(piece))?;
                text.finish()
            })?;
            it.report()
        })?;
        self.spent = true;
        Ok(report)
    }

    /// Takes back the files. Does nothing after `finish`, or a second time.
    pub fn abort(&mut self) -> Result<(), Error> {
        self.spent = true;
        Ok(self.text.folder.remove()?)
    }

    fn unless_spent<T>(
        &mut self,
        work: impl FnOnce(&mut Self) -> Result<T, Error>,
    ) -> Result<T, Error> {
        if self.spent {
            return Err(Error::Spent);
        }
        // Set first, so that a panic leaves a validator that refuses to go on.
        self.spent = true;
        let done = work(self)?;
        self.spent = false;
        Ok(done)
    }
}

impl Validator {
    fn report(&mut self) -> Result<Report, Error> {
        let TextValidator { rows: Some(rows), names, folder, .. } = &mut self.text else {
            return Err(InputError::Empty.into());
        };
        let header = &rows.header;
        let tally = &rows.tally;
        let mut report = Report {
            batch: names.batch.clone(),
            source_file: names.source_file.clone(),
            schema: header.schema.name().to_owned(),
            version: header.schema.version().to_owned(),
            total_rows: tally.total_rows,
            valid_rows: tally.valid_rows,
            quarantined_rows: tally.quarantined_rows,
            recovered_rows: tally.recovered_rows,
            size_bytes: self.received.size_bytes,
            crc32c: self.received.crc32c.value(),
            errors_by_field: tally.errors_by_field(&header.bound),
            errors_by_keyword: tally.errors_by_keyword(&header.bound),
            total_errors: tally.total_errors,
            difference: header.difference.clone(),
            delimiter: header.delimiter.into(),
            encoding: self.decoder.encoding().name(),
            compression: self.decompressor.compression().name(),
            files: Vec::new(),
            made_at: names.quarantined_at.clone(),
        };
        report.files = folder.finish(|files| report.to_json(files))?;
        Ok(report)
    }
}

impl TextValidator {
    fn decode(&mut self, decoder: &mut Decoder, bytes: &[u8]) -> Result<(), Error> {
        if self.rows.is_some() {
            return decoder.feed(bytes, &mut |piece| self.feed(piece));
        }
        let mut start = std::mem::take(&mut self.start);
        let passed = start.pass(bytes, || decoder.feed(bytes, &mut |piece| self.feed(piece)));
        self.start = start;
        passed
    }

    fn feed(&mut self, text: &[u8]) -> Result<(), Error> {
        let mut rest = text;
        if self.rows.is_none() {
            let Some((record, taken)) = self.header_reader.feed(text)? else { return Ok(()) };
            self.begin_rows(&record)?;
            rest = &text[taken..];
        }
        self.with_rows(|framer, sink| framer.feed(rest, sink))
    }

    fn finish(&mut self) -> Result<(), Error> {
        if self.rows.is_none() {
            let record = self.header_reader.finish()?;
            self.begin_rows(&record)?;
        }
        self.with_rows(|framer, sink| {
            framer.finish(sink)?;
            write(sink.folder, sink.bound, sink.outcome)
        })
    }

    fn begin_rows(&mut self, record: &HeaderRecord) -> Result<(), Error> {
        let options = &self.options;
        let header = Header::read(record, &self.schemas, options)?;
        let batch = RecordContext {
            header: &header.names,
            csv_type: header.schema.name(),
            schema_version: header.schema.version(),
            source_file: &self.names.source_file,
            quarantined_at: &self.names.quarantined_at,
            max_errors_per_record: options.max_errors_per_record,
        };
        let rules = RowRules {
            schema: header.bound.clone(),
            writer: RecordWriter::new(&batch, &header.bound),
            columns: header.names.len(),
            delimiter: header.delimiter,
            accept_recovered: options.accept_recovered,
            valid_out: options.valid_out,
            max_fields: options.max_fields,
            max_field_bytes: options.max_field_bytes,
            max_record_bytes: options.max_record_bytes,
            max_record_lines: options.max_record_lines,
        };
        let bounds = Bounds {
            record_bytes: options.max_record_bytes,
            record_lines: options.max_record_lines,
        };
        let framer = Framer::new(header.delimiter, bounds, record.end_offset, record.lines + 1);
        let rules = Arc::new(rules);
        let workers = (0..options.threads)
            .map(|_| WorkerState::new(Checker::new(Arc::clone(&rules))))
            .collect();
        let (outcome, tally) = (Outcome::default(), Tally::default());
        self.folder.write(&[], &[], &record.bytes)?;
        self.rows = Some(RowState { header, framer, workers, outcome, tally });
        Ok(())
    }

    /// Whether there are rows to be judged and several threads for it; the header is read by one.
    fn has_helpers(&self) -> bool {
        self.rows.as_ref().is_some_and(|rows| rows.workers.len() > 1)
    }

    /// Judges the blocks that `take` gets, on so many threads at most; says to `note` which it comes to, in order.
    fn judge<'t>(
        &mut self,
        threads: usize,
        decoder: &mut Decoder,
        take: impl Fn(&mut BlockBuffer) -> Result<Option<TakenBlock<'t>>, Error> + Sync,
        mut note: impl FnMut(&[u8]) + Send,
        pause: &mut dyn FnMut(),
    ) -> Result<(), Error> {
        let Self { rows: Some(rows), folder, bound, .. } = self else { return Ok(()) };
        let RowState { framer, workers, outcome, tally, .. } = rows;
        let frame = |block: &[u8], framed: &mut FramedBlock| {
            framed.frame(block, |block, sink| {
                note(block);
                decoder.feed(block, &mut |piece| {
                    let Ok(()) = framer.feed(piece, sink);
                    Ok(())
                })
            })
        };
        // Small outcomes are joined first: each write costs a system call, and half a page.
        let settle = |judged: &Outcome| {
            tally.add(&judged.tally);
            if judged.text_bytes() < WRITE_BYTES {
                outcome.extend_text(judged);
                return write_if_much(folder, bound, outcome);
            }
            write(folder, bound, outcome)?;
            outcome.clear_text();
            write(folder, bound, judged)
        };
        let threads = threads.min(workers.len());
        parallel::judge(&mut workers[..threads], take, frame, settle, pause)
    }

    fn with_rows(
        &mut self,
        work: impl FnOnce(&mut Framer, &mut FrameWriter<'_>) -> Result<(), Error>,
    ) -> Result<(), Error> {
        let Self { rows: Some(rows), folder, bound, .. } = self else { return Ok(()) };
        let RowState { framer, workers, outcome, tally, .. } = rows;
        let Some(WorkerState { checker, .. }) = workers.first_mut() else { return Ok(()) };
        work(framer, &mut FrameWriter { checker, outcome, tally, folder, bound })
    }
}

fn again(schema: &RowSchema, limits: &SchemaLimits) -> Result<RowSchema, Error> {
    Ok(RowSchema::compile(schema.name(), schema.version(), schema.document(), limits)?)
}
