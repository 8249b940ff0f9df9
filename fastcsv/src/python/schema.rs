//! `Schema` and `Column`: a compiled schema document, and which of several fits a header.

use crate::error::Error;
use crate::schema::{Column, RowSchema, SchemaLimits};
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyString, PyTuple};

/// A column that a schema knows.
#[pyclass(name = "Column", module = "fastcsv", frozen, get_all, eq, hash)]
#[derive(Clone, PartialEq, Eq, Hash)]
pub(super) struct PyColumn {
    name: String,
    required: bool,
    pii: bool,
}

/// A compiled row schema: a JSON Schema 2020-12 document whose properties are the columns.
#[pyclass(name = "Schema", module = "fastcsv", frozen)]
pub(super) struct PySchema {
    pub(super) compiled: RowSchema,
}

#[pymethods]
impl PySchema {
    #[new]
    #[pyo3(signature = (document, *, name, version))]
    fn new(
        py: Python<'_>,
        document: &Bound<'_, PyAny>,
        name: &str,
        version: &str,
    ) -> PyResult<Self> {
        let compiled = with_document(py, document, |document| {
            RowSchema::compile(name, version, document, &SchemaLimits::default())
        })?;
        Ok(Self { compiled: compiled.map_err(Error::from)? })
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
        let columns = self.compiled.columns().iter().map(|Column { name, required, pii }| {
            PyColumn { name: name.clone(), required: *required, pii: *pii }
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

    #[getter]
    fn warnings<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyTuple>> {
        PyTuple::new(py, self.compiled.warnings())
    }

    fn __repr__(&self) -> String {
        format!("Schema(name={:?}, version={:?})", self.name(), self.version())
    }
}

/// Has `compile` read a document, which is `bytes` or `str`, with the interpreter detached.
pub(super) fn with_document<T: Send>(
    py: Python<'_>,
    document: &Bound<'_, PyAny>,
    compile: impl FnOnce(&[u8]) -> T + Send,
) -> PyResult<T> {
    let text;
    let document: &[u8] = if let Ok(document) = document.cast::<PyString>() {
        text = document.to_str()?.to_owned();
        text.as_bytes()
    } else {
        document.cast::<PyBytes>()?.as_bytes()
    };
    Ok(py.detach(|| compile(document)))
}

/// One schema, or several to choose from.
#[derive(FromPyObject)]
pub(super) enum Candidates {
    One(Py<PySchema>),
    Many(Vec<Py<PySchema>>),
}
