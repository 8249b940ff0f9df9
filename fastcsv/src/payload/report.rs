//! What is wrong with a payload: every violation, and the members that the schema does not name.

use std::borrow::Cow;

/// One thing that is wrong with a payload.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PayloadViolation<'a> {
    /// The JSON Pointer (RFC 6901) of the value; of a missing member the pointer that it would have.
    pub pointer: String,
    /// The keyword of JSON Schema that failed, or the rule of this module: `json`, `depth`, `encoding`, `payloadBytes`,
    /// `duplicateMember`, `nul`, `surrogate`, `number`, and in a file of payloads `otherSchema`.
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

/// What the text of a payload is, apart from any schema.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum PayloadText {
    /// No JSON, or not read to its end.
    #[default]
    Refused,
    /// JSON that parsers read differently: a member is doubled, or half of a surrogate pair stands in a string.
    Ambiguous,
    /// JSON that every parser reads alike.
    Sound,
}

/// The verdict on one payload.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PayloadReport<'a> {
    pub violations: Vec<PayloadViolation<'a>>,
    /// All of them, also those over the bound on violations.
    pub total_violations: u64,
    /// JSON Pointers of members that the schema does not name. They are kept, and judged by strict JSON alone.
    pub unknown_members: Vec<String>,
    pub text: PayloadText,
    /// How many violations over the bound there are of each keyword.
    pub(crate) beyond: Vec<(&'static str, u64)>,
}

impl PayloadReport<'_> {
    /// The verdict on a payload of which nothing can be judged.
    pub(crate) fn refused(keyword: &'static str, message: String) -> Self {
        let message = Cow::Owned(message);
        let violation = PayloadViolation { pointer: String::new(), keyword, message, value: None };
        Self { violations: vec![violation], total_violations: 1, ..Self::default() }
    }

    /// The verdict on a payload that fits another schema than that of its batch: nothing else is said of it.
    pub(crate) fn of_another_schema(found: &Self, other: &str) -> Self {
        let message = format!("has the schema {other}, and not that of its batch");
        Self { text: found.text, ..Self::refused("otherSchema", message) }
    }

    /// Whether another violation is to be kept. It is counted, whether or not it is.
    pub(super) fn keeps_another(&mut self, keyword: &'static str, kept: usize) -> bool {
        self.total_violations += 1;
        if self.violations.len() < kept {
            return true;
        }
        match self.beyond.iter_mut().find(|(known, _)| *known == keyword) {
            Some((_, count)) => *count += 1,
            None => self.beyond.push((keyword, 1)),
        }
        false
    }

    #[must_use]
    pub fn is_valid(&self) -> bool {
        self.total_violations == 0
    }
}
