//! What is wrong with a header under a schema, or under every schema known.

use super::similar::Similar;
use std::error::Error;
use std::fmt;

/// Why a header is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum MismatchReason {
    /// A column has no name.
    EmptyName,
    /// Two columns have the same name.
    DoubledName,
    /// Required columns are missing, under the schema given or under every schema known, or no column is known.
    MissingColumns,
    /// Under `strict`: columns that the schema does not know.
    UnknownColumns,
}

/// A header that fits no schema, or not the one asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HeaderMismatch {
    pub reason: MismatchReason,
    pub detail: String,
    /// The columns that are missing, doubled or unknown.
    pub columns: Vec<String>,
    /// Where schemas were searched: the index of the one that comes nearest.
    pub nearest: Option<usize>,
    /// Columns of the header that may be meant for missing ones.
    pub similar: Vec<Similar>,
}

impl fmt::Display for HeaderMismatch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.detail)
    }
}

impl Error for HeaderMismatch {}
