//! Values for the `jsonschema` crate to walk: a row of cells or any JSON value, with exact numbers.
//!
//! The crate validates whatever implements its `Json` trait, so a row needs no `serde_json::Value`: its
//! node is the cells, the header and the types of the columns. Numbers keep the text that spells them
//! and are compared by `rules::decimal`; the crate's own arithmetic is that of `f64` in places.

use std::borrow::Cow;
use std::cmp::Ordering;
use std::collections::HashMap;
use std::ptr;
use std::str::FromStr;

use jsonschema::JsonType;
use jsonschema::json::{Array, Json, JsonNumber, Node, NodeIdentity, Object};
use serde_json::{Map, Number, Value};

use super::scalar::{Scalar, TypeSet};
use crate::rules::decimal::Decimal;

/// The representation: what `jsonschema` is generic over.
#[derive(Debug)]
pub struct Exact;

/// A row under its header. A cell that is empty is no member.
#[derive(Debug)]
pub struct CellRow<'a> {
    pub names: &'a [Box<str>],
    pub places: &'a HashMap<Box<str>, u32>,
    /// What each cell is read as.
    pub types: &'a [TypeSet],
    pub cells: &'a [&'a str],
}

/// Tells the identity of a text from that of a value which lies at the same address.
const TEXT: u32 = 1;

/// A value that is being validated.
#[derive(Clone, Copy, Debug)]
pub enum ExactNode<'a> {
    Row(&'a CellRow<'a>),
    /// With the address of its text, by which the crate tells that a reference leads in a circle.
    Scalar(Scalar<'a>, usize),
    Value(&'a Value),
}

impl<'a> ExactNode<'a> {
    /// What a text is read as. Texts that are alive together lie in different places, but for empty
    /// ones, of which there is at most one: an empty name, while names are judged.
    fn of_text(scalar: Scalar<'a>, text: &str) -> Self {
        Self::Scalar(scalar, text.as_ptr().addr())
    }

    /// The value as a scalar, unless it is a list or an object.
    pub fn scalar(&self) -> Option<Scalar<'a>> {
        match *self {
            Self::Scalar(scalar, _) => Some(scalar),
            Self::Value(Value::String(text)) => Some(Scalar::Text(text)),
            Self::Value(Value::Number(number)) => {
                Decimal::parse(number.as_str()).map(Scalar::Number)
            }
            Self::Value(Value::Bool(value)) => Some(Scalar::Boolean(*value)),
            Self::Value(Value::Null) => Some(Scalar::Null),
            Self::Row(_) | Self::Value(_) => None,
        }
    }
}

impl<'a> CellRow<'a> {
    fn cell(&self, place: usize) -> Option<ExactNode<'a>> {
        let cell = *self.cells.get(place)?;
        (!cell.is_empty()).then(|| ExactNode::of_text(self.types[place].read(cell), cell))
    }

    fn members(&self) -> impl Iterator<Item = (&'a str, ExactNode<'a>)> {
        let named = self.names.iter().enumerate();
        named.filter_map(|(place, name)| Some((name.as_ref(), self.cell(place)?)))
    }
}

impl Json for Exact {
    type Node<'a> = ExactNode<'a>;
    type PreparedKey = String;
    const ACYCLIC: bool = true;
    type StringBuffer = ();

    fn prepare_key(key: &str) -> String {
        key.to_owned()
    }

    fn with_string_node<T>((): &mut (), string: &str, f: impl FnOnce(ExactNode<'_>) -> T) -> T {
        f(ExactNode::of_text(Scalar::Text(string), string))
    }
}

impl<'a> Node<'a, Exact> for ExactNode<'a> {
    type Object = ExactObject<'a>;
    type Array = ExactArray<'a>;
    type Number = ExactNumber<'a>;

    fn as_object(&self) -> Option<ExactObject<'a>> {
        match *self {
            Self::Row(row) => Some(ExactObject::Row(row)),
            Self::Value(Value::Object(members)) => Some(ExactObject::Members(members)),
            _ => None,
        }
    }

    fn as_array(&self) -> Option<ExactArray<'a>> {
        match *self {
            Self::Value(Value::Array(items)) => Some(ExactArray(items)),
            _ => None,
        }
    }

    fn as_string(&self) -> Option<Cow<'a, str>> {
        match self.scalar() {
            Some(Scalar::Text(text)) => Some(Cow::Borrowed(text)),
            _ => None,
        }
    }

    fn as_number(&self) -> Option<ExactNumber<'a>> {
        match self.scalar() {
            Some(Scalar::Number(number)) => Some(ExactNumber(number)),
            _ => None,
        }
    }

    fn as_boolean(&self) -> Option<bool> {
        match self.scalar() {
            Some(Scalar::Boolean(value)) => Some(value),
            _ => None,
        }
    }

    fn is_null(&self) -> bool {
        matches!(self.scalar(), Some(Scalar::Null))
    }

    fn json_type(&self) -> JsonType {
        match self.scalar() {
            Some(Scalar::Text(_)) => JsonType::String,
            Some(Scalar::Number(_)) => JsonType::Number,
            Some(Scalar::Boolean(_)) => JsonType::Boolean,
            Some(Scalar::Null) => JsonType::Null,
            None if self.as_array().is_some() => JsonType::Array,
            None => JsonType::Object,
        }
    }

    fn equals_value(&self, expected: &Value) -> bool {
        equal(*self, ExactNode::Value(expected))
    }

    fn to_value(&self) -> Cow<'a, Value> {
        match *self {
            Self::Value(value) => Cow::Borrowed(value),
            Self::Scalar(scalar, _) => Cow::Owned(scalar_value(&scalar)),
            Self::Row(row) => {
                let owned = |node: ExactNode<'a>| node.to_value().into_owned();
                let members = row.members().map(|(name, node)| (name.to_owned(), owned(node)));
                Cow::Owned(Value::Object(members.collect()))
            }
        }
    }

    /// A node without one would follow a circle of references until the stack ends.
    fn identity(&self) -> Option<NodeIdentity> {
        match *self {
            Self::Row(row) => Some(NodeIdentity::new(ptr::from_ref(row).addr())),
            Self::Value(value) => Some(NodeIdentity::new(ptr::from_ref(value).addr())),
            Self::Scalar(_, address) => Some(NodeIdentity::tagged(address, TEXT)),
        }
    }
}

fn scalar_value(scalar: &Scalar<'_>) -> Value {
    match scalar {
        Scalar::Text(text) => Value::String((*text).to_owned()),
        Scalar::Number(number) => Value::Number(ExactNumber(*number).to_number().into_owned()),
        Scalar::Boolean(value) => Value::Bool(*value),
        Scalar::Null => Value::Null,
    }
}

/// Equality as JSON Schema has it: numbers by value, objects without order.
fn equal(a: ExactNode<'_>, b: ExactNode<'_>) -> bool {
    match (a.scalar(), b.scalar()) {
        (Some(a), Some(b)) => scalars_equal(&a, &b),
        (None, None) => match (a.as_object(), b.as_object(), a.as_array(), b.as_array()) {
            (Some(a), Some(b), ..) => objects_equal(&a, &b),
            (.., Some(ExactArray(a)), Some(ExactArray(b))) => {
                let mut pairs = a.iter().zip(b);
                a.len() == b.len()
                    && pairs.all(|(a, b)| equal(ExactNode::Value(a), ExactNode::Value(b)))
            }
            _ => false,
        },
        _ => false,
    }
}

fn objects_equal(a: &ExactObject<'_>, b: &ExactObject<'_>) -> bool {
    a.len() == b.len() && a.members().all(|(name, a)| b.named(name).is_some_and(|b| equal(a, b)))
}

fn scalars_equal(a: &Scalar<'_>, b: &Scalar<'_>) -> bool {
    match (a, b) {
        (Scalar::Text(a), Scalar::Text(b)) => a == b,
        (Scalar::Number(a), Scalar::Number(b)) => a.compare(b) == Ordering::Equal,
        (Scalar::Boolean(a), Scalar::Boolean(b)) => a == b,
        (Scalar::Null, Scalar::Null) => true,
        _ => false,
    }
}

/// The members of an object.
#[derive(Clone, Copy, Debug)]
pub enum ExactObject<'a> {
    Row(&'a CellRow<'a>),
    Members(&'a Map<String, Value>),
}

impl<'a> ExactObject<'a> {
    fn named(&self, name: &str) -> Option<ExactNode<'a>> {
        match *self {
            Self::Row(row) => row.cell(usize::try_from(*row.places.get(name)?).ok()?),
            Self::Members(members) => members.get(name).map(ExactNode::Value),
        }
    }
}

impl<'a> Object<'a, Exact> for ExactObject<'a> {
    type Node = ExactNode<'a>;
    type MemberName = &'a str;
    type MembersIter = Box<dyn Iterator<Item = (&'a str, ExactNode<'a>)> + 'a>;

    fn len(&self) -> usize {
        match self {
            Self::Row(row) => row.cells.iter().filter(|cell| !cell.is_empty()).count(),
            Self::Members(members) => members.len(),
        }
    }

    fn get(&self, key: &String) -> Option<ExactNode<'a>> {
        self.named(key)
    }

    fn members(&self) -> Self::MembersIter {
        match *self {
            Self::Row(row) => Box::new(row.members()),
            Self::Members(members) => Box::new(
                members.iter().map(|(name, value)| (name.as_str(), ExactNode::Value(value))),
            ),
        }
    }
}

/// The items of a list.
#[derive(Clone, Copy, Debug)]
pub struct ExactArray<'a>(&'a [Value]);

impl<'a> Array<'a, Exact> for ExactArray<'a> {
    type Node = ExactNode<'a>;
    type ElementsIter = std::iter::Map<std::slice::Iter<'a, Value>, fn(&'a Value) -> ExactNode<'a>>;

    fn len(&self) -> usize {
        self.0.len()
    }

    fn elements(&self) -> Self::ElementsIter {
        self.0.iter().map(ExactNode::Value)
    }
}

/// A number, read from its text.
#[derive(Clone, Copy, Debug)]
pub struct ExactNumber<'a>(pub Decimal<'a>);

impl<'a> ExactNumber<'a> {
    /// The text as JSON spells numbers: no plus sign, no leading zeros.
    fn json_text(&self) -> Cow<'a, str> {
        let text = self.0.text();
        let negative = text.starts_with('-');
        let unsigned = text.strip_prefix(['+', '-']).unwrap_or(text);
        let zeros = unsigned.bytes().take_while(|byte| *byte == b'0').count();
        let digit_follows = unsigned.as_bytes().get(zeros).is_some_and(u8::is_ascii_digit);
        let trimmed = &unsigned[if digit_follows { zeros } else { zeros.saturating_sub(1) }..];
        match (negative, trimmed.len() + usize::from(negative) == text.len()) {
            (_, true) => Cow::Borrowed(text),
            (true, false) => Cow::Owned(format!("-{trimmed}")),
            (false, false) => Cow::Borrowed(trimmed),
        }
    }
}

impl JsonNumber for ExactNumber<'_> {
    fn as_u64(&self) -> Option<u64> {
        self.json_text().parse().ok()
    }

    fn as_i64(&self) -> Option<i64> {
        self.json_text().parse().ok()
    }

    fn as_f64(&self) -> Option<f64> {
        self.json_text().parse().ok().filter(|value: &f64| value.is_finite())
    }

    fn as_str(&self) -> Cow<'_, str> {
        self.json_text()
    }

    fn to_number(&self) -> Cow<'_, Number> {
        Cow::Owned(Number::from_str(&self.json_text()).unwrap_or_else(|_| Number::from(0)))
    }

    fn is_integer(&self) -> bool {
        self.0.is_whole()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn numbers_are_spelt_as_json_spells_them() {
        for (text, spelt) in [
            ("7", "7"),
            ("+7", "7"),
            ("007", "7"),
            ("-007", "-7"),
            ("0", "0"),
            ("-0", "-0"),
            ("000", "0"),
            ("+00.5", "0.5"),
            ("00e1", "0e1"),
            ("-0010.50e+3", "-10.50e+3"),
        ] {
            let number = ExactNumber(Decimal::parse(text).unwrap());
            assert_eq!(number.json_text(), spelt);
            assert!(Number::from_str(spelt).is_ok());
        }
    }

    #[test]
    fn equality_is_of_values() {
        let equal = |a: &Value, b: &Value| ExactNode::Value(a).equals_value(b);
        let text = r#"{"a": [1.0, {"b": 1e400}], "c": null}"#;
        let same = r#"{"c": null, "a": [1, {"b": 10e399}]}"#;
        let parse = |text: &str| serde_json::from_str::<Value>(text).unwrap();
        assert!(equal(&parse(text), &parse(same)));
        assert!(!equal(&parse(text), &parse(r#"{"a": [1, {"b": 1e401}], "c": null}"#)));
        assert!(!equal(&json!([1]), &json!([1, 1])));
        assert!(!equal(&json!({"a": 1}), &json!({"b": 1})));
        assert!(!equal(&json!("1"), &json!(1)));
        assert!(!equal(&json!({}), &json!([])));
    }

    #[test]
    fn a_row_is_the_object_of_its_filled_cells() {
        let names: Vec<Box<str>> = vec!["a".into(), "b".into(), "c".into()];
        let places = names.iter().cloned().zip(0..).collect();
        let types = [TypeSet::INTEGER, TypeSet::default(), TypeSet::default()];
        let row =
            CellRow { names: &names, places: &places, types: &types, cells: &["07", "", "x"] };
        let node = ExactNode::Row(&row);
        assert_eq!(node.to_value().into_owned(), json!({"a": 7, "c": "x"}));
        assert_eq!(node.as_object().unwrap().len(), 2);
        assert!(node.as_object().unwrap().get(&"b".to_owned()).is_none());
        assert!(node.equals_value(&json!({"c": "x", "a": 7.0})));
    }
}
