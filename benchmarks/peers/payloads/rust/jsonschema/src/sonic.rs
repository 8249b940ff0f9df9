//! Values of sonic-rs as the `jsonschema` crate walks them, without a `serde_json::Value`.

use std::borrow::Cow;

use jsonschema::JsonType;
use jsonschema::json::{Array, Json, JsonNumber, Node, NodeIdentity, Object};
use serde_json::Number;
use sonic_rs::{JsonContainerTrait, JsonNumberTrait, JsonValueTrait, Value, ValueRef};

/// The representation that the crate is generic over.
pub struct Sonic;

impl Json for Sonic {
    type Node<'a> = &'a Value;
    type PreparedKey = String;
    type StringBuffer = ();
    const ACYCLIC: bool = true;

    fn prepare_key(key: &str) -> String {
        key.to_owned()
    }

    fn with_string_node<T>((): &mut (), string: &str, f: impl FnOnce(&Value) -> T) -> T {
        f(&Value::from(string))
    }
}

impl<'a> Node<'a, Sonic> for &'a Value {
    type Object = &'a sonic_rs::Object;
    type Array = &'a sonic_rs::Array;
    type Number = SonicNumber;

    fn as_object(&self) -> Option<&'a sonic_rs::Object> {
        JsonContainerTrait::as_object(*self)
    }

    fn as_array(&self) -> Option<&'a sonic_rs::Array> {
        JsonContainerTrait::as_array(*self)
    }

    fn as_string(&self) -> Option<Cow<'a, str>> {
        JsonValueTrait::as_str(*self).map(Cow::Borrowed)
    }

    fn as_number(&self) -> Option<SonicNumber> {
        JsonValueTrait::as_number(*self).map(SonicNumber)
    }

    fn as_boolean(&self) -> Option<bool> {
        self.as_bool()
    }

    fn is_null(&self) -> bool {
        JsonValueTrait::is_null(*self)
    }

    fn json_type(&self) -> JsonType {
        match (*self).as_ref() {
            ValueRef::Null => JsonType::Null,
            ValueRef::Bool(_) => JsonType::Boolean,
            ValueRef::Number(_) => JsonType::Number,
            ValueRef::String(_) => JsonType::String,
            ValueRef::Array(_) => JsonType::Array,
            ValueRef::Object(_) => JsonType::Object,
        }
    }

    /// Bytes bound characters from both sides, which spares most texts the counting.
    fn string_length_within(&self, min: u64, max: u64) -> Option<bool> {
        let text = self.as_str()?;
        let bytes = text.len() as u64;
        if bytes <= max && bytes.div_ceil(4) >= min {
            return Some(true);
        }
        Some((min..=max).contains(&(text.chars().count() as u64)))
    }

    fn equals_value(&self, expected: &serde_json::Value) -> bool {
        match ((*self).as_ref(), expected) {
            (ValueRef::String(text), serde_json::Value::String(expected)) => text == expected,
            (ValueRef::String(_), _) => false,
            _ => *self.to_value() == *expected,
        }
    }

    fn to_value(&self) -> Cow<'a, serde_json::Value> {
        Cow::Owned(serde_json::to_value(self).unwrap_or_default())
    }

    fn identity(&self) -> Option<NodeIdentity> {
        Some(NodeIdentity::new(std::ptr::from_ref::<Value>(self).addr()))
    }
}

impl<'a> Object<'a, Sonic> for &'a sonic_rs::Object {
    type Node = &'a Value;
    type MemberName = &'a str;
    type MembersIter = <&'a sonic_rs::Object as IntoIterator>::IntoIter;

    fn len(&self) -> usize {
        sonic_rs::Object::len(self)
    }

    fn get(&self, key: &String) -> Option<&'a Value> {
        sonic_rs::Object::get(self, key)
    }

    fn members(&self) -> Self::MembersIter {
        self.into_iter()
    }
}

impl<'a> Array<'a, Sonic> for &'a sonic_rs::Array {
    type Node = &'a Value;
    type ElementsIter = std::slice::Iter<'a, Value>;

    fn len(&self) -> usize {
        sonic_rs::Array::len(self)
    }

    fn elements(&self) -> std::slice::Iter<'a, Value> {
        self.as_slice().iter()
    }
}

/// A number of sonic-rs.
pub struct SonicNumber(sonic_rs::Number);

impl JsonNumber for SonicNumber {
    fn as_u64(&self) -> Option<u64> {
        self.0.as_u64()
    }

    fn as_i64(&self) -> Option<i64> {
        self.0.as_i64()
    }

    fn as_f64(&self) -> Option<f64> {
        self.0.as_f64()
    }

    fn as_str(&self) -> Cow<'_, str> {
        Cow::Owned(self.0.to_string())
    }

    fn to_number(&self) -> Cow<'_, Number> {
        let whole = self.0.as_u64().map(Number::from).or(self.0.as_i64().map(Number::from));
        let number = whole.or_else(|| Number::from_f64(self.0.as_f64()?));
        Cow::Owned(number.unwrap_or_else(|| Number::from(0)))
    }

    fn is_integer(&self) -> bool {
        self.0.is_i64() || self.0.is_u64() || self.0.as_f64().is_some_and(|it| it.fract() == 0.0)
    }
}
