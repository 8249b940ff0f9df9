//! The keywords of JSON Schema 2020-12, and the judgement of a name that is none of them.
//!
//! A name close to a keyword is a misspelt keyword. Its rule would be lost, so the schema is refused. A keyword
//! of an older draft that used to assert something is refused too. Any other name is the author's own, and gets a
//! warning; a name that begins with `x-` gets none.

use super::error::{SchemaError, SchemaReason};
use super::subschema::escaped;

const KNOWN: [&str; 61] = [
    "$anchor",
    "$comment",
    "$defs",
    "$dynamicAnchor",
    "$dynamicRef",
    "$id",
    "$ref",
    "$schema",
    "$vocabulary",
    "additionalProperties",
    "allOf",
    "anyOf",
    "const",
    "contains",
    "contentEncoding",
    "contentMediaType",
    "contentSchema",
    "default",
    "definitions",
    "dependentRequired",
    "dependentSchemas",
    "deprecated",
    "description",
    "else",
    "enum",
    "examples",
    "exclusiveMaximum",
    "exclusiveMinimum",
    "format",
    "if",
    "items",
    "maxContains",
    "maxItems",
    "maxLength",
    "maxProperties",
    "maximum",
    "minContains",
    "minItems",
    "minLength",
    "minProperties",
    "minimum",
    "multipleOf",
    "not",
    "oneOf",
    "pattern",
    "patternProperties",
    "prefixItems",
    "properties",
    "propertyNames",
    "readOnly",
    "required",
    "then",
    "title",
    "type",
    "unevaluatedItems",
    "unevaluatedProperties",
    "uniqueItems",
    "writeOnly",
    "example",
    "externalDocs",
    "discriminator",
];

/// Every keyword of JSON Schema 2020-12 that can fail, so that a violation names one without a copy.
pub(crate) const FAILING: [&str; 37] = [
    "additionalProperties",
    "allOf",
    "anyOf",
    "const",
    "contains",
    "contentMediaType",
    "dependentRequired",
    "dependentSchemas",
    "enum",
    "exclusiveMaximum",
    "exclusiveMinimum",
    "falseSchema",
    "format",
    "if",
    "items",
    "maxContains",
    "maxItems",
    "maxLength",
    "maxProperties",
    "maximum",
    "minContains",
    "minItems",
    "minLength",
    "minProperties",
    "minimum",
    "multipleOf",
    "not",
    "oneOf",
    "pattern",
    "patternProperties",
    "prefixItems",
    "propertyNames",
    "required",
    "type",
    "unevaluatedItems",
    "unevaluatedProperties",
    "uniqueItems",
];

/// Keywords of older drafts, and what says the same today.
const OLD: [(&str, &str); 6] = [
    ("$recursiveAnchor", "$dynamicAnchor"),
    ("$recursiveRef", "$dynamicRef"),
    ("additionalItems", "items"),
    ("dependencies", "dependentRequired or dependentSchemas"),
    ("disallow", "not"),
    ("divisibleBy", "multipleOf"),
];

/// What is to be warned of at a name that stands where keywords stand. Refuses misspelt and old keywords.
pub(crate) fn judge(name: &str, pointer: &str) -> Result<Option<String>, SchemaError> {
    if KNOWN.contains(&name) || name.starts_with("x-") {
        return Ok(None);
    }
    let place = format!("{pointer}/{}", escaped(name));
    let refused =
        |detail: String| Err(SchemaError::new(SchemaReason::KeywordUnknown, &place, detail));
    if let Some((_, new)) = OLD.iter().find(|(old, _)| *old == name) {
        return refused(format!("the keyword {name} is not in JSON Schema 2020-12; write {new}"));
    }
    if let Some(near) = nearest(name, KNOWN) {
        return refused(format!("the keyword {name} is unknown; did you mean {near}?"));
    }
    Ok(Some(format!("the keyword {name} is unknown and checks nothing (at {place})")))
}

/// The name that another one was probably meant to be.
pub(crate) fn nearest<'n>(name: &str, known: impl IntoIterator<Item = &'n str>) -> Option<&'n str> {
    let bare = name.to_lowercase().replace(['-', '_', ' '], "");
    let candidates = known.into_iter().filter_map(|known| {
        let other = known.to_lowercase().replace(['-', '_', ' '], "");
        let shorter = bare.chars().count().min(other.chars().count());
        let allowed = match shorter {
            0..=3 => 0,
            4..=6 => 1,
            _ => 2,
        };
        // A keyword without its `$`; but `id` is a word that anybody may use.
        let undecorated = other.strip_prefix('$').is_some_and(|it| it == bare && it != "id");
        let distance = if undecorated { 0 } else { distance(&bare, &other) };
        (distance <= allowed).then_some((distance, known))
    });
    candidates.min().map(|(_, known)| known)
}

/// Insertions, deletions, replacements and swaps of neighbours between two words.
fn distance(a: &str, b: &str) -> usize {
    let (a, b): (Vec<char>, Vec<char>) =
        (a.chars().take(64).collect(), b.chars().take(64).collect());
    let mut rows = vec![vec![0; b.len() + 1]; a.len() + 1];
    for i in 0..=a.len() {
        for j in 0..=b.len() {
            rows[i][j] = if i == 0 || j == 0 {
                i + j
            } else {
                let replaced = rows[i - 1][j - 1] + usize::from(a[i - 1] != b[j - 1]);
                let mut least = replaced.min(rows[i - 1][j] + 1).min(rows[i][j - 1] + 1);
                if i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] {
                    least = least.min(rows[i - 2][j - 2] + 1);
                }
                least
            };
        }
    }
    rows[a.len()][b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_near_a_keyword_is_refused_with_it() {
        for (name, near) in [
            ("requried", "required"),
            ("minLenght", "minLength"),
            ("maxlength", "maxLength"),
            ("min_length", "minLength"),
            ("ref", "$ref"),
            ("enums", "enum"),
            ("tpye", "type"),
            ("dependencies", "dependentRequired or dependentSchemas"),
        ] {
            let error = judge(name, "/properties/a").unwrap_err();
            assert_eq!(error.reason, SchemaReason::KeywordUnknown);
            assert_eq!(error.pointer, format!("/properties/a/{name}"));
            assert!(error.detail.contains(near), "{error}");
        }
    }

    #[test]
    fn other_names_are_warned_of_and_own_ones_are_not() {
        for name in ["note", "id", "unit", "nullable", "label"] {
            assert!(judge(name, "").unwrap().is_some_and(|it| it.contains(name)), "{name}");
        }
        for name in ["x-owner", "minLength", "$anchor", "example"] {
            assert_eq!(judge(name, ""), Ok(None));
        }
    }
}
