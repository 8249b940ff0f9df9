//! Walks a payload's bytes once, by strict JSON and by the tables, and notes every violation.
//!
//! Scalars and lists are read here, objects in `object`. Places are a chain on the call stack (`path`), so that a valid
//! payload costs no allocation.

use std::borrow::Cow;

use serde_json::Value;

use super::fault::JsonFault;
use super::numeric;
use super::path::ValuePath;
use super::reader::{JsonReader, RawString};
use super::report::{PayloadReport, PayloadText, PayloadViolation, shown};
use super::tables::{NodeIndex, PayloadTables, ValueNode};
use super::text::{self, TextFault};
use super::tree;
use crate::rules::decimal::Decimal;
use crate::schema::canonical;
use crate::schema::scalar::{Scalar, TypeSet};

/// The bounds of one walk.
#[derive(Clone, Copy, Debug)]
pub(super) struct WalkBounds {
    pub depth: u32,
    /// Violations, and unknown members, that are kept.
    pub kept: usize,
}

/// One walk over a payload.
pub(super) struct PayloadWalk<'a> {
    pub(super) tables: &'a PayloadTables,
    pub(super) reader: JsonReader<'a>,
    pub(super) bounds: WalkBounds,
    pub(super) strict: bool,
    /// Whether nothing is noted: what is read will be read again.
    pub(super) is_quiet: bool,
    /// Whether parsers would read the text differently.
    pub(super) is_ambiguous: bool,
    pub(super) report: PayloadReport<'a>,
}

impl<'a> PayloadWalk<'a> {
    pub fn new(tables: &'a PayloadTables, text: &'a str, bounds: WalkBounds, strict: bool) -> Self {
        let reader = JsonReader::new(text);
        let report = PayloadReport::default();
        Self { tables, reader, bounds, strict, is_quiet: false, is_ambiguous: false, report }
    }

    /// Judges the payload by a node, or by strict JSON alone. Says too whether the text was read to its end.
    pub fn run(mut self, root: Option<NodeIndex>) -> (PayloadReport<'a>, bool) {
        let done = self.document(root);
        if let Err(fault) = done {
            let message = match fault {
                JsonFault::TooDeep => format!("{fault}: over {} levels", self.bounds.depth),
                _ => format!("{fault} (at byte {})", self.reader.at),
            };
            self.note(&ValuePath::ROOT, fault.keyword(), message.into(), None);
        } else {
            let text = if self.is_ambiguous { PayloadText::Ambiguous } else { PayloadText::Sound };
            self.report.text = text;
        }
        (self.report, done.is_ok())
    }

    fn document(&mut self, root: Option<NodeIndex>) -> Result<(), JsonFault> {
        self.reader.skip_blanks();
        if self.reader.peek().is_none() {
            return Err(JsonFault::Empty);
        }
        self.value(root, &ValuePath::ROOT, 0)?;
        self.reader.skip_blanks();
        if self.reader.peek().is_some() { Err(JsonFault::TrailingBytes) } else { Ok(()) }
    }

    fn node(&self, index: Option<NodeIndex>) -> Option<&'a ValueNode> {
        let tables = self.tables;
        index.map(|index| tables.node(index))
    }

    pub(super) fn value(
        &mut self,
        node: Option<NodeIndex>,
        path: &ValuePath<'_>,
        depth: u32,
    ) -> Result<(), JsonFault> {
        self.reader.skip_blanks();
        let start = self.reader.at;
        let node = self.node(node);
        match self.reader.peek() {
            Some(b'"') => {
                let raw = self.reader.string()?;
                self.text(node, raw, path, start);
                return Ok(());
            }
            Some(b'{') => return self.object(node, path, depth),
            Some(b'[') => return self.list(node, path, depth),
            Some(b'-' | b'0'..=b'9') => return self.number(node, path),
            Some(b't') => {
                self.reader.word(b"true")?;
                self.scalar(node, &Scalar::Boolean(true), path, start);
            }
            Some(b'f') => {
                self.reader.word(b"false")?;
                self.scalar(node, &Scalar::Boolean(false), path, start);
            }
            Some(b'n') => {
                self.reader.word(b"null")?;
                self.scalar(node, &Scalar::Null, path, start);
            }
            _ => return Err(self.reader.unexpected()),
        }
        Ok(())
    }

    #[inline]
    fn text(
        &mut self,
        node: Option<&'a ValueNode>,
        raw: RawString<'a>,
        path: &ValuePath<'_>,
        start: usize,
    ) {
        let (text, fault) = text::decode(raw);
        if let Some(fault) = fault {
            self.note_text_fault(fault, path, start);
        }
        if node.is_some_and(|node| !node.text_check.accepts(&text)) {
            self.scalar(node, &Scalar::Text(&text), path, start);
        }
    }

    #[cold]
    pub(super) fn note_text_fault(&mut self, fault: TextFault, path: &ValuePath<'_>, start: usize) {
        self.is_ambiguous |= fault == TextFault::LoneSurrogate;
        let value = Some((start, self.reader.at));
        self.note(path, fault.keyword(), fault.message().into(), value);
    }

    fn number(
        &mut self,
        node: Option<&'a ValueNode>,
        path: &ValuePath<'_>,
    ) -> Result<(), JsonFault> {
        let start = self.reader.at;
        let number = self.reader.number()?;
        if !numeric::fits(number) {
            let message = "has more digits than PostgreSQL's numeric can hold";
            self.note(path, "number", message.into(), Some((start, self.reader.at)));
        }
        if node.is_some_and(|node| !node.checks.rules.is_empty())
            && let Some(decimal) = Decimal::parse(number.text)
        {
            self.scalar(node, &Scalar::Number(decimal), path, start);
        }
        Ok(())
    }

    #[inline]
    fn scalar(
        &mut self,
        node: Option<&'a ValueNode>,
        scalar: &Scalar<'_>,
        path: &ValuePath<'_>,
        start: usize,
    ) {
        if let Some(node) = node {
            let value = Some((start, self.reader.at));
            node.checks.failures(scalar, |rule| {
                self.note(path, rule.keyword, Cow::Borrowed(&rule.message), value);
            });
        }
    }

    /// Reads a list, and judges its items where its type is right.
    fn list(
        &mut self,
        node: Option<&'a ValueNode>,
        path: &ValuePath<'_>,
        depth: u32,
    ) -> Result<(), JsonFault> {
        let start = self.enter(depth)?;
        let rules = node.filter(|node| has_type(node, TypeSet::ARRAY));
        let rules = rules.and_then(|node| node.list.as_deref());
        let first_items = rules.map_or(&[][..], |rules| &*rules.first_items);
        let items = rules.and_then(|rules| rules.items);
        let mut count = 0;
        self.reader.skip_blanks();
        if self.reader.peek() == Some(b']') {
            self.reader.at += 1;
        } else {
            loop {
                let item = first_items.get(count).copied().or(items);
                self.value(item, &path.item(count), depth + 1)?;
                count += 1;
                self.reader.skip_blanks();
                match self.reader.peek() {
                    Some(b',') => self.reader.at += 1,
                    Some(b']') => break self.reader.at += 1,
                    _ => return Err(self.reader.unexpected()),
                }
            }
        }
        let value = Some((start, self.reader.at));
        if let Some(rules) = rules {
            let count = count as u64;
            if count < rules.items_min {
                let message = format!("must have at least {} items", rules.items_min);
                self.note(path, "minItems", message.into(), value);
            }
            if count > rules.items_max {
                let message = format!("must have at most {} items", rules.items_max);
                self.note(path, "maxItems", message.into(), value);
            }
            if rules.is_unique && self.has_equal_items(start) {
                self.note(path, "uniqueItems", canonical::REPEATED.into(), value);
            }
        }
        self.container(node, TypeSet::ARRAY, path, start);
        Ok(())
    }

    /// Whether the list that was just read has an item twice.
    fn has_equal_items(&self, start: usize) -> bool {
        let text = &self.reader.text[start..self.reader.at];
        matches!(tree::read(text), Ok(Value::Array(items)) if canonical::has_equal(&items))
    }

    /// Passes the opening bracket, and says where it stands.
    pub(super) fn enter(&mut self, depth: u32) -> Result<usize, JsonFault> {
        if depth >= self.bounds.depth {
            return Err(JsonFault::TooDeep);
        }
        self.reader.at += 1;
        Ok(self.reader.at - 1)
    }

    /// Judges what an object or a list may fail of the rules that are of no type.
    pub(super) fn container(
        &mut self,
        node: Option<&'a ValueNode>,
        kind: TypeSet,
        path: &ValuePath<'_>,
        start: usize,
    ) {
        if let Some(node) = node
            && !node.passing.has(kind)
        {
            let value = Some((start, self.reader.at));
            node.checks.failures_of_container(kind, |rule| {
                self.note(path, rule.keyword, Cow::Borrowed(&rule.message), value);
            });
        }
    }

    #[cold]
    pub(super) fn note(
        &mut self,
        path: &ValuePath<'_>,
        keyword: &'static str,
        message: Cow<'a, str>,
        value: Option<(usize, usize)>,
    ) {
        if self.is_quiet {
            return;
        }
        if self.report.keeps_another(keyword, self.bounds.kept) {
            let text = self.reader.text;
            let value = value.map(|(start, end)| shown(&text[start..end]));
            let pointer = path.pointer();
            self.report.violations.push(PayloadViolation { pointer, keyword, message, value });
        }
    }
}

/// Whether the node's `type`, which is its first rule, takes an object or a list.
pub(super) fn has_type(node: &ValueNode, kind: TypeSet) -> bool {
    if node.passing.has(kind) {
        return true;
    }
    let mut is_mistyped = false;
    node.checks.failures_of_container(kind, |rule| is_mistyped |= rule.keyword == "type");
    !is_mistyped
}
