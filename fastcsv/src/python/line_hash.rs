//! `LineHash`: one hash for many lines, fed in chunks.

use super::bytes::Bytes;
use crate::line_hash::LineHash;
use crate::locking::lock;
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::types::PyTuple;
use std::sync::Mutex;

/// Hashes lines, whatever their order.
#[pyclass(name = "LineHash", module = "fastcsv", frozen)]
pub(super) struct PyLineHash(Mutex<LineHash>);

#[pymethods]
impl PyLineHash {
    #[new]
    fn new() -> Self {
        Self(Mutex::default())
    }

    /// Takes the next bytes. The interpreter is free meanwhile.
    #[pyo3(signature = (*pieces))]
    fn feed(&self, py: Python<'_>, pieces: &Bound<'_, PyTuple>) -> PyResult<()> {
        let pieces = Bytes::of_all(pieces)?;
        let pieces: Vec<&[u8]> = pieces.iter().map(|it| &**it).collect();
        py.detach(|| {
            let mut core = lock(&self.0);
            for piece in pieces {
                core.feed(piece);
            }
        });
        Ok(())
    }

    /// How many lines there were, and the sum of their hashes.
    fn finish(&self) -> PyResult<(u64, u128)> {
        let found = lock(&self.0).finish();
        let found = found.ok_or_else(|| PyValueError::new_err("the last line has no end"))?;
        Ok((found.lines, found.sum))
    }
}
