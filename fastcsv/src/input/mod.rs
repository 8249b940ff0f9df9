//! What stands between the bytes that are fed and CSV text in UTF-8: compression, then encoding.
//!
//! Both are found by their first bytes, and both pass plain text on without a copy.

mod compression;
mod encoding;

pub use compression::{Compression, Decompressor};
pub use encoding::{Decoder, Encoding};
