//! What a caller may choose, and every bound with its default: no work here is without one.

/// How one input is validated.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Options {
    /// The delimiter, or `None` to find it in the header: one of `,` `;` tab `|`.
    pub delimiter: Option<u8>,
    /// Refuse a header with columns that the schema does not know.
    pub strict: bool,
    /// Take the valid rows read again from a broken record as good.
    pub accept_recovered: bool,
    /// Write `valid.csv`: the header and the valid rows, byte for byte.
    pub valid_out: bool,
    /// Threads that validate; the output is the same for any number.
    pub threads: usize,
    /// Bytes of a record without its line end. A longer one is cut back to its first line.
    pub max_record_bytes: usize,
    /// Lines of a record. Every row that the built-in schemas allow has fewer than the default.
    pub max_record_lines: usize,
    /// Cells of a record, and columns of the header.
    pub max_fields: usize,
    /// Bytes of one cell, unescaped.
    pub max_field_bytes: usize,
    /// Bytes of the header.
    pub max_header_bytes: usize,
    /// Nesting of a cell that holds JSON.
    pub max_json_depth: u32,
    /// Errors of a record that are written out; all are counted.
    pub max_errors_per_record: usize,
    /// Bytes of a gzip or zstd input once decompressed.
    pub max_decompressed_bytes: u64,
    /// Of all that a batch writes. A row of one letter makes a record of hundreds of bytes.
    pub max_output_bytes: u64,
    /// How many times its size, as it comes in, an input may become, decompressed or written; beyond the next bound only.
    pub max_expansion: u64,
    /// So much may come of any input, however small it is.
    pub expansion_free_bytes: u64,
}

/// How much may come of an input, by how much of it came in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Expansion {
    pub times: u64,
    pub free_bytes: u64,
}

impl Expansion {
    /// The most bytes that may come of so many.
    #[must_use]
    pub fn bytes_of(self, size_bytes: u64) -> u64 {
        size_bytes.saturating_mul(self.times).max(self.free_bytes)
    }
}

impl Default for Options {
    fn default() -> Self {
        Self {
            delimiter: None,
            strict: false,
            accept_recovered: false,
            valid_out: false,
            threads: 1,
            max_record_bytes: 1 << 20,
            max_record_lines: 10_000,
            max_fields: 1_024,
            max_field_bytes: 256 << 10,
            max_header_bytes: 64 << 10,
            max_json_depth: 128,
            max_errors_per_record: 100,
            max_decompressed_bytes: 16 << 30,
            max_output_bytes: 64 << 30,
            max_expansion: 1000,
            expansion_free_bytes: 64 << 20,
        }
    }
}

impl Options {
    /// The most that may come of so much input.
    #[must_use]
    pub fn expansion(&self) -> Expansion {
        Expansion { times: self.max_expansion, free_bytes: self.expansion_free_bytes }
    }

    /// Says what is wrong with a choice that no input could be read with.
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

const THREADS_MAX: usize = 256;
const RECORD_BYTES_MAX: usize = 1 << 30;
const JSON_DEPTH_MAX: u32 = 128;

/// Of a line over `max_record_bytes` this much is kept in quarantine, with its length and offset.
pub const KEPT_BYTES: usize = 64 << 10;
