//! What is wrong with a payload: every violation, and the members that the schema does not name.

use std::borrow::Cow;

/// One thing that is wrong with a payload.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PayloadViolation<'a> {
    /// The JSON Pointer (RFC 6901) of the value; of a missing member the pointer that it would have.
    pub pointer: String,
    /// The keyword of JSON Schema that failed, or the rule of this module: `json`, `depth`, `encoding`, `payloadBytes`,
    /// `duplicateMember`, `nul`, `surrogate`, `number`.
    pub keyword: &'static str,
    pub message: Cow<'a, str>,
    /// The value's JSON text, cut after 4,096 bytes; none where there is no value.
    pub value: Option<Cow<'a, str>>,
}

/// Bytes of a value's JSON text that a violation shows.
const SHOWN_BYTES: usize = 4096;

/// A value's JSON text for a violation: a long one is cut, and ends with `…` then.
pub(super) fn shown(value: &str) -> Cow<'_, str> {
    if value.len() <= SHOWN_BYTES {
        return Cow::Borrowed(value);
    }
    let end = (0..=SHOWN_BYTES).rev().find(|at| value.is_char_boundary(*at)).unwrap_or(0);
    Cow::Owned(format!("{}…", &value[..end]))
}

/// The verdict on one payload.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PayloadReport<'a> {
    pub violations: Vec<PayloadViolation<'a>>,
    /// All of them, also those over the bound on violations.
    pub total_violations: u64,
    /// JSON Pointers of members that the schema does not name. They are kept, and judged by strict JSON alone.
    pub unknown_members: Vec<String>,
}

impl PayloadReport<'_> {
    #[must_use]
    pub fn is_valid(&self) -> bool {
        self.total_violations == 0
    }
}
