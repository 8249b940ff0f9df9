//! The targets of a document's references: by JSON pointer, `$anchor`, `$dynamicAnchor` or embedded `$id`.
//!
//! Resolves as the general validator does (JSON Schema 2020-12 core, section 8.2): against the base URI of
//! the schema that the reference stands in, percent-encoding undone. A `$dynamicRef` to a `$dynamicAnchor` leads to the
//! outermost schema of that name on the way there (section 8.2.3.2), which is what a `Scope` is for. Knows this one
//! document alone.

use std::collections::HashMap;
use std::ptr;
use std::rc::Rc;

use referencing::uri;
use serde_json::{Map, Value};

use super::subschema::{self, escaped};

/// The embedded documents with a `$dynamicAnchor` that the way to a schema leads through, by base URI, the outermost
/// first.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub(crate) struct Scope(Rc<[Rc<str>]>);

/// A reference leads to nothing in the document.
#[derive(Debug)]
pub(crate) struct Lost;

/// The schemas of a document by the names that references use.
pub(crate) struct Links<'d> {
    document: &'d Value,
    /// By base URI, without a fragment.
    resources: HashMap<Rc<str>, &'d Value>,
    anchors: HashMap<(Rc<str>, &'d str), &'d Value>,
    /// What `$dynamicAnchor` names, by base URI and name.
    dynamic: HashMap<Rc<str>, HashMap<&'d str, &'d Value>>,
    /// By the address of a schema.
    bases: HashMap<usize, Rc<str>>,
    root: Rc<str>,
}

impl<'d> Links<'d> {
    pub fn of(document: &'d Value) -> Self {
        let id = document.get("$id").and_then(Value::as_str).unwrap_or("");
        let root: Rc<str> = uri::from_str(id).map_or_else(|_| "".into(), |it| bare(it.as_str()));
        let mut links = Self {
            document,
            resources: HashMap::from([(root.clone(), document)]),
            anchors: HashMap::new(),
            dynamic: HashMap::new(),
            bases: HashMap::new(),
            root: root.clone(),
        };
        links.index(document, &root);
        links
    }

    fn index(&mut self, schema: &'d Value, base: &Rc<str>) {
        let Value::Object(keywords) = schema else {
            return;
        };
        let id = keywords.get("$id").and_then(Value::as_str);
        let own = id.and_then(|id| joined(base, id)).filter(|_| !ptr::eq(schema, self.document));
        if let Some(own) = &own {
            self.resources.insert(own.clone(), schema);
        }
        let base = own.as_ref().unwrap_or(base);
        self.bases.insert(ptr::from_ref(keywords).addr(), base.clone());
        for keyword in ["$anchor", "$dynamicAnchor"] {
            if let Some(name) = keywords.get(keyword).and_then(Value::as_str) {
                self.anchors.insert((base.clone(), name), schema);
                if keyword == "$dynamicAnchor" {
                    self.dynamic.entry(base.clone()).or_default().insert(name, schema);
                }
            }
        }
        for (keyword, value) in keywords {
            for (_, child) in subschema::schemas_in(keyword, value) {
                self.index(child, base);
            }
        }
    }

    /// The schema that a reference leads to from a schema; nothing where it is not in the document.
    pub fn target(&self, from: &Map<String, Value>, reference: &str) -> Option<&'d Value> {
        let base = self.bases.get(&ptr::from_ref(from).addr()).unwrap_or(&self.root);
        let (location, fragment) = match reference.split_once('#') {
            Some(("", fragment)) => (base.clone(), fragment),
            Some((location, fragment)) => (joined(base, location)?, fragment),
            None => (joined(base, reference)?, ""),
        };
        let resource = *self.resources.get(&location)?;
        let fragment = percent_decoded(fragment)?;
        match fragment.as_str() {
            "" => Some(resource),
            pointer if pointer.starts_with('/') => resource.pointer(pointer),
            name => self.anchors.iter().find_map(|((base, anchor), schema)| {
                (*base == location && *anchor == name).then_some(*schema)
            }),
        }
    }

    /// The scope inside of a schema that is reached from a scope.
    pub fn entered(&self, scope: &Scope, schema: &Map<String, Value>) -> Scope {
        match self.bases.get(&ptr::from_ref(schema).addr()) {
            Some(base) if self.dynamic.contains_key(base) && !scope.0.contains(base) => {
                Scope(scope.0.iter().chain([base]).cloned().collect())
            }
            _ => scope.clone(),
        }
    }

    /// What one of `$ref` and `$dynamicRef` leads to from a schema, in the scope inside of it; nothing where the
    /// schema has no such keyword.
    pub fn target_of(
        &self,
        from: &Map<String, Value>,
        keyword: &str,
        scope: &Scope,
    ) -> Result<Option<&'d Value>, Lost> {
        let Some(reference) = from.get(keyword).and_then(Value::as_str) else {
            return Ok(None);
        };
        let target = self.target(from, reference).ok_or(Lost)?;
        let name = target.get("$dynamicAnchor").and_then(Value::as_str);
        let fragment = reference.split_once('#').and_then(|(_, it)| percent_decoded(it));
        if keyword == "$ref" || name.is_none() || fragment.as_deref() != name {
            return Ok(Some(target));
        }
        let anchored = |base: &Rc<str>| self.dynamic.get(base)?.get(name?).copied();
        Ok(Some(scope.0.iter().find_map(anchored).unwrap_or(target)))
    }

    /// The JSON pointer of every schema of the document, by its address.
    pub fn pointers(document: &Value) -> HashMap<usize, String> {
        fn add(value: &Value, pointer: &str, all: &mut HashMap<usize, String>) {
            match value {
                Value::Object(members) => {
                    all.insert(ptr::from_ref(members).addr(), pointer.to_owned());
                    for (name, member) in members {
                        add(member, &format!("{pointer}/{}", escaped(name)), all);
                    }
                }
                Value::Array(items) => {
                    for (index, item) in items.iter().enumerate() {
                        add(item, &format!("{pointer}/{index}"), all);
                    }
                }
                _ => {}
            }
        }
        let mut all = HashMap::new();
        add(document, "", &mut all);
        all
    }
}

fn bare(uri: &str) -> Rc<str> {
    uri.split('#').next().unwrap_or_default().into()
}

fn joined(base: &str, reference: &str) -> Option<Rc<str>> {
    let base = uri::from_str(base).ok()?;
    let joined = uri::resolve_against(&base.borrow(), reference).ok()?;
    Some(bare(joined.as_str()))
}

/// RFC 3986 section 2.1.
fn percent_decoded(text: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((&byte, behind)) = rest.split_first() {
        rest = behind;
        if byte == b'%' {
            let digits = std::str::from_utf8(rest.get(..2)?).ok()?;
            bytes.push(u8::from_str_radix(digits, 16).ok()?);
            rest = &rest[2..];
        } else {
            bytes.push(byte);
        }
    }
    String::from_utf8(bytes).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_dynamic_reference_leads_to_the_outermost_anchor_on_the_way() {
        let document = json!({
            "$id": "https://example.org/row",
            "$defs": {
                "filled": {
                    "$id": "filled",
                    "$dynamicRef": "#T",
                    "$defs": {"T": {"$dynamicAnchor": "T", "const": 0}}
                },
                "number": {"$id": "number", "$defs": {"T": {"$dynamicAnchor": "T", "const": 1}}},
                "text": {"$id": "text", "$defs": {"T": {"$dynamicAnchor": "T", "const": 2}}},
                "plain": {"$id": "plain", "$defs": {"T": {"$anchor": "T", "const": 3}}},
                "pointing": {"$dynamicRef": "filled#/$defs/T"},
            }
        });
        let links = Links::of(&document);
        let schema = |name: &str| document["$defs"][name].as_object().unwrap();
        let through = |names: &[&str]| {
            names.iter().fold(Scope::default(), |scope, name| links.entered(&scope, schema(name)))
        };
        for (from, way, found) in [
            ("filled", vec!["filled"], 0),
            ("filled", vec!["number", "filled"], 1),
            ("filled", vec!["text", "filled"], 2),
            ("filled", vec!["text", "number", "filled"], 2),
            ("filled", vec!["plain", "filled"], 0),
            ("pointing", vec!["number", "pointing"], 0),
        ] {
            let target = links.target_of(schema(from), "$dynamicRef", &through(&way));
            let value = target.unwrap().and_then(|it| it.get("const")).and_then(Value::as_i64);
            assert_eq!(value, Some(found), "{way:?}");
        }
    }

    #[test]
    fn references_lead_where_the_standard_says() {
        let document = json!({
            "$id": "https://example.org/row",
            "$defs": {
                "a/b~c<d>": {"const": 1},
                "named": {"$anchor": "there", "const": 2},
                "other": {"$id": "other", "$defs": {"x": {"$anchor": "there", "const": 3}}},
            }
        });
        let links = Links::of(&document);
        let root = document.as_object().unwrap();
        for (reference, found) in [
            ("#/$defs/a~1b~0c%3Cd%3E", Some(1)),
            ("#/$defs/a~1b~0c<d>", Some(1)),
            ("#/%24defs/named", Some(2)),
            ("#there", Some(2)),
            ("row#there", Some(2)),
            ("https://example.org/row#there", Some(2)),
            ("other#there", Some(3)),
            ("other#/$defs/x", Some(3)),
            ("#nowhere", None),
            ("elsewhere", None),
            ("#/$defs/%zz", None),
        ] {
            let target = links.target(root, reference);
            let value = target.and_then(|it| it.get("const")).and_then(Value::as_i64);
            assert_eq!(value, found, "{reference}");
        }
    }
}
