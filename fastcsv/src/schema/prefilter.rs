//! Judges some records column by column, and marks the cells that it cannot prove valid.
//!
//! Neighbouring cells of a row are of different kinds, and judging it cell by cell asks at each of them
//! which kind it is and whether it is filled: branches that the processor predicts wrong. Down a column
//! the kind is asked once, and the checks of neighbouring rows, which do not depend on each other, overlap
//! in the processor.
//!
//! The one hard idea: a prefilter passes nothing but what is valid. It looks at cells as they stand, quotes
//! doubled and all, and leaves every difficult case (a sign, an exponent, a long text, a doubled quote)
//! unproven. Unproven rows go through `BoundSchema::check_columns`, which knows every rule and says what is
//! wrong. So no rule is written twice, and a prefilter that proves too little is slow, not wrong.

use memchr::memchr;

use super::check::{Check, Checks, Rule, Side};
use super::literal::{self, Literals};
use super::scalar::TypeSet;
use crate::rules::decimal::{Limit, SmallDecimal};
use crate::rules::{Format, date, date_time, email, json};

/// Records judged together: their text (20 KiB in rows of 310 bytes) stays in the L1 cache from column
/// to column.
pub const BATCH_RECORDS: usize = 64;

/// A record whose cells are as many as the columns.
#[derive(Clone, Copy, Debug, Default)]
pub struct RecordPlace {
    pub start: u32,
    /// Its first separator in `RecordBatch::marks`.
    pub first_mark: u32,
    /// The index of its columns in the list of unproven ones.
    pub index: u32,
}

/// Records of one text, which begins at the position `base`.
#[derive(Clone, Copy, Debug)]
pub struct RecordBatch<'a> {
    pub text: &'a str,
    pub base: usize,
    pub marks: &'a [u32],
    pub places: &'a [RecordPlace],
}

/// A set of the columns of a row, one bit each. The columns from the 64th on share one bit.
pub type ColumnBits = u64;

/// The bit of a column.
#[inline]
#[must_use]
pub fn column_bit(column: usize) -> ColumnBits {
    1 << column.min(63)
}

/// The columns of a schema that was laid over a header.
#[derive(Clone, Debug)]
pub struct Prefilter {
    columns: Box<[PrefilterColumn]>,
}

#[derive(Clone, Debug)]
struct PrefilterColumn {
    required: bool,
    /// No text of so many bytes is too long. A longer one may be valid or not.
    bytes_max: usize,
    kind: ColumnKind,
}

#[derive(Clone, Debug)]
enum ColumnKind {
    /// Any text is valid.
    Any,
    Email(email::Addresses),
    /// A date and time, or a date.
    Moment,
    Formats(Box<[&'static Format]>),
    Words(Box<[u64]>),
    Whole {
        least: i64,
        most: i64,
    },
    Number(Box<[(Side, SmallDecimal)]>),
    Json(u32),
    /// Another combination of rules: the column's own checks decide.
    Other(TypeSet, Checks),
}

impl Prefilter {
    pub(super) fn new<'p>(
        columns: impl Iterator<Item = (bool, TypeSet, &'p Checks, usize)>,
    ) -> Self {
        let column = |(required, types, checks, bytes_max)| PrefilterColumn {
            required,
            bytes_max,
            kind: ColumnKind::of(types, checks),
        };
        Self { columns: columns.map(column).collect() }
    }

    /// Adds to `unproven`, at the index of each record, the columns that it cannot prove valid.
    pub fn mark_unproven(
        &self,
        batch: RecordBatch<'_>,
        unproven: &mut [ColumnBits; BATCH_RECORDS],
    ) {
        for (at, column) in self.columns.iter().enumerate() {
            let column_check = ColumnCheck { column, at, batch };
            match &column.kind {
                ColumnKind::Any if !column.required && column.bytes_max == usize::MAX => {}
                ColumnKind::Any => column_check.down(unproven, |_| true),
                ColumnKind::Email(addresses) => {
                    column_check.down(unproven, |cell| addresses.take(cell));
                }
                ColumnKind::Moment => {
                    column_check.down(unproven, |cell| date_time::takes(cell) || date::takes(cell));
                }
                ColumnKind::Formats(formats) => column_check.down_text(unproven, |cell| {
                    memchr(b'"', cell.as_bytes()).is_none()
                        && formats.iter().any(|format| (format.check)(cell))
                }),
                ColumnKind::Words(words) => column_check.down(unproven, |cell| {
                    literal::pack(cell).is_some_and(|word| words.contains(&word))
                }),
                ColumnKind::Whole { least, most } => column_check.down(unproven, |cell| {
                    whole(cell).is_some_and(|value| *least <= value && value <= *most)
                }),
                ColumnKind::Number(bounds) => column_check.down(unproven, |cell| {
                    SmallDecimal::plain(cell).is_some_and(|number| {
                        bounds.iter().all(|(side, limit)| side.allows(number.compare(*limit)))
                    })
                }),
                ColumnKind::Json(depth_max) => {
                    column_check.down(unproven, |cell| json::is_json_in_csv(cell, *depth_max));
                }
                ColumnKind::Other(types, checks) => column_check.down_text(unproven, |cell| {
                    if memchr(b'"', cell.as_bytes()).is_some() {
                        checks.hold(&types.read(&cell.replace("\"\"", "\"")))
                    } else {
                        checks.hold(&types.read(cell))
                    }
                }),
            }
        }
    }
}

/// One column of a batch.
struct ColumnCheck<'a> {
    column: &'a PrefilterColumn,
    at: usize,
    batch: RecordBatch<'a>,
}

impl ColumnCheck<'_> {
    #[inline(never)]
    fn down(&self, unproven: &mut [ColumnBits; BATCH_RECORDS], holds: impl Fn(&[u8]) -> bool) {
        let text = self.batch.text.as_bytes();
        self.each(unproven, |start, end| holds(&text[start..end]));
    }

    #[inline(never)]
    fn down_text(&self, unproven: &mut [ColumnBits; BATCH_RECORDS], holds: impl Fn(&str) -> bool) {
        self.each(unproven, |start, end| holds(&self.batch.text[start..end]));
    }

    /// Asks `holds` of the inside of every filled cell that is not too long.
    #[inline]
    fn each(
        &self,
        unproven: &mut [ColumnBits; BATCH_RECORDS],
        holds: impl Fn(usize, usize) -> bool,
    ) {
        let RecordBatch { text, base, marks, places } = self.batch;
        let (required, bytes_max) = (self.column.required, self.column.bytes_max);
        let bit = column_bit(self.at);
        for place in places {
            let first = place.first_mark as usize + self.at;
            let end = marks[first] as usize - base;
            let start = if self.at == 0 { place.start } else { marks[first - 1] + 1 };
            let start = start as usize - base;
            // An empty cell begins at its separator, which is no quote.
            let quotes = usize::from(text.as_bytes().get(start) == Some(&b'"'));
            let (start, end) = (start + quotes, end - quotes);
            let good = if start == end {
                !required
            } else {
                end - start <= bytes_max && holds(start, end)
            };
            unproven[place.index as usize % BATCH_RECORDS] |= if good { 0 } else { bit };
        }
    }
}

impl ColumnKind {
    fn of(types: TypeSet, checks: &Checks) -> Self {
        Self::known(types, &checks.rules).unwrap_or_else(|| Self::Other(types, checks.clone()))
    }

    fn known(types: TypeSet, rules: &[Rule]) -> Option<Self> {
        if types.reads_text_alone() {
            return Self::of_text(rules);
        }
        let numbers = TypeSet::NUMBER.with(TypeSet::INTEGER);
        if types == TypeSet::INTEGER {
            Self::of_whole_numbers(&bounds_of(rules, numbers)?)
        } else if types == TypeSet::NUMBER || types == numbers {
            Self::of_numbers(&bounds_of(rules, TypeSet::NUMBER)?)
        } else {
            None
        }
    }

    fn of_text(rules: &[Rule]) -> Option<Self> {
        match rules {
            [] => Some(Self::Any),
            [rule] => match &rule.check {
                Check::Format(format) => Some(Self::of_formats(&[format])),
                Check::AnyFormat(formats) => Some(Self::of_formats(formats)),
                Check::Json(depth_max) => Some(Self::Json(*depth_max)),
                // A word with a quote in it stands doubled in the file.
                Check::Literals(Literals::Short(words)) => {
                    let quoted = |word: &u64| word.to_le_bytes()[..7].contains(&b'"');
                    (!words.iter().any(quoted)).then(|| Self::Words(words.clone()))
                }
                _ => None,
            },
            _ => None,
        }
    }

    fn of_formats(formats: &[&'static Format]) -> Self {
        let is = |names: &[&str]| {
            formats.len() == names.len() && formats.iter().all(|it| names.contains(&it.name))
        };
        if is(&["email"]) {
            Self::Email(email::Addresses::new())
        } else if is(&["date-time", "date"]) {
            Self::Moment
        } else {
            Self::Formats(formats.into())
        }
    }

    /// Bounds between which every whole number of at most 18 digits and no sign is known to be valid.
    fn of_whole_numbers(bounds: &[(Side, &Limit)]) -> Option<Self> {
        let (mut least, mut most) = (0, i64::MAX);
        for (side, limit) in bounds {
            let bound = limit.small()?.whole()?;
            match side {
                Side::AtLeast => least = least.max(bound),
                Side::Above => least = least.max(bound + 1),
                Side::AtMost => most = most.min(bound),
                Side::Below => most = most.min(bound - 1),
            }
        }
        Some(Self::Whole { least, most })
    }

    fn of_numbers(bounds: &[(Side, &Limit)]) -> Option<Self> {
        let small = |(side, limit): &(Side, &Limit)| Some((*side, limit.small()?));
        bounds.iter().map(small).collect::<Option<_>>().map(Self::Number)
    }
}

/// The bounds, where nothing else is asked but one of the types `never_failed`.
fn bounds_of(rules: &[Rule], never_failed: TypeSet) -> Option<Vec<(Side, &Limit)>> {
    let mut bounds = Vec::new();
    for rule in rules {
        match &rule.check {
            Check::Type(types) if types.has(never_failed) => {}
            Check::Bound(side, limit) => bounds.push((*side, limit)),
            _ => return None,
        }
    }
    Some(bounds)
}

/// The value of 1 to 18 digits.
#[inline]
fn whole(cell: &[u8]) -> Option<i64> {
    if cell.len() > 18 {
        return None;
    }
    let step = |value: i64, byte: &u8| {
        let digit = byte.wrapping_sub(b'0');
        (digit < 10).then(|| value * 10 + i64::from(digit))
    };
    cell.iter().try_fold(0, step)
}
