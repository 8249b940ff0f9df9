//! A payload as its objects and, for everything else in it, the text as it stands: so a number keeps its spelling.
//!
//! Its text has passed the strict walk, which has bounded its depth and refused doubled members.

use std::borrow::Cow;

use super::reader::JsonReader;
use super::text;
use crate::output::json::push_string;
use crate::output::text::TextBuffer;

/// A value.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum PayloadNode<'p> {
    Object(Vec<(Cow<'p, str>, PayloadNode<'p>)>),
    /// The JSON text of anything but an object.
    Text(Cow<'p, str>),
}

impl<'p> PayloadNode<'p> {
    /// Reads the text's one value; nothing where the text has not passed the walk.
    pub fn read(text: &'p str) -> Option<Self> {
        Self::value(&mut JsonReader::new(text))
    }

    fn value(reader: &mut JsonReader<'p>) -> Option<Self> {
        reader.skip_blanks();
        if reader.peek()? != b'{' {
            let start = reader.at;
            reader.skip_value()?;
            return Some(Self::Text(reader.text[start..reader.at].into()));
        }
        let mut members = Vec::new();
        loop {
            reader.at += 1;
            reader.skip_blanks();
            if reader.peek()? == b'}' {
                break;
            }
            let (name, _) = text::decode(reader.string().ok()?);
            reader.skip_blanks();
            reader.at += 1;
            members.push((name, Self::value(reader)?));
            reader.skip_blanks();
            if reader.peek()? == b'}' {
                break;
            }
        }
        reader.at += 1;
        Some(Self::Object(members))
    }

    pub fn get(&self, path: &[Box<str>]) -> Option<&Self> {
        path.iter().try_fold(self, |node, name| match node {
            Self::Object(members) => {
                members.iter().find(|(known, _)| **known == **name).map(|(_, member)| member)
            }
            Self::Text(_) => None,
        })
    }

    /// The text that a string stands for; nothing for any other value.
    pub fn as_text(&self) -> Option<Cow<'_, str>> {
        let Self::Text(json) = self else { return None };
        let mut reader = JsonReader::new(json);
        if reader.peek() != Some(b'"') {
            return None;
        }
        Some(text::decode(reader.string().ok()?).0)
    }

    /// Puts a value at the end of a path, through objects that are made where they are not there.
    pub fn put(&mut self, path: &'p [Box<str>], value: Self) {
        let (Self::Object(members), Some((name, rest))) = (self, path.split_first()) else {
            return;
        };
        if rest.is_empty() {
            members.push((name.as_ref().into(), value));
            return;
        }
        let place = members.iter().position(|(known, _)| **known == **name);
        let place = place.unwrap_or_else(|| {
            members.push((name.as_ref().into(), Self::Object(Vec::new())));
            members.len() - 1
        });
        members[place].1.put(rest, value);
    }

    /// Takes out the value at the end of a path, and with it the objects that are empty then. Says whether it was there.
    pub fn take_out(&mut self, path: &[Box<str>]) -> bool {
        let (Self::Object(members), Some((name, rest))) = (self, path.split_first()) else {
            return false;
        };
        let Some(place) = members.iter().position(|(known, _)| **known == **name) else {
            return false;
        };
        let member = &mut members[place].1;
        let was_there = rest.is_empty() || member.take_out(rest);
        if was_there && (rest.is_empty() || member.is_empty()) {
            members.remove(place);
        }
        was_there
    }

    /// Whether it is an object without members.
    pub fn is_empty(&self) -> bool {
        matches!(self, Self::Object(members) if members.is_empty())
    }

    /// Appends the value as JSON, on one line.
    pub fn push_to(&self, out: &mut TextBuffer) {
        match self {
            Self::Text(json) => push_on_one_line(out, json),
            Self::Object(members) => {
                out.push(b'{');
                for (index, (name, member)) in members.iter().enumerate() {
                    if index > 0 {
                        out.push(b',');
                    }
                    push_string(out, name);
                    out.push(b':');
                    member.push_to(out);
                }
                out.push(b'}');
            }
        }
    }
}

/// Appends JSON text; the blanks between its tokens are left out where line ends are among them.
fn push_on_one_line(out: &mut TextBuffer, json: &str) {
    if memchr::memchr2(b'\n', b'\r', json.as_bytes()).is_none() {
        return out.extend(json.as_bytes());
    }
    let mut reader = JsonReader::new(json);
    while let Some(byte) = reader.peek() {
        let start = reader.at;
        if byte == b'"' {
            if reader.string().is_err() {
                return;
            }
            out.extend(&json.as_bytes()[start..reader.at]);
        } else {
            reader.at += 1;
            if !b" \t\r\n".contains(&byte) {
                out.push(byte);
            }
        }
    }
}
