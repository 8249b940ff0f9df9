//! Headers: which schema fits one, and how the two differ.

use super::schema::PySchema;
use crate::header::find_schema;
use crate::schema::{Difference, RowSchema, Similar, clean};
use pyo3::prelude::*;
use pyo3::types::PyTuple;
use std::collections::BTreeMap;

/// The schema that fits a header best.
#[pyfunction]
#[pyo3(signature = (schemas, header))]
pub(super) fn detect(
    py: Python<'_>,
    schemas: Vec<Py<PySchema>>,
    header: Vec<String>,
) -> PyResult<Py<PySchema>> {
    let compiled: Vec<RowSchema> = schemas.iter().map(|it| it.get().compiled.clone()).collect();
    let names: Vec<String> = header.iter().map(|name| clean(name).to_owned()).collect();
    Ok(schemas[find_schema(&compiled, &names)?].clone_ref(py))
}

/// What each name may be meant for.
pub(super) fn pairs(similar: &[Similar]) -> BTreeMap<String, String> {
    similar.iter().map(|it| (it.found.clone(), it.meant.clone())).collect()
}

/// How a header and a schema differ.
#[pyclass(module = "fastcsv", frozen, get_all)]
#[allow(clippy::struct_field_names, reason = "they are named as in the report")]
pub(super) struct HeaderDifference {
    unknown_columns: Py<PyTuple>,
    missing_optional_columns: Py<PyTuple>,
    similar_columns: BTreeMap<String, String>,
}

impl HeaderDifference {
    pub(super) fn new(py: Python<'_>, difference: &Difference) -> PyResult<Self> {
        Ok(Self {
            unknown_columns: PyTuple::new(py, &difference.unknown)?.unbind(),
            missing_optional_columns: PyTuple::new(py, &difference.missing_optional)?.unbind(),
            similar_columns: pairs(&difference.similar),
        })
    }
}

/// How a header and a schema that it fits differ.
#[pyfunction]
#[pyo3(signature = (schema, header))]
pub(super) fn compare(
    py: Python<'_>,
    schema: Py<PySchema>,
    header: Vec<String>,
) -> PyResult<HeaderDifference> {
    HeaderDifference::new(py, &Difference::between(&schema.get().compiled, &header))
}

/// A header's name as it counts: without a byte-order mark and blanks around it.
#[pyfunction]
#[pyo3(signature = (name))]
pub(super) fn clean_name(name: &str) -> &str {
    clean(name)
}
