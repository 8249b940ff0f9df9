//! The types that a column's cells are read as: those that its schema names, itself or in the subschemas
//! that apply to the same value. The compiled checks and the general validator use the same answer.

use std::collections::HashSet;
use std::ptr;

use serde_json::Value;

use super::links::{Links, Scope};
use super::scalar::TypeSet;
use super::subschema;

/// Keywords beside a `type`-less schema whose schemas are applied to the same value.
const PARTS: [&str; 7] = ["allOf", "anyOf", "oneOf", "if", "then", "else", "not"];

/// The types that the value of `type` names.
pub(super) fn types_named(value: &Value) -> TypeSet {
    let names = match value {
        Value::Array(names) => names.as_slice(),
        one => std::slice::from_ref(one),
    };
    let sets = names.iter().filter_map(Value::as_str).filter_map(TypeSet::named);
    sets.fold(TypeSet::default(), TypeSet::with)
}

/// The types that a column's schema, which is reached from a scope, names, itself or through what it is made of.
pub(super) fn types_of(schema: &Value, links: &Links<'_>, scope: &Scope) -> TypeSet {
    collect_types(schema, links, scope, &mut HashSet::new())
}

fn collect_types(
    schema: &Value,
    links: &Links<'_>,
    scope: &Scope,
    seen: &mut HashSet<(usize, Scope)>,
) -> TypeSet {
    let Value::Object(keywords) = schema else {
        return TypeSet::default();
    };
    if let Some(names) = keywords.get("type") {
        return types_named(names);
    }
    let scope = links.entered(scope, keywords);
    if !seen.insert((ptr::from_ref(keywords).addr(), scope.clone())) {
        return TypeSet::default();
    }
    let parts = PARTS.iter().filter_map(|name| Some((*name, keywords.get(*name)?)));
    let parts = parts.flat_map(|(name, value)| subschema::schemas_in(name, value));
    let mut types = TypeSet::default();
    for (_, part) in parts {
        types = types.with(collect_types(part, links, &scope, seen));
    }
    for keyword in ["$ref", "$dynamicRef"] {
        if let Ok(Some(target)) = links.target_of(keywords, keyword, &scope) {
            types = types.with(collect_types(target, links, &scope, seen));
        }
    }
    types
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn types_come_from_the_schema_or_from_its_parts() {
        use TypeSet as T;
        let document = json!({
            "$defs": {
                "count": {"type": "integer", "$anchor": "count"},
                "a/b<c>": {"$dynamicAnchor": "flag", "type": "boolean"},
                "loop": {"anyOf": [{"$ref": "#/$defs/loop"}, {"type": "boolean"}]},
            }
        });
        let links = Links::of(&document);
        for (schema, types) in [
            (json!({}), T::default()),
            (json!(true), T::default()),
            (json!({"enum": [1, 2]}), T::default()),
            (json!({"type": ["null", "string"]}), T::NULL.with(T::STRING)),
            (json!({"type": "string", "anyOf": [{"type": "integer"}]}), T::STRING),
            (
                json!({"anyOf": [{"type": "integer"}, {"oneOf": [{"type": "null"}]}]}),
                T::INTEGER.with(T::NULL),
            ),
            (json!({"allOf": [{"$ref": "#/$defs/count"}]}), T::INTEGER),
            (json!({"$ref": "#count"}), T::INTEGER),
            (json!({"$dynamicRef": "#flag"}), T::BOOLEAN),
            (json!({"$ref": "#/$defs/a~1b%3Cc%3E"}), T::BOOLEAN),
            (json!({"$ref": "#/$defs/loop"}), T::BOOLEAN),
            (json!({"if": {"type": "integer"}, "then": {"maximum": 5}}), T::INTEGER),
            (json!({"not": {"type": "integer"}}), T::INTEGER),
            (json!({"$ref": "#/$defs/none"}), T::default()),
        ] {
            assert_eq!(types_of(&schema, &links, &Scope::default()), types, "{schema}");
        }
    }
}
