//! The named members of an object's schema: found by name, usually without a search.
//!
//! Most payloads have their members in the order of the schema, so the member behind the last one found is compared first.
//! Names are compared as they stand in the text, with their quotes: the first 16 bytes as one word, the rest only where
//! those are equal. So a name costs no search for its end, and members that are left out cost a comparison each.
//! A set of members is one bit each in a word, which also tells a doubled member from a first one at no cost.

/// The index of a node among those of a document (see `tables`).
pub(super) type NodeIndex = u32;

/// An object with more named members is left to the general validator.
pub(super) const MEMBERS_MAX: usize = 64;

const HEAD_BYTES: usize = 16;

/// A member that a schema names.
#[derive(Debug)]
pub(super) struct NamedMember {
    pub name: Box<str>,
    pub node: NodeIndex,
    /// The name in its quotes, without what `head` holds of it.
    tail: Box<[u8]>,
    /// The first 16 bytes of the name in its quotes, and which of them count.
    head: u128,
    head_mask: u128,
}

impl NamedMember {
    pub fn new(name: &str, node: NodeIndex) -> Self {
        let quoted = [b"\"", name.as_bytes(), b"\""].concat();
        let head_bytes = quoted.len().min(HEAD_BYTES);
        let mut head = [0; HEAD_BYTES];
        head[..head_bytes].copy_from_slice(&quoted[..head_bytes]);
        let head_mask = u128::MAX >> (8 * (HEAD_BYTES - head_bytes));
        let tail = quoted[head_bytes..].into();
        let (head, head_mask) = if is_plain(name) {
            (u128::from_le_bytes(head), head_mask)
        } else {
            // Equal to no text.
            (u128::MAX, 0)
        };
        Self { name: name.into(), node, tail, head, head_mask }
    }

    /// How many bytes the name takes in its quotes.
    #[inline]
    pub fn quoted_bytes(&self) -> usize {
        self.name.len() + 2
    }

    #[inline]
    fn begins(&self, text: &[u8], head: u128) -> bool {
        head & self.head_mask == self.head
            && (self.tail.is_empty() || text[HEAD_BYTES..].starts_with(&self.tail))
    }
}

/// Whether a name always stands in JSON as it is, without its quotes: only escapes could spell it otherwise.
fn is_plain(name: &str) -> bool {
    name.bytes().all(|byte| byte >= 0x20 && byte != b'"' && byte != b'\\')
}

/// The members of one object, at most `MEMBERS_MAX`.
#[derive(Debug, Default)]
pub(super) struct MemberTable {
    pub members: Box<[NamedMember]>,
    /// The members that must be there, a bit each.
    pub required: u64,
}

impl MemberTable {
    /// The place of the member whose name, in its quotes, begins the text. `expected` is where it probably is; it becomes
    /// the place behind the one found. A name that is spelt with escapes is not found here.
    #[inline]
    pub fn find_quoted(&self, text: &[u8], expected: &mut usize) -> Option<usize> {
        let head = u128::from_le_bytes(*text.first_chunk()?);
        let (before, from) = self.members.split_at_checked(*expected)?;
        let at = from.iter().position(|member| member.begins(text, head));
        let place = match at {
            Some(at) => before.len() + at,
            None => before.iter().position(|member| member.begins(text, head))?,
        };
        *expected = place + 1;
        Some(place)
    }

    /// The place of a name. `expected` is where it probably is; it becomes the place behind the one found.
    #[inline]
    pub fn find(&self, name: &str, expected: &mut usize) -> Option<usize> {
        let is_there = self.members.get(*expected).is_some_and(|member| *member.name == *name);
        let place = if is_there {
            *expected
        } else {
            self.members.iter().position(|member| *member.name == *name)?
        };
        *expected = place + 1;
        Some(place)
    }

    /// The members of a set, a bit each.
    pub fn of(&self, set: u64) -> impl Iterator<Item = &NamedMember> {
        let mut bits = set;
        std::iter::from_fn(move || {
            let place = bits.trailing_zeros() as usize;
            bits &= bits.wrapping_sub(1);
            self.members.get(place)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table(names: &[&str]) -> MemberTable {
        let members = names.iter().zip(0..).map(|(name, node)| NamedMember::new(name, node));
        MemberTable { members: members.collect(), required: 0 }
    }

    #[test]
    fn a_name_in_quotes_is_found_in_any_order() {
        let names = ["a", "course_id", "course_name", "course", "éé", "", "a_longer_name"];
        let table = table(&names);
        for expected in 0..=names.len() {
            for (place, name) in names.iter().enumerate() {
                let text = format!("\"{name}\": 1234567890123456");
                let mut next = expected;
                assert_eq!(table.find_quoted(text.as_bytes(), &mut next), Some(place), "{name}");
                assert_eq!(next, place + 1);
            }
        }
    }

    #[test]
    fn other_names_and_short_texts_are_not_found() {
        let table = table(&["course_id", "a", "x\"", "y\\"]);
        for text in [
            "\"course_i\": 1234567890",
            "\"course_id_\": 1234567890",
            "\"course_i",
            "\"b\": 1234567890123456",
            "\"\\u0061\": 1234567890",
            "\"a\"",
            "\"x\"\": 1234567890123456",
            "\"y\\\": 1234567890123456",
            "",
        ] {
            let mut next = 2;
            assert_eq!(table.find_quoted(text.as_bytes(), &mut next), None, "{text}");
            assert_eq!(next, 2);
        }
    }
}
