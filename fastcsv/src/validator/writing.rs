//! What came of rows, written a piece at a time and never to more than a bound.

use crate::check::{Checker, Outcome};
use crate::error::{Error, InputError, LimitFault};
use crate::frame::{Frame, Sink};
use crate::output::folder::Folder;
use crate::tally::Tally;

/// Text for a file is written once there is this much of it.
pub(super) const WRITE_BYTES: usize = 64 << 10;
/// Or, in the middle of a frame, of which the rest would come to little, this much.
const FLUSH_BYTES: usize = if cfg!(fuzzing) { 100 } else { 4 * WRITE_BYTES };

/// Judges frames as they come, and writes what comes of them.
pub(super) struct Writing<'a> {
    pub checker: &'a mut Checker,
    pub outcome: &'a mut Outcome,
    pub tally: &'a mut Tally,
    pub folder: &'a mut Folder,
    pub bytes_max: u64,
}

impl Sink for Writing<'_> {
    type Error = Error;

    fn take(&mut self, frame: Frame<'_>) -> Result<(), Error> {
        let Self { checker, outcome, tally, folder, bytes_max } = self;
        let mut settle = |outcome: &mut Outcome| {
            tally.add(&outcome.tally);
            outcome.tally.clear();
            write_if_much(folder, *bytes_max, outcome)
        };
        checker.check(&frame, outcome, FLUSH_BYTES, &mut settle)?;
        settle(outcome)
    }
}

pub(super) fn write_if_much(
    folder: &mut Folder,
    bytes_max: u64,
    outcome: &mut Outcome,
) -> Result<(), Error> {
    if outcome.text_bytes() >= WRITE_BYTES {
        write(folder, bytes_max, outcome)?;
        outcome.clear_text();
        return Ok(());
    }
    keep_to_bound(folder, bytes_max, outcome)
}

/// Writes what came of some rows, unless the batch has written enough.
pub(super) fn write(folder: &mut Folder, bytes_max: u64, outcome: &Outcome) -> Result<(), Error> {
    keep_to_bound(folder, bytes_max, outcome)?;
    Ok(folder.write(outcome.records.as_bytes(), outcome.errors.as_bytes(), &outcome.valid)?)
}

/// Refuses what would make it too much. It is asked of what is not written yet, too: what is told of an input that is
/// wrong in several ways is not to depend on how much that is.
fn keep_to_bound(folder: &Folder, bytes_max: u64, outcome: &Outcome) -> Result<(), Error> {
    if folder.written_bytes() + outcome.text_bytes() as u64 > bytes_max {
        return Err(InputError::Limit(LimitFault::OutputBytes(bytes_max)).into());
    }
    Ok(())
}
