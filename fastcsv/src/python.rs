//! The Python boundary: with its folder the only place that names `PyO3`, and where errors are mapped.
//!
//! Bytes, paths and schema text go in, frozen objects come out. Work runs with the interpreter detached; what
//! may be asked meanwhile (`progress`, `schema`) is a snapshot, so asking never waits for work.
#![allow(clippy::needless_pass_by_value, reason = "what Python hands over comes by value")]

mod bytes;
mod file;

use self::bytes::Bytes;
use crate::error::{Error, InputError as Refused};
use crate::header::find_schema;
use crate::options;
use crate::output::file::OutputFile as Written;
use crate::output::report;
use crate::parallel::lock;
use crate::schema::{self, RowSchema, SchemaLimits, clean};
use crate::validator::{self, Names};
use pyo3::create_exception;
use pyo3::exceptions::{PyException, PyOSError, PyValueError};
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyString, PyTuple};
use std::collections::BTreeMap;
use std::io;
use std::path::PathBuf;
use std::sync::Mutex;

create_exception!(fastcsv, FastcsvError, PyException, "What fastcsv refuses, or fails at.");
create_exception!(fastcsv, SchemaError, FastcsvError, "A schema document is refused.");
create_exception!(fastcsv, InputError, FastcsvError, "An input as a whole is refused.");
create_exception!(fastcsv, EmptyInputError, InputError, "There is no header.");
create_exception!(fastcsv, HeaderError, InputError, "The header fits no schema.");
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

/// A column that a schema knows.
#[pyclass(module = "fastcsv", frozen, get_all, eq, hash)]
#[derive(Clone, PartialEq, Eq, Hash)]
struct Column {
    name: String,
    required: bool,
    pii: bool,
}

/// A compiled row schema: a JSON Schema 2020-12 document whose properties are the columns.
#[pyclass(module = "fastcsv", frozen)]
struct Schema {
    compiled: RowSchema,
}

#[pymethods]
impl Schema {
    #[new]
    #[pyo3(signature = (document, *, name, version))]
    fn new(
        py: Python<'_>,
        document: &Bound<'_, PyAny>,
        name: &str,
        version: &str,
    ) -> PyResult<Self> {
        let text;
        let document: &[u8] = if let Ok(document) = document.cast::<PyString>() {
            text = document.to_str()?.to_owned();
            text.as_bytes()
        } else {
            document.cast::<PyBytes>()?.as_bytes()
        };
        let compiled = py
            .detach(|| RowSchema::compile(name, version, document, &SchemaLimits::default()))
            .map_err(Error::from)?;
        Ok(Self { compiled })
    }

    #[getter]
    fn name(&self) -> &str {
        self.compiled.name()
    }

    #[getter]
    fn version(&self) -> &str {
        self.compiled.version()
    }

    #[getter]
    fn columns<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyTuple>> {
        let columns =
            self.compiled.columns().iter().map(|schema::Column { name, required, pii }| Column {
                name: name.clone(),
                required: *required,
                pii: *pii,
            });
        PyTuple::new(py, columns.collect::<Vec<_>>())
    }

    #[getter]
    fn effective_date(&self) -> Option<&str> {
        self.compiled.effective_date()
    }

    #[getter]
    fn deprecated(&self) -> bool {
        self.compiled.is_deprecated()
    }

    fn __repr__(&self) -> String {
        format!("Schema(name={:?}, version={:?})", self.name(), self.version())
    }
}

/// Defines `Options` from one list of its fields and their defaults.
macro_rules! options {
    ($($field:ident: $type:ty = $default:tt,)*) => {
        /// How an input is validated, and every bound on it.
        #[pyclass(module = "fastcsv", frozen, get_all, eq)]
        #[derive(Clone, PartialEq, Eq)]
        #[allow(clippy::struct_excessive_bools, reason = "each is a choice of its own")]
        struct Options {
            delimiter: Option<char>,
            $($field: $type,)*
        }

        #[pymethods]
        impl Options {
            #[new]
            #[pyo3(signature = (*, delimiter = None, $($field = $default,)*))]
            #[allow(clippy::too_many_arguments, clippy::fn_params_excessive_bools)]
            fn new(delimiter: Option<char>, $($field: $type,)*) -> PyResult<Self> {
                let it = Self { delimiter, $($field,)* };
                it.chosen()?;
                Ok(it)
            }
        }

        impl Options {
            /// The same for the core; refuses what no input could be read with.
            fn chosen(&self) -> PyResult<options::Options> {
                let delimiter = self.delimiter.map(delimiter_byte).transpose()?;
                let chosen = options::Options { delimiter, $($field: self.$field,)* };
                chosen.check().map_err(PyValueError::new_err)?;
                Ok(chosen)
            }
        }
    };
}

options! {
    strict: bool = false,
    accept_recovered: bool = false,
    valid_out: bool = false,
    threads: usize = 1,
    max_record_bytes: usize = 1_048_576,
    max_record_lines: usize = 10_000,
    max_fields: usize = 1_024,
    max_field_bytes: usize = 262_144,
    max_header_bytes: usize = 65_536,
    max_json_depth: u32 = 128,
    max_errors_per_record: usize = 100,
    max_decompressed_bytes: u64 = 17_179_869_184,
    max_output_bytes: u64 = 68_719_476_736,
}

fn delimiter_byte(delimiter: char) -> PyResult<u8> {
    u8::try_from(delimiter).map_err(|_| PyValueError::new_err("delimiter must be ASCII"))
}

/// How far a batch has come. Sizes and checksum are of the input as it came.
#[pyclass(module = "fastcsv", frozen, get_all, eq)]
#[derive(Clone, Copy, Default, PartialEq, Eq)]
struct Progress {
    size_bytes: u64,
    crc32c: u32,
    total_rows: u64,
    valid_rows: u64,
    quarantined_rows: u64,
}

#[pymethods]
impl Progress {
    fn __repr__(&self) -> String {
        let Self { size_bytes, crc32c, total_rows, valid_rows, quarantined_rows } = self;
        format!(
            "Progress(size_bytes={size_bytes}, crc32c={crc32c:#010x}, total_rows={total_rows}, \
             valid_rows={valid_rows}, quarantined_rows={quarantined_rows})"
        )
    }
}

impl From<validator::Progress> for Progress {
    fn from(progress: validator::Progress) -> Self {
        let validator::Progress { size_bytes, crc32c, total_rows, valid_rows, quarantined_rows } =
            progress;
        Self { size_bytes, crc32c, total_rows, valid_rows, quarantined_rows }
    }
}

/// A file of a finished batch.
#[pyclass(module = "fastcsv", frozen, get_all, eq)]
#[derive(Clone, PartialEq, Eq)]
struct OutputFile {
    name: &'static str,
    size_bytes: u64,
    crc32c: u32,
}

/// What a batch came to.
#[pyclass(module = "fastcsv", frozen, get_all)]
struct Report {
    batch: String,
    source_file: String,
    schema: String,
    version: String,
    total_rows: u64,
    valid_rows: u64,
    quarantined_rows: u64,
    recovered_rows: u64,
    size_bytes: u64,
    crc32c: u32,
    errors_by_field: BTreeMap<String, u64>,
    errors_by_keyword: BTreeMap<&'static str, u64>,
    total_errors: u64,
    unknown_columns: Py<PyTuple>,
    missing_optional_columns: Py<PyTuple>,
    delimiter: char,
    encoding: &'static str,
    compression: &'static str,
    files: Py<PyTuple>,
    made_at: String,
}

impl Report {
    fn new(py: Python<'_>, made: report::Report) -> PyResult<Self> {
        let files = made.files.iter().map(|&Written { name, size_bytes, crc32c }| OutputFile {
            name,
            size_bytes,
            crc32c,
        });
        Ok(Self {
            batch: made.batch,
            source_file: made.source_file,
            schema: made.schema,
            version: made.version,
            total_rows: made.total_rows,
            valid_rows: made.valid_rows,
            quarantined_rows: made.quarantined_rows,
            recovered_rows: made.recovered_rows,
            size_bytes: made.size_bytes,
            crc32c: made.crc32c,
            errors_by_field: made.errors_by_field,
            errors_by_keyword: made.errors_by_keyword,
            total_errors: made.total_errors,
            unknown_columns: PyTuple::new(py, made.unknown_columns)?.unbind(),
            missing_optional_columns: PyTuple::new(py, made.missing_optional_columns)?.unbind(),
            delimiter: made.delimiter,
            encoding: made.encoding,
            compression: made.compression,
            files: PyTuple::new(py, files.collect::<Vec<_>>())?.unbind(),
            made_at: made.made_at,
        })
    }
}

#[pymethods]
impl Report {
    fn __repr__(&self) -> String {
        let Self { batch, schema, version, total_rows, quarantined_rows, .. } = self;
        format!(
            "Report(batch={batch:?}, schema={schema:?}, version={version:?}, \
             total_rows={total_rows}, quarantined_rows={quarantined_rows})"
        )
    }
}

/// Validates one batch, fed in chunks.
#[pyclass(module = "fastcsv", frozen)]
struct Validator {
    schemas: Vec<Py<Schema>>,
    core: Mutex<validator::Validator>,
    snapshot: Mutex<Snapshot>,
}

/// What may be asked while work goes on, as of the last completed piece of it.
#[derive(Default)]
struct Snapshot {
    progress: Progress,
    schema: Option<usize>,
    unknown_columns: Vec<String>,
}

#[pymethods]
impl Validator {
    #[new]
    #[pyo3(signature = (
        schemas, out_dir, *, batch = "", source_file = "", quarantined_at, options = None
    ))]
    fn new(
        py: Python<'_>,
        schemas: Vec<Py<Schema>>,
        out_dir: PathBuf,
        batch: &str,
        source_file: &str,
        quarantined_at: &str,
        options: Option<&Options>,
    ) -> PyResult<Self> {
        let compiled: Vec<RowSchema> = schemas.iter().map(|it| it.get().compiled.clone()).collect();
        if compiled.is_empty() {
            return Err(PyValueError::new_err("schemas must not be empty"));
        }
        let names = Names {
            batch: batch.to_owned(),
            source_file: source_file.to_owned(),
            quarantined_at: quarantined_at.to_owned(),
        };
        let options = options.map_or_else(|| Ok(options::Options::default()), Options::chosen)?;
        let core = py.detach(|| validator::Validator::new(&compiled, &out_dir, names, options))?;
        Ok(Self { schemas, core: Mutex::new(core), snapshot: Mutex::default() })
    }

    /// Takes the next bytes of the input. The interpreter is free meanwhile.
    #[pyo3(signature = (*pieces, threads = None))]
    fn feed(
        &self,
        py: Python<'_>,
        pieces: &Bound<'_, PyTuple>,
        threads: Option<usize>,
    ) -> PyResult<Progress> {
        let pieces = Bytes::of_all(pieces)?;
        let pieces: Vec<&[u8]> = pieces.iter().map(|it| &**it).collect();
        let threads = threads.unwrap_or(usize::MAX);
        py.detach(|| self.work(|core| core.feed_all(&pieces, threads)))?;
        Ok(self.progress())
    }

    /// The schema that the header fits; None until the header has been read.
    #[getter]
    fn schema(&self, py: Python<'_>) -> Option<Py<Schema>> {
        let index = lock(&self.snapshot).schema;
        Some(self.schemas[index?].clone_ref(py))
    }

    /// Columns of the header that the schema does not know; empty until the header has been read.
    #[getter]
    fn unknown_columns<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyTuple>> {
        PyTuple::new(py, &lock(&self.snapshot).unknown_columns)
    }

    #[getter]
    fn progress(&self) -> Progress {
        lock(&self.snapshot).progress
    }

    /// Writes what is left and the report, and waits until the disk has all of it.
    fn finish(&self, py: Python<'_>) -> PyResult<Report> {
        Report::new(py, py.detach(|| self.work(validator::Validator::finish))?)
    }

    /// Removes what was written; does nothing after finish, or a second time.
    fn abort(&self, py: Python<'_>) -> PyResult<()> {
        Ok(py.detach(|| self.work(validator::Validator::abort))?)
    }
}

impl Validator {
    fn work<T>(
        &self,
        work: impl FnOnce(&mut validator::Validator) -> Result<T, Error>,
    ) -> Result<T, Error> {
        let mut core = lock(&self.core);
        let done = work(&mut core);
        let mut snapshot = lock(&self.snapshot);
        snapshot.progress = core.progress().into();
        if snapshot.schema.is_none() {
            snapshot.schema = core.schema_index();
            snapshot.unknown_columns = core.unknown_columns().to_vec();
        }
        done
    }
}

/// The schema that fits a header best.
#[pyfunction]
#[pyo3(signature = (schemas, header))]
fn detect(py: Python<'_>, schemas: Vec<Py<Schema>>, header: Vec<String>) -> PyResult<Py<Schema>> {
    let compiled: Vec<RowSchema> = schemas.iter().map(|it| it.get().compiled.clone()).collect();
    let names: Vec<String> = header.iter().map(|name| clean(name).to_owned()).collect();
    Ok(schemas[find_schema(&compiled, &names)?].clone_ref(py))
}

/// One schema, or several to choose from.
#[derive(FromPyObject)]
enum Candidates {
    One(Py<Schema>),
    Many(Vec<Py<Schema>>),
}

#[pymodule]
mod _core {
    #[pymodule_export]
    use super::file::validate_file;
    #[pymodule_export]
    use super::{
        Column, CompressionError, EmptyInputError, EncodingError, FastcsvError, HeaderError,
        InputError, LimitError, Options, OutputFile, Progress, Report, Schema, SchemaError,
        Validator, detect,
    };
}
