//! What a column's cells are read as: the types that its schema names, itself or through what it is
//! made of. One answer for the compiled checks and for the general validator.

use serde_json::Value;

use super::reference;
use super::scalar::TypeSet;

/// The types that the value of `type` names.
pub(super) fn types_named(value: &Value) -> TypeSet {
    let names = match value {
        Value::Array(names) => names.as_slice(),
        one => std::slice::from_ref(one),
    };
    let sets = names.iter().filter_map(Value::as_str).filter_map(TypeSet::named);
    sets.fold(TypeSet::default(), TypeSet::with)
}

/// The types that a column's schema names, itself or through what it is made of.
pub(super) fn types_of(schema: &Value, document: &Value) -> TypeSet {
    collect_types(schema, document, &mut Vec::new())
}

fn collect_types<'d>(
    schema: &'d Value,
    document: &'d Value,
    followed: &mut Vec<&'d str>,
) -> TypeSet {
    let Value::Object(keywords) = schema else {
        return TypeSet::default();
    };
    if let Some(names) = keywords.get("type") {
        return types_named(names);
    }
    let mut types = TypeSet::default();
    for keyword in ["anyOf", "oneOf", "allOf"] {
        for member in keywords.get(keyword).and_then(Value::as_array).into_iter().flatten() {
            types = types.with(collect_types(member, document, followed));
        }
    }
    if let Some((target, referred)) = reference::target(keywords, document)
        && !followed.contains(&target)
    {
        followed.push(target);
        types = types.with(collect_types(referred, document, followed));
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
                "count": {"type": "integer"},
                "loop": {"anyOf": [{"$ref": "#/$defs/loop"}, {"type": "boolean"}]},
            }
        });
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
            (json!({"$ref": "#/$defs/loop"}), T::BOOLEAN),
            (json!({"$ref": "#/$defs/none"}), T::default()),
        ] {
            assert_eq!(types_of(&schema, &document), types, "{schema}");
        }
    }
}
