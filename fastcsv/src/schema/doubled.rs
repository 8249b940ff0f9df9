//! Members that stand twice in one object of a document: JSON leaves open which of them counts.
//!
//! Names are compared as they are after their escapes, so `"\u006dail"` doubles `"mail"`.

use std::collections::HashSet;
use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, Error, MapAccess, SeqAccess, Visitor};

use super::error::{SchemaError, SchemaReason};
use super::subschema::escaped;

/// Refuses a document in which a member stands twice. What is no JSON is left to the parser.
pub(super) fn check(bytes: &[u8]) -> Result<(), SchemaError> {
    let mut found = None;
    let mut reader = serde_json::Deserializer::from_slice(bytes);
    let outcome = Members { pointer: String::new(), found: &mut found }.deserialize(&mut reader);
    let (Some(pointer), Err(error)) = (found, outcome) else {
        return Ok(());
    };
    let detail = format!("the member stands twice in its object, again in line {}", error.line());
    Err(SchemaError::new(SchemaReason::MemberDoubled, &pointer, detail))
}

/// Reads a value for nothing but the names of its members.
struct Members<'f> {
    pointer: String,
    /// Where the second member stands, once there is one.
    found: &'f mut Option<String>,
}

impl<'de> DeserializeSeed<'de> for Members<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, reader: D) -> Result<(), D::Error> {
        reader.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Members<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<(), A::Error> {
        let mut names = HashSet::new();
        while let Some(name) = members.next_key::<String>()? {
            let pointer = format!("{}/{}", self.pointer, escaped(&name));
            if !names.insert(name) {
                *self.found = Some(pointer);
                return Err(A::Error::custom("doubled"));
            }
            members.next_value_seed(Members { pointer, found: &mut *self.found })?;
        }
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<(), A::Error> {
        for index in 0.. {
            let pointer = format!("{}/{index}", self.pointer);
            if items.next_element_seed(Members { pointer, found: &mut *self.found })?.is_none() {
                break;
            }
        }
        Ok(())
    }

    fn visit_bool<E>(self, _: bool) -> Result<(), E> {
        Ok(())
    }

    fn visit_i64<E>(self, _: i64) -> Result<(), E> {
        Ok(())
    }

    fn visit_u64<E>(self, _: u64) -> Result<(), E> {
        Ok(())
    }

    fn visit_f64<E>(self, _: f64) -> Result<(), E> {
        Ok(())
    }

    fn visit_str<E>(self, _: &str) -> Result<(), E> {
        Ok(())
    }

    fn visit_unit<E>(self) -> Result<(), E> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_doubled_member_is_refused_at_any_depth() {
        for (document, pointer, line) in [
            (r#"{"a": 1, "a": 1}"#, "/a", 1),
            ("{\"p\": {\"mail\": {},\n\"\\u006dail\": true}}", "/p/mail", 2),
            (r#"{"enum": [1.5, {"x/y": null, "x/y": 2e9}]}"#, "/enum/1/x~1y", 1),
        ] {
            let error = check(document.as_bytes()).unwrap_err();
            assert_eq!(
                (error.reason, error.pointer.as_str()),
                (SchemaReason::MemberDoubled, pointer)
            );
            assert!(error.detail.ends_with(&format!("line {line}")), "{error}");
        }
        assert_eq!(check(br#"{"a": {"b": 1.0}, "b": [{"b": -3}, {"b": true}]}"#), Ok(()));
        assert_eq!(check(b"{"), Ok(()));
    }
}
