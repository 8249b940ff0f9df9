//! gzip and zstd, found by magic, decompressed as they come and never to more than a bound.
//!
//! The output is taken in steps of bounded size, so a bomb costs its bound in time and one step in memory. The bound is
//! one of bytes and, beyond what any input may become, one of times what was decompressed so far.
//! What stands before damage, or within the bound, is passed on before the error is told, so that it does not
//! matter where the input is cut. zstd frames that need a window of more than 8 MiB are refused (RFC 8878,
//! 3.1.1.1.2, asks decoders for no more).

use crate::error::{Error, InputError, LimitFault};
use crate::options::Expansion;
use flate2::write::MultiGzDecoder;
use std::io::{self, Write};
use zstd::stream::raw::{DParameter, Decoder as ZstdDecoder, InBuffer, Operation, OutBuffer};

const GZIP_MAGIC: &[u8] = &[0x1f, 0x8b];
/// Of a frame; one to be skipped, with which pzstd begins (RFC 8878, 3.1.2), has another.
const ZSTD_MAGIC: &[u8] = &[0x28, 0xb5, 0x2f, 0xfd];
/// Deflate expands at most 1032-fold: a step of gzip input is at most 2,113,536 bytes of output.
const GZIP_STEP: usize = if cfg!(fuzzing) { 20 } else { 2 << 10 };
/// A step of zstd output. What a fuzzer tries is short.
const ZSTD_STEP: usize = if cfg!(fuzzing) { 30 } else { 128 << 10 };
/// So many bytes tell whether the input is compressed.
pub const MAGIC_BYTES: usize = ZSTD_MAGIC.len();
const ZSTD_WINDOW_LOG_MAX: u32 = 23;
const ZSTD_BLOCK_HEADER: usize = 3;

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
type TakeBytes<'a> = &'a mut dyn FnMut(&[u8]) -> Result<(), Error>;

/// Decompresses one input, fed in chunks.
pub struct Decompressor {
    method: Method,
    /// What one step decompressed.
    step: Vec<u8>,
    /// Of the compressed input, what has been decompressed; and what came of it.
    packed_bytes: u64,
    decompressed_bytes: u64,
    max_decompressed_bytes: u64,
    expansion: Expansion,
    /// What is wrong with what comes next.
    fault: Option<Error>,
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
    /// How many bytes the decoder asks for; 0 between frames.
    wanted_bytes: usize,
    output: Vec<u8>,
}

impl Decompressor {
    #[must_use]
    pub fn new(max_decompressed_bytes: u64, expansion: Expansion) -> Self {
        Self {
            method: Method::Unknown(Vec::new()),
            step: Vec::new(),
            packed_bytes: 0,
            decompressed_bytes: 0,
            max_decompressed_bytes,
            expansion,
            fault: None,
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

    pub fn feed(&mut self, data: &[u8], take: TakeBytes<'_>) -> Result<(), Error> {
        let Method::Unknown(held) = &mut self.method else {
            return self.pass(data, take);
        };
        if held.is_empty() && data.len() >= MAGIC_BYTES {
            self.method = Method::of(data)?;
            return self.pass(data, take);
        }
        held.extend_from_slice(data);
        if held.len() < MAGIC_BYTES {
            return Ok(());
        }
        let held = std::mem::take(held);
        self.method = Method::of(&held)?;
        self.pass(&held, take)
    }

    /// Ends the input; refuses one that stops in the middle.
    pub fn finish(&mut self, take: TakeBytes<'_>) -> Result<(), Error> {
        if let Method::Unknown(held) = &mut self.method {
            let held = std::mem::take(held);
            self.method = Method::of(&held)?;
            self.pass(&held, take)?;
        }
        match &mut self.method {
            Method::Gzip(decoder) => {
                let done = decoder.try_finish().map_err(damaged);
                let mut rest = std::mem::take(decoder.get_mut());
                let done = self.keep_within_bound(0, &mut rest).and(done);
                if !rest.is_empty() {
                    take(&rest)?;
                }
                done
            }
            Method::Zstd(zstd) if zstd.wanted_bytes > 0 => {
                Err(InputError::Compression("the zstd stream is cut short".into()).into())
            }
            _ => Ok(()),
        }
    }

    fn pass(&mut self, data: &[u8], take: TakeBytes<'_>) -> Result<(), Error> {
        if self.compression() == Compression::None {
            return take(data);
        }
        let (mut rest, mut step) = (data, std::mem::take(&mut self.step));
        loop {
            step.clear();
            let goes_on = self.step(&mut rest, usize::MAX, &mut step)?;
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

    /// Decompresses some of `data`, which it takes off, to at most `most` bytes more at the end of `text`; says
    /// whether more may come of what it has. An error comes where there is no text before it, else the next time.
    /// What is not known to be compressed stays where it is.
    pub fn step(
        &mut self,
        data: &mut &[u8],
        most: usize,
        text: &mut Vec<u8>,
    ) -> Result<bool, Error> {
        if let Some(fault) = self.fault.take() {
            return Err(fault);
        }
        let (before, packed) = (text.len(), data.len());
        let done = match &mut self.method {
            Method::Unknown(_) | Method::Plain => return Ok(false),
            Method::Gzip(decoder) => step_gzip(decoder, data, most, text),
            Method::Zstd(zstd) => zstd.step(data, most, text),
        };
        self.packed_bytes += (packed - data.len()) as u64;
        match self.keep_within_bound(before, text).and(done.map_err(damaged)) {
            Err(fault) if !text.is_empty() => {
                self.fault = Some(fault);
                Ok(true)
            }
            done => done,
        }
    }

    /// Whether what comes next is an error.
    #[must_use]
    pub fn has_fault(&self) -> bool {
        self.fault.is_some()
    }

    /// Whether it is known by now what the input is.
    #[must_use]
    pub fn knows(&self) -> bool {
        !matches!(self.method, Method::Unknown(_))
    }

    /// Counts what is new in `text`, from `before` on, and drops what is beyond the bound.
    fn keep_within_bound(&mut self, before: usize, text: &mut Vec<u8>) -> Result<(), Error> {
        let expanded = self.expansion.bytes_of(self.packed_bytes);
        let bound = self.max_decompressed_bytes.min(expanded);
        self.decompressed_bytes += (text.len() - before) as u64;
        let Some(beyond @ 1..) = self.decompressed_bytes.checked_sub(bound) else { return Ok(()) };
        text.truncate(text.len() - usize::try_from(beyond).unwrap_or(usize::MAX));
        let fault = if expanded < self.max_decompressed_bytes {
            LimitFault::DecompressedTimes(self.expansion.times)
        } else {
            LimitFault::DecompressedBytes(bound)
        };
        Err(InputError::Limit(fault).into())
    }
}

/// What a step of input becomes beyond `most` bytes stays in the decoder, until it is asked again.
fn step_gzip(
    decoder: &mut MultiGzDecoder<Vec<u8>>,
    data: &mut &[u8],
    most: usize,
    text: &mut Vec<u8>,
) -> io::Result<bool> {
    let mut done = Ok(());
    if decoder.get_ref().is_empty() {
        let (now, later) = data.split_at(data.len().min(GZIP_STEP));
        done = decoder.write_all(now);
        *data = later;
        if done.is_err() {
            // It has not handed out all that came before; the error is the same again.
            let _same = decoder.try_finish();
        }
    }
    let ready = decoder.get_mut();
    let now = if done.is_err() { ready.len() } else { ready.len().min(most) };
    text.extend_from_slice(&ready[..now]);
    ready.drain(..now);
    done?;
    Ok(!ready.is_empty() || !data.is_empty())
}

impl Zstd {
    fn step(&mut self, data: &mut &[u8], most: usize, text: &mut Vec<u8>) -> io::Result<bool> {
        if data.is_empty() && self.wanted_bytes == 0 {
            return Ok(false);
        }
        // What it has when it comes to damage is lost, so it gets no more than one thing: it asks for a block together
        // with the header of the next. And the first byte of a frame comes alone: one that is there as a whole, with
        // room for it, would be decompressed at once, whatever its window.
        let wanted = match self.wanted_bytes {
            0 => 1,
            few @ ..=ZSTD_BLOCK_HEADER => few,
            many => many - ZSTD_BLOCK_HEADER,
        };
        let now = data.len().min(wanted);
        let mut input = InBuffer::around(&data[..now]);
        let room = ZSTD_STEP.min(most);
        let mut output = OutBuffer::around(&mut self.output[..room]);
        self.wanted_bytes = self.decoder.run(&mut input, &mut output)?;
        let written = output.pos();
        let is_full = written == room;
        text.extend_from_slice(&self.output[..written]);
        *data = &data[input.pos()..];
        Ok(!data.is_empty() || (is_full && self.wanted_bytes > 0))
    }
}

impl Method {
    fn of(start: &[u8]) -> Result<Self, Error> {
        if start.starts_with(ZSTD_MAGIC) || matches!(start, [0x50..=0x5f, 0x2a, 0x4d, 0x18, ..]) {
            let mut decoder = ZstdDecoder::new()?;
            decoder.set_parameter(DParameter::WindowLogMax(ZSTD_WINDOW_LOG_MAX))?;
            let output = vec![0; ZSTD_STEP];
            Ok(Self::Zstd(Box::new(Zstd { decoder, wanted_bytes: 0, output })))
        } else if start.starts_with(GZIP_MAGIC) {
            Ok(Self::Gzip(Box::new(MultiGzDecoder::new(Vec::new()))))
        } else {
            Ok(Self::Plain)
        }
    }
}

#[allow(clippy::needless_pass_by_value, reason = "for map_err")]
fn damaged(error: io::Error) -> Error {
    InputError::Compression(error.to_string().to_lowercase()).into()
}
