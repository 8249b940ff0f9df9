//! The rules of an object: its members by name and by pattern, those that must be there, and `allOf` in the one form that
//! is known: `if` a member has some text `then` another member has a schema.
//!
//! The one hard idea: a member is judged by one schema, so that its bytes are read once. A document is declined where a
//! name may match two patterns, or a pattern and a name of `properties`.

use regex::Regex;
use serde_json::{Map, Value};

use super::compile::{Declinable, TableCompiler, count, or_decline};
use super::members::{MEMBERS_MAX, MemberTable, NamedMember};
use super::tables::{MemberChoice, NodeIndex, ObjectRules, OtherMembers, ValueNode};
use crate::schema::compile::is_annotation;
use crate::schema::pattern;
use crate::schema::subschema::escaped;

/// The members of one object while they are collected.
struct MemberList {
    members: Vec<NamedMember>,
    patterns: Vec<(Regex, NodeIndex)>,
    others: OtherMembers,
}

impl MemberList {
    /// The bit of a member that must be there, which gets a place of its own if `properties` does not name it. Nothing
    /// where that would change what it is judged by, or there are too many.
    fn bit(&mut self, name: &str, compiler: &mut TableCompiler<'_>) -> Option<u64> {
        let known = self.members.iter().position(|member| *member.name == *name);
        let place = known.unwrap_or(self.members.len());
        if place >= MEMBERS_MAX {
            return None;
        }
        if known.is_none() {
            let matching = self.patterns.iter().find(|(pattern, _)| pattern.is_match(name));
            let node = match (matching, self.others) {
                (Some((_, node)), _) => *node,
                (None, OtherMembers::Refused | OtherMembers::Judged(_)) => return None,
                (None, _) => compiler.push(ValueNode::default()),
            };
            self.members.push(NamedMember::new(name, node));
        }
        Some(1 << place)
    }

    /// The bits of a list of names.
    fn bits(&mut self, names: &Value, compiler: &mut TableCompiler<'_>) -> Option<u64> {
        let names = names.as_array().into_iter().flatten().filter_map(Value::as_str);
        names.into_iter().try_fold(0, |bits, name| Some(bits | self.bit(name, compiler)?))
    }
}

impl<'d> TableCompiler<'d> {
    pub(super) fn object_rules(
        &mut self,
        keywords: &'d Map<String, Value>,
        pointer: &str,
    ) -> Declinable<ObjectRules> {
        let mut list = or_decline!(self.member_list(keywords, pointer)?);
        let required = match keywords.get("required") {
            Some(names) => or_decline!(list.bits(names, self)),
            None => 0,
        };
        let mut dependents = Vec::new();
        let asking = keywords.get("dependentRequired").and_then(Value::as_object);
        for (asker, names) in asking.into_iter().flatten() {
            let asker = or_decline!(list.bit(asker, self)).trailing_zeros() as usize;
            dependents.push((asker, or_decline!(list.bits(names, self))));
        }
        let MemberList { members, patterns, others } = list;
        let choice = match keywords.get("allOf") {
            Some(branches) => Some(or_decline!(self.choice(branches, &members, pointer)?)),
            None => None,
        };
        Ok(Some(ObjectRules {
            members: MemberTable { members: members.into(), required },
            patterns: patterns.into(),
            others,
            members_min: or_decline!(count(keywords, "minProperties", 0)),
            members_max: or_decline!(count(keywords, "maxProperties", u64::MAX)),
            choice,
            dependents: dependents.into(),
        }))
    }

    /// The members that `properties` and `patternProperties` speak of, and what is done with all others.
    fn member_list(
        &mut self,
        keywords: &'d Map<String, Value>,
        pointer: &str,
    ) -> Declinable<MemberList> {
        let mut members = Vec::new();
        for (name, schema) in table(keywords, "properties") {
            let pointer = format!("{pointer}/properties/{}", escaped(name));
            let node = or_decline!(self.node(schema, &pointer)?);
            members.push(NamedMember::new(name, node));
        }
        let mut patterns = Vec::new();
        for (text, schema) in table(keywords, "patternProperties") {
            let pointer = format!("{pointer}/patternProperties/{}", escaped(text));
            let pattern = pattern::compile(text, &pointer, self.limits)?;
            if members.iter().any(|member| pattern.is_match(&member.name)) {
                return Ok(None);
            }
            patterns.push((pattern, or_decline!(self.node(schema, &pointer)?)));
        }
        let texts: Vec<&str> =
            table(keywords, "patternProperties").map(|(text, _)| text.as_str()).collect();
        if members.len() > MEMBERS_MAX || !are_apart(&texts) {
            return Ok(None);
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
        Ok(Some(MemberList { members, patterns, others }))
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

/// Whether no name can match two of the patterns: each begins with a text that no other begins with.
fn are_apart(patterns: &[&str]) -> bool {
    patterns.len() < 2
        || patterns.iter().enumerate().all(|(place, pattern)| {
            beginning(pattern).is_some_and(|own| {
                patterns[..place]
                    .iter()
                    .filter_map(|other| beginning(other))
                    .all(|other| !own.starts_with(other) && !other.starts_with(own))
            })
        })
}

/// The text that every name begins with which a pattern matches, where that is plain to see.
fn beginning(pattern: &str) -> Option<&str> {
    let text = pattern.strip_prefix('^').filter(|_| !pattern.contains('|'))?;
    let is_plain = |byte: &u8| byte.is_ascii_alphanumeric() || b"_-/: @#".contains(byte);
    let mut length = text.bytes().take_while(|byte| is_plain(byte)).count();
    if matches!(text.as_bytes().get(length), Some(b'?' | b'*' | b'{')) {
        length = length.saturating_sub(1); // the last character may be absent
    }
    Some(&text[..length]).filter(|beginning| !beginning.is_empty())
}

fn table<'d>(
    keywords: &'d Map<String, Value>,
    name: &str,
) -> impl Iterator<Item = (&'d String, &'d Value)> {
    keywords.get(name).and_then(Value::as_object).into_iter().flatten()
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
