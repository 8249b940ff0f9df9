//! The text of a JSON Lines input: one payload a line.

use super::text::{BatchNames, BatchText, InputFacts};
use super::writing::{FLUSH_BYTES, OutputBound, settle_block, write, write_if_much};
use crate::check::Outcome;
use crate::error::Error;
use crate::input::{BlockBuffer, Decoder, TakenBlock};
use crate::lines::{LineChecker, LineFramer, LineRules, LineSink, LineWork, Lines};
use crate::options::PayloadOptions;
use crate::output::folder::Folder;
use crate::output::payloads::PayloadRecordWriter;
use crate::output::record_text::BatchContext;
use crate::output::report::Report;
use crate::parallel::{self, WorkerState};
use crate::payload::{PayloadDetector, PayloadSchema};
use crate::schema::Difference;
use crate::tally::Tally;
use std::io;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;

/// The valid lines, byte for byte.
const VALID: &str = "valid.jsonl";

/// Validates decoded text, one payload a line.
pub struct LinesText {
    schema: Arc<PayloadSchema>,
    names: BatchNames,
    framer: LineFramer,
    /// One for each thread, the caller's first.
    workers: Vec<WorkerState<LineWork>>,
    writing: LinesWriting,
}

/// What was judged, and where it goes.
struct LinesWriting {
    folder: Folder,
    bound: OutputBound,
    /// The outcome that is not written yet.
    outcome: Outcome,
    /// The counts of all payloads judged and written so far.
    tally: Tally,
}

impl LinesText {
    /// Makes the output files.
    pub(super) fn new(
        schema: &Arc<PayloadSchema>,
        candidates: Vec<Arc<PayloadSchema>>,
        folder: &Path,
        names: BatchNames,
        options: &PayloadOptions,
        size_bytes: &Arc<AtomicU64>,
    ) -> Result<Self, Error> {
        let expansion = options.expansion();
        let rules = Arc::new(LineRules {
            schema: Arc::clone(schema),
            others: (!candidates.is_empty()).then(|| PayloadDetector::new(candidates)),
            writer: PayloadRecordWriter::new(&BatchContext {
                schema: schema.name(),
                schema_version: schema.version(),
                source_file: &names.source_file,
                quarantined_at: &names.quarantined_at,
            }),
            strict: options.strict,
            valid_out: options.valid_out,
            limits: options.limits(),
        });
        let worker = |_| WorkerState::new(LineWork::new(LineChecker::new(Arc::clone(&rules))));
        Ok(Self {
            schema: Arc::clone(schema),
            names,
            framer: LineFramer::new(options.max_payload_bytes),
            workers: (0..options.threads).map(worker).collect(),
            writing: LinesWriting {
                folder: Folder::create(folder, options.valid_out.then_some(VALID))?,
                bound: OutputBound::new(
                    options.max_output_bytes,
                    expansion,
                    Arc::clone(size_bytes),
                ),
                outcome: Outcome::default(),
                tally: Tally::default(),
            },
        })
    }
}

/// Judges lines as they come, and writes what came of them.
struct LinesWriter<'a> {
    checker: &'a mut LineChecker,
    writing: &'a mut LinesWriting,
}

impl LineSink for LinesWriter<'_> {
    type Error = Error;

    fn take(&mut self, lines: Lines<'_>) -> Result<(), Error> {
        let LinesWriting { folder, bound, outcome, tally } = &mut *self.writing;
        let mut settle = |outcome: &mut Outcome| {
            tally.add(&outcome.tally);
            outcome.tally.clear();
            write_if_much(folder, bound, outcome)
        };
        self.checker.check(&lines, outcome, FLUSH_BYTES, &mut settle)?;
        settle(outcome)
    }
}

impl BatchText for LinesText {
    fn tally(&self) -> Option<&Tally> {
        Some(&self.writing.tally)
    }

    fn has_helpers(&self) -> bool {
        self.workers.len() > 1
    }

    fn decode(&mut self, decoder: &mut Decoder, bytes: &[u8]) -> Result<(), Error> {
        let Self { framer, workers, writing, .. } = self;
        let Some(WorkerState { work, .. }) = workers.first_mut() else { return Ok(()) };
        let mut sink = LinesWriter { checker: &mut work.checker, writing };
        decoder.feed(bytes, &mut |piece| framer.feed(piece, &mut sink))
    }

    fn judge<'t>(
        &mut self,
        threads: usize,
        decoder: &mut Decoder,
        take: impl Fn(&mut BlockBuffer) -> Result<Option<TakenBlock<'t>>, Error> + Sync,
        mut note: impl FnMut(&[u8]) + Send,
        pause: &mut dyn FnMut(),
    ) -> Result<(), Error> {
        let Self { framer, workers, writing, .. } = self;
        let LinesWriting { folder, bound, outcome, tally } = writing;
        let frame = |block: &[u8], work: &mut LineWork| {
            work.framed.frame(block, |block, sink| {
                note(block);
                decoder.feed(block, &mut |piece| {
                    let Ok(()) = framer.feed(piece, sink);
                    Ok(())
                })
            })
        };
        let settle = |judged: &Outcome| settle_block(folder, bound, judged, outcome, tally);
        let threads = threads.min(workers.len());
        parallel::judge(&mut workers[..threads], take, frame, settle, pause)
    }

    fn finish(&mut self, decoder: &mut Decoder) -> Result<(), Error> {
        let Self { framer, workers, writing, .. } = self;
        let Some(WorkerState { work, .. }) = workers.first_mut() else { return Ok(()) };
        let mut sink = LinesWriter { checker: &mut work.checker, writing };
        decoder.finish(&mut |piece| framer.feed(piece, &mut sink))?;
        framer.finish(&mut sink)?;
        let LinesWriting { folder, bound, outcome, .. } = writing;
        write(folder, bound, outcome)
    }

    fn report(&mut self, input: InputFacts) -> Result<Report, Error> {
        let Self { schema, names, writing: LinesWriting { folder, tally, .. }, .. } = self;
        let unknown = tally.unknown.iter().map(|(pointer, _)| pointer.to_owned()).collect();
        let mut report = Report {
            batch: names.batch.clone(),
            source_file: names.source_file.clone(),
            schema: schema.name().to_owned(),
            version: schema.version().to_owned(),
            total_rows: tally.total_rows,
            valid_rows: tally.valid_rows,
            quarantined_rows: tally.quarantined_rows,
            recovered_rows: 0,
            size_bytes: input.size_bytes,
            crc32c: input.crc32c,
            errors_by_field: tally.errors_by_pointer(),
            errors_by_keyword: tally.payload_errors_by_keyword(),
            total_errors: tally.total_errors,
            difference: Difference { unknown, ..Difference::default() },
            delimiter: None,
            encoding: input.encoding.name(),
            compression: input.compression.name(),
            files: Vec::new(),
            made_at: names.quarantined_at.clone(),
        };
        report.files = folder.finish(|files| report.to_json(files))?;
        Ok(report)
    }

    fn remove(&mut self) -> io::Result<()> {
        self.writing.folder.remove()
    }
}
