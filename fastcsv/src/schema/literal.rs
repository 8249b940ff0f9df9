//! `enum` and `const`: the values that are allowed, compared as JSON Schema compares them.
//!
//! Numbers are equal when their values are, texts when their characters are. Lists that are all short
//! texts, which is what enumerations in a spreadsheet are, are kept as one word per text: seven bytes
//! and the length. Looking a cell up is then a few integer compares, with no string compared at all.

use std::cmp::Ordering;

use serde_json::Value;

use super::scalar::Scalar;
use crate::rules::decimal::Limit;

const PACKED_BYTES: usize = 7;

/// So many texts are looked through one by one, more are searched.
const FEW_TEXTS: usize = 12;

/// The allowed values of a column.
#[derive(Clone, Debug)]
pub enum Literals {
    /// Texts of at most seven bytes, packed.
    Short(Box<[u64]>),
    Any {
        texts: Box<[Box<str>]>,
        numbers: Box<[Limit]>,
        booleans: [bool; 2],
        null: bool,
    },
}

impl Literals {
    /// The literals of a schema's values. Lists and objects are dropped: no scalar equals one.
    #[must_use]
    pub fn of(values: &[Value]) -> Self {
        let mut texts: Vec<Box<str>> =
            values.iter().filter_map(|value| value.as_str().map(Into::into)).collect();
        texts.sort_unstable();
        let packed: Option<Box<[u64]>> = texts.iter().map(|text| pack(text.as_bytes())).collect();
        match packed {
            Some(packed) if texts.len() == values.len() => Self::Short(packed),
            _ => Self::Any {
                texts: texts.into(),
                numbers: values.iter().filter_map(number_of).collect(),
                booleans: [values.contains(&false.into()), values.contains(&true.into())],
                null: values.contains(&Value::Null),
            },
        }
    }

    #[must_use]
    pub fn contain(&self, value: &Scalar<'_>) -> bool {
        match (self, value) {
            (_, Scalar::Text(text)) => self.contain_text(text),
            (Self::Short(_), _) => false,
            (Self::Any { numbers, .. }, Scalar::Number(number)) => {
                numbers.iter().any(|known| number.compare(&known.value()) == Ordering::Equal)
            }
            (Self::Any { booleans, .. }, Scalar::Boolean(value)) => booleans[usize::from(*value)],
            (Self::Any { null, .. }, Scalar::Null) => *null,
        }
    }

    #[must_use]
    #[inline]
    pub fn contain_text(&self, text: &str) -> bool {
        match self {
            Self::Short(packed) => pack(text.as_bytes()).is_some_and(|word| packed.contains(&word)),
            // Texts of different lengths are told apart without a look at their bytes.
            Self::Any { texts, .. } if texts.len() <= FEW_TEXTS => {
                texts.iter().any(|known| **known == *text)
            }
            Self::Any { texts, .. } => {
                texts.binary_search_by(|known| known.as_ref().cmp(text)).is_ok()
            }
        }
    }
}

fn number_of(value: &Value) -> Option<Limit> {
    match value {
        Value::Number(number) => Limit::of(number.as_str()),
        _ => None,
    }
}

/// The bytes of a short text, and its length in the highest.
#[inline]
pub(super) fn pack(text: &[u8]) -> Option<u64> {
    if text.len() > PACKED_BYTES {
        return None;
    }
    let bytes = text.iter().rev().fold(0, |word, &byte| word << 8 | u64::from(byte));
    Some(bytes | (text.len() as u64) << (8 * PACKED_BYTES))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rules::decimal::Decimal;
    use serde_json::json;

    fn literals(values: &Value) -> Literals {
        Literals::of(values.as_array().unwrap())
    }

    #[test]
    fn short_texts_are_told_apart() {
        let levels = literals(&json!(["A1", "A2", "B1", "", "a\0", "seven77"]));
        assert!(matches!(levels, Literals::Short(_)));
        for text in ["A1", "A2", "B1", "", "a\0", "seven77"] {
            assert!(levels.contain(&Scalar::Text(text)), "{text:?}");
        }
        for text in ["A", "a1", "A1 ", "A3", "a", "\0", "seven777", "1A"] {
            assert!(!levels.contain(&Scalar::Text(text)), "{text:?}");
        }
        assert!(!levels.contain(&Scalar::Null));
    }

    #[test]
    fn values_of_every_type_are_told_apart() {
        let any = literals(&json!(["in_progress", "x", 1.50, true, null, [1], {"a": 1}]));
        assert!(any.contain(&Scalar::Text("in_progress")));
        assert!(!any.contain(&Scalar::Text("1.50")));
        assert!(any.contain(&Scalar::Number(Decimal::parse("15e-1").unwrap())));
        assert!(!any.contain(&Scalar::Number(Decimal::parse("1").unwrap())));
        assert!(any.contain(&Scalar::Boolean(true)));
        assert!(!any.contain(&Scalar::Boolean(false)));
        assert!(any.contain(&Scalar::Null));
    }

    #[test]
    fn an_empty_list_allows_nothing() {
        assert!(!literals(&json!([])).contain(&Scalar::Text("")));
    }
}
