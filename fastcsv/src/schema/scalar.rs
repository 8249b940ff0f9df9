//! How a cell becomes a JSON value: the table of docs/schemas.md.
//!
//! An empty cell is absent, and is not read here. The types that a column's schema names decide what the
//! text may become. They are tried in the order integer, number, boolean, null; text that fits none is a
//! string.

use crate::rules::decimal::Decimal;
use crate::rules::integer;

/// A JSON value without members. Numbers keep the text that spells them.
#[derive(Clone, Copy, Debug)]
pub enum Scalar<'a> {
    Text(&'a str),
    Number(Decimal<'a>),
    Boolean(bool),
    Null,
}

/// A set of the types of JSON Schema.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct TypeSet(u8);

impl TypeSet {
    pub const INTEGER: Self = Self(1);
    pub const NUMBER: Self = Self(2);
    pub const BOOLEAN: Self = Self(4);
    pub const NULL: Self = Self(8);
    pub const STRING: Self = Self(16);
    pub const OBJECT: Self = Self(32);
    pub const ARRAY: Self = Self(64);

    /// Every type with its name in a schema and what a spreadsheet user calls it.
    pub const NAMES: [(Self, &'static str, &'static str); 7] = [
        (Self::INTEGER, "integer", "a whole number"),
        (Self::NUMBER, "number", "a number"),
        (Self::BOOLEAN, "boolean", "true or false"),
        (Self::NULL, "null", "null"),
        (Self::STRING, "string", "text"),
        (Self::OBJECT, "object", "an object"),
        (Self::ARRAY, "array", "a list"),
    ];

    /// The type of that name, if there is one.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        Self::NAMES.iter().find(|(_, known, _)| *known == name).map(|(set, _, _)| *set)
    }

    #[must_use]
    pub const fn with(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    #[must_use]
    pub const fn has(self, other: Self) -> bool {
        self.0 & other.0 != 0
    }

    /// Whether a value is of one of the types. A whole number is an integer however it is written.
    #[must_use]
    pub fn takes(self, value: &Scalar<'_>) -> bool {
        match value {
            Scalar::Text(_) => self.has(Self::STRING),
            Scalar::Number(number) => {
                self.has(Self::NUMBER) || self.has(Self::INTEGER) && number.is_whole()
            }
            Scalar::Boolean(_) => self.has(Self::BOOLEAN),
            Scalar::Null => self.has(Self::NULL),
        }
    }

    /// Whether every cell is text under a schema that names these types.
    #[must_use]
    pub const fn reads_text_alone(self) -> bool {
        self.0 & !(Self::STRING.0 | Self::OBJECT.0 | Self::ARRAY.0) == 0
    }

    /// The value of a cell under a schema that names these types.
    #[must_use]
    #[inline]
    pub fn read(self, cell: &str) -> Scalar<'_> {
        if self.reads_text_alone() { Scalar::Text(cell) } else { self.read_typed(cell) }
    }

    fn read_typed(self, cell: &str) -> Scalar<'_> {
        let number = if self.has(Self::NUMBER) {
            // Every spelling of an integer is one of a number, and the value is the same.
            Decimal::parse(cell)
        } else if self.has(Self::INTEGER) {
            integer::parse(cell)
        } else {
            None
        };
        if let Some(number) = number {
            return Scalar::Number(number);
        }
        match cell {
            "true" if self.has(Self::BOOLEAN) => Scalar::Boolean(true),
            "false" if self.has(Self::BOOLEAN) => Scalar::Boolean(false),
            "null" if self.has(Self::NULL) => Scalar::Null,
            _ => Scalar::Text(cell),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(types: &[TypeSet], cell: &'static str) -> Scalar<'static> {
        types.iter().fold(TypeSet::default(), |all, one| all.with(*one)).read(cell)
    }

    #[test]
    fn text_becomes_what_the_types_allow() {
        use TypeSet as T;
        assert!(matches!(read(&[], "7"), Scalar::Text("7")));
        assert!(matches!(read(&[T::STRING, T::OBJECT, T::ARRAY], "7"), Scalar::Text("7")));
        assert!(matches!(read(&[T::INTEGER], "007"), Scalar::Number(_)));
        assert!(matches!(read(&[T::INTEGER], "60.0"), Scalar::Text("60.0")));
        assert!(matches!(read(&[T::NUMBER], "60.0"), Scalar::Number(_)));
        assert!(matches!(read(&[T::NUMBER], "NaN"), Scalar::Text("NaN")));
        assert!(matches!(read(&[T::STRING, T::INTEGER], "7"), Scalar::Number(_)));
        assert!(matches!(read(&[T::BOOLEAN], "true"), Scalar::Boolean(true)));
        assert!(matches!(read(&[T::BOOLEAN], "TRUE"), Scalar::Text("TRUE")));
        assert!(matches!(read(&[T::NULL, T::STRING], "null"), Scalar::Null));
        assert!(matches!(read(&[T::STRING], "null"), Scalar::Text("null")));
    }

    #[test]
    fn an_integer_is_a_number_without_a_fraction() {
        let number = |text| Scalar::Number(Decimal::parse(text).unwrap());
        assert!(TypeSet::INTEGER.takes(&number("60.0")));
        assert!(!TypeSet::INTEGER.takes(&number("60.5")));
        assert!(TypeSet::NUMBER.takes(&number("60.5")));
        assert!(!TypeSet::STRING.takes(&Scalar::Null));
    }
}
