//! Row schemas: a JSON Schema 2020-12 document compiled to one list of checks per column.
//!
//! `RowSchema::compile` reads the document, `bind` lays it over a header, `BoundSchema::check_row`
//! judges the cells of one row. What a column says in the keywords of `compile` runs as checks on the
//! cell's text; whatever else the document says goes through the `jsonschema` crate (`residue`), with
//! the same rules registered there. Both paths give the same verdict on every input, and the table
//! by which a cell becomes a JSON value (`scalar`) is the same for both.

pub(crate) mod annotation;
pub(crate) mod author;
mod bound;
pub(crate) mod canonical;
pub(crate) mod check;
pub(crate) mod compile;
pub(crate) mod document;
mod doubled;
mod error;
pub(crate) mod exact;
pub(crate) mod general;
mod header;
pub(crate) mod keyword;
mod limits;
pub(crate) mod links;
pub(crate) mod literal;
pub(crate) mod message;
mod mismatch;
mod name;
pub(crate) mod pattern;
mod prefilter;
mod reach;
mod reading;
mod reference;
pub(crate) mod residue;
mod row;
pub(crate) mod scalar;
mod similar;
pub(crate) mod subschema;
mod value;
mod violation;

pub use bound::{BoundSchema, CellMessage};
pub use error::{SchemaError, SchemaReason};
pub use header::detect;
pub use limits::SchemaLimits;
pub use mismatch::{HeaderMismatch, MismatchReason};
pub use name::clean;
pub use prefilter::{BATCH_RECORDS, ColumnBits, Prefilter, RecordBatch, RecordPlace};
pub use row::{Column, RowSchema};
pub use similar::{Difference, Similar};
pub use value::ValueSchema;
pub use violation::Violation;
