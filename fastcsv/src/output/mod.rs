//! The files of one batch: what is written, and how it gets to the disk.
#![allow(clippy::inline_always, reason = "a row is written by one function; see escape_simd.rs")]

pub mod errors_csv;
#[cfg(target_arch = "x86_64")]
mod escape_simd;
pub mod file;
pub mod folder;
pub mod json;
pub mod payloads;
pub mod record_text;
pub mod records;
pub mod report;
pub mod text;
