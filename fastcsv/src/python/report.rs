//! `Progress`, `Report` and `OutputFile`: how far a batch has come, and what it came to.

use super::header::pairs;
use crate::output::file::OutputFile as Written;
use crate::output::report;
use crate::validator;
use pyo3::prelude::*;
use pyo3::types::PyTuple;
use std::collections::BTreeMap;

/// How far a batch has come. Sizes and checksum are of the input as it came.
#[pyclass(module = "fastcsv", frozen, get_all, eq)]
#[derive(Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Progress {
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
pub(super) struct OutputFile {
    name: &'static str,
    size_bytes: u64,
    crc32c: u32,
}

/// What a batch came to.
#[pyclass(module = "fastcsv", frozen, get_all)]
pub(super) struct Report {
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
    delimiter: char,
    encoding: &'static str,
    compression: &'static str,
    files: Py<PyTuple>,
    made_at: String,
}

impl Report {
    pub(super) fn new(py: Python<'_>, made: report::Report) -> PyResult<Self> {
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
            similar_columns: pairs(&made.difference.similar),
            unknown_columns: PyTuple::new(py, made.difference.unknown)?.unbind(),
            missing_optional_columns: PyTuple::new(py, made.difference.missing_optional)?.unbind(),
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
