//! A row schema laid over a header, and the verdict on the cells of one row.
//!
//! The checks of every cell stand in one list in the order of the header, less those that no filled
//! cell can fail: judging a valid row walks that list once, allocates nothing and follows no pointer
//! back to the schema.

use std::borrow::Cow;
use std::collections::HashMap;

use super::check::{Checks, Rule};
use super::exact::CellRow;
use super::mismatch::HeaderMismatch;
use super::name::clean;
use super::prefilter::{ColumnBits, Prefilter, column_bit};
use super::row::{Column, RowSchema};
use super::scalar::TypeSet;
use super::violation::Violation;
use super::{header, message};

const REQUIRED: &str = "required";

/// A message that any cell of a column may get: one for each rule of the column, and one for an empty cell.
#[derive(Clone, Copy, Debug)]
pub struct CellMessage<'s> {
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
    plans: Box<[CellPlan]>,
    /// Per cell of a row, what it is read as; for the residue.
    types: Box<[TypeSet]>,
    unknown: Box<[u32]>,
    /// Proves most valid rows valid, where only single columns are judged.
    prefilter: Option<Prefilter>,
}

/// What happens to one cell of a row.
#[derive(Clone, Debug)]
struct CellPlan {
    /// Whether an empty cell is a violation here; the residue may say so too.
    required: bool,
    required_message: Box<str>,
    /// The index of the message for an empty cell. Those of the rules follow it.
    required_message_index: u32,
    types: TypeSet,
    checks: Checks,
    /// The checks of a cell of at most `short_bytes`, which is too short to be too long.
    short_checks: Checks,
    short_bytes: usize,
    column: Option<u32>,
}

impl RowSchema {
    /// Lays the schema over a header. Refuses names that are empty or doubled, a header without a
    /// required column or with none that the schema knows and, if `strict`, one with a column that it does not know.
    pub fn bind(&self, header: &[String], strict: bool) -> Result<BoundSchema, HeaderMismatch> {
        header::check_names(header)?;
        let places = header::places(header);
        header::check_columns(self, header)?;
        let bound = BoundSchema::new(self, header, places);
        if strict && !bound.unknown().is_empty() {
            return Err(header::unknown_columns(self, header));
        }
        Ok(bound)
    }
}

impl BoundSchema {
    fn new(schema: &RowSchema, header: &[String], places: HashMap<Box<str>, u32>) -> Self {
        let names: Box<[Box<str>]> = header.iter().map(|name| clean(name).into()).collect();
        let known: HashMap<&str, u32> =
            schema.columns().iter().map(|column| column.name.as_str()).zip(0..).collect();
        let plan = |name: &str| {
            known
                .get(name)
                .map_or_else(|| CellPlan::unnamed(schema, name), |&at| CellPlan::of(schema, at))
        };
        let mut plans: Box<[CellPlan]> = names.iter().map(|name| plan(name)).collect();
        let mut cell_message = 0;
        for plan in &mut plans {
            plan.required_message_index = cell_message;
            cell_message += 1 + plan.checks.len();
        }
        let unknown = (0..).zip(&plans).filter(|(place, plan): &(u32, _)| {
            plan.column.is_none() && !schema.knows_unnamed(&names[*place as usize])
        });
        let columns =
            plans.iter().map(|it| (it.required, it.types, &it.short_checks, it.short_bytes));
        Self {
            prefilter: schema.residue().is_none().then(|| Prefilter::new(columns)),
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

    /// The prefilter; nothing where the residue judges too.
    #[must_use]
    pub fn prefilter(&self) -> Option<&Prefilter> {
        self.prefilter.as_ref()
    }

    /// Every message that a single cell may get, less those of the residue.
    pub fn cell_messages(&self) -> impl Iterator<Item = CellMessage<'_>> {
        self.plans.iter().enumerate().flat_map(|(place, plan)| {
            let required =
                CellMessage { place, keyword: REQUIRED, message: &plan.required_message };
            let rules = plan.checks.rules.iter().map(move |rule| {
                let Rule { keyword, message, .. } = rule;
                CellMessage { place, keyword, message }
            });
            std::iter::once(required).chain(rules)
        })
    }

    /// Judges the cells of one row: unescaped, as many as the header has. Pushes every violation, one
    /// per failing keyword of a column; true where there is none. Allocates nothing for a valid row.
    #[must_use]
    pub fn check_row<'s>(&'s self, cells: &[&str], out: &mut Vec<Violation<'s>>) -> bool {
        self.check_columns(cells, ColumnBits::MAX, out)
    }

    /// `check_row` for a row of which the prefilter has proven all other columns valid.
    #[must_use]
    pub fn check_columns<'s>(
        &'s self,
        cells: &[&str],
        unproven: ColumnBits,
        out: &mut Vec<Violation<'s>>,
    ) -> bool {
        debug_assert_eq!(cells.len(), self.plans.len(), "ragged rows never come here");
        let first = out.len();
        let mut valid = true;
        for (place, (cell, plan)) in cells.iter().zip(&self.plans).enumerate() {
            if unproven & column_bit(place) == 0 {
                continue;
            }
            if cell.is_empty() {
                if plan.required {
                    let (cell_message, message) =
                        (plan.required_message_index, &plan.required_message);
                    out.push(self.violation(place, cell_message, REQUIRED, message));
                    valid = false;
                }
                continue;
            }
            let is_short = cell.len() <= plan.short_bytes;
            let checks = if is_short { &plan.short_checks } else { &plan.checks };
            checks.failures(&plan.types.read(cell), |rule: &Rule| {
                let cell_message = plan.required_message_index + 1 + rule.place;
                out.push(self.violation(place, cell_message, rule.keyword, &rule.message));
                valid = false;
            });
        }
        if let Some(residue) = self.schema.residue() {
            let row =
                CellRow { names: &self.names, places: &self.places, types: &self.types, cells };
            valid &= residue.check(&row, out, first);
        }
        valid
    }

    fn violation<'s>(
        &'s self,
        place: usize,
        cell_message: u32,
        keyword: &'static str,
        message: &'s str,
    ) -> Violation<'s> {
        let field = Cow::Borrowed(self.names[place].as_ref());
        // A header has fewer columns than a record may have fields, which is a bound far below this.
        let column = u32::try_from(place).ok();
        let (message, cell_message) = (Cow::Borrowed(message), Some(cell_message));
        Violation { column, field, keyword, message, cell_message }
    }
}

impl CellPlan {
    /// The plan of a column that the schema does not name; the residue may speak of it.
    fn unnamed(schema: &RowSchema, name: &str) -> Self {
        Self {
            required: false,
            required_message: message::REQUIRED.into(),
            required_message_index: 0,
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
            required_message_index: 0,
            types,
            short_checks: checks.without_max_length(),
            short_bytes: checks.max_length(),
            checks,
            column: Some(column),
        }
    }
}
