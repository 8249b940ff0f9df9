//! The subschemas of a document: where they stand, and a walk over them.
//!
//! `walk` visits every subschema with its JSON pointer. What only looks like a schema (inside `enum`,
//! `const`, `default`, `examples`) is data, and is not visited.

use std::fmt::Write;

use serde_json::{Map, Value};

use super::error::SchemaError;

/// Keywords whose value is a schema, a list of schemas, or a table of schemas by name.
const HOLDS_SCHEMA: [&str; 11] = [
    "additionalProperties",
    "contains",
    "contentSchema",
    "else",
    "if",
    "items",
    "not",
    "propertyNames",
    "then",
    "unevaluatedItems",
    "unevaluatedProperties",
];
const HOLDS_LIST: [&str; 4] = ["allOf", "anyOf", "oneOf", "prefixItems"];
const HOLDS_TABLE: [&str; 5] =
    ["$defs", "definitions", "dependentSchemas", "patternProperties", "properties"];

/// Visits every subschema that is an object, the document first, with its JSON pointer.
pub(crate) fn walk<'d>(
    document: &'d Value,
    visit: &mut impl FnMut(&'d Map<String, Value>, &str) -> Result<(), SchemaError>,
) -> Result<(), SchemaError> {
    walk_below(document, &mut String::new(), visit)
}

fn walk_below<'d>(
    schema: &'d Value,
    pointer: &mut String,
    visit: &mut impl FnMut(&'d Map<String, Value>, &str) -> Result<(), SchemaError>,
) -> Result<(), SchemaError> {
    let Value::Object(keywords) = schema else {
        return Ok(());
    };
    visit(keywords, pointer)?;
    for (keyword, value) in keywords {
        for (suffix, child) in schemas_in(keyword, value) {
            let length = pointer.len();
            let _ = write!(pointer, "/{}{suffix}", escaped(keyword));
            walk_below(child, pointer, visit)?;
            pointer.truncate(length);
        }
    }
    Ok(())
}

/// The schemas that a keyword's value holds, each with what it adds to the keyword's pointer.
pub(crate) fn schemas_in<'d>(keyword: &str, value: &'d Value) -> Vec<(String, &'d Value)> {
    match value {
        Value::Array(items) if HOLDS_LIST.contains(&keyword) => {
            items.iter().enumerate().map(|(index, item)| (format!("/{index}"), item)).collect()
        }
        Value::Object(table) if HOLDS_TABLE.contains(&keyword) => {
            table.iter().map(|(name, item)| (format!("/{}", escaped(name)), item)).collect()
        }
        _ if HOLDS_SCHEMA.contains(&keyword) => vec![(String::new(), value)],
        _ => Vec::new(),
    }
}

/// A reference token of a JSON pointer.
pub(crate) fn escaped(token: &str) -> String {
    token.replace('~', "~0").replace('/', "~1")
}
