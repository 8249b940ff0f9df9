//! What a batch's text is to its validator, whatever its format: something that takes it, judges it and writes the files.

use crate::error::Error;
use crate::input::{BlockBuffer, Compression, Decoder, Encoding, TakenBlock};
use crate::output::report::Report;
use crate::tally::Tally;
use std::io;

/// The names that a batch's records carry.
#[derive(Debug, Clone, Default)]
pub struct BatchNames {
    pub batch: String,
    pub source_file: String,
    /// RFC 3339; also when the report was made.
    pub quarantined_at: String,
}

/// What is known of the input itself once it has ended.
#[derive(Debug, Clone, Copy)]
pub struct InputFacts {
    /// As it came.
    pub size_bytes: u64,
    pub crc32c: u32,
    pub encoding: Encoding,
    pub compression: Compression,
}

/// The text of one batch, in one format.
pub trait BatchText {
    /// The counts so far; nothing where no record can have been read yet.
    fn tally(&self) -> Option<&Tally>;

    /// Whether there are records to be judged now, and several threads for it.
    fn has_helpers(&self) -> bool;

    /// Decodes the next bytes and judges the text on this thread.
    fn decode(&mut self, decoder: &mut Decoder, bytes: &[u8]) -> Result<(), Error>;

    /// Judges the blocks that `take` gets, on so many threads at most; says to `note` which it comes to, in order.
    fn judge<'t>(
        &mut self,
        threads: usize,
        decoder: &mut Decoder,
        take: impl Fn(&mut BlockBuffer) -> Result<Option<TakenBlock<'t>>, Error> + Sync,
        note: impl FnMut(&[u8]) + Send,
        pause: &mut dyn FnMut(),
    ) -> Result<(), Error>;

    /// Ends the text, judges its last record, and writes what waits.
    fn finish(&mut self, decoder: &mut Decoder) -> Result<(), Error>;

    /// Makes the files durable, the report last.
    fn report(&mut self, input: InputFacts) -> Result<Report, Error>;

    /// Takes back the files.
    fn remove(&mut self) -> io::Result<()>;
}
