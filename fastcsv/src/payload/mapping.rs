//! `x-steward-normalise`: how the payload of a provider becomes an event, compiled from the annotation.
//!
//! `event` names the schema of the event. `fields` has a source for each JSON Pointer of the event: a pointer into the
//! payload, a constant, a pointer with a table of texts, or a pointer with the format that the text must have. What no
//! field takes over as it is goes to `metadata` (see `normalise`).

use serde_json::{Map, Value, json};

use crate::schema::annotation::NORMALISE;
use crate::schema::check::Checks;
use crate::schema::compile;
use crate::schema::scalar::Scalar;
use crate::schema::subschema::escaped;
use crate::schema::{SchemaError, SchemaLimits, SchemaReason};

/// The member of an event that takes what has no field of its own.
pub(super) const REST: &str = "metadata";

/// The member names that a JSON Pointer leads through.
pub(super) type MemberPath = Box<[Box<str>]>;

/// Where the value of a field comes from.
#[derive(Debug)]
pub(super) enum FieldSource {
    Copy(MemberPath),
    /// JSON text.
    Constant(Box<str>),
    /// A text of the payload stands for a value, given as JSON text; one that is not in the table is copied.
    Table(MemberPath, Box<[(Box<str>, Box<str>)]>),
    /// Copied where it is a text of the format.
    Formatted(MemberPath, Checks),
}

/// A field of the event and its source.
#[derive(Debug)]
pub(super) struct EventField {
    pub target: MemberPath,
    pub source: FieldSource,
}

/// How a payload becomes an event.
#[derive(Debug)]
pub(super) struct Mapping {
    pub event_name: Box<str>,
    pub event_version: Box<str>,
    pub fields: Box<[EventField]>,
}

impl Mapping {
    /// Compiles the annotation of a document.
    pub fn of(document: &Value, limits: &SchemaLimits) -> Result<Option<Self>, SchemaError> {
        let Some(annotation) = document.get(NORMALISE).and_then(Value::as_object) else {
            return Ok(None);
        };
        if let Some(other) = annotation.keys().find(|it| !["event", "fields"].contains(&&***it)) {
            return Err(invalid(&[other], "the member must be event or fields".into()));
        }
        let event = annotation.get("event").and_then(Value::as_str);
        let named = event.and_then(|it| it.split_once('/'));
        let named = named.filter(|(name, version)| !name.is_empty() && !version.is_empty());
        let Some((name, version)) = named else {
            return Err(invalid(&["event"], "the event must be named as name/version".into()));
        };
        let Some(fields) = annotation.get("fields").and_then(Value::as_object) else {
            return Err(invalid(&["fields"], "the fields must be an object".into()));
        };
        let sources = MappingCompiler { document, limits };
        let mut compiled: Vec<EventField> = Vec::new();
        for (target, source) in fields {
            let field = sources.field(target, source)?;
            let clash = compiled.iter().find(|it| overlaps(&it.target, &field.target));
            if clash.is_some() || &*field.target[0] == REST {
                let detail = format!("the field overlaps another, or {REST}");
                return Err(invalid(&["fields", target], detail));
            }
            compiled.push(field);
        }
        Ok(Some(Self {
            event_name: name.into(),
            event_version: version.into(),
            fields: compiled.into(),
        }))
    }
}

/// Whether one path leads to the other's value, or into it.
fn overlaps(one: &MemberPath, other: &MemberPath) -> bool {
    one.iter().zip(other).all(|(one, other)| one == other)
}

fn invalid(place: &[&str], detail: String) -> SchemaError {
    let mut pointer = format!("/{NORMALISE}");
    for token in place {
        pointer.push('/');
        pointer.push_str(&escaped(token));
    }
    SchemaError::new(SchemaReason::AnnotationInvalid, &pointer, detail)
}

struct MappingCompiler<'d> {
    document: &'d Value,
    limits: &'d SchemaLimits,
}

impl MappingCompiler<'_> {
    fn field(&self, target: &str, source: &Value) -> Result<EventField, SchemaError> {
        let place = ["fields", target];
        let Some(target) = path_of(target) else {
            return Err(invalid(&place, "the field must be a JSON Pointer of members".into()));
        };
        let source = match source {
            Value::String(pointer) => FieldSource::Copy(self.path(pointer, &place)?),
            Value::Object(members) => self.source(members, &place)?,
            _ => return Err(malformed(&place)),
        };
        Ok(EventField { target, source })
    }

    fn source(
        &self,
        members: &Map<String, Value>,
        place: &[&str],
    ) -> Result<FieldSource, SchemaError> {
        let names: Vec<&str> = members.keys().map(String::as_str).collect();
        let from = members.get("from").and_then(Value::as_str);
        match (names.as_slice(), from) {
            (["const"], _) => Ok(FieldSource::Constant(members["const"].to_string().into())),
            (["from", "table"] | ["table", "from"], Some(pointer)) => {
                let Some(table) = members["table"].as_object() else {
                    return Err(malformed(place));
                };
                let entries = table
                    .iter()
                    .map(|(text, value)| (text.as_str().into(), value.to_string().into()));
                Ok(FieldSource::Table(self.path(pointer, place)?, entries.collect()))
            }
            (["from", "format"] | ["format", "from"], Some(pointer)) => {
                let format = members["format"].as_str().filter(|it| compile::is_known_format(it));
                let schema = json!({"type": "string", "format": format});
                let checks = match format {
                    Some(_) => compile::compile(&schema, "", self.limits)?,
                    None => None,
                };
                let Some(checks) = checks else {
                    return Err(invalid(place, "the format is unknown".into()));
                };
                Ok(FieldSource::Formatted(self.path(pointer, place)?, checks))
            }
            _ => Err(malformed(place)),
        }
    }

    /// The path of a pointer into the payload. Every member has to be one that the schema names: a misspelt one would
    /// lose its field.
    fn path(&self, pointer: &str, place: &[&str]) -> Result<MemberPath, SchemaError> {
        let path = path_of(pointer)
            .ok_or_else(|| invalid(place, "the source must be a JSON Pointer of members".into()))?;
        let mut schema = Some(self.document);
        for name in &path {
            schema = schema.and_then(|it| it.get("properties")?.get(&**name));
        }
        if schema.is_none() {
            return Err(invalid(place, "the schema names no such member of the payload".into()));
        }
        Ok(path)
    }
}

fn malformed(place: &[&str]) -> SchemaError {
    let detail = "the source must be a JSON Pointer, or an object of const, of from and table, or of from and format";
    invalid(place, detail.into())
}

/// The members that a JSON Pointer (RFC 6901) leads through; nothing where it is none, or leads nowhere.
fn path_of(pointer: &str) -> Option<MemberPath> {
    let tokens = pointer.strip_prefix('/')?.split('/');
    let name = |token: &str| token.replace("~1", "/").replace("~0", "~").into();
    Some(tokens.map(name).collect())
}

/// Whether a text passes every check.
pub(super) fn passes(checks: &Checks, text: &str) -> bool {
    let mut is_valid = true;
    checks.failures(&Scalar::Text(text), |_| is_valid = false);
    is_valid
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mapping_that_would_lose_a_field_is_refused_where_it_stands() {
        let properties = json!({"a": {}, "b": {"properties": {"c": {}}}});
        let of = |mapping: Value| {
            let document = json!({"properties": properties, NORMALISE: mapping});
            Mapping::of(&document, &SchemaLimits::default()).map(|it| it.unwrap().fields.len())
        };
        let fields = |fields: Value| of(json!({"event": "e/1", "fields": fields}));
        let all = json!({
            "/x": "/a", "/y/z": "/b/c", "/k": {"const": {"n": 1.50}},
            "/t": {"from": "/a", "table": {"one": 1}}, "/f": {"from": "/a", "format": "email"},
        });
        assert_eq!(fields(all), Ok(5));
        for (source, pointer) in [
            (json!({"x": "/a"}), "/fields/x"),
            (json!({"/x": "a"}), "/fields/~1x"),
            (json!({"/x": "/aa"}), "/fields/~1x"),
            (json!({"/x": "/b/d"}), "/fields/~1x"),
            (json!({"/x": 1}), "/fields/~1x"),
            (json!({"/x": {"from": "/a"}}), "/fields/~1x"),
            (json!({"/x": {"const": 1, "from": "/a"}}), "/fields/~1x"),
            (json!({"/x": {"from": "/a", "table": []}}), "/fields/~1x"),
            (json!({"/x": {"from": "/a", "format": "e-mail"}}), "/fields/~1x"),
            (json!({"/x": "/a", "/x/y": "/b/c"}), "/fields/~1x~1y"),
            (json!({"/metadata/x": "/a"}), "/fields/~1metadata~1x"),
        ] {
            let error = fields(source).unwrap_err();
            assert_eq!(error.reason, SchemaReason::AnnotationInvalid);
            assert_eq!(error.pointer, format!("/{NORMALISE}{pointer}"));
        }
        for mapping in [
            json!({"fields": {}}),
            json!({"event": "e", "fields": {}}),
            json!({"event": "e/1"}),
            json!({"event": "e/1", "fields": {}, "field": {}}),
        ] {
            assert!(of(mapping.clone()).is_err(), "{mapping}");
        }
    }
}
