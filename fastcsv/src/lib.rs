//! fastcsv: validates CSV against JSON Schema 2020-12 and writes what fails into quarantine files.
//!
//! Bytes go in, a report comes out. The core knows no Python and builds, tests and fuzzes without it;
//! `python` is the only file that names `PyO3`. `unsafe` is refused everywhere but in the SIMD file.

pub mod rules;
pub mod schema;

#[cfg(feature = "python")]
mod python;
