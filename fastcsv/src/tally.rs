//! Counts of rows and errors, kept by position while rows are read and named once at the end.

use crate::payload::{PayloadReport, PointerCounts};
use crate::schema::{BoundSchema, Violation};
use std::collections::BTreeMap;

/// The field of an error that concerns the row as a whole.
pub const ROW_FIELD: &str = "_row";

/// The fields of payloads that are not counted one by one. No JSON Pointer reads so.
pub const OTHER_FIELDS: &str = "_other";

/// What was counted in some rows; tallies of several parts add up.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct Tally {
    pub total_rows: u64,
    pub valid_rows: u64,
    pub quarantined_rows: u64,
    pub recovered_rows: u64,
    pub total_errors: u64,
    /// By the index of the message in `BoundSchema::cell_messages`. The counts below are of all other violations.
    by_cell_message: Vec<u64>,
    /// By position in the header.
    by_column: Vec<u64>,
    /// Of fields that are no column of the header.
    by_other_field: BTreeMap<String, u64>,
    /// A handful of keywords: a search is quicker than a hash.
    by_keyword: Vec<(&'static str, u64)>,
    /// Violations of payloads by their pointer.
    by_pointer: PointerCounts,
    /// Members of payloads that no schema names, by their pointer.
    pub unknown: PointerCounts,
}

impl Tally {
    pub fn count(&mut self, violation: &Violation<'_>) {
        self.total_errors += 1;
        if let Some(cell_message) = violation.cell_message {
            return count_one(&mut self.by_cell_message, cell_message as usize);
        }
        match violation.column {
            Some(column) => count_one(&mut self.by_column, column as usize),
            None => {
                if let Some(count) = self.by_other_field.get_mut(violation.field.as_ref()) {
                    *count += 1;
                } else {
                    self.by_other_field.insert(violation.field.to_string(), 1);
                }
            }
        }
        self.count_keyword(violation.keyword, 1);
    }

    /// Counts the violations of a payload. Those over the bound count for no field of their own.
    pub fn count_payload(&mut self, report: &PayloadReport<'_>) {
        self.total_errors += report.total_violations;
        for violation in &report.violations {
            self.by_pointer.count(&violation.pointer);
            self.count_keyword(violation.keyword, 1);
        }
        for &(keyword, count) in &report.beyond {
            self.by_pointer.count_others(count);
            self.count_keyword(keyword, count);
        }
    }

    fn count_keyword(&mut self, keyword: &'static str, errors: u64) {
        match self.by_keyword.iter_mut().find(|(known, _)| *known == keyword) {
            Some((_, count)) => *count += errors,
            None => self.by_keyword.push((keyword, errors)),
        }
    }

    pub fn add(&mut self, other: &Self) {
        self.total_rows += other.total_rows;
        self.valid_rows += other.valid_rows;
        self.quarantined_rows += other.quarantined_rows;
        self.recovered_rows += other.recovered_rows;
        self.total_errors += other.total_errors;
        add_each(&mut self.by_cell_message, &other.by_cell_message);
        add_each(&mut self.by_column, &other.by_column);
        for (field, more) in &other.by_other_field {
            *self.by_other_field.entry(field.clone()).or_default() += more;
        }
        for &(keyword, more) in &other.by_keyword {
            self.count_keyword(keyword, more);
        }
        self.by_pointer.add(&other.by_pointer);
        self.unknown.add(&other.unknown);
    }

    pub fn clear(&mut self) {
        *self = Self::default();
    }

    /// Errors by field name, for the fields that have any. `schema` is what found them.
    #[must_use]
    pub fn errors_by_field(&self, schema: &BoundSchema) -> BTreeMap<String, u64> {
        let mut by_column = self.by_column.clone();
        by_column.resize(schema.names().len(), 0);
        for (cell_message, count) in schema.cell_messages().zip(&self.by_cell_message) {
            by_column[cell_message.place] += count;
        }
        let mut fields = self.by_other_field.clone();
        for (name, count) in schema.names().zip(by_column).filter(|(_, count)| *count > 0) {
            // A column may have the name that stands for the row.
            *fields.entry(name.to_owned()).or_default() += count;
        }
        fields
    }

    /// Errors of payloads by pointer: `_row` is the payload as a whole, `_other` all that have no count of their own.
    #[must_use]
    pub fn errors_by_pointer(&self) -> BTreeMap<String, u64> {
        let name = |pointer: &str| if pointer.is_empty() { ROW_FIELD } else { pointer }.to_owned();
        let counts = self.by_pointer.iter().map(|(pointer, count)| (name(pointer), count));
        let others = Some((OTHER_FIELDS.to_owned(), self.by_pointer.others()));
        counts.chain(others.filter(|(_, count)| *count > 0)).collect()
    }

    /// Errors of payloads by keyword.
    #[must_use]
    pub fn payload_errors_by_keyword(&self) -> BTreeMap<&'static str, u64> {
        self.by_keyword.iter().copied().collect()
    }

    /// Errors by keyword, for those that have any. `schema` is what found them.
    #[must_use]
    pub fn errors_by_keyword(&self, schema: &BoundSchema) -> BTreeMap<&'static str, u64> {
        let mut keywords: BTreeMap<_, _> = self.by_keyword.iter().copied().collect();
        for (cell_message, &count) in schema.cell_messages().zip(&self.by_cell_message) {
            if count > 0 {
                *keywords.entry(cell_message.keyword).or_default() += count;
            }
        }
        keywords
    }
}

fn count_one(counts: &mut Vec<u64>, place: usize) {
    if counts.len() <= place {
        counts.resize(place + 1, 0);
    }
    counts[place] += 1;
}

fn add_each(counts: &mut Vec<u64>, more: &[u64]) {
    if counts.len() < more.len() {
        counts.resize(more.len(), 0);
    }
    for (count, more) in counts.iter_mut().zip(more) {
        *count += more;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::schema::{RowSchema, SchemaLimits};
    use std::borrow::Cow;

    #[test]
    fn a_column_with_the_name_that_stands_for_the_row_is_counted_with_it() {
        let document = br#"{"properties": {"_row": {"maxLength": 1}}}"#;
        let schema = RowSchema::compile("a", "1", document, &SchemaLimits::default()).unwrap();
        let schema = schema.bind(&[ROW_FIELD.to_owned()], false).unwrap();
        let mut violations = Vec::new();
        assert!(!schema.check_row(&["too long"], &mut violations));
        violations.push(Violation {
            column: None,
            field: Cow::Borrowed(ROW_FIELD),
            keyword: "cells",
            message: Cow::Borrowed("the row has 2 cells"),
            cell_message: None,
        });
        let (mut tally, mut all) = (Tally::default(), Tally::default());
        for violation in &violations {
            tally.count(violation);
        }
        all.add(&tally);
        all.add(&tally);
        assert_eq!(all.errors_by_field(&schema), BTreeMap::from([(ROW_FIELD.to_owned(), 4)]));
        let by_keyword = BTreeMap::from([("cells", 2), ("maxLength", 2)]);
        assert_eq!(all.errors_by_keyword(&schema), by_keyword);
    }
}
