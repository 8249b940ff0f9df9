//! The place of a value in a payload: a chain on the call stack, which becomes a JSON Pointer for a violation.

use std::fmt::Write;

/// One step from the root to a value.
#[derive(Clone, Copy, Debug)]
pub(super) enum PathStep<'a> {
    Root,
    Member(&'a str),
    Item(usize),
}

/// The steps to a value, the last first.
#[derive(Clone, Copy, Debug)]
pub(super) struct ValuePath<'a> {
    parent: Option<&'a ValuePath<'a>>,
    step: PathStep<'a>,
}

impl<'a> ValuePath<'a> {
    pub const ROOT: ValuePath<'static> = ValuePath { parent: None, step: PathStep::Root };

    pub fn member(&'a self, name: &'a str) -> Self {
        Self { parent: Some(self), step: PathStep::Member(name) }
    }

    pub fn item(&'a self, index: usize) -> Self {
        Self { parent: Some(self), step: PathStep::Item(index) }
    }

    /// The JSON Pointer (RFC 6901).
    #[cold]
    pub fn pointer(&self) -> String {
        let mut pointer = String::new();
        self.push_to(&mut pointer);
        pointer
    }

    fn push_to(&self, pointer: &mut String) {
        if let Some(parent) = self.parent {
            parent.push_to(pointer);
        }
        match self.step {
            PathStep::Root => {}
            PathStep::Item(index) => {
                let _ = write!(pointer, "/{index}");
            }
            PathStep::Member(name) => {
                pointer.push('/');
                push_token(pointer, name);
            }
        }
    }
}

/// Appends a reference token, `~` and `/` escaped.
pub(super) fn push_token(pointer: &mut String, name: &str) {
    for character in name.chars() {
        match character {
            '~' => pointer.push_str("~0"),
            '/' => pointer.push_str("~1"),
            other => pointer.push(other),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_is_a_json_pointer() {
        let root = ValuePath::ROOT;
        assert_eq!(root.pointer(), "");
        let (list, item);
        let member = root.member("a/b~c");
        list = member.item(10);
        item = list.member("");
        assert_eq!(item.pointer(), "/a~1b~0c/10/");
    }
}
