//! What a worker thread does with a block: it notes the block's records when it is its turn, and judges them later.

use crate::check::Outcome;

/// Judges what it has framed of a block. How it frames is known to the caller of `parallel::judge` alone.
pub trait BlockWork: Send {
    /// Judges what was framed of the block, adds what came of it to `outcome`, and forgets it. Much text is handed to
    /// `flush` in between.
    fn judge<E>(
        &mut self,
        block: &[u8],
        outcome: &mut Outcome,
        flush: impl FnMut(&mut Outcome) -> Result<(), E>,
    ) -> Result<(), E>;
}
