//! fastcsv: validates CSV and JSON against JSON Schema 2020-12 and writes what fails into quarantine files.
//!
//! Bytes go in, a report comes out. The core knows no Python and builds, tests and fuzzes without it;
//! `python` alone names `PyO3`. `unsafe` is refused everywhere but in the SIMD files.

pub mod cells;
pub mod check;
pub mod checksum;
pub mod clock;
pub mod error;
pub mod frame;
pub mod header;
pub mod input;
pub mod line_hash;
pub mod lines;
mod locking;
pub mod options;
pub mod output;
pub mod parallel;
pub mod payload;
pub mod rules;
pub mod schema;
pub mod tally;
pub mod tokenise;
pub mod validator;

#[cfg(feature = "python")]
mod python;
