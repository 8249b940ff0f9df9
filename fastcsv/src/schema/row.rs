//! A row schema: its columns, what judges each, and what is known of the document.

use std::sync::Arc;

use serde_json::{Map, Value};

use super::annotation;
use super::bound::BoundSchema;
use super::check::Checks;
use super::compile::{self, is_known_format};
use super::document::{self, escaped};
use super::error::{HeaderMismatch, SchemaError, SchemaReason};
use super::header;
use super::limits::SchemaLimits;
use super::reading::{types_named, types_of};
use super::residue::Residue;
use super::scalar::TypeSet;

/// A column that a schema knows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Column {
    pub name: String,
    pub required: bool,
    /// Whether the cells are personal data, masked wherever they would be shown.
    pub pii: bool,
}

/// A compiled row schema. Cheap to clone; the compiled form is shared.
#[derive(Clone, Debug)]
pub struct RowSchema(Arc<Compiled>);

#[derive(Debug)]
struct Compiled {
    name: String,
    version: String,
    document: Box<[u8]>,
    effective_date: Option<String>,
    deprecated: bool,
    warnings: Vec<String>,
    columns: Vec<Column>,
    /// Per column, what judges it; nothing where the residue does.
    checks: Vec<Option<Checks>>,
    /// Per column, what its cells are read as.
    types: Vec<TypeSet>,
    residue: Option<Residue>,
}

impl RowSchema {
    /// Compiles a JSON Schema 2020-12 document whose `properties` are the columns of a CSV file.
    pub fn compile(
        name: &str,
        version: &str,
        document: &[u8],
        limits: &SchemaLimits,
    ) -> Result<Self, SchemaError> {
        Self::compile_with(name, version, document, limits, compile::compile)
    }

    /// The twin of `compile` that leaves every column to the general validator: slow, and what tests
    /// and fuzzing hold the checks to.
    pub fn compile_general(
        name: &str,
        version: &str,
        document: &[u8],
        limits: &SchemaLimits,
    ) -> Result<Self, SchemaError> {
        Self::compile_with(name, version, document, limits, |_, _, _| Ok(None))
    }

    fn compile_with(
        name: &str,
        version: &str,
        document: &[u8],
        limits: &SchemaLimits,
        compile: impl Fn(&Value, &str, &SchemaLimits) -> Result<Option<Checks>, SchemaError>,
    ) -> Result<Self, SchemaError> {
        let parsed = document::parse(document, limits)?;
        annotation::check(&parsed)?;
        let (root, properties) = row_parts(&parsed)?;
        let columns = columns_of(root, properties, limits)?;
        let mut checks = Vec::with_capacity(columns.len());
        for column in &columns {
            let pointer = format!("/properties/{}", escaped(&column.name));
            let schema = properties.get(&column.name);
            checks.push(schema.map_or(Ok(None), |schema| compile(schema, &pointer, limits))?);
        }
        let compiled = columns.iter().zip(&checks).filter(|(_, checks)| checks.is_some());
        let compiled: Vec<&str> = compiled.map(|(column, _)| column.name.as_str()).collect();
        let residue = Residue::of(&parsed, &compiled, limits)?;
        if residue.as_ref().is_some_and(|residue| residue.whole) {
            checks.fill_with(|| None);
        }
        let type_of =
            |column: &Column| properties.get(&column.name).map(|it| types_of(it, &parsed));
        let types = columns.iter().map(|column| type_of(column).unwrap_or_default()).collect();
        let effective_date = root.get(annotation::EFFECTIVE_DATE).and_then(Value::as_str);
        Ok(Self(Arc::new(Compiled {
            name: name.to_owned(),
            version: version.to_owned(),
            document: document.into(),
            effective_date: effective_date.map(str::to_owned),
            deprecated: annotation::is_set(root, annotation::DEPRECATED),
            warnings: warnings_of(&parsed)?,
            types,
            columns,
            checks,
            residue,
        })))
    }

    #[must_use]
    pub fn name(&self) -> &str {
        &self.0.name
    }

    #[must_use]
    pub fn version(&self) -> &str {
        &self.0.version
    }

    /// The document as it was given.
    #[must_use]
    pub fn document(&self) -> &[u8] {
        &self.0.document
    }

    /// The columns in the order of the document.
    #[must_use]
    pub fn columns(&self) -> &[Column] {
        &self.0.columns
    }

    /// The day from which the schema is in force, `YYYY-MM-DD`.
    #[must_use]
    pub fn effective_date(&self) -> Option<&str> {
        self.0.effective_date.as_deref()
    }

    #[must_use]
    pub fn is_deprecated(&self) -> bool {
        self.0.deprecated
    }

    /// What the document says to no effect, a sentence each.
    #[must_use]
    pub fn warnings(&self) -> &[String] {
        &self.0.warnings
    }

    /// Lays the schema over a header. Refuses names that are empty or doubled, a header without a
    /// required column or with none that the schema knows and, if `strict`, one with a column that it does not know.
    pub fn bind(&self, header: &[String], strict: bool) -> Result<BoundSchema, HeaderMismatch> {
        header::check_names(header)?;
        let places = header::places(header);
        header::check_columns(self, header)?;
        let bound = BoundSchema::new(self, header, places);
        if strict && !bound.unknown().is_empty() {
            return Err(header::unknown_columns(self, header));
        }
        Ok(bound)
    }

    /// What judges a column; nothing where the residue does.
    pub(super) fn checks(&self, column: usize) -> Option<&Checks> {
        self.0.checks[column].as_ref()
    }

    /// What a column's cells are read as.
    pub(super) fn types(&self, column: usize) -> TypeSet {
        self.0.types[column]
    }

    pub(super) fn residue(&self) -> Option<&Residue> {
        self.0.residue.as_ref()
    }
}

type Keywords = Map<String, Value>;

/// The root of a row schema and its `properties`.
fn row_parts(document: &Value) -> Result<(&Keywords, &Keywords), SchemaError> {
    let invalid =
        |pointer, detail: &str| Err(SchemaError::new(SchemaReason::SchemaInvalid, pointer, detail));
    let Value::Object(root) = document else {
        return invalid("", "a row schema is an object");
    };
    let types = root.get("type").map(types_named);
    if types.is_some_and(|types| !types.has(TypeSet::OBJECT)) {
        return invalid("/type", "a row is an object");
    }
    match root.get("properties") {
        Some(Value::Object(properties)) if !properties.is_empty() => Ok((root, properties)),
        _ => invalid("/properties", "a row schema names its columns under properties"),
    }
}

fn columns_of(
    root: &Map<String, Value>,
    properties: &Map<String, Value>,
    limits: &SchemaLimits,
) -> Result<Vec<Column>, SchemaError> {
    let required: Vec<&str> = match root.get("required") {
        Some(Value::Array(names)) => names.iter().filter_map(Value::as_str).collect(),
        _ => Vec::new(),
    };
    let unlisted = required.iter().copied().filter(|name| !properties.contains_key(*name));
    let names = properties.keys().map(String::as_str).chain(unlisted);
    let columns = names.map(|name| Column {
        name: name.to_owned(),
        required: required.contains(&name),
        pii: properties
            .get(name)
            .and_then(Value::as_object)
            .is_some_and(|schema| annotation::is_set(schema, annotation::PII)),
    });
    let columns: Vec<Column> = columns.collect();
    if columns.len() > limits.columns {
        let detail = format!("the schema names over {} columns (columns)", limits.columns);
        return Err(SchemaError::new(SchemaReason::SchemaTooLarge, "/properties", detail));
    }
    match columns
        .iter()
        .find(|column| header::clean(&column.name) != column.name || column.name.is_empty())
    {
        Some(column) => {
            let pointer = format!("/properties/{}", escaped(&column.name));
            let detail =
                "a column's name is empty or has blanks around it, which no header can have";
            Err(SchemaError::new(SchemaReason::SchemaInvalid, &pointer, detail))
        }
        None => Ok(columns),
    }
}

fn warnings_of(document: &Value) -> Result<Vec<String>, SchemaError> {
    let mut warnings = Vec::new();
    document::walk(document, &mut |schema, pointer| {
        if let Some(name) = schema.get("format").and_then(Value::as_str)
            && !is_known_format(name)
        {
            warnings.push(format!(
                "the format {name} is unknown and checks nothing (at {pointer}/format)"
            ));
        }
        Ok(())
    })?;
    Ok(warnings)
}

#[cfg(test)]
mod tests;
