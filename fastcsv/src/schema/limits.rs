//! The bounds on a schema document, each with its default.

use crate::rules::json;

/// Bounds on a schema document and on what it may ask for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SchemaLimits {
    /// Bytes of the document.
    pub document_bytes: usize,
    /// Columns that a row schema may name.
    pub columns: usize,
    /// Bytes of one regular expression as it is written.
    pub pattern_bytes: usize,
    /// Bytes of one regular expression as it is compiled.
    pub pattern_compiled_bytes: usize,
    /// Levels that JSON inside a cell may be nested; 128 at the most.
    pub json_depth: u32,
}

impl Default for SchemaLimits {
    fn default() -> Self {
        Self {
            document_bytes: 1 << 20,
            columns: 4096,
            pattern_bytes: 4096,
            pattern_compiled_bytes: 1 << 20,
            json_depth: json::DEPTH_MAX,
        }
    }
}
