//! Counts by JSON Pointer, in bounded memory, whatever the members of payloads are called.
//!
//! Of so many different pointers the ones that sort first are counted, and all others together. A pointer that was
//! dropped once can never be among the first again, so what is counted is exact, and the same in whatever order parts
//! are added.

use std::borrow::Cow;
use std::collections::BTreeMap;

/// Pointers that are counted one by one.
const POINTERS_MAX: usize = 1000;
/// Bytes of a pointer that is counted.
const POINTER_BYTES_MAX: usize = 256;

/// How often something was found at each pointer.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PointerCounts {
    counts: BTreeMap<String, u64>,
    /// Of the pointers that are not counted one by one.
    others: u64,
}

impl PointerCounts {
    pub fn count(&mut self, pointer: &str) {
        self.count_times(&without_indices(pointer), 1);
    }

    pub fn count_others(&mut self, times: u64) {
        self.others += times;
    }

    pub fn add(&mut self, later: &Self) {
        for (pointer, times) in &later.counts {
            self.count_times(pointer, *times);
        }
        self.others += later.others;
    }

    /// The pointers in their order. The index of an item in a list is `*`.
    pub fn iter(&self) -> impl Iterator<Item = (&str, u64)> {
        self.counts.iter().map(|(pointer, count)| (pointer.as_str(), *count))
    }

    #[must_use]
    pub fn others(&self) -> u64 {
        self.others
    }

    fn count_times(&mut self, pointer: &str, times: u64) {
        if let Some(count) = self.counts.get_mut(pointer) {
            *count += times;
            return;
        }
        if pointer.len() > POINTER_BYTES_MAX {
            self.others += times;
            return;
        }
        self.counts.insert(pointer.to_owned(), times);
        if self.counts.len() > POINTERS_MAX
            && let Some((_, dropped)) = self.counts.pop_last()
        {
            self.others += dropped;
        }
    }
}

/// The pointer with `*` for each token of digits alone.
fn without_indices(pointer: &str) -> Cow<'_, str> {
    let is_index = |token: &str| !token.is_empty() && token.bytes().all(|it| it.is_ascii_digit());
    if !pointer.split('/').any(is_index) {
        return Cow::Borrowed(pointer);
    }
    let tokens = pointer.split('/').map(|token| if is_index(token) { "*" } else { token });
    tokens.collect::<Vec<_>>().join("/").into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_items_of_a_list_are_counted_together() {
        let mut counts = PointerCounts::default();
        for pointer in ["", "/a/0", "/a/17", "/a/1x", "/a/0/b/2", "/"] {
            counts.count(pointer);
        }
        let found: Vec<_> = counts.iter().collect();
        assert_eq!(found, [("", 1), ("/", 1), ("/a/*", 2), ("/a/*/b/*", 1), ("/a/1x", 1)]);
    }

    #[test]
    fn counts_are_bounded_and_the_same_in_parts_of_any_order() {
        let names: Vec<String> = (0..3000).map(|it| format!("/m{:04}", it * 7919 % 3000)).collect();
        let counted = |names: &[String]| {
            let mut counts = PointerCounts::default();
            for name in names {
                counts.count(name);
            }
            counts
        };
        let doubled = [&names[..], &names[..500]].concat();
        let all = counted(&doubled);
        let (first, second) = (counted(&doubled[..1700]), counted(&doubled[1700..]));
        for (mut one, other) in [(first.clone(), &second), (second.clone(), &first)] {
            one.add(other);
            assert_eq!(one, all);
        }
        assert_eq!(all.iter().count(), POINTERS_MAX);
        let sum: u64 = all.iter().map(|(_, count)| count).sum();
        assert_eq!(sum + all.others(), 3500);
        let mut long = PointerCounts::default();
        long.count(&format!("/{}", "x".repeat(POINTER_BYTES_MAX)));
        assert_eq!((long.iter().count(), long.others()), (0, 1));
    }
}
