//! The `x-steward-*` annotations: what JSON Schema has no word for.
//!
//! An annotation that is misspelt, of the wrong type or in the wrong place is refused: a lost
//! `x-steward-pii` would put personal data into a log.

use serde_json::{Map, Value};

use super::author;
use super::error::{SchemaError, SchemaReason};
use super::keyword;
use crate::rules::date;

pub(crate) const EFFECTIVE_DATE: &str = "x-steward-effective-date";
pub(crate) const DEPRECATED: &str = "x-steward-deprecated";
pub(crate) const DETECT: &str = "x-steward-detect";
pub(crate) const NORMALISE: &str = "x-steward-normalise";
pub(crate) const PII: &str = "x-steward-pii";

const PREFIX: &str = "x-steward-";

/// Where an annotation may stand.
#[derive(Clone, Copy, PartialEq, Eq)]
enum AnnotationPlace {
    Document,
    Column,
    Both,
    /// The document of a payload.
    Payload,
}

struct Annotation {
    name: &'static str,
    place: AnnotationPlace,
    takes: fn(&Value) -> bool,
    /// Completes "must be …".
    form: &'static str,
}

const KNOWN: [Annotation; 7] = [
    Annotation {
        name: EFFECTIVE_DATE,
        place: AnnotationPlace::Document,
        takes: |value| value.as_str().is_some_and(date::is_date),
        form: "a date, YYYY-MM-DD",
    },
    Annotation {
        name: DEPRECATED,
        place: AnnotationPlace::Document,
        takes: Value::is_boolean,
        form: "a boolean",
    },
    Annotation {
        name: PII,
        place: AnnotationPlace::Column,
        takes: Value::is_boolean,
        form: "a boolean",
    },
    Annotation {
        name: author::MESSAGE,
        place: AnnotationPlace::Both,
        takes: author::is_form,
        form: "a text of 1 to 500 characters without control characters, or an object of such texts by keyword",
    },
    Annotation {
        name: "x-steward-list",
        place: AnnotationPlace::Column,
        takes: |value| value.as_str() == Some("comma"),
        form: "\"comma\"",
    },
    Annotation {
        name: DETECT,
        place: AnnotationPlace::Payload,
        takes: Value::is_object,
        form: "an object of kinds by member",
    },
    Annotation {
        name: NORMALISE,
        place: AnnotationPlace::Payload,
        takes: Value::is_object,
        form: "an object with the members event and fields",
    },
];

/// Refuses annotations that are unknown, misplaced or of the wrong type.
pub(crate) fn check(keywords: &Map<String, Value>, pointer: &str) -> Result<(), SchemaError> {
    check_at(keywords, pointer, &[])
}

/// The same for the schema of a payload, which has annotations of its own.
pub(crate) fn check_payload(
    keywords: &Map<String, Value>,
    pointer: &str,
) -> Result<(), SchemaError> {
    check_at(keywords, pointer, &[AnnotationPlace::Payload])
}

fn check_at(
    keywords: &Map<String, Value>,
    pointer: &str,
    of_document: &[AnnotationPlace],
) -> Result<(), SchemaError> {
    let places: &[AnnotationPlace] = if pointer.is_empty() {
        &[&[AnnotationPlace::Document, AnnotationPlace::Both], of_document].concat()
    } else {
        &[AnnotationPlace::Column, AnnotationPlace::Both]
    };
    let ours = keywords
        .iter()
        .filter(|(name, _)| name.to_lowercase().replace('_', "-").starts_with(PREFIX));
    ours.clone().try_for_each(|(name, value)| check_one(name, value, places, pointer))
}

fn check_one(
    name: &str,
    value: &Value,
    places: &[AnnotationPlace],
    pointer: &str,
) -> Result<(), SchemaError> {
    let fault = match KNOWN.iter().find(|known| known.name == name) {
        None => match keyword::nearest(name, KNOWN.iter().map(|known| known.name)) {
            Some(near) => format!("is unknown; did you mean {near}?"),
            None => "is unknown".into(),
        },
        Some(known) if !places.contains(&known.place) => "stands in the wrong place".into(),
        Some(known) if !(known.takes)(value) => format!("must be {}", known.form),
        Some(_) => return Ok(()),
    };
    let detail = format!("the annotation {name} {fault}");
    Err(SchemaError::new(SchemaReason::AnnotationInvalid, &format!("{pointer}/{name}"), detail))
}

/// Whether a schema carries the boolean annotation.
pub(crate) fn is_set(schema: &Map<String, Value>, name: &str) -> bool {
    schema.get(name).and_then(Value::as_bool).unwrap_or(false)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::schema::subschema;
    use serde_json::json;

    fn checked(schema: &Value) -> Result<(), SchemaError> {
        subschema::walk(schema, &mut |keywords, pointer| check(keywords, pointer))
    }

    #[test]
    fn known_annotations_in_their_place_are_taken() {
        let schema = json!({
            "x-steward-effective-date": "2025-01-01",
            "x-steward-deprecated": false,
            "x-other": 1,
            "properties": {"a": {"x-steward-pii": true, "x-steward-list": "comma"}},
        });
        assert_eq!(checked(&schema), Ok(()));
    }

    #[test]
    fn others_are_refused_where_they_stand() {
        for (schema, pointer) in [
            (json!({"x-steward-pi": true}), "/x-steward-pi"),
            (json!({"x-steward-pii": true}), "/x-steward-pii"),
            (json!({"x-steward-effective-date": "2025-02-30"}), "/x-steward-effective-date"),
            (json!({"properties": {"a": {"x-steward-pii": 1}}}), "/properties/a/x-steward-pii"),
        ] {
            let error = checked(&schema).unwrap_err();
            assert_eq!(
                (error.reason, error.pointer.as_str()),
                (SchemaReason::AnnotationInvalid, pointer)
            );
        }
    }
}
