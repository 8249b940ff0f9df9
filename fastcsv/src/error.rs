//! The errors of an input as a whole. A bad row is data, and never an error.
//!
//! ```text
//! Error
//! ├── Schema(SchemaError) a schema document is refused
//! ├── Input(InputError)   what was fed is not a CSV that these schemas can take
//! ├── Io(io::Error)       a file could not be read or written; errno is kept
//! └── Spent               the validator has already finished, failed or been aborted
//! ```
//! Each carries a stable `reason` and a `hint` that says what to do next. No text holds a cell's value.

use crate::input::format::FileFormat;
use crate::schema::{SchemaError, Similar};
use std::borrow::Cow;
use std::fmt;
use std::io;

/// An error of a validator.
#[derive(Debug)]
pub enum Error {
    Schema(SchemaError),
    Input(InputError),
    Io(io::Error),
    Spent,
}

/// Why an input as a whole cannot be validated.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum InputError {
    /// Nothing but blank lines, or nothing at all.
    Empty,
    Header(Box<HeaderFault>),
    /// No schema of payloads fits, or several do.
    Detection(Box<DetectionFault>),
    /// It is no CSV: its first bytes say what it is.
    Format(FileFormat),
    /// The header, or the input as a whole, is no text in an encoding that is read.
    Encoding(EncodingFault),
    /// The gzip or zstd stream is damaged, cut short or needs too large a window.
    Compression(String),
    /// A bound on the input as a whole was passed.
    Limit(LimitFault),
}

/// Why the schema of a payload is not known.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DetectionFault {
    pub reason: DetectionReason,
    pub detail: String,
    /// The schemas that were tried, as `name/version`, and for each what speaks against it: nothing where it fits.
    pub tried: Vec<(String, Vec<String>)>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DetectionReason {
    /// The payload is no JSON that could be read.
    Unreadable,
    /// No schema fits.
    Unknown,
    /// Schemas of several names fit.
    Ambiguous,
}

impl DetectionReason {
    fn name(self) -> &'static str {
        match self {
            Self::Unreadable => "PAYLOAD_UNREADABLE",
            Self::Unknown => "PAYLOAD_UNKNOWN",
            Self::Ambiguous => "PAYLOAD_AMBIGUOUS",
        }
    }

    fn hint(self) -> &'static str {
        match self {
            Self::Unreadable => "send one JSON value in UTF-8",
            Self::Unknown => "send what one of the schemas asks for, or name the schema",
            Self::Ambiguous => "name the schema that is meant",
        }
    }
}

/// What is wrong with a header: the lists that do not apply are empty.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HeaderFault {
    pub reason: HeaderReason,
    pub detail: String,
    /// Required columns that no candidate schema can do without.
    pub missing: Vec<String>,
    pub duplicated: Vec<String>,
    /// Positions, from 1, of the columns without a name.
    pub empty: Vec<usize>,
    /// Columns that the schema does not know, under `strict`.
    pub unknown: Vec<String>,
    /// The schema that comes nearest, as `name/version`.
    pub nearest: Option<String>,
    /// Columns of the header that may be meant for others.
    pub similar: Vec<Similar>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HeaderReason {
    /// Its quotes cannot be paired under any delimiter.
    Malformed,
    NameDoubled,
    NameEmpty,
    /// No schema has all its required columns.
    Mismatch,
    ColumnsUnknown,
    /// Excel's `sep=` names no delimiter that is read.
    SeparatorUnreadable,
}

impl HeaderFault {
    #[must_use]
    pub fn new(reason: HeaderReason, detail: String) -> Self {
        Self {
            reason,
            detail,
            missing: Vec::new(),
            duplicated: Vec::new(),
            empty: Vec::new(),
            unknown: Vec::new(),
            nearest: None,
            similar: Vec::new(),
        }
    }
}

impl HeaderFault {
    /// What to do next: of a name that is nearly right, to put that right.
    fn hint(&self) -> Cow<'static, str> {
        match self.similar.as_slice() {
            [] => self.reason.hint().into(),
            similar => {
                let renamed = similar.iter().take(SIMILAR_SHOWN);
                let renamed = renamed.map(|it| format!("{} to {}", it.found, it.meant));
                let renamed = renamed.collect::<Vec<_>>().join(", ");
                format!("did you mean it so? rename {renamed}: names count exactly").into()
            }
        }
    }
}

/// The hint names so many similar names.
const SIMILAR_SHOWN: usize = 8;

impl HeaderReason {
    fn name(self) -> &'static str {
        match self {
            Self::Malformed => "HEADER_MALFORMED",
            Self::NameDoubled => "HEADER_NAME_DOUBLED",
            Self::NameEmpty => "HEADER_NAME_EMPTY",
            Self::Mismatch => "HEADER_MISMATCH",
            Self::ColumnsUnknown => "HEADER_COLUMNS_UNKNOWN",
            Self::SeparatorUnreadable => "HEADER_SEPARATOR_UNREADABLE",
        }
    }

    fn hint(self) -> &'static str {
        match self {
            Self::Malformed => "quote a whole cell, and double the quotes inside it (RFC 4180)",
            Self::NameDoubled => "give every column a name of its own",
            Self::NameEmpty => "give every column a name in the first row, or remove it",
            Self::Mismatch => {
                "add the missing columns to the first row, spelled exactly so, or name the schema \
                 that the file was written for"
            }
            Self::ColumnsUnknown => "remove the unknown columns, or validate without strict",
            Self::SeparatorUnreadable => {
                "remove the first line, or let it name one of , ; | or a tab"
            }
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EncodingFault {
    HeaderNotUtf8,
    HeaderHasNul,
    Utf32,
}

/// A bound that was passed, and its value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LimitFault {
    HeaderBytes(u64),
    HeaderFields(u64),
    DecompressedBytes(u64),
    OutputBytes(u64),
    /// So many times what came in.
    DecompressedTimes(u64),
    OutputTimes(u64),
}

impl Error {
    /// The stable name of this error, for machines.
    #[must_use]
    pub fn reason(&self) -> &'static str {
        match self {
            Self::Schema(error) => error.reason.as_str(),
            Self::Input(error) => error.reason(),
            Self::Io(_) => "IO",
            Self::Spent => "VALIDATOR_SPENT",
        }
    }

    /// What to do next.
    #[must_use]
    pub fn hint(&self) -> Cow<'static, str> {
        let hint = match self {
            Self::Schema(error) => error.reason.hint(),
            Self::Input(error) => return error.hint(),
            Self::Io(_) => {
                "look at the error number: the disk may be full or the folder not writable"
            }
            Self::Spent => "make a new validator: this one has finished, failed or been aborted",
        };
        hint.into()
    }
}

impl InputError {
    #[must_use]
    pub fn reason(&self) -> &'static str {
        match self {
            Self::Empty => "EMPTY_INPUT",
            Self::Header(fault) => fault.reason.name(),
            Self::Detection(fault) => fault.reason.name(),
            Self::Format(_) => "INPUT_NOT_CSV",
            Self::Encoding(_) => "ENCODING_UNSUPPORTED",
            Self::Compression(_) => "COMPRESSION_INVALID",
            Self::Limit(LimitFault::HeaderBytes(_)) => "HEADER_TOO_LONG",
            Self::Limit(LimitFault::HeaderFields(_)) => "HEADER_TOO_WIDE",
            Self::Limit(LimitFault::DecompressedBytes(_)) => "DECOMPRESSED_TOO_LARGE",
            Self::Limit(LimitFault::OutputBytes(_)) => "OUTPUT_TOO_LARGE",
            Self::Limit(LimitFault::DecompressedTimes(_) | LimitFault::OutputTimes(_)) => {
                "EXPANSION_TOO_LARGE"
            }
        }
    }

    #[must_use]
    pub fn hint(&self) -> Cow<'static, str> {
        let hint = match self {
            Self::Empty => "send a file that begins with a header row",
            Self::Header(fault) => return fault.hint(),
            Self::Detection(fault) => fault.reason.hint(),
            Self::Format(format) => return format.hint().into(),
            Self::Encoding(EncodingFault::HeaderHasNul) => {
                "save the file as UTF-8, or put a byte-order mark before UTF-16"
            }
            Self::Encoding(_) => "save the file as UTF-8",
            Self::Compression(_) => "compress the file again, or send it uncompressed",
            Self::Limit(LimitFault::HeaderBytes(_)) => {
                "check that the file is a CSV with line ends, or raise max_header_bytes"
            }
            Self::Limit(LimitFault::HeaderFields(_)) => "check the delimiter, or raise max_fields",
            Self::Limit(LimitFault::DecompressedBytes(_)) => {
                "split the file, or raise max_decompressed_bytes"
            }
            Self::Limit(LimitFault::OutputBytes(_)) => {
                "check that the file is what it should be, split it, or raise max_output_bytes"
            }
            Self::Limit(LimitFault::DecompressedTimes(_) | LimitFault::OutputTimes(_)) => {
                "check that the file is what it should be; if it is, send it uncompressed, or raise max_expansion"
            }
        };
        hint.into()
    }
}

impl fmt::Display for InputError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Empty => f.write_str("the input is empty: there is no header"),
            Self::Header(fault) => fault.fmt(f),
            Self::Detection(fault) => f.write_str(&fault.detail),
            Self::Format(format) => format.fmt(f),
            Self::Encoding(EncodingFault::HeaderNotUtf8) => f.write_str("the header is not UTF-8"),
            Self::Encoding(EncodingFault::HeaderHasNul) => {
                f.write_str("the header holds NUL: it is not UTF-8 text")
            }
            Self::Encoding(EncodingFault::Utf32) => f.write_str("the input is UTF-32"),
            Self::Compression(what) => write!(f, "the compressed input cannot be read: {what}"),
            Self::Limit(LimitFault::HeaderBytes(bound)) => {
                write!(f, "the header is longer than {bound} bytes")
            }
            Self::Limit(LimitFault::HeaderFields(bound)) => {
                write!(f, "the header has more than {bound} columns")
            }
            Self::Limit(LimitFault::DecompressedBytes(bound)) => {
                write!(f, "the input decompresses to more than {bound} bytes")
            }
            Self::Limit(LimitFault::OutputBytes(bound)) => {
                write!(f, "the rows and their errors come to more than {bound} bytes")
            }
            Self::Limit(LimitFault::DecompressedTimes(times)) => {
                write!(f, "the input decompresses to more than {times} times its size")
            }
            Self::Limit(LimitFault::OutputTimes(times)) => write!(
                f,
                "the rows and their errors come to more than {times} times the size of the input"
            ),
        }
    }
}

impl fmt::Display for HeaderFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.detail)?;
        match &self.nearest {
            Some(schema) => write!(f, " (nearest schema: {schema})"),
            None => Ok(()),
        }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Schema(error) => error.fmt(f),
            Self::Input(error) => error.fmt(f),
            Self::Io(error) => error.fmt(f),
            Self::Spent => f.write_str("the validator has finished, failed or been aborted"),
        }
    }
}

impl std::error::Error for InputError {}
impl std::error::Error for Error {}

impl From<SchemaError> for Error {
    fn from(error: SchemaError) -> Self {
        Self::Schema(error)
    }
}

impl From<InputError> for Error {
    fn from(error: InputError) -> Self {
        Self::Input(error)
    }
}

impl From<HeaderFault> for Error {
    fn from(fault: HeaderFault) -> Self {
        Self::Input(InputError::Header(Box::new(fault)))
    }
}

impl From<DetectionFault> for Error {
    fn from(fault: DetectionFault) -> Self {
        Self::Input(InputError::Detection(Box::new(fault)))
    }
}

impl From<io::Error> for Error {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}
