//! `PayloadSchema`, and one JSON payload: judged, normalised, and its schema found.
//!
//! A small payload is judged with the interpreter attached: to detach costs more than judging it.

use super::bytes::Bytes;
use super::schema::with_document;
use crate::error::Error;
use crate::payload::{
    CloudEvent, PayloadDetector, PayloadLimits, PayloadReport, PayloadSchema, PayloadViolation,
    with_payload_limits,
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

    /// The event that payloads are normalised into, as name/version.
    #[getter]
    fn event(&self) -> Option<String> {
        self.compiled.event()
    }

    #[getter]
    fn detected(&self) -> bool {
        self.compiled.is_detected()
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
    event: Option<Vec<u8>>,
}

#[pymethods]
impl PyPayloadReport {
    #[getter]
    fn event<'py>(&self, py: Python<'py>) -> Option<Bound<'py, PyBytes>> {
        self.event.as_ref().map(|event| PyBytes::new(py, event))
    }

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
        Self { violations, total_violations, unknown_members, event: None }
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

        /// Judges one payload and, where it is valid, normalises it.
        #[pyfunction]
        #[pyo3(signature = (
            schema, payload, *, event_id = None, event_source = None, strict = false, $($field = $default,)*
        ))]
        #[allow(clippy::too_many_arguments, reason = "keyword-only, all but two")]
        pub(super) fn normalise_payload(
            py: Python<'_>,
            schema: Bound<'_, PyPayloadSchema>,
            payload: &Bound<'_, PyAny>,
            event_id: Option<&str>,
            event_source: Option<&str>,
            strict: bool,
            $($field: $type,)*
        ) -> PyResult<PyPayloadReport> {
            let limits = PayloadLimits { $($field,)* };
            limits.check().map_err(PyValueError::new_err)?;
            let envelope = envelope(event_id, event_source)?;
            let compiled = &schema.get().compiled;
            if compiled.event().is_none() {
                let text = format!("the schema {} has no x-steward-normalise", compiled.name());
                return Err(PyValueError::new_err(text));
            }
            let bytes = Bytes::of(payload)?;
            let judge = || {
                let (report, event) = compiled.normalise(&bytes, strict, &limits, envelope);
                PyPayloadReport { event, ..report.into() }
            };
            Ok(if bytes.len() < DETACHED_BYTES { judge() } else { py.detach(judge) })
        }
    };
}

with_payload_limits!(python_validate_payload);

/// The envelope, for which both or neither of the two must be given.
fn envelope<'a>(id: Option<&'a str>, source: Option<&'a str>) -> PyResult<Option<CloudEvent<'a>>> {
    match (id, source) {
        (None, None) => Ok(None),
        (Some(id), Some(source)) if !id.is_empty() && !source.is_empty() => {
            Ok(Some(CloudEvent { id, source }))
        }
        _ => {
            let text = "event_id and event_source must be given together, and not empty";
            Err(PyValueError::new_err(text))
        }
    }
}

/// The schema that a payload fits.
#[pyfunction]
#[pyo3(signature = (schemas, payload, *, max_payload_bytes = 16_777_216, max_depth = 64))]
pub(super) fn detect_payload(
    py: Python<'_>,
    schemas: Vec<Py<PyPayloadSchema>>,
    payload: &Bound<'_, PyAny>,
    max_payload_bytes: usize,
    max_depth: u32,
) -> PyResult<Py<PyPayloadSchema>> {
    let limits = PayloadLimits { max_payload_bytes, max_depth, ..PayloadLimits::default() };
    limits.check().map_err(PyValueError::new_err)?;
    let compiled = schemas.iter().map(|it| Arc::clone(&it.get().compiled)).collect();
    let detector = PayloadDetector::new(compiled);
    let bytes = Bytes::of(payload)?;
    let detect = || detector.detect(&bytes, &limits);
    let found = if bytes.len() < DETACHED_BYTES { detect() } else { py.detach(detect) };
    Ok(schemas[found.map_err(Error::from)?].clone_ref(py))
}
