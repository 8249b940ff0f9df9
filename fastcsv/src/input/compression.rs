//! gzip and zstd, found by magic, decompressed as they come and never to more than a bound.
//!
//! The output is taken in steps of bounded size, so a bomb costs its bound in time and nothing in
//! memory. zstd frames that need a window of more than 8 MiB are refused (RFC 8878, 3.1.1.1.2, asks
//! decoders for no more).

use crate::error::{Error, InputError, LimitFault};
use flate2::write::MultiGzDecoder;
use std::io::Write;
use zstd::stream::raw::{DParameter, Decoder as ZstdDecoder, InBuffer, Operation, OutBuffer};

const GZIP_MAGIC: &[u8] = &[0x1f, 0x8b];
const ZSTD_MAGIC: &[u8] = &[0x28, 0xb5, 0x2f, 0xfd];
/// Deflate expands at most 1032-fold: a step of gzip input stays below 2 MiB of output.
const GZIP_STEP: usize = if cfg!(fuzzing) { 20 } else { 2 << 10 };
const ZSTD_OUTPUT: usize = 128 << 10;
const ZSTD_WINDOW_LOG_MAX: u32 = 23;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Compression {
    None,
    Gzip,
    Zstd,
}

impl Compression {
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Gzip => "gzip",
            Self::Zstd => "zstd",
        }
    }
}

/// What takes the decompressed bytes.
type Take<'a> = &'a mut dyn FnMut(&[u8]) -> Result<(), Error>;

/// Decompresses one input, fed in chunks.
pub struct Decompressor {
    method: Method,
    /// What one step decompressed.
    step: Vec<u8>,
    decompressed_bytes: u64,
    max_decompressed_bytes: u64,
}

enum Method {
    /// Too few bytes yet to tell.
    Unknown(Vec<u8>),
    Plain,
    Gzip(Box<MultiGzDecoder<Vec<u8>>>),
    Zstd(Box<Zstd>),
}

struct Zstd {
    decoder: ZstdDecoder<'static>,
    /// Whether the last frame is complete.
    complete: bool,
}

impl Decompressor {
    #[must_use]
    pub fn new(max_decompressed_bytes: u64) -> Self {
        Self {
            method: Method::Unknown(Vec::new()),
            step: Vec::new(),
            decompressed_bytes: 0,
            max_decompressed_bytes,
        }
    }

    #[must_use]
    pub fn compression(&self) -> Compression {
        match self.method {
            Method::Unknown(_) | Method::Plain => Compression::None,
            Method::Gzip(_) => Compression::Gzip,
            Method::Zstd(_) => Compression::Zstd,
        }
    }

    pub fn feed(&mut self, data: &[u8], take: Take<'_>) -> Result<(), Error> {
        let Method::Unknown(held) = &mut self.method else {
            return self.pass(data, take);
        };
        if held.is_empty() && data.len() >= ZSTD_MAGIC.len() {
            self.method = Method::of(data)?;
            return self.pass(data, take);
        }
        held.extend_from_slice(data);
        if held.len() < ZSTD_MAGIC.len() {
            return Ok(());
        }
        let held = std::mem::take(held);
        self.method = Method::of(&held)?;
        self.pass(&held, take)
    }

    /// Ends the input; refuses one that stops in the middle.
    pub fn finish(&mut self, take: Take<'_>) -> Result<(), Error> {
        if let Method::Unknown(held) = &mut self.method {
            let held = std::mem::take(held);
            self.method = Method::of(&held)?;
            self.pass(&held, take)?;
        }
        match &mut self.method {
            Method::Gzip(decoder) => {
                decoder.try_finish().map_err(damaged)?;
                let rest = std::mem::take(decoder.get_mut());
                self.count(rest.len())?;
                if rest.is_empty() { Ok(()) } else { take(&rest) }
            }
            Method::Zstd(zstd) if !zstd.complete => {
                Err(InputError::Compression("the zstd stream is cut short".into()).into())
            }
            _ => Ok(()),
        }
    }

    fn pass(&mut self, data: &[u8], take: Take<'_>) -> Result<(), Error> {
        if self.compression() == Compression::None {
            return take(data);
        }
        let (mut rest, mut step) = (data, std::mem::take(&mut self.step));
        loop {
            step.clear();
            let goes_on = self.step(&mut rest, &mut step)?;
            if !step.is_empty() {
                take(&step)?;
            }
            if !goes_on {
                break;
            }
        }
        self.step = step;
        Ok(())
    }

    /// Decompresses some of `data`, on to the end of `text`, and takes it off; says whether more may come of what it has.
    /// What is not known to be compressed stays where it is.
    pub fn step(&mut self, data: &mut &[u8], text: &mut Vec<u8>) -> Result<bool, Error> {
        let before = text.len();
        let goes_on = match &mut self.method {
            Method::Unknown(_) | Method::Plain => return Ok(false),
            Method::Gzip(decoder) => {
                let (now, later) = data.split_at(data.len().min(GZIP_STEP));
                std::mem::swap(decoder.get_mut(), text);
                let done = decoder.write_all(now);
                std::mem::swap(decoder.get_mut(), text);
                done.map_err(damaged)?;
                *data = later;
                !later.is_empty()
            }
            Method::Zstd(zstd) => {
                text.reserve(ZSTD_OUTPUT);
                let mut input = InBuffer::around(data);
                let mut output = OutBuffer::around_pos(text, before);
                let hint = zstd.decoder.run(&mut input, &mut output).map_err(damaged)?;
                let is_full = output.pos() == output.capacity();
                *data = &data[input.pos()..];
                zstd.complete = hint == 0;
                !data.is_empty() || (is_full && hint != 0)
            }
        };
        self.count(text.len() - before)?;
        Ok(goes_on)
    }

    fn count(&mut self, bytes: usize) -> Result<(), Error> {
        self.decompressed_bytes += bytes as u64;
        if self.decompressed_bytes > self.max_decompressed_bytes {
            let bound = LimitFault::DecompressedBytes(self.max_decompressed_bytes);
            return Err(InputError::Limit(bound).into());
        }
        Ok(())
    }
}

impl Method {
    fn of(start: &[u8]) -> Result<Self, Error> {
        if start.starts_with(ZSTD_MAGIC) {
            let mut decoder = ZstdDecoder::new()?;
            decoder.set_parameter(DParameter::WindowLogMax(ZSTD_WINDOW_LOG_MAX))?;
            Ok(Self::Zstd(Box::new(Zstd { decoder, complete: false })))
        } else if start.starts_with(GZIP_MAGIC) {
            Ok(Self::Gzip(Box::new(MultiGzDecoder::new(Vec::new()))))
        } else {
            Ok(Self::Plain)
        }
    }
}

#[allow(clippy::needless_pass_by_value, reason = "for map_err")]
fn damaged(error: std::io::Error) -> Error {
    InputError::Compression(error.to_string().to_lowercase()).into()
}
