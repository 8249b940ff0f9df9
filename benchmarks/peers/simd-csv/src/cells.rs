//! A record as the `jsonschema` crate walks it: cells under a header, without a `serde_json::Value`.
//!
//! An empty cell is no member. A cell of a numeric column that reads as a number is one; any other is
//! text. A property is looked up by its column: the crate prepares each name once, when it compiles
//! the schema, so the columns are known before (`Columns::set`).

use std::borrow::Cow;
use std::iter::{Enumerate, FilterMap};
use std::slice::Iter;
use std::sync::OnceLock;

use jsonschema::JsonType;
use jsonschema::json::{Array, Json, JsonNumber, Node, NodeIdentity, Object};
use serde_json::{Number, Value};

static COLUMNS: OnceLock<Columns> = OnceLock::new();

/// The columns of the file, in its order.
#[derive(Debug)]
pub struct Columns {
    pub names: Vec<String>,
    numeric: Vec<bool>,
}

impl Columns {
    /// Sets the columns of this process, once.
    pub fn set(names: Vec<String>, schema: &Value) -> &'static Self {
        let is_numeric = |name: &String| {
            let kind = schema["properties"][name]["type"].as_str();
            matches!(kind, Some("integer" | "number"))
        };
        let numeric = names.iter().map(is_numeric).collect();
        COLUMNS.get_or_init(|| Self { names, numeric })
    }

    fn get() -> &'static Self {
        COLUMNS
            .get()
            .expect("the columns are set before the schema is compiled")
    }
}

/// The representation that the crate is generic over.
#[derive(Debug)]
pub struct Cells;

/// A value that is being validated.
#[derive(Clone, Copy, Debug)]
pub enum Cell<'a> {
    Record(&'a [&'a str]),
    Text(&'a str),
    Number(f64),
}

impl<'a> Cell<'a> {
    fn of(cells: &'a [&'a str], column: usize) -> Option<Self> {
        let text = *cells.get(column)?;
        if text.is_empty() {
            return None;
        }
        let numeric = Columns::get().numeric[column];
        let number = if numeric { number(text) } else { None };
        Some(number.map_or(Self::Text(text), Self::Number))
    }
}

/// Rust reads more as a number than JSON does: `NaN`, `inf`, `.5`.
fn number(text: &str) -> Option<f64> {
    let unsigned = text.strip_prefix(['+', '-']).unwrap_or(text).as_bytes();
    let bounded = unsigned.first()?.is_ascii_digit() && unsigned.last()?.is_ascii_digit();
    if bounded { text.parse().ok() } else { None }
}

impl Json for Cells {
    type Node<'a> = Cell<'a>;
    type PreparedKey = usize;
    type StringBuffer = ();
    const ACYCLIC: bool = true;

    fn prepare_key(key: &str) -> usize {
        let place = Columns::get().names.iter().position(|name| name == key);
        place.unwrap_or(usize::MAX)
    }

    fn with_string_node<T>((): &mut (), string: &str, f: impl FnOnce(Cell<'_>) -> T) -> T {
        f(Cell::Text(string))
    }
}

impl<'a> Node<'a, Cells> for Cell<'a> {
    type Object = Record<'a>;
    type Array = NoArray;
    type Number = CellNumber;

    fn as_object(&self) -> Option<Record<'a>> {
        match *self {
            Self::Record(cells) => Some(Record(cells)),
            _ => None,
        }
    }

    fn as_array(&self) -> Option<NoArray> {
        None
    }

    fn as_string(&self) -> Option<Cow<'a, str>> {
        match *self {
            Self::Text(text) => Some(Cow::Borrowed(text)),
            _ => None,
        }
    }

    fn as_number(&self) -> Option<CellNumber> {
        match *self {
            Self::Number(number) => Some(CellNumber(number)),
            _ => None,
        }
    }

    fn as_boolean(&self) -> Option<bool> {
        None
    }

    fn is_null(&self) -> bool {
        false
    }

    fn json_type(&self) -> JsonType {
        match self {
            Self::Record(_) => JsonType::Object,
            Self::Text(_) => JsonType::String,
            Self::Number(_) => JsonType::Number,
        }
    }

    /// Bytes bound characters from both sides, which spares most texts the counting.
    fn string_length_within(&self, min: u64, max: u64) -> Option<bool> {
        let Self::Text(text) = *self else { return None };
        let bytes = text.len() as u64;
        if bytes <= max && bytes.div_ceil(4) >= min {
            return Some(true);
        }
        Some((min..=max).contains(&(text.chars().count() as u64)))
    }

    fn equals_value(&self, expected: &Value) -> bool {
        match (*self, expected) {
            (Self::Text(text), Value::String(expected)) => text == expected,
            (Self::Number(number), Value::Number(expected)) => expected.as_f64() == Some(number),
            _ => false,
        }
    }

    fn to_value(&self) -> Cow<'a, Value> {
        Cow::Owned(match *self {
            Self::Text(text) => Value::from(text),
            Self::Number(number) => Value::from(number),
            Self::Record(cells) => {
                let members = Record(cells).members();
                let owned = |(name, cell): (&str, Cell<'_>)| {
                    (name.to_owned(), cell.to_value().into_owned())
                };
                Value::Object(members.map(owned).collect())
            }
        })
    }

    fn identity(&self) -> Option<NodeIdentity> {
        match *self {
            Self::Record(cells) => Some(NodeIdentity::new(cells.as_ptr().addr())),
            _ => None,
        }
    }
}

/// The filled cells of a record, by their columns.
#[derive(Clone, Copy, Debug)]
pub struct Record<'a>(&'a [&'a str]);

type Member<'a> = (&'a str, Cell<'a>);
type Filled<'a> = fn((usize, &'a &'a str)) -> Option<(usize, &'a &'a str)>;

/// The members of a record.
pub struct Members<'a> {
    cells: &'a [&'a str],
    filled: FilterMap<Enumerate<Iter<'a, &'a str>>, Filled<'a>>,
}

impl<'a> Iterator for Members<'a> {
    type Item = Member<'a>;

    fn next(&mut self) -> Option<Member<'a>> {
        let (column, _) = self.filled.next()?;
        Some((&Columns::get().names[column], Cell::of(self.cells, column)?))
    }
}

impl<'a> Object<'a, Cells> for Record<'a> {
    type Node = Cell<'a>;
    type MemberName = &'a str;
    type MembersIter = Members<'a>;

    fn len(&self) -> usize {
        self.0.iter().filter(|cell| !cell.is_empty()).count()
    }

    fn get(&self, column: &usize) -> Option<Cell<'a>> {
        Cell::of(self.0, *column)
    }

    fn members(&self) -> Members<'a> {
        let filled: Filled<'a> = |cell| (!cell.1.is_empty()).then_some(cell);
        Members {
            cells: self.0,
            filled: self.0.iter().enumerate().filter_map(filled),
        }
    }
}

/// Cells hold no lists.
#[derive(Debug)]
pub enum NoArray {}

impl<'a> Array<'a, Cells> for NoArray {
    type Node = Cell<'a>;
    type ElementsIter = std::iter::Empty<Cell<'a>>;

    fn len(&self) -> usize {
        match *self {}
    }

    fn elements(&self) -> Self::ElementsIter {
        match *self {}
    }
}

/// A number of a cell.
#[derive(Clone, Copy, Debug)]
pub struct CellNumber(f64);

impl JsonNumber for CellNumber {
    fn as_u64(&self) -> Option<u64> {
        self.to_number().as_u64()
    }

    fn as_i64(&self) -> Option<i64> {
        self.to_number().as_i64()
    }

    fn as_f64(&self) -> Option<f64> {
        Some(self.0)
    }

    fn as_str(&self) -> Cow<'_, str> {
        Cow::Owned(self.0.to_string())
    }

    fn to_number(&self) -> Cow<'_, Number> {
        Cow::Owned(Number::from_f64(self.0).unwrap_or_else(|| Number::from(0)))
    }

    fn is_integer(&self) -> bool {
        self.0.fract() == 0.0
    }
}
