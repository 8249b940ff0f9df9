//! `x-steward-message` in the schema of a payload: the author's messages, by the place of a violation.
//!
//! A message is found along the document, from the root to the schema of the value that a pointer leads to. So it is the
//! same whether tables or the general validator found the violation, and a valid payload costs nothing.
//!
//! As for the cells of a row: a text that names the keyword comes first, of the nearest schema on the way out from the
//! value. Then comes the text for every keyword, of the value's own schema.

use std::borrow::Cow;
use std::collections::{HashMap, HashSet};
use std::ptr;

use regex::Regex;
use serde_json::{Map, Value};

use super::report::PayloadReport;
use crate::schema::author::{MESSAGE, Messages};
use crate::schema::links::Links;
use crate::schema::subschema;
use crate::schema::{SchemaError, SchemaLimits, keyword, pattern};

/// Keywords of an object whose violations stand at a member.
const OF_THE_OBJECT: [&str; 3] =
    ["additionalProperties", "dependentRequired", "unevaluatedProperties"];

/// The messages of a document.
#[derive(Debug)]
pub(super) struct PayloadMessages {
    /// The first is the root's.
    schemas: Vec<AuthoredSchema>,
}

/// What one schema says, and the schemas of what is in its value.
#[derive(Debug, Default)]
struct AuthoredSchema {
    messages: Messages,
    /// Schemas of the same value: what `$ref` and `allOf` lead to.
    same: Vec<usize>,
    members: HashMap<Box<str>, usize>,
    patterns: Vec<(Regex, usize)>,
    others: Option<usize>,
    first_items: Vec<usize>,
    items: Option<usize>,
}

impl PayloadMessages {
    /// The messages of a document, and a warning for each that no way leads to. Nothing where there are none.
    pub fn of(
        document: &Value,
        limits: &SchemaLimits,
        warnings: &mut Vec<String>,
    ) -> Result<Option<Self>, SchemaError> {
        let mut authored = Vec::new();
        subschema::walk(document, &mut |keywords, pointer| {
            if keywords.contains_key(MESSAGE) {
                authored.push((ptr::from_ref(keywords).addr(), pointer.to_owned()));
            }
            Ok(())
        })?;
        if authored.is_empty() {
            return Ok(None);
        }
        let mut collector = Collector {
            links: Links::of(document),
            limits,
            known: HashMap::new(),
            schemas: Vec::new(),
        };
        collector.schema(document)?;
        for (address, pointer) in authored {
            if !collector.known.contains_key(&address) {
                warnings.push(format!("the annotation reaches no member (at {pointer}/{MESSAGE})"));
            }
        }
        Ok(Some(Self { schemas: collector.schemas }))
    }

    /// Puts the author's messages in the place of ours.
    pub fn apply<'a>(&'a self, report: &mut PayloadReport<'a>) {
        for violation in &mut report.violations {
            if let Some(message) = self.message(&violation.pointer, violation.keyword) {
                violation.message = Cow::Borrowed(message);
            }
        }
    }

    fn message(&self, pointer: &str, keyword: &str) -> Option<&str> {
        if !keyword::FAILING.contains(&keyword) {
            return None; // a rule of the reader, of which no schema speaks
        }
        let levels = self.levels(pointer);
        let named = |level: &Vec<usize>| {
            level.iter().find_map(|schema| self.schemas[*schema].messages.named(keyword))
        };
        let any = |level: &Vec<usize>| {
            level.iter().find_map(|schema| self.schemas[*schema].messages.any())
        };
        let (own, around) = levels.split_last()?;
        let holder = around.last().filter(|_| own.is_empty() || OF_THE_OBJECT.contains(&keyword));
        let nearest = levels.iter().rev().find_map(named);
        nearest.or_else(|| any(own)).or_else(|| holder.and_then(any))
    }

    /// The schemas of each value on the way to a pointer: of the root first, of the value itself last.
    fn levels(&self, pointer: &str) -> Vec<Vec<usize>> {
        let mut levels = vec![self.in_place(vec![0])];
        for token in pointer.split('/').skip(1) {
            let name = token.replace("~1", "/").replace("~0", "~");
            let within = levels.last().into_iter().flatten();
            let below = within.flat_map(|schema| self.schemas[*schema].below(&name)).collect();
            levels.push(self.in_place(below));
        }
        levels
    }

    /// The schemas, each followed by those of the same value that it leads to, each once.
    fn in_place(&self, mut waiting: Vec<usize>) -> Vec<usize> {
        let mut seen = HashSet::new();
        let mut place = 0;
        while let Some(&schema) = waiting.get(place) {
            if seen.insert(schema) {
                waiting.extend(&self.schemas[schema].same);
                place += 1;
            } else {
                waiting.remove(place);
            }
        }
        waiting
    }
}

impl AuthoredSchema {
    /// The schemas of a member, or of an item by its index.
    fn below(&self, name: &str) -> Vec<usize> {
        let matching = self.patterns.iter().filter(|(pattern, _)| pattern.is_match(name));
        let mut found: Vec<usize> = self.members.get(name).copied().into_iter().collect();
        found.extend(matching.map(|(_, schema)| *schema));
        if found.is_empty()
            && let Ok(index) = name.parse::<usize>()
        {
            found.extend(self.first_items.get(index).copied().or(self.items));
        }
        if found.is_empty() {
            found.extend(self.others);
        }
        found
    }
}

/// Collects the schemas that a value may have for certain.
struct Collector<'d> {
    links: Links<'d>,
    limits: &'d SchemaLimits,
    /// By the address of their keywords, so that a reference may lead back to a schema above it.
    known: HashMap<usize, usize>,
    schemas: Vec<AuthoredSchema>,
}

impl<'d> Collector<'d> {
    /// The place of a schema. `true` and `false` say nothing; their place is that of an empty schema.
    fn schema(&mut self, schema: &'d Value) -> Result<usize, SchemaError> {
        let place = self.schemas.len();
        let Value::Object(keywords) = schema else {
            self.schemas.push(AuthoredSchema::default());
            return Ok(place);
        };
        if let Some(known) = self.known.get(&ptr::from_ref(keywords).addr()) {
            return Ok(*known);
        }
        self.known.insert(ptr::from_ref(keywords).addr(), place);
        self.schemas.push(AuthoredSchema::default());
        let authored = self.authored(keywords)?;
        self.schemas[place] = authored;
        Ok(place)
    }

    fn authored(
        &mut self,
        keywords: &'d Map<String, Value>,
    ) -> Result<AuthoredSchema, SchemaError> {
        let mut authored = AuthoredSchema::default();
        authored.messages.add(keywords);
        let reference = keywords.get("$ref").and_then(Value::as_str);
        if let Some(target) = reference.and_then(|it| self.links.target(keywords, it)) {
            authored.same.push(self.schema(target)?);
        }
        for schema in list(keywords, "allOf") {
            authored.same.push(self.schema(schema)?);
        }
        for (name, schema) in table(keywords, "properties") {
            authored.members.insert(name.as_str().into(), self.schema(schema)?);
        }
        for (text, schema) in table(keywords, "patternProperties") {
            let pattern = pattern::compile(text, "/patternProperties", self.limits)?;
            authored.patterns.push((pattern, self.schema(schema)?));
        }
        for schema in list(keywords, "prefixItems") {
            authored.first_items.push(self.schema(schema)?);
        }
        if let Some(schema) = keywords.get("items") {
            authored.items = Some(self.schema(schema)?);
        }
        if let Some(schema @ Value::Object(_)) = keywords.get("additionalProperties") {
            authored.others = Some(self.schema(schema)?);
        }
        Ok(authored)
    }
}

fn list<'d>(keywords: &'d Map<String, Value>, name: &str) -> impl Iterator<Item = &'d Value> {
    keywords.get(name).and_then(Value::as_array).into_iter().flatten()
}

fn table<'d>(
    keywords: &'d Map<String, Value>,
    name: &str,
) -> impl Iterator<Item = (&'d String, &'d Value)> {
    keywords.get(name).and_then(Value::as_object).into_iter().flatten()
}
