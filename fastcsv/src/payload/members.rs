//! The named members of an object's schema: found by name, usually without a search.
//!
//! Most payloads have their members in the order of the schema, so the member behind the last one found is compared first.
//! A set of members is one bit each in a word, which also tells a doubled member from a first one at no cost.

/// The index of a node among those of a document (see `tables`).
pub(super) type NodeIndex = u32;

/// An object with more named members is left to the general validator.
pub(super) const MEMBERS_MAX: usize = 64;

/// A member that a schema names.
#[derive(Debug)]
pub(super) struct NamedMember {
    pub name: Box<str>,
    pub node: NodeIndex,
}

/// The members of one object, at most `MEMBERS_MAX`.
#[derive(Debug, Default)]
pub(super) struct MemberTable {
    pub members: Box<[NamedMember]>,
    /// The members that must be there, a bit each.
    pub required: u64,
}

impl MemberTable {
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
