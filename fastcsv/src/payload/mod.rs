//! Payloads: one JSON value each, judged by a JSON Schema 2020-12 document where its bytes stand.
//!
//! `PayloadSchema::compile` turns the document into tables (`tables`), where it uses no other keyword than they have.
//! `PayloadSchema::judge` walks the bytes once, by strict JSON and by the tables, and builds no tree, but for a list whose
//! items must differ. A document with any other keyword is judged by the `jsonschema` crate, after the same strict walk. The rules of texts and numbers are
//! those of cells (`schema::check`), so that a rule means the same in a cell and in a payload.

mod author;
mod compile;
mod compile_object;
mod detect;
mod fault;
mod general;
mod judge;
mod mapping;
mod members;
mod node;
mod normalise;
mod numeric;
mod object;
mod path;
mod pointers;
mod reader;
mod report;
mod schema;
mod structure;
mod tables;
mod text;
mod text_check;
mod tree;
mod walk;

pub use detect::PayloadDetector;
pub use judge::PayloadLimits;
#[cfg(feature = "python")]
pub(crate) use judge::with_payload_limits;
pub use normalise::CloudEvent;
pub use pointers::PointerCounts;
pub use report::{PayloadReport, PayloadText, PayloadViolation};
pub use schema::PayloadSchema;
pub(crate) use tree::read as read_tree;
