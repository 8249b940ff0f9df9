//! One batch from its first byte to its report: input, records, files.
//!
//! Bytes are fed in chunks of any size; where they are cut changes nothing. After an error nothing goes
//! on: the validator is spent, and `abort` takes back what it wrote.

mod csv;
mod lines;
mod start;
mod text;
mod writing;

pub use self::csv::CsvText;
pub use self::lines::LinesText;
use self::text::InputFacts;
pub use self::text::{BatchNames, BatchText};
use crate::checksum::Received;
use crate::error::Error;
use crate::input::{
    BLOCK_BYTES, BlockBuffer, Compression, Decoder, Decompressor, MAGIC_BYTES, Packed, Source,
    TakenBlock, Unpacking,
};
use crate::locking::lock;
use crate::options::{Options, PayloadOptions};
use crate::output::report::Report;
use crate::payload::PayloadSchema;
use crate::schema::{Difference, RowSchema};
use std::io::{self, ErrorKind};
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

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

/// Validates one batch, whose text is read, judged and written by `T`.
pub struct BatchValidator<T> {
    decompressor: Decompressor,
    decoder: Decoder,
    text: T,
    received: Received,
    /// What was read of a file, and buffer for text of it if it is compressed, where one thread judges.
    packed: Packed,
    buffer: BlockBuffer,
    spent: bool,
}

/// Validates the rows of one CSV.
pub type Validator = BatchValidator<CsvText>;

/// Validates the payloads of one JSON Lines text, one payload a line.
pub type PayloadValidator = BatchValidator<LinesText>;

impl Validator {
    /// Makes the output files. `schemas` are the candidates; the header picks one.
    pub fn new(
        schemas: &[RowSchema],
        folder: &Path,
        names: BatchNames,
        options: Options,
    ) -> Result<Self, Error> {
        let decompressor = Decompressor::new(options.max_decompressed_bytes, options.expansion());
        Self::of(decompressor, |received| {
            CsvText::new(schemas, folder, names, options, &received.shared_size)
        })
    }

    /// Which of the candidates the header fits; `None` until the header has been read.
    #[must_use]
    pub fn schema_index(&self) -> Option<usize> {
        self.text.schema_index()
    }

    /// How the header differs from its schema; `None` until the header has been read.
    #[must_use]
    pub fn difference(&self) -> Option<&Difference> {
        self.text.difference()
    }
}

impl PayloadValidator {
    /// Makes the output files. An invalid payload that fits another of the `candidates` is told as that.
    pub fn of_lines(
        schema: &Arc<PayloadSchema>,
        candidates: Vec<Arc<PayloadSchema>>,
        folder: &Path,
        names: BatchNames,
        options: &PayloadOptions,
    ) -> Result<Self, Error> {
        let decompressor = Decompressor::new(options.max_decompressed_bytes, options.expansion());
        Self::of(decompressor, |received| {
            LinesText::new(schema, candidates, folder, names, options, &received.shared_size)
        })
    }
}

impl<T: BatchText> BatchValidator<T> {
    fn of(
        decompressor: Decompressor,
        text: impl FnOnce(&Received) -> Result<T, Error>,
    ) -> Result<Self, Error> {
        let received = Received::default();
        Ok(Self {
            decompressor,
            decoder: Decoder::default(),
            text: text(&received)?,
            received,
            packed: Packed::default(),
            buffer: BlockBuffer::default(),
            spent: false,
        })
    }

    #[must_use]
    pub fn progress(&self) -> Progress {
        let tally = self.text.tally();
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
            if threads > 1 && left_bytes > BLOCK_BYTES && self.has_helpers() {
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

    /// Whether several threads may go on: it has to be known what the input is.
    fn has_helpers(&self) -> bool {
        self.decompressor.knows() && self.text.has_helpers()
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
        while self.packed.goes_on || !self.has_helpers() {
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
            text.finish(decoder)?;
            text.report(InputFacts {
                size_bytes: it.received.size_bytes,
                crc32c: it.received.crc32c.value(),
                encoding: decoder.encoding(),
                compression: decompressor.compression(),
            })
        })?;
        self.spent = true;
        Ok(report)
    }

    /// Takes back the files. Does nothing after `finish`, or a second time.
    pub fn abort(&mut self) -> Result<(), Error> {
        self.spent = true;
        Ok(self.text.remove()?)
    }

    fn unless_spent<R>(
        &mut self,
        work: impl FnOnce(&mut Self) -> Result<R, Error>,
    ) -> Result<R, Error> {
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
