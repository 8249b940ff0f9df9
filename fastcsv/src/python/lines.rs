//! `PayloadValidator` and `validate_payload_file`: a batch of payloads, one a line (JSON Lines).
//!
//! `progress` is read from a snapshot, so that it never waits for a running `feed`.

use super::bytes::Bytes;
use super::file::{names_of, read_file, source};
use super::options::PyPayloadOptions;
use super::payload::PyPayloadSchema;
use super::report::{PyProgress, PyReport};
use crate::error::Error;
use crate::input::Source;
use crate::locking::lock;
use crate::options::PayloadOptions;
use crate::validator::{BatchNames, PayloadValidator};
use pyo3::prelude::*;
use pyo3::types::PyTuple;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};

/// Validates one batch of payloads, one a line, fed in chunks.
#[pyclass(name = "PayloadValidator", module = "fastcsv", frozen)]
pub(super) struct PyPayloadValidator {
    core: Mutex<PayloadValidator>,
    snapshot: Mutex<PyProgress>,
}

#[pymethods]
impl PyPayloadValidator {
    #[new]
    #[pyo3(signature = (
        schema, out_dir, *, batch = "", source_file = "", quarantined_at, options = None,
        candidates = Vec::new()
    ))]
    #[allow(clippy::too_many_arguments, reason = "keyword-only, all but two")]
    fn new(
        py: Python<'_>,
        schema: Bound<'_, PyPayloadSchema>,
        out_dir: PathBuf,
        batch: &str,
        source_file: &str,
        quarantined_at: &str,
        options: Option<&PyPayloadOptions>,
        candidates: Vec<Py<PyPayloadSchema>>,
    ) -> PyResult<Self> {
        let names = BatchNames {
            batch: batch.to_owned(),
            source_file: source_file.to_owned(),
            quarantined_at: quarantined_at.to_owned(),
        };
        let options =
            options.map_or_else(|| Ok(PayloadOptions::default()), PyPayloadOptions::chosen)?;
        let compiled = Arc::clone(&schema.get().compiled);
        let candidates = candidates.iter().map(|it| Arc::clone(&it.get().compiled)).collect();
        let core = py.detach(|| {
            PayloadValidator::of_lines(&compiled, candidates, &out_dir, names, &options)
        })?;
        Ok(Self { core: Mutex::new(core), snapshot: Mutex::default() })
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

    #[getter]
    fn progress(&self) -> PyProgress {
        *lock(&self.snapshot)
    }

    /// Judges the last line, writes what is left and the report, and waits until the disk has all of it.
    fn finish(&self, py: Python<'_>) -> PyResult<PyReport> {
        PyReport::new(py, py.detach(|| self.work(PayloadValidator::finish))?)
    }

    /// Removes what was written; does nothing after finish, or a second time.
    fn abort(&self, py: Python<'_>) -> PyResult<()> {
        Ok(py.detach(|| self.work(PayloadValidator::abort))?)
    }
}

impl PyPayloadValidator {
    fn work<T>(
        &self,
        work: impl FnOnce(&mut PayloadValidator) -> Result<T, Error>,
    ) -> Result<T, Error> {
        let mut core = lock(&self.core);
        let done = work(&mut core);
        *lock(&self.snapshot) = core.progress().into();
        done
    }
}

/// Validates a file of payloads into a folder, and removes what it wrote if that fails.
#[pyfunction]
#[pyo3(signature = (
    schema, path, out_dir, *, batch = "", source_file = None, quarantined_at = None, options = None,
    candidates = Vec::new()
))]
#[allow(clippy::too_many_arguments, reason = "keyword-only, all but three")]
pub(super) fn validate_payload_file(
    py: Python<'_>,
    schema: Bound<'_, PyPayloadSchema>,
    path: PathBuf,
    out_dir: PathBuf,
    batch: &str,
    source_file: Option<&str>,
    quarantined_at: Option<&str>,
    options: Option<&PyPayloadOptions>,
    candidates: Vec<Py<PyPayloadSchema>>,
) -> PyResult<PyReport> {
    let (name, now) = names_of(&path);
    let mut file = source(py, &path)?;
    let validator = PyPayloadValidator::new(
        py,
        schema,
        out_dir,
        batch,
        source_file.unwrap_or(&name),
        quarantined_at.unwrap_or(&now),
        options,
        candidates,
    )?;
    let feed = |file: &mut Source, goes_on: &mut dyn FnMut() -> bool| {
        validator.work(|core| core.feed_from(file, goes_on))
    };
    let read = read_file(py, feed, &mut file).and_then(|()| validator.finish(py));
    if read.is_err() {
        // What went wrong first is what the caller must hear.
        let _ = validator.abort(py);
    }
    read
}
