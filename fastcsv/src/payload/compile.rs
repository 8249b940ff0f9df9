//! A schema document to tables, or the answer that it needs the general validator.
//!
//! All or nothing, as for columns: a document with one keyword that is not known here is declined whole, so that a payload
//! is never judged twice. The rules of scalars are compiled by `schema::compile`. A `$ref` into the document must stand
//! alone in its schema. The rules of objects are compiled in `compile_object`.

use std::collections::HashMap;
use std::ptr;

use serde_json::{Map, Value};

use super::tables::{ListRules, NodeIndex, PayloadTables, ValueNode};
use crate::schema::check::Checks;
use crate::schema::compile::{self, is_annotation};
use crate::schema::links::Links;
use crate::schema::{SchemaError, SchemaLimits};

/// What the schema `false` says of a value.
pub(super) const NEVER: &str = "must not be there";

/// Keywords of objects and lists, which are compiled here.
const STRUCTURE: [&str; 13] = [
    "additionalProperties",
    "allOf",
    "dependentRequired",
    "items",
    "maxItems",
    "maxProperties",
    "minItems",
    "minProperties",
    "patternProperties",
    "prefixItems",
    "properties",
    "required",
    "uniqueItems",
];

/// Compiles a document that `document::parse` has let pass; `None` where it needs the general validator.
pub(super) fn compile(
    document: &Value,
    limits: &SchemaLimits,
) -> Result<Option<PayloadTables>, SchemaError> {
    let mut compiler = TableCompiler {
        links: Links::of(document),
        root: document,
        limits,
        known: HashMap::new(),
        nodes: Vec::new(),
    };
    let root = compiler.node(document, "")?;
    Ok(root.map(|root| PayloadTables { nodes: compiler.nodes, root }))
}

pub(super) struct TableCompiler<'d> {
    links: Links<'d>,
    root: &'d Value,
    pub limits: &'d SchemaLimits,
    /// The nodes of schemas by their address, so that a reference may lead back to a schema above it.
    known: HashMap<usize, NodeIndex>,
    pub nodes: Vec<ValueNode>,
}

/// Nothing where the schema is declined.
pub(super) type Declinable<T> = Result<Option<T>, SchemaError>;

/// Returns from the function where the value was declined.
macro_rules! or_decline {
    ($compiled:expr) => {
        match $compiled {
            Some(compiled) => compiled,
            None => return Ok(None),
        }
    };
}

pub(super) use or_decline;

impl<'d> TableCompiler<'d> {
    pub fn node(&mut self, schema: &'d Value, pointer: &str) -> Declinable<NodeIndex> {
        let Value::Object(keywords) = schema else {
            let mut checks = or_decline!(compile::compile(schema, pointer, self.limits)?);
            for rule in &mut checks.rules {
                rule.message = NEVER.into();
            }
            return Ok(Some(self.push(ValueNode::new(checks, None, None))));
        };
        let address = ptr::from_ref(keywords).addr();
        if let Some(known) = self.known.get(&address) {
            return Ok(Some(*known));
        }
        if keywords.contains_key("$ref") {
            return self.referred(keywords, pointer);
        }
        let index = self.push(ValueNode::default());
        self.known.insert(address, index);
        let node = or_decline!(self.compile_node(keywords, schema, pointer)?);
        self.nodes[index as usize] = node;
        Ok(Some(index))
    }

    pub fn push(&mut self, node: ValueNode) -> NodeIndex {
        self.nodes.push(node);
        // A document is bounded far below 4 GiB.
        NodeIndex::try_from(self.nodes.len() - 1).unwrap_or(NodeIndex::MAX)
    }

    /// The node that a reference leads to, where nothing but annotations stands beside it.
    fn referred(
        &mut self,
        keywords: &'d Map<String, Value>,
        pointer: &str,
    ) -> Declinable<NodeIndex> {
        let is_alone = keywords.keys().all(|it| it == "$ref" || is_annotation(it));
        let reference = keywords.get("$ref").and_then(Value::as_str);
        match reference.and_then(|it| self.links.target(keywords, it)) {
            Some(target) if is_alone => self.node(target, &format!("{pointer}/$ref")),
            _ => Ok(None),
        }
    }

    fn compile_node(
        &mut self,
        keywords: &'d Map<String, Value>,
        schema: &'d Value,
        pointer: &str,
    ) -> Declinable<ValueNode> {
        let is_root = ptr::eq(schema, self.root);
        let of_scalars = keywords.iter().filter(|(keyword, _)| {
            !(STRUCTURE.contains(&keyword.as_str()) || is_root && *keyword == "$id")
        });
        let of_scalars: Map<String, Value> =
            of_scalars.map(|(keyword, value)| (keyword.clone(), value.clone())).collect();
        if has_container_literal(&of_scalars) {
            return Ok(None);
        }
        let checks = compile::compile(&Value::Object(of_scalars), pointer, self.limits)?;
        let checks: Checks = or_decline!(checks);
        let has = |names: &[&str]| names.iter().any(|name| keywords.contains_key(*name));
        let object = if has(&[
            "properties",
            "required",
            "additionalProperties",
            "minProperties",
            "maxProperties",
            "patternProperties",
            "dependentRequired",
            "allOf",
        ]) {
            Some(Box::new(or_decline!(self.object_rules(keywords, pointer)?)))
        } else {
            None
        };
        let list = if has(&["items", "prefixItems", "minItems", "maxItems", "uniqueItems"]) {
            Some(Box::new(or_decline!(self.list_rules(keywords, pointer)?)))
        } else {
            None
        };
        Ok(Some(ValueNode::new(checks, object, list)))
    }

    fn list_rules(
        &mut self,
        keywords: &'d Map<String, Value>,
        pointer: &str,
    ) -> Declinable<ListRules> {
        let items = match keywords.get("items") {
            Some(schema) => Some(or_decline!(self.node(schema, &format!("{pointer}/items"))?)),
            None => None,
        };
        let mut first_items = Vec::new();
        let prefix = keywords.get("prefixItems").and_then(Value::as_array);
        for (index, schema) in prefix.into_iter().flatten().enumerate() {
            let pointer = format!("{pointer}/prefixItems/{index}");
            first_items.push(or_decline!(self.node(schema, &pointer)?));
        }
        Ok(Some(ListRules {
            first_items: first_items.into(),
            items,
            items_min: or_decline!(count(keywords, "minItems", 0)),
            items_max: or_decline!(count(keywords, "maxItems", u64::MAX)),
            is_unique: keywords.get("uniqueItems") == Some(&Value::Bool(true)),
        }))
    }
}

/// A bound on a count; nothing where it is written as no whole number of 64 bits.
pub(super) fn count(keywords: &Map<String, Value>, keyword: &str, absent: u64) -> Option<u64> {
    keywords.get(keyword).map_or(Some(absent), Value::as_u64)
}

/// Whether `enum` or `const`, here or in an alternative, allows an object or a list.
fn has_container_literal(keywords: &Map<String, Value>) -> bool {
    let is_container = |value: &Value| value.is_object() || value.is_array();
    let literals = keywords.get("enum").and_then(Value::as_array).into_iter().flatten();
    literals.chain(keywords.get("const")).any(is_container)
        || keywords
            .get("anyOf")
            .and_then(Value::as_array)
            .into_iter()
            .flatten()
            .filter_map(Value::as_object)
            .any(has_container_literal)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn is_compiled(document: &Value) -> bool {
        compile(document, &SchemaLimits::default()).unwrap().is_some()
    }

    #[test]
    fn known_keywords_are_compiled_and_any_other_declines_the_document() {
        let branch = |text: &str, schema: Value| {
            json!({
                "if": {"properties": {"kind": {"const": text}}, "required": ["kind"]},
                "then": {"properties": {"data": schema}},
            })
        };
        let choice = |branches: Vec<Value>| json!({"properties": {"kind": {}, "data": {"type": "object"}}, "allOf": branches});
        let object = json!({"type": "object", "required": ["a"]});
        for document in [
            json!(true),
            json!({"type": "object", "properties": {"a": {"minLength": 1}}, "required": ["b"]}),
            json!({"items": {"$ref": "#"}, "maxItems": 3}),
            json!({"$defs": {"a": {"type": "string"}}, "properties": {"a": {"$ref": "#/$defs/a"}}}),
            choice(vec![branch("a", object.clone()), branch("b", json!({"type": "object"}))]),
            json!({"uniqueItems": true, "prefixItems": [{"type": "string"}, false], "items": {}}),
            json!({"patternProperties": {"^x-": {"$ref": "#"}}, "additionalProperties": false}),
            json!({"patternProperties": {"^ab+": {}, "^b": {}}, "required": ["abc"]}),
            json!({"dependentRequired": {"a": ["b", "c"], "b": []}, "properties": {"a": {}}}),
        ] {
            assert!(is_compiled(&document), "{document}");
        }
        for document in [
            json!({"properties": {"a": {"not": {"type": "string"}}}}),
            json!({"const": {"a": 1}}),
            json!({"anyOf": [{"enum": [[1]]}]}),
            json!({"items": {"$ref": "#", "minLength": 1}}),
            json!({"required": ["a"], "additionalProperties": false}),
            json!({"contains": {"type": "string"}}),
            json!({"patternProperties": {"^a": {}}, "properties": {"ab": {}}}),
            json!({"patternProperties": {"^a": {}, "b$": {}}}),
            json!({"patternProperties": {"^ab?": {}, "^a-": {}}}),
            json!({"patternProperties": {"^a|b": {}, "^c": {}}}),
            json!({"dependentRequired": {"a": ["b"]}, "additionalProperties": false}),
            choice(vec![branch("a", json!({"minProperties": 1}))]),
            choice(vec![branch("a", object.clone()), branch("a", object)]),
        ] {
            assert!(!is_compiled(&document), "{document}");
        }
    }
}
