//! The Python boundary: this folder is the only place that names `PyO3`.
//!
//! Bytes, paths and schema text go in, frozen objects come out. Work runs with the interpreter detached.
#![allow(clippy::needless_pass_by_value, reason = "what Python hands over comes by value")]

mod bytes;
mod error;
mod file;
mod header;
mod line_hash;
mod lines;
mod options;
mod payload;
mod report;
mod schema;
mod validator;

use pyo3::prelude::*;

#[pymodule]
mod _core {
    #[pymodule_export]
    use super::error::{
        CompressionError, DetectionError, EmptyInputError, EncodingError, FastcsvError,
        FormatError, HeaderError, InputError, LimitError, SchemaError,
    };
    #[pymodule_export]
    use super::file::validate_file;
    #[pymodule_export]
    use super::header::{HeaderDifference, clean_name, compare, detect};
    #[pymodule_export]
    use super::line_hash::PyLineHash;
    #[pymodule_export]
    use super::lines::{PyPayloadValidator, validate_payload_file};
    #[pymodule_export]
    use super::options::{PyOptions, PyPayloadOptions};
    #[pymodule_export]
    use super::payload::{
        PyPayloadReport, PyPayloadSchema, PyPayloadViolation, detect_payload, normalise_payload,
        validate_payload,
    };
    #[pymodule_export]
    use super::report::{PyOutputFile, PyProgress, PyReport};
    #[pymodule_export]
    use super::schema::{PyColumn, PySchema};
    #[pymodule_export]
    use super::validator::PyValidator;
}
