//! What is wrong with a schema document. A bad row is data, and never an error.

use std::error::Error;
use std::fmt;

/// Why a schema document is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum SchemaReason {
    /// Over one of the `SchemaLimits`.
    SchemaTooLarge,
    /// The bytes are no JSON document.
    SchemaNotJson,
    /// A member stands twice in one object.
    MemberDoubled,
    /// A keyword is misspelt, or is one of an older draft.
    KeywordUnknown,
    /// The document is no JSON Schema 2020-12, or no schema of a row.
    SchemaInvalid,
    /// `$schema` names another dialect.
    DialectUnsupported,
    /// A reference leads out of the document.
    ReferenceRefused,
    /// A pattern is no regular expression of ECMA-262.
    PatternInvalid,
    /// A pattern needs look-around or back-references.
    PatternUnsupported,
    /// A pattern is too long, or compiles to too much.
    PatternTooLarge,
    /// A number has more digits, or a larger exponent, than a bound may have.
    NumberTooLarge,
    /// An `x-steward-*` annotation is unknown or has the wrong type.
    AnnotationInvalid,
}

impl SchemaReason {
    /// The stable name of the reason.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::SchemaTooLarge => "SCHEMA_TOO_LARGE",
            Self::SchemaNotJson => "SCHEMA_NOT_JSON",
            Self::MemberDoubled => "SCHEMA_MEMBER_DOUBLED",
            Self::KeywordUnknown => "SCHEMA_KEYWORD_UNKNOWN",
            Self::SchemaInvalid => "SCHEMA_INVALID",
            Self::DialectUnsupported => "SCHEMA_DIALECT_UNSUPPORTED",
            Self::ReferenceRefused => "SCHEMA_REFERENCE_REFUSED",
            Self::PatternInvalid => "SCHEMA_PATTERN_INVALID",
            Self::PatternUnsupported => "SCHEMA_PATTERN_UNSUPPORTED",
            Self::PatternTooLarge => "SCHEMA_PATTERN_TOO_LARGE",
            Self::NumberTooLarge => "SCHEMA_NUMBER_TOO_LARGE",
            Self::AnnotationInvalid => "SCHEMA_ANNOTATION_INVALID",
        }
    }

    /// What to do about it.
    #[must_use]
    pub const fn hint(self) -> &'static str {
        match self {
            Self::SchemaTooLarge => "split the schema, or raise the limit that the message names",
            Self::SchemaNotJson => "check the file with any JSON tool",
            Self::MemberDoubled => "keep one of the two members; JSON leaves open which one counts",
            Self::KeywordUnknown => {
                "correct the name; a keyword of your own begins with x-, such as x-note"
            }
            Self::SchemaInvalid => "see docs/schemas.md for what a row schema looks like",
            Self::DialectUnsupported => {
                "set $schema to https://json-schema.org/draft/2020-12/schema, and the keywords with it"
            }
            Self::ReferenceRefused => {
                "copy what is referred to under $defs; nothing is ever fetched"
            }
            Self::PatternInvalid => {
                "write the pattern as ECMA-262 has it, without slashes around it"
            }
            Self::PatternUnsupported => {
                "say it without look-around and back-references, or as several patterns under allOf"
            }
            Self::PatternTooLarge => "shorten the pattern, or its counted repetitions",
            Self::NumberTooLarge => "shorten the number",
            Self::AnnotationInvalid => "see docs/schemas.md for the x-steward-* annotations",
        }
    }
}

/// A schema document that is refused, and where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SchemaError {
    pub reason: SchemaReason,
    /// The JSON pointer of the offending value; empty for the document as a whole.
    pub pointer: String,
    pub detail: String,
}

impl SchemaError {
    pub(crate) fn new(reason: SchemaReason, pointer: &str, detail: impl Into<String>) -> Self {
        Self { reason, pointer: pointer.to_owned(), detail: detail.into() }
    }
}

impl fmt::Display for SchemaError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.pointer.as_str() {
            "" => f.write_str(&self.detail),
            pointer => write!(f, "{} (at {pointer})", self.detail),
        }
    }
}

impl Error for SchemaError {}
