//! `Validator`: one batch, fed in chunks.
//!
//! What may be asked while work goes on (`progress`, `schema`) is a snapshot, so asking never waits for work.

use super::bytes::Bytes;
use super::header::HeaderDifference;
use super::options::Options;
use super::report::{Progress, Report};
use super::schema::Schema;
use crate::error::Error;
use crate::options;
use crate::parallel::lock;
use crate::schema::{Difference, RowSchema};
use crate::validator::{self, Names};
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::types::PyTuple;
use std::path::PathBuf;
use std::sync::Mutex;

/// Validates one batch, fed in chunks.
#[pyclass(module = "fastcsv", frozen)]
pub(super) struct Validator {
    schemas: Vec<Py<Schema>>,
    core: Mutex<validator::Validator>,
    snapshot: Mutex<Snapshot>,
}

/// What may be asked while work goes on, as of the last completed piece of it.
#[derive(Default)]
struct Snapshot {
    progress: Progress,
    schema: Option<usize>,
    difference: Difference,
}

#[pymethods]
impl Validator {
    #[new]
    #[pyo3(signature = (
        schemas, out_dir, *, batch = "", source_file = "", quarantined_at, options = None
    ))]
    pub(super) fn new(
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

    /// What the header and the schema have not in common; nothing until the header has been read.
    #[getter]
    fn difference(&self, py: Python<'_>) -> PyResult<HeaderDifference> {
        HeaderDifference::new(py, &lock(&self.snapshot).difference)
    }

    #[getter]
    fn progress(&self) -> Progress {
        lock(&self.snapshot).progress
    }

    /// Writes what is left and the report, and waits until the disk has all of it.
    pub(super) fn finish(&self, py: Python<'_>) -> PyResult<Report> {
        Report::new(py, py.detach(|| self.work(validator::Validator::finish))?)
    }

    /// Removes what was written; does nothing after finish, or a second time.
    pub(super) fn abort(&self, py: Python<'_>) -> PyResult<()> {
        Ok(py.detach(|| self.work(validator::Validator::abort))?)
    }
}

impl Validator {
    pub(super) fn work<T>(
        &self,
        work: impl FnOnce(&mut validator::Validator) -> Result<T, Error>,
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
