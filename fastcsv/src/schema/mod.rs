//! Row schemas: a JSON Schema 2020-12 document compiled to one list of checks per column.
//!
//! `RowSchema::compile` reads the document, `bind` lays it over a header, `BoundSchema::check_row`
//! judges the cells of one row. What a column says in the keywords of `compile` runs as checks on the
//! cell's text; whatever else the document says goes through the `jsonschema` crate (`residue`), with
//! the same rules registered there. Both paths give the same verdict on every input, and the table
//! by which a cell becomes a JSON value (`scalar`) is the same for both.

mod annotation;
mod author;
mod bound;
mod check;
mod compile;
mod document;
mod doubled;
mod error;
mod exact;
mod general;
mod header;
mod keyword;
mod limits;
mod links;
mod literal;
mod message;
mod pattern;
mod reach;
mod reading;
mod reference;
mod residue;
mod row;
mod scalar;
mod sieve;
mod similar;
mod value;

pub use bound::{BoundSchema, Sentence, Violation};
pub use error::{HeaderMismatch, HeaderReason, SchemaError, SchemaReason};
pub use header::{clean, detect};
pub use limits::SchemaLimits;
pub use row::{Column, RowSchema};
pub use sieve::{BATCH, Batch, Doubts, Place, Sieve};
pub use similar::{Difference, Similar};
pub use value::ValueSchema;
