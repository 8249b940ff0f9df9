//! The engine, without Python: `payload-engine SCHEMAS PAYLOADS SECONDS`. A report has every error of its payload.

#[path = "../../harness.rs"]
mod harness;

use std::env;
use std::hint::black_box;

use fastcsv::payload::{PayloadLimits, PayloadSchema};
use fastcsv::schema::SchemaLimits;

use harness::{Arguments, Outcome, Payloads};

fn main() -> Outcome<()> {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let arguments = Arguments::read(&arguments)?;
    let payloads = Payloads::read(&arguments.payloads)?;
    let mut schemas = Vec::new();
    for name in &payloads.schemas {
        let document = arguments.document(name)?;
        let schema = PayloadSchema::compile(name, "1.0", &document, &SchemaLimits::default());
        schemas.push(schema.map_err(|error| error.to_string())?);
    }
    let limits = PayloadLimits::default();
    payloads.measure(arguments.seconds, |schema, text| {
        black_box(schemas[schema].judge(text, false, &limits)).violations.len()
    });
    Ok(())
}
