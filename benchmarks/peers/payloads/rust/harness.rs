//! Reads payloads, judges them again and again, and prints what that cost: what the Rust programs share.
//!
//! The first pass gives the verdicts and is not measured. The cost is the CPU time of the process, of all its threads.

use std::error::Error;
use std::fs;
use std::hint::black_box;
use std::ops::Range;
use std::path::{Path, PathBuf};

use rustix::time::{ClockId, clock_gettime};

pub type Outcome<T> = Result<T, Box<dyn Error>>;

/// What the command line names: the folder of the schemas, the file of payloads, and how long to judge them.
pub struct Arguments {
    pub schemas: PathBuf,
    pub payloads: PathBuf,
    pub seconds: f64,
}

impl Arguments {
    pub fn read(arguments: &[String]) -> Outcome<Self> {
        let [schemas, payloads, seconds] = arguments else {
            return Err("expected: SCHEMAS PAYLOADS SECONDS".into());
        };
        Ok(Self { schemas: schemas.into(), payloads: payloads.into(), seconds: seconds.parse()? })
    }

    /// The document of a schema.
    pub fn document(&self, name: &str) -> Outcome<Vec<u8>> {
        Ok(fs::read(self.schemas.join(name).join("1.0.json"))?)
    }
}

/// The payloads of a file: each is a line with its schema and its length, and then its bytes.
pub struct Payloads {
    pub schemas: Vec<String>,
    text: Vec<u8>,
    places: Vec<(usize, Range<usize>)>,
}

impl Payloads {
    pub fn read(path: &Path) -> Outcome<Self> {
        let text = fs::read(path)?;
        let (mut schemas, mut places) = (Vec::<String>::new(), Vec::new());
        let mut at = 0;
        while let Some(length) = text[at..].iter().position(|byte| *byte == b'\n') {
            let line = std::str::from_utf8(&text[at..at + length])?;
            let (name, bytes) = line.split_once(' ').ok_or("a line without a length")?;
            let known = schemas.iter().position(|schema| schema == name);
            let schema = known.unwrap_or_else(|| {
                schemas.push(name.to_owned());
                schemas.len() - 1
            });
            let start = at + length + 1;
            let end = start + bytes.parse::<usize>()?;
            places.push((schema, start..end));
            at = end + 1;
        }
        Ok(Self { schemas, text, places })
    }

    fn iter(&self) -> impl Iterator<Item = (usize, &[u8])> {
        self.places.iter().map(|(schema, place)| (*schema, &self.text[place.clone()]))
    }

    /// Judges all of them, pass after pass. `judge` gets the schema and the payload, and returns the number of errors.
    pub fn measure(&self, seconds: f64, mut judge: impl FnMut(usize, &[u8]) -> usize) {
        let errors: Vec<usize> = self.iter().map(|(schema, text)| judge(schema, text)).collect();
        let verdicts: String = errors.iter().map(|it| if *it == 0 { '1' } else { '0' }).collect();
        let (begin_s, mut cpu_s, mut passes) = (cpu_s(), 0.0, 0);
        while cpu_s < seconds {
            for (schema, text) in self.iter() {
                black_box(judge(schema, black_box(text)));
            }
            passes += 1;
            cpu_s = self::cpu_s() - begin_s;
        }
        let errors: usize = errors.iter().sum();
        println!(
            "{{\"verdicts\": \"{verdicts}\", \"errors\": {errors}, \"passes\": {passes}, \"cpu_s\": {cpu_s}}}"
        );
    }
}

#[allow(clippy::cast_precision_loss, reason = "seconds of a short run")]
fn cpu_s() -> f64 {
    let time = clock_gettime(ClockId::ProcessCPUTime);
    time.tv_sec as f64 + time.tv_nsec as f64 / 1e9
}
