//! The text of a CSV: the header first, then the rows.

use super::start::InputStart;
use super::text::{BatchNames, BatchText, InputFacts};
use super::writing::{FrameWriter, OutputBound, settle_block, write};
use crate::check::{Checker, Outcome, RowRules};
use crate::error::{Error, InputError};
use crate::frame::{Bounds, Framer};
use crate::header::{Header, HeaderReader, HeaderRecord};
use crate::input::{BlockBuffer, Decoder, TakenBlock};
use crate::options::Options;
use crate::output::folder::Folder;
use crate::output::record_text::BatchContext;
use crate::output::records::RecordWriter;
use crate::output::report::Report;
use crate::parallel::{self, CsvWork, WorkerState};
use crate::schema::{Difference, RowSchema, SchemaLimits};
use crate::tally::Tally;
use std::io;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;

/// The valid rows, byte for byte.
const VALID: &str = "valid.csv";

/// Validates decoded text: the header first, then the rows.
pub struct CsvText {
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
    workers: Vec<WorkerState<CsvWork>>,
    /// The outcome that is not written yet.
    outcome: Outcome,
    /// The counts of all rows judged and written so far.
    tally: Tally,
}

impl CsvText {
    /// Makes the output files.
    pub(super) fn new(
        schemas: &[RowSchema],
        folder: &Path,
        names: BatchNames,
        options: Options,
        size_bytes: &Arc<AtomicU64>,
    ) -> Result<Self, Error> {
        let limits = SchemaLimits { json_depth: options.max_json_depth, ..SchemaLimits::default() };
        let schemas = if limits == SchemaLimits::default() {
            schemas.to_vec()
        } else {
            schemas.iter().map(|schema| again(schema, &limits)).collect::<Result<_, _>>()?
        };
        let bound =
            OutputBound::new(options.max_output_bytes, options.expansion(), Arc::clone(size_bytes));
        Ok(Self {
            schemas,
            folder: Folder::create(folder, options.valid_out.then_some(VALID))?,
            bound,
            start: InputStart::default(),
            header_reader: HeaderReader::new(options.max_header_bytes),
            rows: None,
            options,
            names,
        })
    }

    /// Which of the candidates the header fits; `None` until the header has been read.
    pub(super) fn schema_index(&self) -> Option<usize> {
        self.rows.as_ref().map(|rows| rows.header.schema_index)
    }

    /// How the header differs from its schema; `None` until the header has been read.
    pub(super) fn difference(&self) -> Option<&Difference> {
        self.rows.as_ref().map(|rows| &rows.header.difference)
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

    fn finish_rows(&mut self) -> Result<(), Error> {
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
        let batch = BatchContext {
            schema: header.schema.name(),
            schema_version: header.schema.version(),
            source_file: &self.names.source_file,
            quarantined_at: &self.names.quarantined_at,
        };
        let rules = RowRules {
            schema: header.bound.clone(),
            writer: RecordWriter::new(
                &batch,
                &header.names,
                options.max_errors_per_record,
                &header.bound,
            ),
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
            .map(|_| WorkerState::new(CsvWork::new(Checker::new(Arc::clone(&rules)))))
            .collect();
        let (outcome, tally) = (Outcome::default(), Tally::default());
        self.folder.write(&[], &[], &record.bytes)?;
        self.rows = Some(RowState { header, framer, workers, outcome, tally });
        Ok(())
    }

    fn with_rows(
        &mut self,
        work: impl FnOnce(&mut Framer, &mut FrameWriter<'_>) -> Result<(), Error>,
    ) -> Result<(), Error> {
        let Self { rows: Some(rows), folder, bound, .. } = self else { return Ok(()) };
        let RowState { framer, workers, outcome, tally, .. } = rows;
        let Some(WorkerState { work: CsvWork { checker, .. }, .. }) = workers.first_mut() else {
            return Ok(());
        };
        work(framer, &mut FrameWriter { checker, outcome, tally, folder, bound })
    }
}

impl BatchText for CsvText {
    fn tally(&self) -> Option<&Tally> {
        self.rows.as_ref().map(|rows| &rows.tally)
    }

    /// The header is read by one thread.
    fn has_helpers(&self) -> bool {
        self.rows.as_ref().is_some_and(|rows| rows.workers.len() > 1)
    }

    fn decode(&mut self, decoder: &mut Decoder, bytes: &[u8]) -> Result<(), Error> {
        if self.rows.is_some() {
            return decoder.feed(bytes, &mut |piece| self.feed(piece));
        }
        let mut start = std::mem::take(&mut self.start);
        let passed = start.pass(bytes, || decoder.feed(bytes, &mut |piece| self.feed(piece)));
        self.start = start;
        passed
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
        let frame = |block: &[u8], work: &mut CsvWork| {
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
        let mut start = std::mem::take(&mut self.start);
        start.finish(|| {
            decoder.finish(&mut |piece| self.feed(piece))?;
            self.finish_rows()
        })
    }

    fn report(&mut self, input: InputFacts) -> Result<Report, Error> {
        let Self { rows: Some(rows), names, folder, .. } = self else {
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
            size_bytes: input.size_bytes,
            crc32c: input.crc32c,
            errors_by_field: tally.errors_by_field(&header.bound),
            errors_by_keyword: tally.errors_by_keyword(&header.bound),
            total_errors: tally.total_errors,
            difference: header.difference.clone(),
            delimiter: Some(header.delimiter.into()),
            encoding: input.encoding.name(),
            compression: input.compression.name(),
            files: Vec::new(),
            made_at: names.quarantined_at.clone(),
        };
        report.files = folder.finish(|files| report.to_json(files))?;
        Ok(report)
    }

    fn remove(&mut self) -> io::Result<()> {
        self.folder.remove()
    }
}

fn again(schema: &RowSchema, limits: &SchemaLimits) -> Result<RowSchema, Error> {
    Ok(RowSchema::compile(schema.name(), schema.version(), schema.document(), limits)?)
}
