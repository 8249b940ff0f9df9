//! `Progress`, `Report` and `OutputFile`: how far a batch has come, and what it came to.

use super::header::pairs;
use crate::output::file::OutputFile;
use crate::output::report::Report;
use crate::validator::Progress;
use pyo3::prelude::*;
use pyo3::types::PyTuple;
use std::collections::BTreeMap;

/// How far a batch has come. Sizes and checksum are of the input as it came.
#[pyclass(name = "Progress", module = "fastcsv", frozen, get_all, eq)]
#[derive(Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct PyProgress {
    size_bytes: u64,
    crc32c: u32,
    total_rows: u64,
    valid_rows: u64,
    quarantined_rows: u64,
}

#[pymethods]
impl PyProgress {
    fn __repr__(&self) -> String {
        let Self { size_bytes, crc32c, total_rows, valid_rows, quarantined_rows } = self;
        format!(
            "Progress(size_bytes={size_bytes}, crc32c={crc32c:#010x}, total_rows={total_rows}, \
             valid_rows={valid_rows}, quarantined_rows={quarantined_rows})"
        )
    }
}

impl From<Progress> for PyProgress {
    fn from(progress: Progress) -> Self {
        let Progress { size_bytes, crc32c, total_rows, valid_rows, quarantined_rows } = progress;
        Self { size_bytes, crc32c, total_rows, valid_rows, quarantined_rows }
    }
}

/// A file of a finished batch.
#[pyclass(name = "OutputFile", module = "fastcsv", frozen, get_all, eq)]
#[derive(Clone, PartialEq, Eq)]
pub(super) struct PyOutputFile {
    name: &'static str,
    size_bytes: u64,
    crc32c: u32,
}

/// What a batch came to.
#[pyclass(name = "Report", module = "fastcsv", frozen, get_all)]
pub(super) struct PyReport {
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
    similar_columns: BTreeMap<String, String>,
    delimiter: String,
    encoding: &'static str,
    compression: &'static str,
    files: Py<PyTuple>,
    made_at: String,
}

impl PyReport {
    pub(super) fn new(py: Python<'_>, made: Report) -> PyResult<Self> {
        let files = made.files.iter().map(|&OutputFile { name, size_bytes, crc32c }| {
            PyOutputFile { name, size_bytes, crc32c }
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
            similar_columns: pairs(&made.difference.similar),
            unknown_columns: PyTuple::new(py, made.difference.unknown)?.unbind(),
            missing_optional_columns: PyTuple::new(py, made.difference.missing_optional)?.unbind(),
            delimiter: made.delimiter.map(String::from).unwrap_or_default(),
            encoding: made.encoding,
            compression: made.compression,
            files: PyTuple::new(py, files.collect::<Vec<_>>())?.unbind(),
            made_at: made.made_at,
        })
    }
}

#[pymethods]
impl PyReport {
    fn __repr__(&self) -> String {
        let Self { batch, schema, version, total_rows, quarantined_rows, .. } = self;
        format!(
            "Report(batch={batch:?}, schema={schema:?}, version={version:?}, \
             total_rows={total_rows}, quarantined_rows={quarantined_rows})"
        )
    }
}
