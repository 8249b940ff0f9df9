//! Reads the members of an object, each by the schema that its name has.
//!
//! The one hard idea: a member may decide the schema of another that stands before it. Such a member is passed by strict
//! JSON at first, and read again once the object has been read. Members inside it are passed without their schemas then,
//! so that no nesting reads a byte more than once for each level.
//!
//! A doubled name among the members that the schema names is told by their bit. The names of all others are sorted when
//! their object ends: that costs n log n whatever the names are, where a hash table would have a worst case.

use super::fault::JsonFault;
use super::path::ValuePath;
use super::reader::{JsonReader, RawString};
use super::tables::{MemberChoice, NodeIndex, ObjectRules, OtherMembers, ValueNode};
use super::text;
use super::walk::{PayloadWalk, has_type};
use crate::schema::scalar::TypeSet;
use crate::tokenise::narrow;

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
    /// Reads an object, and judges its members where its type is right.
    pub(super) fn object(
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
        if let Some(rules) = state.rules
            && let Some(place) = rules.members.find_quoted(self.reader.rest(), &mut state.expected)
        {
            let member = &rules.members.members[place];
            self.reader.at += member.quoted_bytes();
            self.colon()?;
            state.count += 1;
            return self.named_member(state, rules, place, &parent.member(&member.name));
        }
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
        self.colon()?;
        state.count += 1;
        let start = self.reader.at;
        let place = state.rules.and_then(|it| it.members.find(&name, &mut state.expected));
        if let (Some(place), Some(rules)) = (place, state.rules) {
            return self.named_member(state, rules, place, &path);
        }
        self.other_member(state, &name, &path)?;
        let name = span(name_start + 1, name_start + 1 + raw.text.len());
        state.others.push(OtherMember { name, value: span(start, self.reader.at) });
        state.has_escapes |= raw.has_escapes;
        Ok(())
    }

    /// Passes the colon behind a name, and the blanks around it.
    #[inline]
    fn colon(&mut self) -> Result<(), JsonFault> {
        self.reader.skip_blanks();
        match self.reader.peek() {
            Some(b':') => self.reader.at += 1,
            Some(_) => return Err(JsonFault::MemberInvalid),
            None => return Err(JsonFault::EndsEarly),
        }
        self.reader.skip_blanks();
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
        name: &str,
        path: &ValuePath<'_>,
    ) -> Result<(), JsonFault> {
        let start = self.reader.at;
        let others = state.rules.map_or(OtherMembers::Free, |rules| {
            rules.pattern(name).map_or(rules.others, OtherMembers::Judged)
        });
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
        let asked = rules.asked_for(state.seen);
        for (keyword, wanted) in
            [("required", rules.members.required), ("dependentRequired", asked)]
        {
            for member in rules.members.of(wanted & !state.seen) {
                self.note(&path.member(&member.name), keyword, "is missing".into(), None);
            }
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
        self.is_ambiguous = true;
        self.note(path, "duplicateMember", "stands twice in its object".into(), Some(value));
    }
}

fn span(start: usize, end: usize) -> Span {
    (narrow(start), narrow(end))
}

fn text_of(text: &str, span: Span) -> &str {
    &text[span.0 as usize..span.1 as usize]
}
