//! `x-steward-detect`: by which members at its root a payload of a schema is recognised.
//!
//! The annotation has a kind for each member: a type of JSON, `any` for a member of whatever type, `absent` for one that
//! must not be there.

use serde_json::Value;

use crate::schema::annotation::DETECT;
use crate::schema::subschema::escaped;
use crate::schema::{SchemaError, SchemaReason};

/// What a member is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum MemberKind {
    Object,
    Array,
    String,
    Number,
    Boolean,
    Null,
}

impl MemberKind {
    /// The kind of a value, by its first byte.
    pub fn of(first: u8) -> Self {
        match first {
            b'{' => Self::Object,
            b'[' => Self::Array,
            b'"' => Self::String,
            b't' | b'f' => Self::Boolean,
            b'n' => Self::Null,
            _ => Self::Number,
        }
    }

    /// With its article, for a sentence.
    fn phrase(self) -> &'static str {
        match self {
            Self::Object => "an object",
            Self::Array => "a list",
            Self::String => "a text",
            Self::Number => "a number",
            Self::Boolean => "a boolean",
            Self::Null => "null",
        }
    }
}

/// What a schema asks of one member.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum WantedMember {
    Any,
    Absent,
    Kind(MemberKind),
}

/// The words of the annotation.
const WORDS: [(&str, WantedMember); 8] = [
    ("any", WantedMember::Any),
    ("absent", WantedMember::Absent),
    ("object", WantedMember::Kind(MemberKind::Object)),
    ("array", WantedMember::Kind(MemberKind::Array)),
    ("string", WantedMember::Kind(MemberKind::String)),
    ("number", WantedMember::Kind(MemberKind::Number)),
    ("boolean", WantedMember::Kind(MemberKind::Boolean)),
    ("null", WantedMember::Kind(MemberKind::Null)),
];

/// The members by which a payload is recognised.
#[derive(Debug)]
pub(super) struct Structure {
    members: Vec<(Box<str>, WantedMember)>,
}

impl Structure {
    /// Reads the annotation of a document.
    pub fn of(document: &Value) -> Result<Option<Self>, SchemaError> {
        let Some(kinds) = document.get(DETECT).and_then(Value::as_object) else { return Ok(None) };
        let mut members = Vec::new();
        for (name, kind) in kinds {
            let word = kind.as_str().and_then(|kind| WORDS.iter().find(|(word, _)| *word == kind));
            let Some((_, wanted)) = word else {
                let words: Vec<&str> = WORDS.iter().map(|(word, _)| *word).collect();
                let detail = format!("the kind must be one of {}", words.join(", "));
                let pointer = format!("/{DETECT}/{}", escaped(name));
                return Err(SchemaError::new(SchemaReason::AnnotationInvalid, &pointer, detail));
            };
            members.push((name.as_str().into(), *wanted));
        }
        if members.iter().all(|(_, wanted)| *wanted == WantedMember::Absent) {
            let detail = format!("the annotation {DETECT} must name a member that is there");
            let pointer = format!("/{DETECT}");
            return Err(SchemaError::new(SchemaReason::AnnotationInvalid, &pointer, detail));
        }
        Ok(Some(Self { members }))
    }

    /// Whether a payload fits whose members are told by `kind_of`.
    pub fn fits(&self, kind_of: impl Fn(&str) -> Option<MemberKind>) -> bool {
        self.members.iter().all(|(name, wanted)| fault_of(*wanted, kind_of(name)).is_none())
    }

    /// What speaks against such a payload, a sentence for each member.
    pub fn faults(&self, kind_of: impl Fn(&str) -> Option<MemberKind>) -> Vec<String> {
        let faults = self.members.iter().filter_map(|(name, wanted)| {
            let fault = fault_of(*wanted, kind_of(name))?;
            Some(format!("/{} {fault}", escaped(name)))
        });
        faults.collect()
    }
}

fn fault_of(wanted: WantedMember, found: Option<MemberKind>) -> Option<String> {
    match (wanted, found) {
        (WantedMember::Absent, Some(_)) => Some("must not be there".into()),
        (WantedMember::Any | WantedMember::Kind(_), None) => Some("is missing".into()),
        (WantedMember::Kind(kind), Some(found)) if kind != found => {
            Some(format!("is {} and not {}", found.phrase(), kind.phrase()))
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_structure_says_what_speaks_against_a_payload() {
        let document = json!({DETECT: {"a/b": "any", "c": "object", "d": "absent"}});
        let structure = Structure::of(&document).unwrap().unwrap();
        let kinds = |name: &str| (name != "a/b").then_some(MemberKind::String);
        assert!(!structure.fits(kinds));
        let faults = ["/a~1b is missing", "/c is a text and not an object", "/d must not be there"];
        assert_eq!(structure.faults(kinds), faults);
        assert!(structure.fits(|name| (name != "d").then_some(MemberKind::Object)));
    }

    #[test]
    fn a_kind_that_is_unknown_and_a_structure_of_nothing_are_refused() {
        for (kinds, pointer) in [
            (json!({"a": "text"}), "/x-steward-detect/a"),
            (json!({"a": 1}), "/x-steward-detect/a"),
            (json!({}), "/x-steward-detect"),
            (json!({"a": "absent"}), "/x-steward-detect"),
        ] {
            let error = Structure::of(&json!({DETECT: kinds})).unwrap_err();
            assert_eq!(error.reason, SchemaReason::AnnotationInvalid);
            assert_eq!(error.pointer, pointer);
        }
        assert!(Structure::of(&json!({})).unwrap().is_none());
    }
}
