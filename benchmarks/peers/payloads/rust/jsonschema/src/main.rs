//! What a good Rust engineer has in a day: a JSON library reads, the `jsonschema` crate judges.
//!
//! `payload-jsonschema serde|sonic SCHEMAS PAYLOADS SECONDS`. Formats are checked, by the crate's own rules. `is_valid`
//! judges first; only an invalid payload is judged again, for its errors.

#[path = "../../harness.rs"]
mod harness;
mod sonic;

use std::env;
use std::hint::black_box;

use jsonschema::json::Json;
use jsonschema::{Draft, Validator};
use serde_json::Value;

use harness::{Arguments, Outcome, Payloads};
use sonic::Sonic;

fn main() -> Outcome<()> {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let (mode, rest) = arguments.split_first().ok_or("expected: serde|sonic …")?;
    let arguments = Arguments::read(rest)?;
    let payloads = Payloads::read(&arguments.payloads)?;
    let seconds = arguments.seconds;
    match mode.as_str() {
        "serde" => {
            let validators = validators::<jsonschema::json::SerdeJson>(&arguments, &payloads)?;
            payloads.measure(seconds, |schema, text| {
                let Ok(value) = serde_json::from_slice::<Value>(text) else { return 1 };
                errors(&validators[schema], &value)
            });
        }
        "sonic" => {
            let validators = validators::<Sonic>(&arguments, &payloads)?;
            payloads.measure(seconds, |schema, text| {
                let Ok(value) = sonic_rs::from_slice::<sonic_rs::Value>(text) else { return 1 };
                errors(&validators[schema], &value)
            });
        }
        other => return Err(format!("{other} is neither serde nor sonic").into()),
    }
    Ok(())
}

fn validators<J: Json>(arguments: &Arguments, payloads: &Payloads) -> Outcome<Vec<Validator<J>>> {
    let mut validators = Vec::new();
    for name in &payloads.schemas {
        let document: Value = serde_json::from_slice(&arguments.document(name)?)?;
        let options = jsonschema::options_for::<J>()
            .with_draft(Draft::Draft202012)
            .should_validate_formats(true);
        validators.push(options.build(&document).map_err(|error| error.to_string())?);
    }
    Ok(validators)
}

/// Makes the list of errors, each with its place, its keyword and its message; returns how many there are.
fn errors<'v, J: Json>(validator: &'v Validator<J>, value: J::Node<'v>) -> usize {
    if validator.is_valid(value.clone()) {
        return 0;
    }
    let found: Vec<(String, String, String)> = validator
        .iter_errors(value)
        .map(|error| {
            let keyword = error.kind().keyword().to_owned();
            (error.instance_path().to_string(), keyword, error.masked().to_string())
        })
        .collect();
    black_box(&found).len()
}
