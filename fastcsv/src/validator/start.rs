//! The first bytes of an input, kept until its header is read: they say what a file is that is no CSV.

use crate::error::{Error, InputError, LimitFault};
use crate::input::{FileFormat, START_BYTES};

/// The first bytes of an input, decompressed and not decoded.
#[derive(Debug, Default)]
pub(super) struct InputStart {
    start: Vec<u8>,
    /// The refusal of the header, held back while more bytes may say better what the input is.
    refusal: Option<Error>,
}

impl InputStart {
    /// Keeps bytes in which the header may end and passes them on. A refusal is held back while more bytes may say better
    /// what the input is, so that it does not matter where the input is cut.
    pub fn pass(
        &mut self,
        bytes: &[u8],
        pass: impl FnOnce() -> Result<(), Error>,
    ) -> Result<(), Error> {
        let room = START_BYTES - self.start.len();
        self.start.extend_from_slice(&bytes[..bytes.len().min(room)]);
        let refused = match self.refusal.take() {
            Some(refusal) => refusal,
            None => match pass() {
                Err(refusal) => refusal,
                Ok(()) => return Ok(()),
            },
        };
        if is_of_the_header(&refused) && FileFormat::may_change(&self.start) {
            self.refusal = Some(refused);
            return Ok(());
        }
        Err(self.explain(refused))
    }

    /// Ends the input; a refusal that was held back is returned.
    pub fn finish(&mut self, finish: impl FnOnce() -> Result<(), Error>) -> Result<(), Error> {
        let finished = self.refusal.take().map_or_else(finish, Err);
        finished.map_err(|refusal| self.explain(refusal))
    }

    /// Says what the input is, where its header was refused and that is known.
    fn explain(&self, refusal: Error) -> Error {
        match FileFormat::of(&self.start) {
            Some(format) if is_of_the_header(&refusal) => InputError::Format(format).into(),
            _ => refusal,
        }
    }
}

fn is_of_the_header(refusal: &Error) -> bool {
    matches!(
        refusal,
        Error::Input(
            InputError::Empty
                | InputError::Header(_)
                | InputError::Encoding(_)
                | InputError::Limit(LimitFault::HeaderBytes(_) | LimitFault::HeaderFields(_))
        )
    )
}
