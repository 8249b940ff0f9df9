//! A row schema laid over a header, and the verdict on the cells of one row.
//!
//! The checks of every cell stand in one list in the order of the header, less those that no filled
//! cell can fail: judging a valid row walks that list once, allocates nothing and follows no pointer
//! back to the schema.

use std::borrow::Cow;
use std::collections::HashMap;

use super::check::{Checks, Rule};
use super::exact::Row;
use super::row::{Column, RowSchema};
use super::scalar::TypeSet;
use super::sieve::{Doubts, Sieve, doubt};
use super::{header, message};

const REQUIRED: &str = "required";

/// One thing that is wrong with a row. The value is the cell's, and is not repeated here.
#[derive(Clone, Debug)]
pub struct Violation<'s> {
    /// The place in the header; nothing where the violation belongs to no column of it.
    pub column: Option<u32>,
    /// The column's name, or `_row`.
    pub field: Cow<'s, str>,
    /// The keyword of JSON Schema that failed.
    pub keyword: &'static str,
    pub message: Cow<'s, str>,
    /// Which of the schema's sentences it is, by its place in `BoundSchema::sentences`; nothing where it is none of them.
    pub sentence: Option<u32>,
}

/// Alike is what says the same, whoever found it.
impl PartialEq for Violation<'_> {
    fn eq(&self, other: &Self) -> bool {
        (self.column, &self.field, self.keyword, &self.message)
            == (other.column, &other.field, other.keyword, &other.message)
    }
}

/// What can be said of any cell of a column. There is one for each rule, and one for being empty.
#[derive(Clone, Copy, Debug)]
pub struct Sentence<'s> {
    /// The column's place in the header.
    pub place: usize,
    pub keyword: &'static str,
    pub message: &'s str,
}

/// A row schema laid over a header. A clone has its own regular expressions' scratch memory: give each
/// thread one.
#[derive(Clone, Debug)]
pub struct BoundSchema {
    schema: RowSchema,
    names: Box<[Box<str>]>,
    places: HashMap<Box<str>, u32>,
    plans: Box<[Plan]>,
    /// Per cell of a row, what it is read as; for the residue.
    types: Box<[TypeSet]>,
    unknown: Box<[u32]>,
    /// Passes most valid rows, where nothing but single columns is to be judged.
    sieve: Option<Sieve>,
}

/// What happens to one cell of a row.
#[derive(Clone, Debug)]
struct Plan {
    /// Whether an empty cell is a violation here; the residue may say so too.
    required: bool,
    required_message: Box<str>,
    /// The sentence for that; those of the rules follow.
    required_sentence: u32,
    types: TypeSet,
    checks: Checks,
    /// The checks of a cell of at most `short_bytes`, which is too short to be too long.
    short_checks: Checks,
    short_bytes: usize,
    column: Option<u32>,
}

impl BoundSchema {
    pub(super) fn new(
        schema: &RowSchema,
        header: &[String],
        places: HashMap<Box<str>, u32>,
    ) -> Self {
        let names: Box<[Box<str>]> = header.iter().map(|name| header::clean(name).into()).collect();
        let known: HashMap<&str, u32> =
            schema.columns().iter().map(|column| column.name.as_str()).zip(0..).collect();
        let plan = |name: &str| {
            known.get(name).map_or_else(|| Plan::unnamed(schema, name), |&at| Plan::of(schema, at))
        };
        let mut plans: Box<[Plan]> = names.iter().map(|name| plan(name)).collect();
        let mut sentence = 0;
        for plan in &mut plans {
            plan.required_sentence = sentence;
            sentence += 1 + plan.checks.len();
        }
        let unknown = (0..).zip(&plans).filter(|(place, plan): &(u32, _)| {
            plan.column.is_none() && !schema.knows_unnamed(&names[*place as usize])
        });
        let columns =
            plans.iter().map(|it| (it.required, it.types, &it.short_checks, it.short_bytes));
        Self {
            sieve: schema.residue().is_none().then(|| Sieve::new(columns)),
            types: plans.iter().map(|plan| plan.types).collect(),
            unknown: unknown.map(|(place, _)| place).collect(),
            schema: schema.clone(),
            names,
            places,
            plans,
        }
    }

    #[must_use]
    pub fn schema(&self) -> &RowSchema {
        &self.schema
    }

    /// The header's names, clean.
    pub fn names(&self) -> impl ExactSizeIterator<Item = &str> {
        self.names.iter().map(AsRef::as_ref)
    }

    /// Places in the header of columns that the schema does not know. They are kept and not judged.
    #[must_use]
    pub fn unknown(&self) -> &[u32] {
        &self.unknown
    }

    /// The schema's column at a place in the header, if it knows it.
    #[must_use]
    pub fn column(&self, place: usize) -> Option<&Column> {
        let column = self.plans.get(place)?.column?;
        self.schema.columns().get(column as usize)
    }

    /// What passes most valid rows without a look at each; nothing where the residue judges too.
    #[must_use]
    pub fn sieve(&self) -> Option<&Sieve> {
        self.sieve.as_ref()
    }

    /// Everything that can be wrong with a single cell, but for what the residue finds.
    pub fn sentences(&self) -> impl Iterator<Item = Sentence<'_>> {
        self.plans.iter().enumerate().flat_map(|(place, plan)| {
            let required = Sentence { place, keyword: REQUIRED, message: &plan.required_message };
            let rules = plan.checks.rules.iter().map(move |rule| {
                let Rule { keyword, message, .. } = rule;
                Sentence { place, keyword, message }
            });
            std::iter::once(required).chain(rules)
        })
    }

    /// Judges the cells of one row: unescaped, as many as the header has. Pushes every violation, one
    /// per failing keyword of a column; true where there is none. Allocates nothing for a valid row.
    #[must_use]
    pub fn check_row<'s>(&'s self, cells: &[&str], out: &mut Vec<Violation<'s>>) -> bool {
        self.check_doubts(cells, Doubts::MAX, out)
    }

    /// `check_row` for a row of which the sieve has passed all columns but those in doubt.
    #[must_use]
    pub fn check_doubts<'s>(
        &'s self,
        cells: &[&str],
        doubts: Doubts,
        out: &mut Vec<Violation<'s>>,
    ) -> bool {
        debug_assert_eq!(cells.len(), self.plans.len(), "ragged rows never come here");
        let first = out.len();
        let mut valid = true;
        for (place, (cell, plan)) in cells.iter().zip(&self.plans).enumerate() {
            if doubts & doubt(place) == 0 {
                continue;
            }
            if cell.is_empty() {
                if plan.required {
                    let (sentence, message) = (plan.required_sentence, &plan.required_message);
                    out.push(self.violation(place, sentence, REQUIRED, message));
                    valid = false;
                }
                continue;
            }
            let is_short = cell.len() <= plan.short_bytes;
            let checks = if is_short { &plan.short_checks } else { &plan.checks };
            checks.failures(&plan.types.read(cell), |rule: &Rule| {
                let sentence = plan.required_sentence + 1 + rule.place;
                out.push(self.violation(place, sentence, rule.keyword, &rule.message));
                valid = false;
            });
        }
        if let Some(residue) = self.schema.residue() {
            let row = Row { names: &self.names, places: &self.places, types: &self.types, cells };
            valid &= residue.check(&row, out, first);
        }
        valid
    }

    fn violation<'s>(
        &'s self,
        place: usize,
        sentence: u32,
        keyword: &'static str,
        message: &'s str,
    ) -> Violation<'s> {
        let field = Cow::Borrowed(self.names[place].as_ref());
        // A header has fewer columns than a record may have fields, which is a bound far below this.
        let column = u32::try_from(place).ok();
        let (message, sentence) = (Cow::Borrowed(message), Some(sentence));
        Violation { column, field, keyword, message, sentence }
    }
}

impl Plan {
    /// The plan of a column that the schema does not name; the residue may speak of it.
    fn unnamed(schema: &RowSchema, name: &str) -> Self {
        Self {
            required: false,
            required_message: message::REQUIRED.into(),
            required_sentence: 0,
            types: schema.unnamed_types(name),
            checks: Checks::default(),
            short_checks: Checks::default(),
            short_bytes: usize::MAX,
            column: None,
        }
    }

    fn of(schema: &RowSchema, column: u32) -> Self {
        let at = column as usize;
        let types = schema.types(at);
        let judged_here = !schema.residue().is_some_and(|residue| residue.whole);
        let checks = schema.checks(at).map_or_else(Checks::default, |all| all.of_cells(types));
        Self {
            required: judged_here && schema.required_message(at).is_some(),
            required_message: schema.required_message(at).unwrap_or(message::REQUIRED).into(),
            required_sentence: 0,
            types,
            short_checks: checks.without_max_length(),
            short_bytes: checks.max_length(),
            checks,
            column: Some(column),
        }
    }
}
