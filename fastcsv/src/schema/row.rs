//! A row schema: its columns, the checks of each, and the facts of the document.

use std::sync::Arc;

use serde_json::{Map, Value};

use super::annotation;
use super::author::{AuthorMessages, Messages};
use super::check::Checks;
use super::compile::{self, is_known_format};
use super::document;
use super::error::{SchemaError, SchemaReason};
use super::limits::SchemaLimits;
use super::name::clean;
use super::reach::{Reach, UnnamedColumns};
use super::reading::types_named;
use super::residue::Residue;
use super::scalar::TypeSet;
use super::subschema::escaped;
use super::{keyword, message};

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
    /// The checks of each column; nothing where the residue judges it.
    checks: Vec<Option<Checks>>,
    /// For each column, the types that its cells are read as.
    types: Vec<TypeSet>,
    unnamed: UnnamedColumns,
    /// For each column, the message for an empty cell where a value is required.
    required_messages: Vec<Box<str>>,
    /// For each column, whether the checks refuse an empty cell; the residue refuses it in the others.
    required_here: Vec<bool>,
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
        let root = row_root(&parsed)?;
        let reach = Reach::of(&parsed, limits)?;
        let warnings = warnings_of(&reach)?;
        let columns = columns_of(&reach, limits)?;
        let properties = root.get("properties").and_then(Value::as_object);
        let messages: Vec<Messages> =
            columns.iter().map(|column| reach.messages(&column.name)).collect();
        let row_messages = reach.row_messages();
        let mut checks = Vec::with_capacity(columns.len());
        for column in &columns {
            let pointer = format!("/properties/{}", escaped(&column.name));
            let schema = properties.and_then(|table| table.get(&column.name));
            checks.push(schema.map_or(Ok(None), |schema| compile(schema, &pointer, limits))?);
        }
        let compiled = columns.iter().zip(&checks).filter(|(_, checks)| checks.is_some());
        let compiled: Vec<&str> = compiled.map(|(column, _)| column.name.as_str()).collect();
        let by_name = columns.iter().map(|column| column.name.clone()).zip(messages.clone());
        let said = AuthorMessages { columns: by_name.collect(), row: row_messages };
        let say = |column: &str, keyword: &str, ours: &str| -> Box<str> {
            said.of(column, keyword).unwrap_or(ours).into()
        };
        let required_here: Vec<bool> = columns.iter().map(|it| names_required(root, it)).collect();
        let required = columns.iter().map(|it| say(&it.name, "required", message::REQUIRED));
        let required_messages = required.collect();
        for (column, checks) in columns.iter().zip(&mut checks) {
            for rule in checks.iter_mut().flat_map(|checks| &mut checks.rules) {
                rule.message = say(&column.name, rule.keyword, &rule.message);
            }
        }
        let residue = Residue::of(
            &parsed,
            columns.iter().map(|it| it.name.clone()).collect(),
            &compiled,
            said,
            limits,
        )?;
        if residue.as_ref().is_some_and(|residue| residue.whole) {
            checks.fill_with(|| None);
        }
        let types = columns.iter().map(|column| reach.types(&column.name)).collect();
        let effective_date = root.get(annotation::EFFECTIVE_DATE).and_then(Value::as_str);
        Ok(Self(Arc::new(Compiled {
            name: name.to_owned(),
            version: version.to_owned(),
            document: document.into(),
            effective_date: effective_date.map(str::to_owned),
            deprecated: annotation::is_set(root, annotation::DEPRECATED),
            warnings,
            types,
            unnamed: reach.unnamed(),
            columns,
            checks,
            required_messages,
            required_here,
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

    /// The parts of the document that have no effect, one sentence each.
    #[must_use]
    pub fn warnings(&self) -> &[String] {
        &self.0.warnings
    }

    /// The checks of a column; nothing where the residue judges it.
    pub(super) fn checks(&self, column: usize) -> Option<&Checks> {
        self.0.checks[column].as_ref()
    }

    /// What a column's cells are read as.
    pub(super) fn types(&self, column: usize) -> TypeSet {
        self.0.types[column]
    }

    /// Whether the document speaks of a column that it does not name by a pattern of names.
    pub(super) fn knows_unnamed(&self, name: &str) -> bool {
        self.0.unnamed.knows(name)
    }

    /// What the cells of a column that the document does not name are read as.
    pub(super) fn unnamed_types(&self, name: &str) -> TypeSet {
        self.0.unnamed.types(name)
    }

    /// What is said of an empty cell, where the checks refuse it.
    pub(super) fn required_message(&self, column: usize) -> Option<&str> {
        self.0.required_here[column].then(|| self.0.required_messages[column].as_ref())
    }

    pub(super) fn residue(&self) -> Option<&Residue> {
        self.0.residue.as_ref()
    }
}

/// The root of a row schema.
fn row_root(document: &Value) -> Result<&Map<String, Value>, SchemaError> {
    let invalid =
        |pointer, detail: &str| Err(SchemaError::new(SchemaReason::SchemaInvalid, pointer, detail));
    let Value::Object(root) = document else {
        return invalid("", "a row schema is an object");
    };
    let types = root.get("type").map(types_named);
    if types.is_some_and(|types| !types.has(TypeSet::OBJECT)) {
        return invalid("/type", "a row is an object");
    }
    Ok(root)
}

fn names_required(root: &Map<String, Value>, column: &Column) -> bool {
    let names = root.get("required").and_then(Value::as_array);
    names.is_some_and(|names| names.iter().any(|name| name.as_str() == Some(&column.name)))
}

fn columns_of(reach: &Reach<'_>, limits: &SchemaLimits) -> Result<Vec<Column>, SchemaError> {
    let columns = reach.columns.iter().map(|&(name, required)| Column {
        name: name.to_owned(),
        required,
        pii: reach.is_pii(name),
    });
    if reach.columns.is_empty() {
        let detail = "a row schema names its columns under properties";
        return Err(SchemaError::new(SchemaReason::SchemaInvalid, "/properties", detail));
    }
    let columns: Vec<Column> = columns.collect();
    if columns.len() > limits.columns {
        let detail = format!("the schema names over {} columns (columns)", limits.columns);
        return Err(SchemaError::new(SchemaReason::SchemaTooLarge, "/properties", detail));
    }
    match columns.iter().find(|column| clean(&column.name) != column.name || column.name.is_empty())
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

/// What has no effect. Refuses annotations and keywords that are misspelt.
fn warnings_of(reach: &Reach<'_>) -> Result<Vec<String>, SchemaError> {
    let mut warnings = Vec::new();
    for (keywords, pointer) in &reach.schemas {
        annotation::check(keywords, pointer)?;
        for name in keywords.keys() {
            warnings.extend(keyword::judge(name, pointer)?);
        }
        if let Some(name) = keywords.get("format").and_then(Value::as_str)
            && !is_known_format(name)
        {
            warnings.push(format!(
                "the format {name} is unknown and checks nothing (at {pointer}/format)"
            ));
        }
    }
    let idle = reach.idle_marks();
    warnings.extend(idle.map(|at| format!("the annotation reaches no column (at {at})")));
    Ok(warnings)
}

#[cfg(test)]
mod tests;
