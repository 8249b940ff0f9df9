//! The exceptions, and the one place where errors of the core become them.

use super::header::pairs;
use crate::error::{Error, InputError as Refused};
use pyo3::create_exception;
use pyo3::exceptions::{PyException, PyOSError};
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyTuple};
use std::io;

create_exception!(fastcsv, FastcsvError, PyException, "What fastcsv refuses, or fails at.");
create_exception!(fastcsv, SchemaError, FastcsvError, "A schema document is refused.");
create_exception!(fastcsv, InputError, FastcsvError, "An input as a whole is refused.");
create_exception!(fastcsv, EmptyInputError, InputError, "There is no header.");
create_exception!(fastcsv, HeaderError, InputError, "The header fits no schema.");
create_exception!(fastcsv, DetectionError, InputError, "No schema fits a payload, or several do.");
create_exception!(fastcsv, FormatError, InputError, "The input is a file of another kind.");
create_exception!(fastcsv, EncodingError, InputError, "The input is in no encoding that is read.");
create_exception!(fastcsv, CompressionError, InputError, "The compressed input is damaged.");
create_exception!(fastcsv, LimitError, InputError, "A bound on the input as a whole was passed.");

impl From<Error> for PyErr {
    fn from(error: Error) -> Self {
        Python::attach(|py| raise(py, &error).unwrap_or_else(|failed| failed))
    }
}

fn raise(py: Python<'_>, error: &Error) -> PyResult<PyErr> {
    let text = error.to_string();
    let raised = match error {
        Error::Io(error) => return Ok(os_error(error)),
        Error::Spent => FastcsvError::new_err(text),
        Error::Schema(_) => SchemaError::new_err(text),
        Error::Input(Refused::Empty) => EmptyInputError::new_err(text),
        Error::Input(Refused::Header(_)) => HeaderError::new_err(text),
        Error::Input(Refused::Detection(_)) => DetectionError::new_err(text),
        Error::Input(Refused::Format(_)) => FormatError::new_err(text),
        Error::Input(Refused::Encoding(_)) => EncodingError::new_err(text),
        Error::Input(Refused::Compression(_)) => CompressionError::new_err(text),
        Error::Input(Refused::Limit(_)) => LimitError::new_err(text),
    };
    let value = raised.value(py);
    value.setattr("reason", error.reason())?;
    value.setattr("hint", error.hint())?;
    if let Error::Input(Refused::Header(fault)) = error {
        value.setattr("missing", PyTuple::new(py, &fault.missing)?)?;
        value.setattr("duplicated", PyTuple::new(py, &fault.duplicated)?)?;
        value.setattr("empty", PyTuple::new(py, &fault.empty)?)?;
        value.setattr("unknown", PyTuple::new(py, &fault.unknown)?)?;
        value.setattr("nearest", fault.nearest.as_deref())?;
        value.setattr("similar", pairs(&fault.similar))?;
    }
    if let Error::Input(Refused::Detection(fault)) = error {
        let tried = PyDict::new(py);
        for (schema, faults) in &fault.tried {
            tried.set_item(schema, PyTuple::new(py, faults)?)?;
        }
        value.setattr("tried", tried)?;
    }
    Ok(raised)
}

/// With the error number, by which Python picks the subclass and callers tell a full disk.
fn os_error(error: &io::Error) -> PyErr {
    match error.raw_os_error() {
        Some(errno) => {
            let text = error.to_string();
            let text = text.split(" (os error").next().unwrap_or_default().to_owned();
            PyOSError::new_err((errno, text))
        }
        None => PyOSError::new_err(error.to_string()),
    }
}
