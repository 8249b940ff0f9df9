//! `PayloadSchema` and `validate_payload`: one JSON payload, judged by a schema.
//!
//! A small payload is judged with the interpreter attached: to detach costs more than judging it.

use super::bytes::Bytes;
use super::schema::with_document;
use crate::error::Error;
use crate::payload::{
    PayloadLimits, PayloadReport, PayloadSchema, PayloadViolation, with_payload_limits,
};
use crate::schema::SchemaLimits;
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyTuple};
use std::sync::Arc;

/// From this size on the interpreter is detached.
const DETACHED_BYTES: usize = 16 << 10;

/// A compiled schema of JSON payloads: a JSON Schema 2020-12 document.
#[pyclass(name = "PayloadSchema", module = "fastcsv", frozen)]
pub(super) struct PyPayloadSchema {
    pub(super) compiled: Arc<PayloadSchema>,
}

#[pymethods]
impl PyPayloadSchema {
    #[new]
    #[pyo3(signature = (document, *, name, version))]
    fn new(
        py: Python<'_>,
        document: &Bound<'_, PyAny>,
        name: &str,
        version: &str,
    ) -> PyResult<Self> {
        let compiled = with_document(py, document, |document| {
            PayloadSchema::compile(name, version, document, &SchemaLimits::default())
        })?;
        Ok(Self { compiled: Arc::new(compiled.map_err(Error::from)?) })
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

    #[getter]
    fn compiled(&self) -> bool {
        self.compiled.is_compiled()
    }

    fn __repr__(&self) -> String {
        format!("PayloadSchema(name={:?}, version={:?})", self.name(), self.version())
    }
}

/// One thing that is wrong with a payload.
#[pyclass(name = "PayloadViolation", module = "fastcsv", frozen, get_all, eq)]
#[derive(Clone, PartialEq, Eq)]
pub(super) struct PyPayloadViolation {
    pointer: String,
    keyword: &'static str,
    message: String,
    value: Option<String>,
}

#[pymethods]
impl PyPayloadViolation {
    /// Without the value, which may be personal data.
    fn __repr__(&self) -> String {
        let Self { pointer, keyword, message, .. } = self;
        format!("PayloadViolation(pointer={pointer:?}, keyword={keyword:?}, message={message:?})")
    }
}

impl From<PayloadViolation<'_>> for PyPayloadViolation {
    fn from(violation: PayloadViolation<'_>) -> Self {
        let PayloadViolation { pointer, keyword, message, value } = violation;
        let (message, value) = (message.into_owned(), value.map(Into::into));
        Self { pointer, keyword, message, value }
    }
}

/// The verdict on one payload.
#[pyclass(name = "PayloadReport", module = "fastcsv", frozen)]
pub(super) struct PyPayloadReport {
    violations: Vec<PyPayloadViolation>,
    #[pyo3(get)]
    total_violations: u64,
    unknown_members: Vec<String>,
}

#[pymethods]
impl PyPayloadReport {
    #[getter]
    fn valid(&self) -> bool {
        self.total_violations == 0
    }

    #[getter]
    fn violations<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyTuple>> {
        PyTuple::new(py, self.violations.iter().cloned())
    }

    #[getter]
    fn unknown_members<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyTuple>> {
        PyTuple::new(py, &self.unknown_members)
    }

    fn __repr__(&self) -> String {
        let (valid, total) = (if self.valid() { "True" } else { "False" }, self.total_violations);
        format!("PayloadReport(valid={valid}, total_violations={total})")
    }
}

impl From<PayloadReport<'_>> for PyPayloadReport {
    fn from(report: PayloadReport<'_>) -> Self {
        let PayloadReport { violations, total_violations, unknown_members, .. } = report;
        let violations = violations.into_iter().map(Into::into).collect();
        Self { violations, total_violations, unknown_members }
    }
}

macro_rules! python_validate_payload {
    ($($(#[$doc:meta])* $field:ident: $type:ty = $default:tt,)*) => {
        /// Judges one payload by a schema.
        #[pyfunction]
        #[pyo3(signature = (schema, payload, *, strict = false, $($field = $default,)*))]
        pub(super) fn validate_payload(
            py: Python<'_>,
            schema: Bound<'_, PyPayloadSchema>,
            payload: &Bound<'_, PyAny>,
            strict: bool,
            $($field: $type,)*
        ) -> PyResult<PyPayloadReport> {
            let limits = PayloadLimits { $($field,)* };
            limits.check().map_err(PyValueError::new_err)?;
            let compiled = &schema.get().compiled;
            if let Ok(bytes) = payload.cast::<PyBytes>()
                && bytes.as_bytes().len() < DETACHED_BYTES
            {
                return Ok(compiled.judge(bytes.as_bytes(), strict, &limits).into());
            }
            let bytes = Bytes::of(payload)?;
            Ok(py.detach(|| compiled.judge(&bytes, strict, &limits).into()))
        }
    };
}

with_payload_limits!(python_validate_payload);
