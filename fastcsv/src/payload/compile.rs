//! A schema document to tables, or the answer that it needs the general validator.
//!
//! All or nothing, as for columns: a document with one keyword that is not known here is declined whole, so that a payload
//! is never judged twice. The rules of scalars are compiled by `schema::compile`. A `$ref` into the document must stand
//! alone in its schema. `allOf` is known in one form: `if` a member has some text `then` another member has a schema.

use std::collections::HashMap;
use std::ptr;

use serde_json::{Map, Value};

use super::members::{MEMBERS_MAX, MemberTable, NamedMember};
use super::tables::{
    ListRules, MemberChoice, NodeIndex, ObjectRules, OtherMembers, PayloadTables, ValueNode,
};
use crate::schema::check::Checks;
use crate::schema::compile::{self, is_annotation};
use crate::schema::links::Links;
use crate::schema::subschema::escaped;
use crate::schema::{SchemaError, SchemaLimits};

/// What the schema `false` says of a value.
pub(super) const NEVER: &str = "must not be there";

/// Keywords of objects and lists, which are compiled here.
const STRUCTURE: [&str; 9] = [
    "additionalProperties",
    "allOf",
    "items",
    "maxItems",
    "maxProperties",
    "minItems",
    "minProperties",
    "properties",
    "required",
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

struct TableCompiler<'d> {
    links: Links<'d>,
    root: &'d Value,
    limits: &'d SchemaLimits,
    /// The nodes of schemas by their address, so that a reference may lead back to a schema above it.
    known: HashMap<usize, NodeIndex>,
    nodes: Vec<ValueNode>,
}

/// Nothing where the schema is declined.
type Declinable<T> = Result<Option<T>, SchemaError>;

/// Returns from the function where the value was declined.
macro_rules! or_decline {
    ($compiled:expr) => {
        match $compiled {
            Some(compiled) => compiled,
            None => return Ok(None),
        }
    };
}

impl<'d> TableCompiler<'d> {
    fn node(&mut self, schema: &'d Value, pointer: &str) -> Declinable<NodeIndex> {
        let Value::Object(keywords) = schema else {
            let mut checks = or_decline!(compile::compile(schema, pointer, self.limits)?);
            for rule in &mut checks.rules {
                rule.message = NEVER.into();
            }
            return Ok(Some(self.push(ValueNode { checks, ..ValueNode::default() })));
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

    fn push(&mut self, node: ValueNode) -> NodeIndex {
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
            "allOf",
        ]) {
            Some(Box::new(or_decline!(self.object_rules(keywords, pointer)?)))
        } else {
            None
        };
        let list = if has(&["items", "minItems", "maxItems"]) {
            Some(Box::new(or_decline!(self.list_rules(keywords, pointer)?)))
        } else {
            None
        };
        Ok(Some(ValueNode { checks, object, list }))
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
        Ok(Some(ListRules {
            items,
            items_min: or_decline!(count(keywords, "minItems", 0)),
            items_max: or_decline!(count(keywords, "maxItems", u64::MAX)),
        }))
    }

    fn object_rules(
        &mut self,
        keywords: &'d Map<String, Value>,
        pointer: &str,
    ) -> Declinable<ObjectRules> {
        let properties = keywords.get("properties").and_then(Value::as_object);
        let mut members = Vec::new();
        for (name, schema) in properties.into_iter().flatten() {
            let pointer = format!("{pointer}/properties/{}", escaped(name));
            let node = or_decline!(self.node(schema, &pointer)?);
            members.push(NamedMember { name: name.as_str().into(), node });
        }
        let others = match keywords.get("additionalProperties") {
            None if members.is_empty() => OtherMembers::Free,
            None => OtherMembers::Unknown,
            Some(Value::Bool(true)) => OtherMembers::Free,
            Some(Value::Bool(false)) => OtherMembers::Refused,
            Some(schema) => {
                let pointer = format!("{pointer}/additionalProperties");
                OtherMembers::Judged(or_decline!(self.node(schema, &pointer)?))
            }
        };
        let mut required = 0;
        for name in keywords.get("required").and_then(Value::as_array).into_iter().flatten() {
            let name = name.as_str().unwrap_or_default();
            let place = members.iter().position(|member: &NamedMember| *member.name == *name);
            let place = match (place, others) {
                (Some(place), _) => place,
                // The member is judged as one that is not named, and has to be there.
                (None, OtherMembers::Refused | OtherMembers::Judged(_)) => return Ok(None),
                (None, _) => {
                    let node = self.push(ValueNode::default());
                    members.push(NamedMember { name: name.into(), node });
                    members.len() - 1
                }
            };
            if place >= MEMBERS_MAX {
                return Ok(None);
            }
            required |= 1 << place;
        }
        if members.len() > MEMBERS_MAX {
            return Ok(None);
        }
        let choice = match keywords.get("allOf") {
            Some(branches) => Some(or_decline!(self.choice(branches, &members, pointer)?)),
            None => None,
        };
        Ok(Some(ObjectRules {
            members: MemberTable { members: members.into(), required },
            others,
            members_min: or_decline!(count(keywords, "minProperties", 0)),
            members_max: or_decline!(count(keywords, "maxProperties", u64::MAX)),
            choice,
        }))
    }

    /// `allOf` whose every member chooses the schema of one member by the text of another.
    fn choice(
        &mut self,
        branches: &'d Value,
        members: &[NamedMember],
        pointer: &str,
    ) -> Declinable<MemberChoice> {
        let mut places: Option<(usize, usize)> = None;
        let mut compiled: Vec<(Box<str>, NodeIndex)> = Vec::new();
        for (index, branch) in branches.as_array().into_iter().flatten().enumerate() {
            let (decider, constant, judged, schema) = or_decline!(branch_of(branch));
            let place = |name: &str| members.iter().position(|member| *member.name == *name);
            let own = (or_decline!(place(decider)), or_decline!(place(judged)));
            if *places.get_or_insert(own) != own
                || own.0 == own.1
                || compiled.iter().any(|(known, _)| **known == *constant)
            {
                return Ok(None);
            }
            let pointer = format!("{pointer}/allOf/{index}/then/properties/{}", escaped(judged));
            let node = or_decline!(self.node(schema, &pointer)?);
            if !self.implies(node, members[own.1].node) {
                return Ok(None);
            }
            compiled.push((constant.into(), node));
        }
        Ok(places.map(|(decided_by, judged)| MemberChoice {
            decided_by,
            judged,
            branches: compiled.into(),
        }))
    }

    /// Whether a value that passes the node of a branch passes the member's own, too, and says the same where it fails that.
    fn implies(&self, branch: NodeIndex, own: NodeIndex) -> bool {
        let (branch, own) = (&self.nodes[branch as usize], &self.nodes[own as usize]);
        own.is_empty()
            || own.is_type_alone()
                && branch.checks.rules.first().is_some_and(|rule| {
                    rule.keyword == "type" && rule.message == own.checks.rules[0].message
                })
    }
}

/// The deciding member with its text, and the judged member with its schema, of a branch in the known form.
fn branch_of(branch: &Value) -> Option<(&str, &str, &str, &Value)> {
    let branch = branch.as_object()?;
    let condition = branch.get("if")?.as_object()?;
    let consequence = branch.get("then")?.as_object()?;
    let is_made_of = |table: &Map<String, Value>, names: &[&str]| {
        table.keys().all(|name| names.contains(&name.as_str()) || is_annotation(name))
    };
    if !is_made_of(branch, &["if", "then"])
        || !is_made_of(condition, &["properties", "required"])
        || !is_made_of(consequence, &["properties"])
    {
        return None;
    }
    let (decider, constant) = only(condition.get("properties")?)?;
    let constant = constant.as_object().filter(|it| is_made_of(it, &["const"]))?;
    let constant = constant.get("const")?.as_str()?;
    let required = condition.get("required")?.as_array()?;
    if required.len() != 1 || required[0].as_str() != Some(decider) {
        return None;
    }
    let (judged, schema) = only(consequence.get("properties")?)?;
    Some((decider, constant, judged, schema))
}

/// The member of an object that has one.
fn only(value: &Value) -> Option<(&str, &Value)> {
    let table = value.as_object().filter(|table| table.len() == 1)?;
    table.iter().next().map(|(name, value)| (name.as_str(), value))
}

/// A bound on a count; nothing where it is written as no whole number of 64 bits.
fn count(keywords: &Map<String, Value>, keyword: &str, absent: u64) -> Option<u64> {
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
        ] {
            assert!(is_compiled(&document), "{document}");
        }
        for document in [
            json!({"properties": {"a": {"not": {"type": "string"}}}}),
            json!({"const": {"a": 1}}),
            json!({"anyOf": [{"enum": [[1]]}]}),
            json!({"items": {"$ref": "#", "minLength": 1}}),
            json!({"required": ["a"], "additionalProperties": false}),
            json!({"uniqueItems": true}),
            choice(vec![branch("a", json!({"minProperties": 1}))]),
            choice(vec![branch("a", object.clone()), branch("a", object)]),
        ] {
            assert!(!is_compiled(&document), "{document}");
        }
    }
}
