//! Headers: names made comparable, columns bound to a schema, and the schema found by its columns.

use std::cmp::{Ordering, Reverse};
use std::collections::{HashMap, HashSet};

use super::error::{HeaderMismatch, HeaderReason};
use super::row::{Column, RowSchema};

/// A header name without a byte-order mark and blanks around it: what is compared.
#[must_use]
pub fn clean(name: &str) -> &str {
    name.trim_matches(|c: char| c.is_whitespace() || c == '\u{feff}')
}

/// Refuses a header with a column that has no name, or a name that has two columns.
pub(super) fn check_names(header: &[String]) -> Result<(), HeaderMismatch> {
    let mut seen = HashSet::with_capacity(header.len());
    for (index, name) in header.iter().map(|name| clean(name)).enumerate() {
        if name.is_empty() {
            let detail = format!("column {} of the header has no name", index + 1);
            return Err(refusal(HeaderReason::EmptyName, detail, Vec::new()));
        }
        if !seen.insert(name) {
            let detail = format!("the header names the column {name} twice");
            return Err(refusal(HeaderReason::DoubledName, detail, vec![name.into()]));
        }
    }
    Ok(())
}

/// Where each column of a header is found, by its clean name.
pub(super) fn places(header: &[String]) -> HashMap<Box<str>, u32> {
    header.iter().map(|name| clean(name).into()).zip(0..).collect()
}

pub(super) fn missing_columns(schema: &RowSchema, missing: Vec<String>) -> HeaderMismatch {
    let detail = format!(
        "the header lacks {} that {} {} requires",
        listed(&missing),
        schema.name(),
        schema.version()
    );
    refusal(HeaderReason::MissingColumns, detail, missing)
}

pub(super) fn unknown_columns(schema: &RowSchema, unknown: Vec<String>) -> HeaderMismatch {
    let detail = format!(
        "the header has {} that {} {} does not know",
        listed(&unknown),
        schema.name(),
        schema.version()
    );
    refusal(HeaderReason::UnknownColumns, detail, unknown)
}

fn refusal(reason: HeaderReason, detail: String, columns: Vec<String>) -> HeaderMismatch {
    HeaderMismatch { reason, detail, columns, nearest: None }
}

fn listed(columns: &[String]) -> String {
    let plural = if columns.len() == 1 { "column" } else { "columns" };
    format!("the {plural} {}", columns.join(", "))
}

/// How well a schema fits a header. The better fit is the lesser.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
struct Fit<'s> {
    required_missing: usize,
    unknown: usize,
    missing: usize,
    newest: Reverse<Age<'s>>,
}

/// The effective date, then the version, by number where it has numbers.
#[derive(PartialEq, Eq)]
struct Age<'s> {
    effective_date: Option<&'s str>,
    version: &'s str,
}

impl Ord for Age<'_> {
    fn cmp(&self, other: &Self) -> Ordering {
        let numbers = |version: &str| -> Vec<Option<u64>> {
            version.split('.').map(|part| part.parse().ok()).collect()
        };
        self.effective_date
            .cmp(&other.effective_date)
            .then_with(|| numbers(self.version).cmp(&numbers(other.version)))
            .then_with(|| self.version.cmp(other.version))
    }
}

impl PartialOrd for Age<'_> {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

/// The schema whose required columns are all in the header and that leaves the fewest header columns
/// unknown, then misses the fewest of its own, then is the newest. The index is into `schemas`.
pub fn detect(schemas: &[&RowSchema], header: &[String]) -> Result<usize, HeaderMismatch> {
    check_names(header)?;
    let names: HashSet<&str> = header.iter().map(|name| clean(name)).collect();
    let fits = schemas.iter().map(|schema| fit(schema, &names));
    let Some((nearest, best)) = fits.enumerate().min_by(|(_, a), (_, b)| a.cmp(b)) else {
        return Err(refusal(HeaderReason::MissingColumns, "no schema is known".into(), Vec::new()));
    };
    if best.required_missing == 0 {
        return Ok(nearest);
    }
    let schema = schemas[nearest];
    let missing: Vec<String> = absent(schema, &names)
        .filter(|column| column.required)
        .map(|column| column.name.clone())
        .collect();
    let detail = format!(
        "the header fits no schema; the nearest, {} {}, lacks {}",
        schema.name(),
        schema.version(),
        listed(&missing)
    );
    Err(HeaderMismatch {
        nearest: Some(nearest),
        ..refusal(HeaderReason::MissingColumns, detail, missing)
    })
}

fn fit<'s>(schema: &'s RowSchema, names: &HashSet<&str>) -> Fit<'s> {
    let missing = absent(schema, names).count();
    let known = schema.columns().len() - missing;
    Fit {
        required_missing: absent(schema, names).filter(|column| column.required).count(),
        unknown: names.len() - known,
        missing,
        newest: Reverse(Age { effective_date: schema.effective_date(), version: schema.version() }),
    }
}

fn absent<'s>(schema: &'s RowSchema, names: &HashSet<&str>) -> impl Iterator<Item = &'s Column> {
    schema.columns().iter().filter(|column| !names.contains(column.name.as_str()))
}
