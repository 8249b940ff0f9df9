//! Why the reading of a payload stops: it is no JSON, or too deep.

use std::fmt;

/// A fault of the JSON text (RFC 8259). The reader's position is the byte where it was found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum JsonFault {
    /// Nothing but blanks.
    Empty,
    /// The text ends inside a value.
    EndsEarly,
    /// A byte that the grammar does not allow there.
    UnexpectedByte,
    /// A control character stands in a string.
    ControlCharacter,
    /// A backslash is followed by no escape.
    EscapeInvalid,
    /// A member's name, or the colon behind it, is missing.
    MemberInvalid,
    /// Bytes follow the value.
    TrailingBytes,
    /// Objects and lists are nested too deep.
    TooDeep,
}

impl JsonFault {
    /// The keyword of the violation that reports it.
    #[must_use]
    pub const fn keyword(self) -> &'static str {
        match self {
            Self::TooDeep => "depth",
            _ => "json",
        }
    }
}

impl fmt::Display for JsonFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Empty => "is empty: there is no JSON value",
            Self::EndsEarly => "is not JSON: it ends inside a value",
            Self::UnexpectedByte => "is not JSON: a byte stands where no value can have it",
            Self::ControlCharacter => "is not JSON: a control character stands in a string",
            Self::EscapeInvalid => "is not JSON: a backslash is followed by no escape",
            Self::MemberInvalid => {
                "is not JSON: a member has no name in quotes with a colon behind it"
            }
            Self::TrailingBytes => "is not JSON: bytes follow the value",
            Self::TooDeep => "is nested too deep",
        })
    }
}
