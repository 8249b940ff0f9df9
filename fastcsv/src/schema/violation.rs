//! One violation of a row, as the compiled checks and the general validator both report it.

use std::borrow::Cow;

/// One thing that is wrong with a row. The value is the cell's, and is not repeated here.
#[derive(Clone, Debug)]
pub struct Violation<'s> {
    /// The place in the header; nothing where the violation belongs to no column of it.
    pub column: Option<u32>,
    /// The column's name, or `_row`.
    pub field: Cow<'s, str>,
    /// The keyword of JSON Schema that failed.
    pub keyword: &'static str,
    pub message: Cow<'s, str>,
    /// The index of its message in `BoundSchema::cell_messages`; nothing where the message is none of them.
    pub cell_message: Option<u32>,
}

/// Two violations are equal when they say the same, whichever path found them.
impl PartialEq for Violation<'_> {
    fn eq(&self, other: &Self) -> bool {
        (self.column, &self.field, self.keyword, &self.message)
            == (other.column, &other.field, other.keyword, &other.message)
    }
}
