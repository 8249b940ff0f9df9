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
use pyo3::types::{PyBytes, PyString, PyTuple};
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

/// One thing that is wrong with a payload. Its texts are made once: to read one costs no copy.
#[pyclass(name = "PayloadViolation", module = "fastcsv", frozen, get_all)]
pub(super) struct PyPayloadViolation {
    pointer: Py<PyString>,
    keyword: Py<PyString>,
    message: Py<PyString>,
    value: Option<Py<PyString>>,
}

#[pymethods]
impl PyPayloadViolation {
    /// Without the value, which may be personal data.
    fn __repr__(&self, py: Python<'_>) -> PyResult<String> {
        let [pointer, keyword, message] =
            [&self.pointer, &self.keyword, &self.message].map(|it| it.to_str(py));
        let (pointer, keyword, message) = (pointer?, keyword?, message?);
        Ok(format!(
            "PayloadViolation(pointer={pointer:?}, keyword={keyword:?}, message={message:?})"
        ))
    }

    fn __eq__(&self, py: Python<'_>, other: &Self) -> PyResult<bool> {
        Ok(self.texts(py)? == other.texts(py)?)
    }
}

impl PyPayloadViolation {
    fn of(py: Python<'_>, violation: &PayloadViolation<'_>) -> Self {
        let text = |text: &str| PyString::new(py, text).unbind();
        Self {
            pointer: text(&violation.pointer),
            keyword: text(violation.keyword),
            message: text(&violation.message),
            value: violation.value.as_deref().map(text),
        }
    }

    fn texts<'p>(&'p self, py: Python<'p>) -> PyResult<[Option<&'p str>; 4]> {
        let value = self.value.as_ref().map(|value| value.to_str(py)).transpose()?;
        let [pointer, keyword, message] =
            [&self.pointer, &self.keyword, &self.message].map(|it| it.to_str(py));
        Ok([Some(pointer?), Some(keyword?), Some(message?), value])
    }
}

/// The verdict on one payload.
#[pyclass(name = "PayloadReport", module = "fastcsv", frozen)]
pub(super) struct PyPayloadReport {
    /// `None` where there are none: a valid payload costs no tuple.
    violations: Option<Py<PyTuple>>,
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
    fn violations<'py>(&self, py: Python<'py>) -> Bound<'py, PyTuple> {
        self.violations.as_ref().map_or_else(|| PyTuple::empty(py), |it| it.bind(py).clone())
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

impl PyPayloadReport {
    #[inline]
    fn of(py: Python<'_>, report: PayloadReport<'_>, event: Option<Vec<u8>>) -> PyResult<Self> {
        let PayloadReport { violations, total_violations, unknown_members, .. } = report;
        let violations = if violations.is_empty() {
            None
        } else {
            let violations = violations.iter().map(|it| PyPayloadViolation::of(py, it));
            Some(PyTuple::new(py, violations.collect::<Vec<_>>())?.unbind())
        };
        Ok(Self { violations, total_violations, unknown_members, event })
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
                let report = compiled.judge(bytes.as_bytes(), strict, &limits);
                return PyPayloadReport::of(py, report, None);
            }
            let bytes = Bytes::of(payload)?;
            let report = py.detach(|| compiled.judge(&bytes, strict, &limits));
            PyPayloadReport::of(py, report, None)
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
            let judge = || compiled.normalise(&bytes, strict, &limits, envelope);
            let (report, event) =
                if bytes.len() < DETACHED_BYTES { judge() } else { py.detach(judge) };
            PyPayloadReport::of(py, report, event)
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
