//! Where bytes come from, and what stands between them and CSV text in UTF-8: compression, then encoding.
//!
//! The latter two are found by their first bytes, and pass plain text on without a copy.

mod compression;
mod encoding;
mod format;
mod room;
mod source;
mod unpacking;

pub use compression::{Compression, Decompressor, MAGIC_BYTES};
pub use encoding::{Decoder, Encoding};
pub use format::{Format, START_BYTES};
pub use room::{Room, Taken};
pub use source::{BLOCK_BYTES, Source};
pub use unpacking::{Packed, Unpacking};
