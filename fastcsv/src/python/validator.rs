//! `Validator`: one batch, fed in chunks.
//!
//! `progress` and `schema` are read from a snapshot, so that they never wait for a running `feed`.

use super::bytes::Bytes;
use super::header::HeaderDifference;
use super::options::PyOptions;
use super::report::{PyProgress, PyReport};
use super::schema::PySchema;
use crate::error::Error;
use crate::locking::lock;
use crate::options::Options;
use crate::schema::{Difference, RowSchema};
use crate::validator::{BatchNames, Validator};
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::types::PyTuple;
use std::path::PathBuf;
use std::sync::Mutex;

/// Validates one batch, fed in chunks.
#[pyclass(name = "Validator", module = "fastcsv", frozen)]
pub(super) struct PyValidator {
    schemas: Vec<Py<PySchema>>,
    core: Mutex<Validator>,
    snapshot: Mutex<Snapshot>,
}

/// The state after the last completed `feed`.
#[derive(Default)]
struct Snapshot {
    progress: PyProgress,
    schema: Option<usize>,
    difference: Difference,
}

#[pymethods]
impl PyValidator {
    #[new]
    #[pyo3(signature = (
        schemas, out_dir, *, batch = "", source_file = "", quarantined_at, options = None
    ))]
    pub(super) fn new(
        py: Python<'_>,
        schemas: Vec<Py<PySchema>>,
        out_dir: PathBuf,
        batch: &str,
        source_file: &str,
        quarantined_at: &str,
        options: Option<&PyOptions>,
    ) -> PyResult<Self> {
        let compiled: Vec<RowSchema> = schemas.iter().map(|it| it.get().compiled.clone()).collect();
        if compiled.is_empty() {
            return Err(PyValueError::new_err("schemas must not be empty"));
        }
        let names = BatchNames {
            batch: batch.to_owned(),
            source_file: source_file.to_owned(),
            quarantined_at: quarantined_at.to_owned(),
        };
        let options = options.map_or_else(|| Ok(Options::default()), PyOptions::chosen)?;
        let core = py.detach(|| Validator::new(&compiled, &out_dir, names, options))?;
        Ok(Self { schemas, core: Mutex::new(core), snapshot: Mutex::default() })
    }

    /// Takes the next bytes of the input. The interpreter is free meanwhile.
    #[pyo3(signature = (*pieces, threads = None))]
    fn feed(
        &self,
        py: Python<'_>,
        pieces: &Bound<'_, PyTuple>,
        threads: Option<usize>,
    ) -> PyResult<PyProgress> {
        let pieces = Bytes::of_all(pieces)?;
        let pieces: Vec<&[u8]> = pieces.iter().map(|it| &**it).collect();
        let threads = threads.unwrap_or(usize::MAX);
        py.detach(|| self.work(|core| core.feed_all(&pieces, threads)))?;
        Ok(self.progress())
    }

    /// The schema that the header fits; None until the header has been read.
    #[getter]
    fn schema(&self, py: Python<'_>) -> Option<Py<PySchema>> {
        let index = lock(&self.snapshot).schema;
        Some(self.schemas[index?].clone_ref(py))
    }

    /// How the header and the schema differ; empty until the header has been read.
    #[getter]
    fn difference(&self, py: Python<'_>) -> PyResult<HeaderDifference> {
        HeaderDifference::new(py, &lock(&self.snapshot).difference)
    }

    #[getter]
    fn progress(&self) -> PyProgress {
        lock(&self.snapshot).progress
    }

    /// Writes what is left and the report, and waits until the disk has all of it.
    pub(super) fn finish(&self, py: Python<'_>) -> PyResult<PyReport> {
        PyReport::new(py, py.detach(|| self.work(Validator::finish))?)
    }

    /// Removes what was written; does nothing after finish, or a second time.
    pub(super) fn abort(&self, py: Python<'_>) -> PyResult<()> {
        Ok(py.detach(|| self.work(Validator::abort))?)
    }
}

impl PyValidator {
    pub(super) fn work<T>(
        &self,
        work: impl FnOnce(&mut Validator) -> Result<T, Error>,
    ) -> Result<T, Error> {
        let mut core = lock(&self.core);
        let done = work(&mut core);
        let mut snapshot = lock(&self.snapshot);
        snapshot.progress = core.progress().into();
        if snapshot.schema.is_none() {
            snapshot.schema = core.schema_index();
            snapshot.difference = core.difference().cloned().unwrap_or_default();
        }
        done
    }
}
