//! Nanoseconds a cell for every rule, and a row for the domain's schema:
//! `cargo bench --bench rules [-- PART-OF-A-NAME]`.
//!
//! Each rule runs over a few hundred different cells in shuffled order, so that the branch predictor
//! learns the rule and not the cells. The fastest of many short passes is printed, which is the one that
//! the machine disturbed least, and the median beside it.

use std::env;
use std::hint::black_box;
use std::time::Instant;

use fastcsv::rules::{decimal::Decimal, format, integer, json};
use fastcsv::schema::{RowSchema, SchemaLimits};

const SCHEMA: &str = include_str!("../../schemas/csv/language_session/1.1.json");
const CELLS: usize = 1024;
const ROUNDS: usize = 4;
const PASSES: usize = 201;

/// A small generator of numbers (xorshift), so that every run sees the same cells.
struct Random(u64);

impl Random {
    fn below(&mut self, end: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 >> 33).expect("31 bits") % end
    }

    fn word(&mut self, least: usize, most: usize) -> String {
        let letters = least + self.below(most - least + 1);
        (0..letters)
            .map(|_| char::from(b'a' + u8::try_from(self.below(26)).expect("a letter")))
            .collect()
    }
}

fn email(random: &mut Random) -> String {
    let name = format!("{}.{}", random.word(3, 8), random.word(4, 11));
    format!("{name}@{}.{}", random.word(5, 12), random.word(2, 3))
}

fn timestamp(random: &mut Random) -> String {
    let (month, day, hour) = (1 + random.below(12), 1 + random.below(28), random.below(24));
    let zone = ["Z", "+02:00", ".250Z", "-05:30"][random.below(4)];
    format!("2025-{month:02}-{day:02}T{hour:02}:{:02}:00{zone}", random.below(60))
}

fn metadata(random: &mut Random) -> String {
    format!(
        r#"{{"room": {}, "platform": "{}", "tags": ["{}", "{}"], "recorded": {}}}"#,
        random.below(100),
        random.word(4, 8),
        random.word(3, 9),
        random.word(3, 9),
        random.below(2) == 0
    )
}

fn row(random: &mut Random) -> Vec<String> {
    let levels = ["A1", "A2", "B1", "B2", "C1", "C2"];
    let feedback: Vec<String> = (0..12).map(|_| random.word(2, 9)).collect();
    vec![
        format!("sess-{:08}", random.below(100_000_000)),
        email(random),
        email(random),
        timestamp(random),
        timestamp(random),
        (1 + random.below(480)).to_string(),
        format!("0.{:02}", random.below(100)),
        feedback.join(" "),
        levels[random.below(levels.len())].to_owned(),
        format!("{}, {}", random.word(4, 9), random.word(4, 9)),
        metadata(random),
    ]
}

/// Prints the nanoseconds an item of the fastest of several passes over all of them.
fn measure<T>(name: &str, items: &[T], mut check: impl FnMut(&T) -> bool) {
    let wanted = env::args().skip(1).find(|argument| !argument.starts_with('-'));
    if wanted.is_some_and(|wanted| !name.contains(&wanted)) {
        return;
    }
    let mut passes: Vec<f64> = (0..PASSES)
        .map(|_| {
            let start = Instant::now();
            let mut passed = 0usize;
            for _ in 0..ROUNDS {
                passed += items.iter().filter(|item| check(black_box(item))).count();
            }
            assert_eq!(black_box(passed), ROUNDS * items.len(), "{name}: every cell is valid");
            #[allow(clippy::cast_precision_loss)]
            let checked = (ROUNDS * items.len()) as f64;
            start.elapsed().as_secs_f64() * 1e9 / checked
        })
        .collect();
    passes.sort_by(f64::total_cmp);
    println!("{name:<24} {:>8.1} ns  median {:.1}", passes[0], passes[PASSES / 2]);
}

fn main() {
    let random = &mut Random(0x9E37_79B9_7F4A_7C15);
    let cells = |random: &mut Random, make: &dyn Fn(&mut Random) -> String| -> Vec<String> {
        (0..CELLS).map(|_| make(random)).collect()
    };
    let by_format = |name: &str, cells: &[String]| {
        let check = format(name).expect("one of ours").check;
        measure(name, cells, |cell| check(cell));
    };
    by_format("email", &cells(random, &email));
    by_format("date-time", &cells(random, &timestamp));
    by_format("date", &cells(random, &|random| timestamp(random)[..10].to_owned()));
    by_format("time", &cells(random, &|random| timestamp(random)[11..].to_owned()));
    let uuid =
        |random: &mut Random| format!("{:08x}-aa98-11ea-b4aa-73b441d16380", random.below(1 << 31));
    by_format("uuid", &cells(random, &uuid));
    let uri = |random: &mut Random| {
        format!("https://{}.org/{}?q={}", random.word(4, 9), random.word(3, 20), random.word(1, 9))
    };
    by_format("uri", &cells(random, &uri));
    let integers = cells(random, &|random| random.below(481).to_string());
    measure("integer", &integers, |cell| integer::parse(cell).is_some());
    let decimals = cells(random, &|random| format!("0.{:02}", random.below(100)));
    measure("decimal", &decimals, |cell| Decimal::parse(cell).is_some());
    measure("json (80 bytes)", &cells(random, &metadata), |cell| json::is_json(cell, 128));

    let limits = SchemaLimits::default();
    let rows: Vec<Vec<String>> = (0..CELLS / 8).map(|_| row(random)).collect();
    for (name, compiled) in [
        ("row, by the checks", RowSchema::compile("r", "1", SCHEMA.as_bytes(), &limits)),
        ("row, by the crate", RowSchema::compile_general("r", "1", SCHEMA.as_bytes(), &limits)),
    ] {
        let schema = compiled.expect("the domain's schema");
        let header: Vec<String> =
            schema.columns().iter().map(|column| column.name.clone()).collect();
        let bound = schema.bind(&header, true).expect("its own header");
        let rows: Vec<Vec<&str>> =
            rows.iter().map(|row| row.iter().map(String::as_str).collect()).collect();
        let mut out = Vec::new();
        measure(name, &rows, |row| bound.check_row(row, &mut out));
    }
}
