//! Writes the outcomes of rows, piece by piece, and never more than a bound.

use crate::check::{Checker, Outcome};
use crate::error::{Error, InputError, LimitFault};
use crate::frame::{Frame, Sink};
use crate::options::Expansion;
use crate::output::folder::Folder;
use crate::tally::Tally;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// Text is written to a file once there is this much of it.
const WRITE_BYTES: usize = 64 << 10;
/// In the middle of a frame this much, so that no small rest is left.
pub(super) const FLUSH_BYTES: usize = if cfg!(fuzzing) { 100 } else { 4 * WRITE_BYTES };

/// How much a batch may write: a number of bytes, and a multiple of the input so far.
#[derive(Clone)]
pub(super) struct OutputBound {
    bytes_max: u64,
    expansion: Expansion,
    size_bytes: Arc<AtomicU64>,
}

impl OutputBound {
    /// A bound by the size of the input so far, which others count.
    pub fn new(bytes_max: u64, expansion: Expansion, size_bytes: Arc<AtomicU64>) -> Self {
        Self { bytes_max, expansion, size_bytes }
    }

    fn check(&self, written_bytes: u64) -> Result<(), Error> {
        let fault = if written_bytes > self.bytes_max {
            LimitFault::OutputBytes(self.bytes_max)
        } else if written_bytes > self.expansion.bytes_of(self.size_bytes.load(Ordering::Relaxed)) {
            LimitFault::OutputTimes(self.expansion.times)
        } else {
            return Ok(());
        };
        Err(InputError::Limit(fault).into())
    }
}

/// Judges frames as they come, and writes the outcomes.
pub(super) struct FrameWriter<'a> {
    pub checker: &'a mut Checker,
    pub outcome: &'a mut Outcome,
    pub tally: &'a mut Tally,
    pub folder: &'a mut Folder,
    pub bound: &'a OutputBound,
}

impl Sink for FrameWriter<'_> {
    type Error = Error;

    fn take(&mut self, frame: Frame<'_>) -> Result<(), Error> {
        let Self { checker, outcome, tally, folder, bound } = self;
        let mut settle = |outcome: &mut Outcome| {
            tally.add(&outcome.tally);
            outcome.tally.clear();
            write_if_much(folder, bound, outcome)
        };
        checker.check(&frame, outcome, FLUSH_BYTES, &mut settle)?;
        settle(outcome)
    }
}

pub(super) fn write_if_much(
    folder: &mut Folder,
    bound: &OutputBound,
    outcome: &mut Outcome,
) -> Result<(), Error> {
    if outcome.text_bytes() >= WRITE_BYTES {
        write(folder, bound, outcome)?;
        outcome.clear_text();
        return Ok(());
    }
    bound.check(folder.written_bytes() + outcome.text_bytes() as u64)
}

/// Counts what came of a block, and writes it. Small outcomes are joined in `waiting` first: each write costs a system
/// call, and half a page.
pub(super) fn settle_block(
    folder: &mut Folder,
    bound: &OutputBound,
    judged: &Outcome,
    waiting: &mut Outcome,
    tally: &mut Tally,
) -> Result<(), Error> {
    tally.add(&judged.tally);
    if judged.text_bytes() < WRITE_BYTES {
        waiting.extend_text(judged);
        return write_if_much(folder, bound, waiting);
    }
    write(folder, bound, waiting)?;
    waiting.clear_text();
    write(folder, bound, judged)
}

/// Writes what came of some rows, unless the batch has written enough.
///
/// Text that is not written yet counts too, so that the error for an input with several faults does not depend on how
/// much waits.
pub(super) fn write(
    folder: &mut Folder,
    bound: &OutputBound,
    outcome: &Outcome,
) -> Result<(), Error> {
    bound.check(folder.written_bytes() + outcome.text_bytes() as u64)?;
    Ok(folder.write(outcome.records.as_bytes(), outcome.errors.as_bytes(), &outcome.valid)?)
}
