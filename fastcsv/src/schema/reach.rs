//! Which subschemas of a document apply to the row, and which to each of its columns.
//!
//! The general validator follows references, `allOf`, conditions and patterns of names. Columns, their types,
//! their annotations and messages are collected along the same paths. An annotation that the validator would
//! pass, but that applies to no named column, is refused where it stands.

use std::collections::{HashMap, HashSet, VecDeque};
use std::ptr;

use regex::Regex;
use serde_json::{Map, Value};

use super::annotation::{self, PII};
use super::author::{MESSAGE, Messages};
use super::error::{SchemaError, SchemaReason};
use super::limits::SchemaLimits;
use super::links::{Links, Scope};
use super::pattern;
use super::reading::types_of;
use super::scalar::TypeSet;
use super::subschema;

/// Keywords that apply their schemas to the same value whatever the value is.
const ALWAYS: [&str; 1] = ["allOf"];
/// Keywords that apply their schemas to the same value, and may let it fail them.
const PERHAPS: [&str; 7] = ["anyOf", "oneOf", "if", "then", "else", "not", "dependentSchemas"];

/// Schemas, each counted once for every role and scope that it is reached in. Embedded documents with dynamic anchors
/// that refer to one another in every order would make more of them than anybody can follow.
const WAYS_MAX: usize = 1 << 17;

/// What a schema is applied to.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
enum SchemaRole {
    /// The row. Whether it always has to hold.
    Row(bool),
    /// The cells of a named column.
    Column(bool),
    /// Members of the row that are found by a pattern or by exclusion, or nothing that a row has.
    Elsewhere,
}

/// The schemas of a document, by what they are applied to.
pub(super) struct Reach<'d> {
    links: Links<'d>,
    pointers: HashMap<usize, String>,
    seen: HashSet<(usize, SchemaRole, Scope)>,
    rows: Vec<RowPart<'d>>,
    /// Every schema that is reached or stands in a place for schemas, with its pointer.
    pub schemas: Vec<(&'d Map<String, Value>, String)>,
    /// Column names in their order; whether every header needs them.
    pub columns: Vec<(&'d str, bool)>,
}

/// One schema of the row: what it says of columns that it does not name.
struct RowPart<'d> {
    keywords: &'d Map<String, Value>,
    scope: Scope,
    is_certain: bool,
    patterns: Vec<(Regex, &'d Value)>,
}

impl<'d> Reach<'d> {
    /// Follows a document. Refuses references out of it and marks that would be lost.
    pub fn of(document: &'d Value, limits: &SchemaLimits) -> Result<Self, SchemaError> {
        let mut reach = Self {
            links: Links::of(document),
            pointers: Links::pointers(document),
            seen: HashSet::new(),
            rows: Vec::new(),
            schemas: Vec::new(),
            columns: Vec::new(),
        };
        // On a stack of its own: a chain of references is bounded in length, not in branches.
        let mut waiting = vec![(document, SchemaRole::Row(true), Scope::default())];
        while let Some((schema, role, scope)) = waiting.pop() {
            let mut next = reach.visit(schema, role, &scope, limits)?;
            next.reverse();
            waiting.append(&mut next);
        }
        reach.collect_schemas(document)?;
        reach.name_columns();
        Ok(reach)
    }

    fn pointer(&self, keywords: &Map<String, Value>) -> String {
        self.pointers.get(&ptr::from_ref(keywords).addr()).cloned().unwrap_or_default()
    }

    /// Notes one schema in one role; what it applies comes back, in the order of the document.
    fn visit(
        &mut self,
        schema: &'d Value,
        role: SchemaRole,
        scope: &Scope,
        limits: &SchemaLimits,
    ) -> Result<Vec<(&'d Value, SchemaRole, Scope)>, SchemaError> {
        let Value::Object(keywords) = schema else {
            return Ok(Vec::new());
        };
        let scope = self.links.entered(scope, keywords);
        if !self.seen.insert((ptr::from_ref(keywords).addr(), role, scope.clone())) {
            return Ok(Vec::new());
        }
        if self.seen.len() > WAYS_MAX {
            let detail = "dynamic references lead more ways than can be followed";
            return Err(SchemaError::new(SchemaReason::SchemaTooLarge, "", detail));
        }
        self.refuse_lost(keywords, role)?;
        if let SchemaRole::Row(is_certain) = role {
            let mut patterns = Vec::new();
            for (text, schema) in table(keywords, "patternProperties") {
                patterns.push((pattern::compile(text, "/patternProperties", limits)?, schema));
            }
            self.rows.push(RowPart { keywords, scope: scope.clone(), is_certain, patterns });
        }
        let mut next = Vec::new();
        for (keyword, value) in keywords {
            let role = below(role, keyword);
            let children = subschema::schemas_in(keyword, value).into_iter();
            if !matches!(keyword.as_str(), "$defs" | "definitions") {
                next.extend(children.map(|(_, child)| (child, role, scope.clone())));
            }
        }
        for keyword in ["$ref", "$dynamicRef"] {
            let target = self.links.target_of(keywords, keyword, &scope).map_err(|_| {
                let pointer = format!("{}/{keyword}", self.pointer(keywords));
                let detail = "the reference leads to nothing in the document";
                SchemaError::new(SchemaReason::ReferenceRefused, &pointer, detail)
            })?;
            next.extend(target.map(|target| (target, role, scope.clone())));
        }
        Ok(next)
    }

    /// Refuses an annotation that the validator passes and that applies to no named column.
    fn refuse_lost(
        &self,
        keywords: &Map<String, Value>,
        role: SchemaRole,
    ) -> Result<(), SchemaError> {
        let lost = |name: &str, place: &str| {
            let pointer = format!("{}/{name}", self.pointer(keywords));
            let detail = format!("the annotation {name} has no effect here; it belongs {place}");
            Err(SchemaError::new(SchemaReason::AnnotationInvalid, &pointer, detail))
        };
        if annotation::is_set(keywords, PII) && !matches!(role, SchemaRole::Column(_)) {
            return lost(PII, "in the schema of a column that properties names");
        }
        let is_heard = matches!(role, SchemaRole::Column(true) | SchemaRole::Row(true));
        if keywords.contains_key(MESSAGE) && !is_heard {
            return lost(
                MESSAGE,
                "beside the keywords of a named column or at the root, behind $ref and allOf at most",
            );
        }
        Ok(())
    }

    /// Every schema once: those in places for schemas, and those that only a reference makes one.
    fn collect_schemas(&mut self, document: &'d Value) -> Result<(), SchemaError> {
        let mut noted = HashSet::new();
        let mut waiting = vec![document];
        while let Some(start) = waiting.pop() {
            subschema::walk(start, &mut |keywords, _| {
                if noted.insert(ptr::from_ref(keywords).addr()) {
                    self.schemas.push((keywords, self.pointer(keywords)));
                    for keyword in ["$ref", "$dynamicRef"] {
                        let reference = keywords.get(keyword).and_then(Value::as_str);
                        waiting.extend(reference.and_then(|it| self.links.target(keywords, it)));
                    }
                }
                Ok(())
            })?;
        }
        Ok(())
    }

    fn name_columns(&mut self) {
        let mut places: HashMap<&'d str, usize> = HashMap::new();
        let mut columns: Vec<(&'d str, bool)> = Vec::new();
        let mut add = |name: &'d str, required: bool| {
            let place = *places.entry(name).or_insert(columns.len());
            if place == columns.len() {
                columns.push((name, required));
            }
            columns[place].1 |= required;
        };
        for part in &self.rows {
            table(part.keywords, "properties").for_each(|(name, _)| add(name, false));
        }
        for part in &self.rows {
            names(part.keywords.get("required")).for_each(|name| add(name, part.is_certain));
            for (name, others) in table(part.keywords, "dependentRequired") {
                add(name, false);
                names(Some(others)).for_each(|name| add(name, false));
            }
        }
        self.columns = columns;
    }

    /// The schemas that the parts of the row give for the cells of one name, with the scopes they are reached from.
    fn schemas_of(&self, name: &str) -> Vec<(&'d Value, &Scope)> {
        let mut found = Vec::new();
        for part in &self.rows {
            let own = part.keywords.get("properties").and_then(|table| table.get(name));
            let matching = part.patterns.iter().filter(|(pattern, _)| pattern.is_match(name));
            let mut schemas: Vec<_> = own.into_iter().collect();
            schemas.extend(matching.map(|(_, schema)| *schema));
            if schemas.is_empty() {
                schemas.extend(part.keywords.get("additionalProperties"));
            }
            found.extend(schemas.into_iter().map(|schema| (schema, &part.scope)));
        }
        if found.is_empty() {
            found.extend(self.rest());
        }
        found
    }

    /// The schemas of `unevaluatedProperties`.
    fn rest(&self) -> impl Iterator<Item = (&'d Value, &Scope)> {
        let schema = |part: &RowPart<'d>| part.keywords.get("unevaluatedProperties");
        self.rows.iter().filter_map(move |part| Some((schema(part)?, &part.scope)))
    }

    fn types_of(&self, (schema, scope): (&Value, &Scope)) -> TypeSet {
        types_of(schema, &self.links, scope)
    }

    /// What the cells of a column are read as.
    pub fn types(&self, name: &str) -> TypeSet {
        let types = self.schemas_of(name).into_iter().map(|it| self.types_of(it));
        types.fold(TypeSet::default(), TypeSet::with)
    }

    /// Whether a column is marked as personal data, itself or through what it is made of.
    pub fn is_pii(&self, name: &str) -> bool {
        let mut is_pii = false;
        let schemas = self.schemas_of(name);
        self.in_place(schemas, true, &mut |keywords| is_pii |= annotation::is_set(keywords, PII));
        is_pii
    }

    /// What the author says of the cells of a column.
    pub fn messages(&self, name: &str) -> Messages {
        let mut messages = Messages::default();
        self.in_place(self.schemas_of(name), false, &mut |keywords| messages.add(keywords));
        messages
    }

    /// What the author says of the row.
    pub fn row_messages(&self) -> Messages {
        let mut messages = Messages::default();
        for part in self.rows.iter().filter(|part| part.is_certain) {
            messages.add(part.keywords);
        }
        messages
    }

    /// Hands over the schemas that apply to one value: the nearest first, each once.
    fn in_place(
        &self,
        schemas: Vec<(&'d Value, &Scope)>,
        perhaps: bool,
        visit: &mut impl FnMut(&'d Map<String, Value>),
    ) {
        let mut seen = HashSet::new();
        let schemas = schemas.into_iter().map(|(schema, scope)| (schema, scope.clone()));
        let mut waiting: VecDeque<(&Value, Scope)> = schemas.collect();
        while let Some((schema, scope)) = waiting.pop_front() {
            let Value::Object(keywords) = schema else {
                continue;
            };
            let scope = self.links.entered(&scope, keywords);
            if !seen.insert((ptr::from_ref(keywords).addr(), scope.clone())) {
                continue;
            }
            visit(keywords);
            for keyword in ["$ref", "$dynamicRef"] {
                let target = self.links.target_of(keywords, keyword, &scope).ok().flatten();
                waiting.extend(target.map(|target| (target, scope.clone())));
            }
            let followed = ALWAYS.iter().chain(PERHAPS.iter().filter(|_| perhaps));
            for (keyword, value) in followed.filter_map(|name| Some((name, keywords.get(*name)?))) {
                let children = subschema::schemas_in(keyword, value).into_iter();
                waiting.extend(children.map(|(_, child)| (child, scope.clone())));
            }
        }
    }

    /// What the document says of columns that it does not name.
    pub fn unnamed(&self) -> UnnamedColumns {
        let parts = self.rows.iter().map(|part| {
            let types = |schema: &Value| self.types_of((schema, &part.scope));
            let patterns = part.patterns.iter().map(|(it, schema)| (it.clone(), types(schema)));
            let others = part.keywords.get("additionalProperties").map(types);
            UnnamedPart { patterns: patterns.collect(), others: others.unwrap_or_default() }
        });
        let rest = self.rest().map(|it| self.types_of(it));
        UnnamedColumns {
            parts: parts.collect(),
            rest: rest.fold(TypeSet::default(), TypeSet::with),
        }
    }

    /// The pointers of marks that no way leads to.
    pub fn idle_marks(&self) -> impl Iterator<Item = String> {
        let reached: HashSet<usize> = self.seen.iter().map(|(address, ..)| *address).collect();
        let idle = self
            .schemas
            .iter()
            .filter(move |(keywords, _)| !reached.contains(&ptr::from_ref(*keywords).addr()));
        idle.flat_map(|(keywords, pointer)| {
            let marks = [PII, MESSAGE].into_iter().filter(|name| keywords.contains_key(*name));
            marks.map(move |name| format!("{pointer}/{name}"))
        })
    }
}

/// The role of a keyword's schemas in a schema of some role.
fn below(role: SchemaRole, keyword: &str) -> SchemaRole {
    match role {
        _ if role != SchemaRole::Elsewhere && ALWAYS.contains(&keyword) => role,
        SchemaRole::Row(_) if PERHAPS.contains(&keyword) => SchemaRole::Row(false),
        SchemaRole::Row(is_certain) if keyword == "properties" => SchemaRole::Column(is_certain),
        SchemaRole::Column(_) if PERHAPS.contains(&keyword) => SchemaRole::Column(false),
        _ => SchemaRole::Elsewhere,
    }
}

fn table<'d>(
    keywords: &'d Map<String, Value>,
    name: &str,
) -> impl Iterator<Item = (&'d str, &'d Value)> {
    let table = keywords.get(name).and_then(Value::as_object);
    table.into_iter().flatten().map(|(name, value)| (name.as_str(), value))
}

fn names(list: Option<&Value>) -> impl Iterator<Item = &str> {
    list.and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str)
}

/// What is known of columns that a document does not name.
#[derive(Debug)]
pub(super) struct UnnamedColumns {
    parts: Vec<UnnamedPart>,
    /// By `unevaluatedProperties`, where nothing else speaks.
    rest: TypeSet,
}

#[derive(Debug)]
struct UnnamedPart {
    patterns: Vec<(Regex, TypeSet)>,
    /// By `additionalProperties`.
    others: TypeSet,
}

impl UnnamedColumns {
    /// Whether a pattern of names speaks of the column.
    pub fn knows(&self, name: &str) -> bool {
        self.parts.iter().flat_map(|part| &part.patterns).any(|(it, _)| it.is_match(name))
    }

    /// What the cells of such a column are read as.
    pub fn types(&self, name: &str) -> TypeSet {
        let mut types = TypeSet::default();
        for part in &self.parts {
            let matching = part.patterns.iter().filter(|(pattern, _)| pattern.is_match(name));
            let own: Vec<TypeSet> = matching.map(|(_, types)| *types).collect();
            types = own.iter().fold(types, |types, own| types.with(*own));
            if own.is_empty() {
                types = types.with(part.others);
            }
        }
        if self.knows(name) { types } else { types.with(self.rest) }
    }
}
