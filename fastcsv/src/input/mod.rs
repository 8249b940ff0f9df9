//! Reads an input: its bytes come from a source, are decompressed, and then decoded to UTF-8.
//!
//! Compression and encoding are found by the first bytes. Plain text passes through both without a copy.

mod block;
mod compression;
mod encoding;
pub mod format;
mod source;
mod unpacking;

pub use block::{BlockBuffer, TakenBlock};
pub use compression::{Compression, Decompressor, MAGIC_BYTES};
pub use encoding::{Decoder, Encoding};
pub use format::{FileFormat, START_BYTES};
pub use source::{BLOCK_BYTES, Source};
pub use unpacking::{Packed, Unpacking};
