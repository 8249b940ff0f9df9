//! Walks a payload's bytes once, by strict JSON and by the tables, and notes every violation.
//!
//! The one hard idea: a member may decide the schema of another that stands before it. Such a member is passed by strict
//! JSON at first, and read again once the object has been read. Members inside it are passed without their schemas then,
//! so that no nesting reads a byte more than once for each level.
//!
//! A doubled name among the members that the schema names is told by their bit. The names of all others are sorted when
//! their object ends: that costs n log n whatever the names are, where a hash table would have a worst case.

use std::borrow::Cow;

use super::fault::JsonFault;
use super::numeric;
use super::path::ValuePath;
use super::reader::{JsonReader, RawString};
use super::report::{PayloadReport, PayloadViolation, shown};
use super::tables::{MemberChoice, NodeIndex, ObjectRules, OtherMembers, PayloadTables, ValueNode};
use super::text::{self, TextFault};
use crate::rules::decimal::Decimal;
use crate::schema::scalar::{Scalar, TypeSet};
use crate::tokenise::narrow;

/// The bounds of one walk.
#[derive(Clone, Copy, Debug)]
pub(super) struct WalkBounds {
    pub depth: u32,
    /// Violations, and unknown members, that are kept.
    pub kept: usize,
}

/// One walk over a payload.
pub(super) struct PayloadWalk<'a> {
    tables: &'a PayloadTables,
    reader: JsonReader<'a>,
    bounds: WalkBounds,
    strict: bool,
    /// Whether nothing is noted: what is read will be read again.
    is_quiet: bool,
    report: PayloadReport<'a>,
}

/// Where bytes of the payload begin and end. A payload is shorter than 4 GiB, and may have millions of members.
type Span = (u32, u32);

/// A member that the schema does not name: its name between the quotes, and its value.
struct OtherMember {
    name: Span,
    value: Span,
}

/// Where the reading of an object's members stands.
struct ObjectState<'a> {
    rules: Option<&'a ObjectRules>,
    depth: u32,
    seen: u64,
    count: u64,
    /// The place where the next name probably stands.
    expected: usize,
    chosen: Option<NodeIndex>,
    /// Where the value begins that was passed because the choice was not known yet.
    passed: Option<usize>,
    others: Vec<OtherMember>,
    /// Whether one of their names has escapes.
    has_escapes: bool,
}

impl<'a> PayloadWalk<'a> {
    pub fn new(tables: &'a PayloadTables, text: &'a str, bounds: WalkBounds, strict: bool) -> Self {
        let reader = JsonReader::new(text);
        Self { tables, reader, bounds, strict, is_quiet: false, report: PayloadReport::default() }
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

    fn value(
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
        self.scalar(node, &Scalar::Text(&text), path, start);
    }

    #[cold]
    fn note_text_fault(&mut self, fault: TextFault, path: &ValuePath<'_>, start: usize) {
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
        let items = rules.and_then(|rules| rules.items);
        let mut count = 0;
        self.reader.skip_blanks();
        if self.reader.peek() == Some(b']') {
            self.reader.at += 1;
        } else {
            loop {
                self.value(items, &path.item(count), depth + 1)?;
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
        }
        self.container(node, TypeSet::ARRAY, path, start);
        Ok(())
    }

    /// Passes the opening bracket, and says where it stands.
    fn enter(&mut self, depth: u32) -> Result<usize, JsonFault> {
        if depth >= self.bounds.depth {
            return Err(JsonFault::TooDeep);
        }
        self.reader.at += 1;
        Ok(self.reader.at - 1)
    }

    /// Judges what an object or a list may fail of the rules that are of no type.
    fn container(
        &mut self,
        node: Option<&'a ValueNode>,
        kind: TypeSet,
        path: &ValuePath<'_>,
        start: usize,
    ) {
        if let Some(node) = node {
            let value = Some((start, self.reader.at));
            node.checks.failures_of_container(kind, |rule| {
                self.note(path, rule.keyword, Cow::Borrowed(&rule.message), value);
            });
        }
    }

    /// Reads an object, and judges its members where its type is right.
    fn object(
        &mut self,
        node: Option<&'a ValueNode>,
        path: &ValuePath<'_>,
        depth: u32,
    ) -> Result<(), JsonFault> {
        let start = self.enter(depth)?;
        let rules = node.filter(|node| has_type(node, TypeSet::OBJECT));
        let rules = rules.and_then(|node| node.object.as_deref());
        let mut state = ObjectState {
            rules,
            depth: depth + 1,
            seen: 0,
            count: 0,
            expected: 0,
            chosen: None,
            passed: None,
            others: Vec::new(),
            has_escapes: false,
        };
        self.reader.skip_blanks();
        if self.reader.peek() == Some(b'}') {
            self.reader.at += 1;
        } else {
            loop {
                self.member(&mut state, path)?;
                self.reader.skip_blanks();
                match self.reader.peek() {
                    Some(b',') => self.reader.at += 1,
                    Some(b'}') => break self.reader.at += 1,
                    _ => return Err(self.reader.unexpected()),
                }
            }
        }
        self.end_object(state, path, start)?;
        self.container(node, TypeSet::OBJECT, path, start);
        Ok(())
    }

    /// Reads one member: its name, the colon, and its value by the schema that the name has.
    #[inline]
    fn member(
        &mut self,
        state: &mut ObjectState<'a>,
        parent: &ValuePath<'_>,
    ) -> Result<(), JsonFault> {
        self.reader.skip_blanks();
        let name_start = self.reader.at;
        match self.reader.peek() {
            Some(b'"') => {}
            Some(_) => return Err(JsonFault::MemberInvalid),
            None => return Err(JsonFault::EndsEarly),
        }
        let raw = self.reader.string()?;
        let (name, fault) = text::decode(raw);
        let path = parent.member(&name);
        if let Some(fault) = fault {
            self.note_text_fault(fault, &path, name_start);
        }
        self.reader.skip_blanks();
        match self.reader.peek() {
            Some(b':') => self.reader.at += 1,
            Some(_) => return Err(JsonFault::MemberInvalid),
            None => return Err(JsonFault::EndsEarly),
        }
        self.reader.skip_blanks();
        state.count += 1;
        let start = self.reader.at;
        let place = state.rules.and_then(|it| it.members.find(&name, &mut state.expected));
        if let (Some(place), Some(rules)) = (place, state.rules) {
            return self.named_member(state, rules, place, &path);
        }
        self.other_member(state, &path)?;
        let name = span(name_start + 1, name_start + 1 + raw.text.len());
        state.others.push(OtherMember { name, value: span(start, self.reader.at) });
        state.has_escapes |= raw.has_escapes;
        Ok(())
    }

    #[inline]
    fn named_member(
        &mut self,
        state: &mut ObjectState<'a>,
        rules: &'a ObjectRules,
        place: usize,
        path: &ValuePath<'_>,
    ) -> Result<(), JsonFault> {
        let start = self.reader.at;
        if state.seen & 1 << place != 0 {
            self.value(None, path, state.depth)?;
            self.note_doubled(path, (start, self.reader.at));
            return Ok(());
        }
        state.seen |= 1 << place;
        let own = Some(rules.members.members[place].node);
        match &rules.choice {
            Some(choice) if place == choice.decided_by => {
                self.value(own, path, state.depth)?;
                state.chosen = self.chosen(choice, start);
                Ok(())
            }
            Some(choice) if place == choice.judged && state.chosen.is_none() => {
                state.passed = Some(start);
                self.pass(path, state.depth)
            }
            Some(choice) if place == choice.judged => self.value(state.chosen, path, state.depth),
            _ => self.value(own, path, state.depth),
        }
    }

    /// Reads a value by strict JSON and notes nothing.
    fn pass(&mut self, path: &ValuePath<'_>, depth: u32) -> Result<(), JsonFault> {
        let was_quiet = std::mem::replace(&mut self.is_quiet, true);
        let passed = self.value(None, path, depth);
        self.is_quiet = was_quiet;
        passed
    }

    /// The node that the text which was just read chooses.
    fn chosen(&self, choice: &MemberChoice, start: usize) -> Option<NodeIndex> {
        let mut reader = JsonReader { text: self.reader.text, at: start };
        let raw = (reader.peek() == Some(b'"')).then(|| reader.string().ok()).flatten()?;
        choice.branch(&text::decode(raw).0)
    }

    fn other_member(
        &mut self,
        state: &ObjectState<'a>,
        path: &ValuePath<'_>,
    ) -> Result<(), JsonFault> {
        let start = self.reader.at;
        let others = state.rules.map_or(OtherMembers::Free, |rules| rules.others);
        let node = if let OtherMembers::Judged(node) = others { Some(node) } else { None };
        self.value(node, path, state.depth)?;
        let is_refused =
            others == OtherMembers::Refused || self.strict && others == OtherMembers::Unknown;
        if is_refused {
            let value = Some((start, self.reader.at));
            self.note(path, "additionalProperties", "is not a member of the schema".into(), value);
        } else if others == OtherMembers::Unknown && !self.is_quiet {
            let unknown = &mut self.report.unknown_members;
            if unknown.len() < self.bounds.kept {
                unknown.push(path.pointer());
            }
        }
        Ok(())
    }

    /// Judges an object's members as a whole, once all are known.
    fn end_object(
        &mut self,
        mut state: ObjectState<'a>,
        path: &ValuePath<'_>,
        start: usize,
    ) -> Result<(), JsonFault> {
        let end = self.reader.at;
        if state.others.len() > 1 {
            self.note_doubled_others(&mut state, path);
        }
        let Some(rules) = state.rules else { return Ok(()) };
        if let (Some(passed), Some(choice)) = (state.passed, &rules.choice) {
            let member = &rules.members.members[choice.judged];
            self.reader.at = passed;
            let node = state.chosen.unwrap_or(member.node);
            self.value(Some(node), &path.member(&member.name), state.depth)?;
            self.reader.at = end;
        }
        for member in rules.members.missing(state.seen) {
            self.note(&path.member(&member.name), "required", "is missing".into(), None);
        }
        let value = Some((start, end));
        if state.count < rules.members_min {
            let message = format!("must have at least {} members", rules.members_min);
            self.note(path, "minProperties", message.into(), value);
        }
        if state.count > rules.members_max {
            let message = format!("must have at most {} members", rules.members_max);
            self.note(path, "maxProperties", message.into(), value);
        }
        Ok(())
    }

    fn note_doubled_others(&mut self, state: &mut ObjectState<'a>, path: &ValuePath<'_>) {
        let text = self.reader.text;
        let has_escapes = state.has_escapes;
        let name_of = |member: &OtherMember| {
            let text = text_of(text, member.name);
            text::decode(RawString { text, has_escapes }).0
        };
        let others = &mut state.others;
        if has_escapes {
            others.sort_by_cached_key(|member| (name_of(member), member.value));
        } else {
            others.sort_unstable_by_key(|member| (text_of(text, member.name), member.value));
        }
        for pair in others.windows(2) {
            let name = name_of(&pair[1]);
            if name_of(&pair[0]) == name {
                let (start, end) = pair[1].value;
                self.note_doubled(&path.member(&name), (start as usize, end as usize));
            }
        }
    }

    #[cold]
    fn note_doubled(&mut self, path: &ValuePath<'_>, value: (usize, usize)) {
        self.note(path, "duplicateMember", "stands twice in its object".into(), Some(value));
    }

    #[cold]
    fn note(
        &mut self,
        path: &ValuePath<'_>,
        keyword: &'static str,
        message: Cow<'a, str>,
        value: Option<(usize, usize)>,
    ) {
        if self.is_quiet {
            return;
        }
        self.report.total_violations += 1;
        if self.report.violations.len() < self.bounds.kept {
            let text = self.reader.text;
            let value = value.map(|(start, end)| shown(&text[start..end]));
            let pointer = path.pointer();
            self.report.violations.push(PayloadViolation { pointer, keyword, message, value });
        }
    }
}

fn span(start: usize, end: usize) -> Span {
    (narrow(start), narrow(end))
}

fn text_of(text: &str, span: Span) -> &str {
    &text[span.0 as usize..span.1 as usize]
}

/// Whether the node's `type`, which is its first rule, takes an object or a list.
fn has_type(node: &ValueNode, kind: TypeSet) -> bool {
    let mut is_mistyped = false;
    node.checks.failures_of_container(kind, |rule| is_mistyped |= rule.keyword == "type");
    !is_mistyped
}
