//! Headers: whether a header fits a schema, and which of several schemas fits it best.
//!
//! A header never fits a schema that knows none of its columns, whatever the schema requires. A refusal lists the names
//! of the header, unless they look like the cells of a row: a message holds no cell.

use std::borrow::Cow;
use std::cmp::{Ordering, Reverse};
use std::collections::{HashMap, HashSet};

use super::mismatch::{HeaderMismatch, MismatchReason};
use super::name::clean;
use super::row::{Column, RowSchema};
use super::similar::{Difference, Similar};

/// A message lists so many names, and so many characters of each.
const LISTED: usize = 20;
const LISTED_CHARS: usize = 80;

/// Refuses a header with a column that has no name, or a name that has two columns.
pub(super) fn check_names(header: &[String]) -> Result<(), HeaderMismatch> {
    let mut seen = HashSet::with_capacity(header.len());
    for (index, name) in header.iter().map(|name| clean(name)).enumerate() {
        if name.is_empty() {
            let detail = format!("column {} of the header has no name", index + 1);
            return Err(refusal(MismatchReason::EmptyName, detail, Vec::new()));
        }
        if !seen.insert(name) {
            let detail = format!("the header names the column {name} twice");
            return Err(refusal(MismatchReason::DoubledName, detail, vec![name.into()]));
        }
    }
    Ok(())
}

/// Where each column of a header is found, by its clean name.
pub(super) fn places(header: &[String]) -> HashMap<Box<str>, u32> {
    header.iter().map(|name| clean(name).into()).zip(0..).collect()
}

/// Refuses a header without a column that the schema requires, or with none that it knows.
pub(super) fn check_columns(schema: &RowSchema, header: &[String]) -> Result<(), HeaderMismatch> {
    let names: HashSet<&str> = header.iter().map(|name| clean(name)).collect();
    let fit = fit(schema, &names);
    if fit.fits() { Ok(()) } else { Err(unfit(schema, header, &names, &fit, "")) }
}

/// The refusal of a header that does not fit a schema: what it lacks, what it has, and which names may be meant.
fn unfit(
    schema: &RowSchema,
    header: &[String],
    names: &HashSet<&str>,
    fit: &HeaderFit<'_>,
    before: &str,
) -> HeaderMismatch {
    let missing: Vec<String> = absent(schema, names)
        .filter(|column| column.required)
        .map(|column| column.name.clone())
        .collect();
    let (name, version) = (schema.name(), schema.version());
    let mut detail = match (before, missing.is_empty(), fit.knows_none) {
        ("", true, _) => format!("the header has no column that {name} {version} knows"),
        ("", ..) => format!("the header lacks {} that {name} {version} requires", listed(&missing)),
        (_, _, true) => format!("{before}: none of its columns is known"),
        _ => format!("{before}; the nearest, {name} {version}, lacks {}", listed(&missing)),
    };
    let similar = Difference::between(schema, header).similar;
    detail.push_str(&what_it_has(header, &similar));
    HeaderMismatch { similar, ..refusal(MismatchReason::MissingColumns, detail, missing) }
}

/// The names of a header, and which of them may be meant for others.
fn what_it_has(header: &[String], similar: &[Similar]) -> String {
    if header.iter().any(|name| looks_like_a_cell(clean(name))) {
        return "; its first row looks like data, not like the names of columns".to_owned();
    }
    let names: Vec<String> = header.iter().map(|name| clean(name).to_owned()).collect();
    let mut words = format!("; it has {}", listed(&names));
    tell_similar(&mut words, similar);
    words
}

fn tell_similar(words: &mut String, similar: &[Similar]) {
    let told = similar.iter().take(LISTED).map(|Similar { found, meant, differs_in }| {
        let (found, meant) = (shortened(found), shortened(meant));
        format!("; {found} differs from {meant} only in {differs_in}")
    });
    words.extend(told);
}

/// Whether a name is rather an e-mail address, a number or a date.
fn looks_like_a_cell(name: &str) -> bool {
    let mut bytes = name.bytes();
    name.contains('@')
        || (bytes.any(|it| it.is_ascii_digit())
            && name.bytes().all(|it| it.is_ascii_digit() || b"+-.,:/TZ ".contains(&it)))
}

/// Refuses, under `strict`, a header with columns that the schema does not know.
pub(super) fn unknown_columns(schema: &RowSchema, header: &[String]) -> HeaderMismatch {
    let Difference { unknown, similar, .. } = Difference::between(schema, header);
    let mut detail = format!(
        "the header has {} that {} {} does not know",
        listed(&unknown),
        schema.name(),
        schema.version()
    );
    tell_similar(&mut detail, &similar);
    HeaderMismatch { similar, ..refusal(MismatchReason::UnknownColumns, detail, unknown) }
}

fn refusal(reason: MismatchReason, detail: String, columns: Vec<String>) -> HeaderMismatch {
    HeaderMismatch { reason, detail, columns, nearest: None, similar: Vec::new() }
}

fn listed(columns: &[String]) -> String {
    let plural = if columns.len() == 1 { "column" } else { "columns" };
    let names: Vec<_> = columns.iter().take(LISTED).map(|name| shortened(name)).collect();
    let more = match columns.len() - names.len() {
        0 => String::new(),
        more => format!(" and {more} more"),
    };
    format!("the {plural} {}{more}", names.join(", "))
}

fn shortened(name: &str) -> Cow<'_, str> {
    match name.char_indices().nth(LISTED_CHARS) {
        Some((end, _)) => format!("{}…", &name[..end]).into(),
        None => name.into(),
    }
}

/// How well a schema fits a header. The better fit is the lesser.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
struct HeaderFit<'s> {
    knows_none: bool,
    required_missing: usize,
    unknown: usize,
    missing: usize,
    newest: Reverse<SchemaAge<'s>>,
}

impl HeaderFit<'_> {
    fn fits(&self) -> bool {
        !self.knows_none && self.required_missing == 0
    }
}

/// The effective date, then the version, by number where it has numbers.
#[derive(PartialEq, Eq)]
struct SchemaAge<'s> {
    effective_date: Option<&'s str>,
    version: &'s str,
}

impl Ord for SchemaAge<'_> {
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

impl PartialOrd for SchemaAge<'_> {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

/// The schema whose required columns are all in the header and that leaves the fewest header columns
/// unknown, then misses the fewest of its own, then is the newest; it knows one of them at least. The index is into
/// `schemas`.
pub fn detect(schemas: &[&RowSchema], header: &[String]) -> Result<usize, HeaderMismatch> {
    check_names(header)?;
    let names: HashSet<&str> = header.iter().map(|name| clean(name)).collect();
    let fits = schemas.iter().map(|schema| fit(schema, &names));
    let Some((nearest, best)) = fits.enumerate().min_by(|(_, a), (_, b)| a.cmp(b)) else {
        return Err(refusal(
            MismatchReason::MissingColumns,
            "no schema is known".into(),
            Vec::new(),
        ));
    };
    if best.fits() {
        return Ok(nearest);
    }
    let schema = schemas[nearest];
    let before = if schemas.len() == 1 {
        String::new()
    } else if schemas.iter().all(|it| it.name() == schema.name()) {
        format!("the header fits no version of {}", schema.name())
    } else {
        "the header fits no schema".to_owned()
    };
    let mismatch = unfit(schema, header, &names, &best, &before);
    Err(HeaderMismatch { nearest: (!best.knows_none).then_some(nearest), ..mismatch })
}

fn fit<'s>(schema: &'s RowSchema, names: &HashSet<&str>) -> HeaderFit<'s> {
    let missing = absent(schema, names).count();
    let own: HashSet<&str> = schema.columns().iter().map(|column| column.name.as_str()).collect();
    let unnamed = names.difference(&own).filter(|name| schema.knows_unnamed(name)).count();
    let known = schema.columns().len() - missing + unnamed;
    HeaderFit {
        knows_none: known == 0,
        required_missing: absent(schema, names).filter(|column| column.required).count(),
        unknown: names.len() - known,
        missing,
        newest: Reverse(SchemaAge {
            effective_date: schema.effective_date(),
            version: schema.version(),
        }),
    }
}

fn absent<'s>(schema: &'s RowSchema, names: &HashSet<&str>) -> impl Iterator<Item = &'s Column> {
    schema.columns().iter().filter(|column| !names.contains(column.name.as_str()))
}
