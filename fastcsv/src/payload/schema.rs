//! The schema of a payload: its document, its facts, and what judges a payload by it.

use jsonschema::Validator;
use serde_json::Value;

use super::author::PayloadMessages;
use super::compile;
use super::mapping::Mapping;
use super::structure::Structure;
use super::tables::PayloadTables;
use crate::schema::annotation;
use crate::schema::compile::is_known_format;
use crate::schema::exact::Exact;
use crate::schema::subschema;
use crate::schema::{SchemaError, SchemaLimits};
use crate::schema::{document, general, keyword};

/// A compiled schema of payloads.
#[derive(Debug)]
pub struct PayloadSchema {
    name: String,
    version: String,
    effective_date: Option<String>,
    is_deprecated: bool,
    warnings: Vec<String>,
    pub(super) tables: Option<PayloadTables>,
    pub(super) validator: Validator<Exact>,
    /// What the author says of violations; nothing where the document has no message.
    pub(super) messages: Option<PayloadMessages>,
    /// The members that the document names at its root.
    pub(super) root_members: Vec<String>,
    /// By what a payload of this schema is recognised; nothing where the document does not say.
    pub(super) structure: Option<Structure>,
    /// How a payload becomes an event; nothing where the document does not say.
    pub(super) mapping: Option<Mapping>,
}

impl PayloadSchema {
    /// Compiles a JSON Schema 2020-12 document.
    pub fn compile(
        name: &str,
        version: &str,
        document: &[u8],
        limits: &SchemaLimits,
    ) -> Result<Self, SchemaError> {
        let parsed = document::parse(document, limits)?;
        let tables = compile::compile(&parsed, limits)?;
        Self::of(name, version, &parsed, tables, limits)
    }

    /// The twin of `compile` that leaves every payload to the general validator: slow, and what tests and fuzzing hold the
    /// tables to.
    pub fn compile_general(
        name: &str,
        version: &str,
        document: &[u8],
        limits: &SchemaLimits,
    ) -> Result<Self, SchemaError> {
        Self::of(name, version, &document::parse(document, limits)?, None, limits)
    }

    fn of(
        name: &str,
        version: &str,
        document: &Value,
        tables: Option<PayloadTables>,
        limits: &SchemaLimits,
    ) -> Result<Self, SchemaError> {
        let mut warnings = warnings_of(document)?;
        let messages = PayloadMessages::of(document, limits, &mut warnings)?;
        let root = document.as_object();
        let effective_date = root.and_then(|it| it.get(annotation::EFFECTIVE_DATE));
        Ok(Self {
            name: name.to_owned(),
            version: version.to_owned(),
            effective_date: effective_date.and_then(Value::as_str).map(str::to_owned),
            is_deprecated: root.is_some_and(|it| annotation::is_set(it, annotation::DEPRECATED)),
            warnings,
            tables,
            validator: general::build(document, limits)?,
            messages,
            root_members: root
                .and_then(|it| it.get("properties")?.as_object())
                .map(|it| it.keys().cloned().collect())
                .unwrap_or_default(),
            structure: Structure::of(document)?,
            mapping: Mapping::of(document, limits)?,
        })
    }

    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    #[must_use]
    pub fn version(&self) -> &str {
        &self.version
    }

    /// The day from which the schema is in force, `YYYY-MM-DD`.
    #[must_use]
    pub fn effective_date(&self) -> Option<&str> {
        self.effective_date.as_deref()
    }

    #[must_use]
    pub fn is_deprecated(&self) -> bool {
        self.is_deprecated
    }

    /// The parts of the document that have no effect, one sentence each.
    #[must_use]
    pub fn warnings(&self) -> &[String] {
        &self.warnings
    }

    /// The event that payloads are normalised into, as `name/version`.
    #[must_use]
    pub fn event(&self) -> Option<String> {
        self.mapping.as_ref().map(|it| format!("{}/{}", it.event_name, it.event_version))
    }

    /// Whether the document says by what its payloads are recognised.
    #[must_use]
    pub fn is_detected(&self) -> bool {
        self.structure.is_some()
    }

    /// Whether payloads are judged by tables, and not by the general validator.
    #[must_use]
    pub fn is_compiled(&self) -> bool {
        self.tables.is_some()
    }
}

/// The parts of the document that have no effect. Refuses annotations and keywords that are misspelt.
fn warnings_of(document: &Value) -> Result<Vec<String>, SchemaError> {
    let mut warnings = Vec::new();
    subschema::walk(document, &mut |keywords, pointer| {
        annotation::check_payload(keywords, pointer)?;
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
        Ok(())
    })?;
    Ok(warnings)
}
