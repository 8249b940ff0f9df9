//! The compiled form of a payload's schema: one node for each subschema, referred to by its index.

use regex::Regex;

use super::members::MemberTable;
pub(super) use super::members::NodeIndex;
use super::text_check::TextCheck;
use crate::schema::check::{Check, Checks};
use crate::schema::scalar::TypeSet;

/// The nodes of a document. The first is the root's.
#[derive(Debug, Default)]
pub(super) struct PayloadTables {
    pub nodes: Vec<ValueNode>,
    pub root: NodeIndex,
}

impl PayloadTables {
    #[inline]
    pub fn node(&self, index: NodeIndex) -> &ValueNode {
        &self.nodes[index as usize]
    }
}

/// What one subschema asks of a value.
#[derive(Debug, Default)]
pub(super) struct ValueNode {
    /// The rules of scalars, `type` first. Objects and lists may fail some of them.
    pub checks: Checks,
    pub object: Option<Box<ObjectRules>>,
    pub list: Option<Box<ListRules>>,
    /// What texts are asked first.
    pub text_check: TextCheck,
    /// Which of object and list surely pass `checks`.
    pub passing: TypeSet,
}

impl ValueNode {
    pub fn new(
        checks: Checks,
        object: Option<Box<ObjectRules>>,
        list: Option<Box<ListRules>>,
    ) -> Self {
        let text_check = TextCheck::of(&checks);
        let mut passing = TypeSet::default();
        for kind in [TypeSet::OBJECT, TypeSet::ARRAY] {
            let mut passes = true;
            checks.failures_of_container(kind, |_| passes = false);
            if passes {
                passing = passing.with(kind);
            }
        }
        Self { checks, object, list, text_check, passing }
    }

    /// Whether the node asks nothing.
    pub fn is_empty(&self) -> bool {
        self.checks.rules.is_empty() && self.object.is_none() && self.list.is_none()
    }

    /// Whether the node asks for a type and for nothing else.
    pub fn is_type_alone(&self) -> bool {
        let is_type = matches!(&*self.checks.rules, [rule] if matches!(rule.check, Check::Type(_)));
        is_type && self.object.is_none() && self.list.is_none()
    }
}

/// What is done with a member that `properties` does not name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum OtherMembers {
    /// The schema names no members, or allows any: nothing is reported.
    Free,
    /// Kept and reported as unknown.
    Unknown,
    Refused,
    Judged(NodeIndex),
}

/// What a subschema asks of an object.
#[derive(Debug)]
pub(super) struct ObjectRules {
    pub members: MemberTable,
    /// The schemas of members by what their names match: one at the most for each name.
    pub patterns: Box<[(Regex, NodeIndex)]>,
    pub others: OtherMembers,
    pub members_min: u64,
    pub members_max: u64,
    pub choice: Option<MemberChoice>,
    /// The place of a member, and the members that must be there with it, a bit each.
    pub dependents: Box<[(usize, u64)]>,
}

impl ObjectRules {
    /// The schema of a member that is not named, by what its name matches.
    pub fn pattern(&self, name: &str) -> Option<NodeIndex> {
        self.patterns.iter().find(|(pattern, _)| pattern.is_match(name)).map(|(_, node)| *node)
    }

    /// The members that others ask for, of those that are there.
    pub fn asked_for(&self, seen: u64) -> u64 {
        let asking = self.dependents.iter().filter(|(asker, _)| seen & 1 << asker != 0);
        asking.fold(0, |asked, (_, names)| asked | names)
    }
}

/// A member whose schema is chosen by the text of another: `allOf` of `if` a constant `then` a schema.
#[derive(Debug)]
pub(super) struct MemberChoice {
    /// The place of the member that decides, and of the one that is judged.
    pub decided_by: usize,
    pub judged: usize,
    pub branches: Box<[(Box<str>, NodeIndex)]>,
}

impl MemberChoice {
    pub fn branch(&self, text: &str) -> Option<NodeIndex> {
        self.branches.iter().find(|(constant, _)| **constant == *text).map(|(_, node)| *node)
    }
}

/// What a subschema asks of a list.
#[derive(Debug)]
pub(super) struct ListRules {
    /// The schemas of the first items.
    pub first_items: Box<[NodeIndex]>,
    /// The schema of the others.
    pub items: Option<NodeIndex>,
    pub items_min: u64,
    pub items_max: u64,
    pub is_unique: bool,
}
