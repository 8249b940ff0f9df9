//! References by pointer, anchor or `$id`: that none leads in a circle, and none too deep.
//!
//! A schema that refers to itself without going down into the value (`{"$ref": "#"}` beside `allOf`) has
//! no meaning in JSON Schema, and following one ends with the stack. So does a chain of ten thousand
//! references. Both are refused before anything is built; a circle that goes down into the value, which is
//! how trees are described, is taken.

use std::collections::HashMap;
use std::ptr;

use serde_json::{Map, Value};

use super::error::{SchemaError, SchemaReason};
use super::links::{Links, Scope};
use super::subschema::{self, escaped};

/// Schemas inside schemas, references followed. The general validator overflows two megabytes of stack
/// between three and ten thousand.
const DEPTH_MAX: usize = 512;

/// Keywords that apply their schemas to the very value that they stand at.
const IN_PLACE: [&str; 8] =
    ["allOf", "anyOf", "dependentSchemas", "else", "if", "not", "oneOf", "then"];

/// Refuses references in a circle, and schemas that lie too deep.
pub(super) fn check(document: &Value) -> Result<(), SchemaError> {
    let links = Links::of(document);
    for in_place in [true, false] {
        let mut explorer = Explorer { links: &links, in_place, depth: 0, heights: HashMap::new() };
        subschema::walk(document, &mut |keywords, pointer| {
            explorer.height(keywords, pointer).map(|_| ())
        })?;
    }
    Ok(())
}

struct Explorer<'d, 'l> {
    links: &'l Links<'d>,
    /// Whether only what applies to the same value is followed.
    in_place: bool,
    depth: usize,
    /// By the address of a schema: how deep it goes, or nothing while it is being explored.
    heights: HashMap<usize, Option<usize>>,
}

impl<'d> Explorer<'d, '_> {
    /// How many schemas lie in a row below this one.
    fn height(
        &mut self,
        keywords: &'d Map<String, Value>,
        pointer: &str,
    ) -> Result<usize, SchemaError> {
        let address = ptr::from_ref(keywords).addr();
        let known = self.heights.get(&address).copied();
        let height = match known {
            Some(None) if self.in_place => {
                let detail = "the references lead in a circle";
                return Err(SchemaError::new(SchemaReason::ReferenceRefused, pointer, detail));
            }
            Some(known) => known.unwrap_or(0),
            None => 0,
        };
        if self.depth + height > DEPTH_MAX {
            let detail = format!("schemas lie over {DEPTH_MAX} deep in one another");
            return Err(SchemaError::new(SchemaReason::SchemaTooLarge, pointer, detail));
        }
        if known.is_some() {
            return Ok(height);
        }
        self.heights.insert(address, None);
        self.depth += 1;
        let mut height = 0;
        for (pointer, child) in self.below(keywords, pointer) {
            if let Value::Object(keywords) = child {
                height = height.max(1 + self.height(keywords, &pointer)?);
            }
        }
        self.depth -= 1;
        self.heights.insert(address, Some(height));
        Ok(height)
    }

    /// The schemas that a schema applies, with their pointers.
    fn below(&self, keywords: &'d Map<String, Value>, pointer: &str) -> Vec<(String, &'d Value)> {
        let applies = |keyword: &str| !self.in_place || IN_PLACE.contains(&keyword);
        let mut children = Vec::new();
        for (keyword, value) in keywords.iter().filter(|(keyword, _)| applies(keyword)) {
            for (suffix, child) in subschema::schemas_in(keyword, value) {
                children.push((format!("{pointer}/{}{suffix}", escaped(keyword)), child));
            }
        }
        // Where a dynamic reference leads depends on the way to it: it counts for the depth, and for no circle.
        let followed = if self.in_place { &["$ref"][..] } else { &["$ref", "$dynamicRef"] };
        for keyword in followed {
            let target = self.links.target_of(keywords, keyword, &Scope::default());
            let target = target.ok().flatten();
            children.extend(target.map(|schema| (format!("{pointer}/{keyword}"), schema)));
        }
        children
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn refusal(document: &Value) -> Option<(SchemaReason, String)> {
        check(document).err().map(|error| (error.reason, error.pointer))
    }

    #[test]
    fn a_circle_at_one_value_is_refused() {
        for (document, pointer) in [
            (json!({"$ref": "#"}), "/$ref"),
            (json!({"allOf": [{"$ref": "#"}]}), "/allOf/0/$ref"),
            (json!({"$anchor": "me", "not": {"$ref": "#me"}}), "/not/$ref"),
            (json!({"properties": {"a": {"$ref": "#/properties/a"}}}), "/properties/a/$ref"),
            (
                json!({"$defs": {"x": {"not": {"$ref": "#/$defs/y"}}, "y": {"$ref": "#/$defs/x"}}}),
                "/$defs/x/not/$ref/$ref",
            ),
        ] {
            assert_eq!(refusal(&document), Some((SchemaReason::ReferenceRefused, pointer.into())));
        }
    }

    #[test]
    fn a_circle_that_goes_down_is_taken() {
        let tree = json!({"properties": {"left": {"$ref": "#"}, "right": {"$ref": "#"}}});
        assert_eq!(refusal(&tree), None);
        let twice = json!({"$defs": {"x": true, "y": {"type": "string"}}, "allOf": [
            {"$ref": "#/$defs/y"}, {"$ref": "#/$defs/y"}, {"$ref": "#/$defs/x"}
        ]});
        assert_eq!(refusal(&twice), None);
    }

    #[test]
    fn depth_is_bounded_in_the_value_and_below_it() {
        let chain = |links: usize, link: &dyn Fn(Value) -> Value| {
            let next = |index: usize| link(json!({"$ref": format!("#/$defs/x{index}")}));
            let link = |index: usize| (format!("x{index}"), next(index + 1));
            let mut table: Map<String, Value> = (0..links).rev().map(link).collect();
            table.insert(format!("x{links}"), json!({"type": "string"}));
            json!({"$defs": table})
        };
        let in_place = |next: Value| next;
        let down = |next: Value| json!({"properties": {"p": next}});
        assert_eq!(refusal(&chain(500, &in_place)), None);
        assert_eq!(refusal(&chain(250, &down)), None);
        let reason = |document: &Value| refusal(document).map(|(reason, _)| reason);
        assert_eq!(reason(&chain(10_000, &in_place)), Some(SchemaReason::SchemaTooLarge));
        let link = |index: usize| {
            let next = format!("#x{}", index + 1);
            (
                format!("x{index}"),
                json!({"$dynamicAnchor": format!("x{index}"), "$dynamicRef": next}),
            )
        };
        let mut table: Map<String, Value> = (0..1000).map(link).collect();
        table.insert("x1000".into(), json!({"$dynamicAnchor": "x1000"}));
        assert_eq!(reason(&json!({"$defs": table})), Some(SchemaReason::SchemaTooLarge));
        assert_eq!(reason(&chain(10_000, &down)), Some(SchemaReason::SchemaTooLarge));
    }
}
