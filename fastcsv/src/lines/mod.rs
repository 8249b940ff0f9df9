//! JSON Lines: one payload a line, framed, judged and written into the quarantine files.
//!
//! A line ends with LF or CR LF; the last one need not. A line of blanks alone is passed over. A line is judged by
//! itself, so whatever stands in one harms no other; the part of a line over the bound is never held.

mod check;
mod frame;
mod framed;

pub use check::{LineChecker, LineRules};
pub use frame::{LineFramer, LineSink, Lines};
pub use framed::{FramedLines, LineWork};
