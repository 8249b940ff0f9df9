//! The options of a validation, and every bound on it with its default. No work is without a bound.

use crate::payload::PayloadLimits;

/// Hands every option to `$define`, with its type and its default. This is the one list: the struct here and the one of
/// the Python boundary are both made from it.
macro_rules! with_options {
    ($define:ident) => {
        $define! {
            /// Refuse a header with columns that the schema does not know.
            strict: bool = false,
            /// Take the valid rows read again from a broken record as good.
            accept_recovered: bool = false,
            /// Write `valid.csv`: the header and the valid rows, byte for byte.
            valid_out: bool = false,
            /// Threads that validate; the output is the same for any number.
            threads: usize = 1,
            /// Bytes of a record without its line end. A longer one is cut back to its first line.
            max_record_bytes: usize = 1_048_576,
            /// Lines of a record. Every row that the built-in schemas allow has fewer than the default.
            max_record_lines: usize = 10_000,
            /// Cells of a record, and columns of the header. As many as a schema may name.
            max_fields: usize = 4_096,
            /// Bytes of one cell, unescaped.
            max_field_bytes: usize = 262_144,
            /// Bytes of the header.
            max_header_bytes: usize = 65_536,
            /// Nesting of a cell that holds JSON.
            max_json_depth: u32 = 128,
            /// Errors of a record that are written out; all are counted.
            max_errors_per_record: usize = 100,
            /// Bytes of a gzip or zstd input once decompressed: 256 GiB.
            max_decompressed_bytes: u64 = 274_877_906_944,
            /// Bytes of all files that a batch writes: 512 GiB. A row of one letter makes a record of hundreds of bytes.
            max_output_bytes: u64 = 549_755_813_888,
            /// How many times its size, as it comes in, an input may become, decompressed or written; it counts beyond
            /// the next bound only.
            max_expansion: u64 = 1_000,
            /// Any input may become so many bytes, however small it is.
            expansion_free_bytes: u64 = 67_108_864,
        }
    };
}
#[cfg(feature = "python")]
pub(crate) use with_options;

macro_rules! define_options {
    ($($(#[$doc:meta])* $field:ident: $type:ty = $default:tt,)*) => {
        /// How one input is validated, and every bound on it.
        #[derive(Debug, Clone, PartialEq, Eq)]
        #[allow(clippy::struct_excessive_bools, reason = "each is a choice of its own")]
        pub struct Options {
            /// The delimiter, or `None` to find it in the header: one of `,` `;` tab `|`.
            pub delimiter: Option<u8>,
            $($(#[$doc])* pub $field: $type,)*
        }

        impl Default for Options {
            fn default() -> Self {
                Self { delimiter: None, $($field: $default,)* }
            }
        }
    };
}

with_options!(define_options);

/// Hands every option of a batch of payloads to `$define`, as `with_options` does for a CSV.
macro_rules! with_payload_options {
    ($define:ident) => {
        $define! {
            /// Refuse members that the schema does not name, where it is compiled to tables.
            strict: bool = false,
            /// Write `valid.jsonl`: the valid lines, byte for byte.
            valid_out: bool = false,
            /// Threads that validate; the output is the same for any number.
            threads: usize = 1,
            /// Bytes of a line without its line end.
            max_payload_bytes: usize = 1_048_576,
            /// Levels of objects and lists; 120 at the most.
            max_depth: u32 = 64,
            /// Errors of a payload that are written out; all are counted.
            max_errors_per_record: usize = 100,
            /// Bytes of a gzip or zstd input once decompressed: 256 GiB.
            max_decompressed_bytes: u64 = 274_877_906_944,
            /// Bytes of all files that a batch writes: 512 GiB.
            max_output_bytes: u64 = 549_755_813_888,
            /// How many times its size, as it comes in, an input may become, decompressed or written; it counts beyond
            /// the next bound only.
            max_expansion: u64 = 1_000,
            /// Any input may become so many bytes, however small it is.
            expansion_free_bytes: u64 = 67_108_864,
        }
    };
}
#[cfg(feature = "python")]
pub(crate) use with_payload_options;

macro_rules! define_payload_options {
    ($($(#[$doc:meta])* $field:ident: $type:ty = $default:tt,)*) => {
        /// How a batch of payloads is validated, and every bound on it.
        #[derive(Debug, Clone, PartialEq, Eq)]
        pub struct PayloadOptions {
            $($(#[$doc])* pub $field: $type,)*
        }

        impl Default for PayloadOptions {
            fn default() -> Self {
                Self { $($field: $default,)* }
            }
        }
    };
}

with_payload_options!(define_payload_options);

/// How many bytes an input may become, by its size.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Expansion {
    pub times: u64,
    pub free_bytes: u64,
}

impl Expansion {
    /// The most bytes that an input of this size may become.
    #[must_use]
    pub fn bytes_of(self, size_bytes: u64) -> u64 {
        size_bytes.saturating_mul(self.times).max(self.free_bytes)
    }
}

impl Options {
    /// The bound on what an input may become.
    #[must_use]
    pub fn expansion(&self) -> Expansion {
        Expansion { times: self.max_expansion, free_bytes: self.expansion_free_bytes }
    }

    /// Refuses options that no input could be read with.
    pub fn check(&self) -> Result<(), &'static str> {
        let Self { delimiter, threads, max_record_bytes, max_record_lines, max_fields, .. } = self;
        if delimiter.is_some_and(|byte| !byte.is_ascii() || b"\"\r\n\0".contains(&byte)) {
            return Err("delimiter must be an ASCII character, and no quote, line end or NUL");
        }
        if !(1..=THREADS_MAX).contains(threads) {
            return Err("threads must be from 1 to 256");
        }
        if *max_record_bytes > RECORD_BYTES_MAX {
            return Err("max_record_bytes must be at most 1 GiB");
        }
        if self.max_json_depth > JSON_DEPTH_MAX {
            return Err("max_json_depth must be at most 128");
        }
        if [*max_record_bytes, *max_record_lines, *max_fields].contains(&0) {
            return Err("bounds of a record must be at least 1");
        }
        Ok(())
    }
}

impl PayloadOptions {
    /// The bound on what an input may become.
    #[must_use]
    pub fn expansion(&self) -> Expansion {
        Expansion { times: self.max_expansion, free_bytes: self.expansion_free_bytes }
    }

    /// Refuses options that no input could be read with.
    pub fn check(&self) -> Result<(), &'static str> {
        if !(1..=THREADS_MAX).contains(&self.threads) {
            return Err("threads must be from 1 to 256");
        }
        if self.max_payload_bytes == 0 {
            return Err("max_payload_bytes must be at least 1");
        }
        self.limits().check()
    }

    /// The bounds on one payload.
    #[must_use]
    pub fn limits(&self) -> PayloadLimits {
        PayloadLimits {
            max_payload_bytes: self.max_payload_bytes,
            max_depth: self.max_depth,
            max_violations: self.max_errors_per_record,
        }
    }
}

const THREADS_MAX: usize = 256;
const RECORD_BYTES_MAX: usize = 1 << 30;
const JSON_DEPTH_MAX: u32 = 128;

/// Of a line over `max_record_bytes` this much is kept in quarantine, with its length and offset.
pub const KEPT_BYTES: usize = 64 << 10;
