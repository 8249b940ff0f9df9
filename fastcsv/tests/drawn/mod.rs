//! Row schemas and cells, drawn: schemas from every keyword that the compiled checks claim, behind references too
//! and with messages of their author, cells from texts that lie on the edges of what those keywords ask. The property
//! test and a fuzz target draw from here.

use std::convert::Infallible;
use std::sync::Arc;

use fastcsv::check::{Checker, Outcome, RowRules};
use fastcsv::frame::{Bounds, Frame, Framer, Sink};
use fastcsv::output::record_text::BatchContext;
use fastcsv::output::records::RecordWriter;
use fastcsv::schema::{BoundSchema, RowSchema, SchemaLimits};
use proptest::prelude::*;
use proptest::sample::{select, subsequence};
use serde_json::{Map, Value, json};

pub const COLUMNS: [&str; 4] = ["a", "b", "c", "d"];

const NUMBERS: &[&str] = &[
    "0",
    "-0",
    "1",
    "7",
    "007",
    "+7",
    "-7",
    "45.5",
    "60.0",
    "6e1",
    "0.1",
    "0.10000000000000000000001",
    "1.0",
    "1.00",
    "1e400",
    "-1e400",
    "1e-400",
    "9007199254740993",
    "18446744073709551616",
    "0.000000000000000000000000000001",
    "3e999999999",
    "123456789012345678901234567890.5",
];

pub const TEXTS: &[&str] = &[
    "",
    " ",
    "a",
    "A1",
    "B2",
    "C1 ",
    "abc",
    "äöü",
    "😀😀",
    "true",
    "false",
    "True",
    "null",
    "NaN",
    ".5",
    "5.",
    "1,5",
    "ana@example.org",
    "ana@localhost",
    "\"a b\"@x.org",
    "2025-01-31",
    "2025-02-30",
    "0000-01-01",
    "2025-01-31T09:30:00Z",
    "2025-01-31t09:30:00z",
    "1998-12-31T23:59:60Z",
    "09:30:00Z",
    "09:30:60Z",
    "2eb8aa08-aa98-11ea-b4aa-73b441d16380",
    "https://example.org/%7Ea",
    "http://a b/",
    "192.168.0.1",
    "::1",
    "{}",
    "{\"a\":[1,{\"b\":null}]}",
    "{\"a\":\"\\u0000\"}",
    "\"\\ud800\"",
    "[1,]",
    "12-ab",
    "e\u{301}",
];

const PATTERNS: &[&str] =
    &["^a", "\\d+", "^\\w{1,3}$", "^(A1|B2)$", "\\s", "^.$", "^[^@]+@[^@]+$", "^\\S*$"];

pub const FORMATS: &[&str] =
    &["date", "date-time", "email", "ipv4", "ipv6", "time", "uri", "uuid", "unheard-of"];

/// A number for a schema: those that JSON cannot spell, or that no bound may be, are left to cells.
fn number() -> impl Strategy<Value = Value> {
    let spelt: Vec<Value> = NUMBERS
        .iter()
        .filter(|text| !text.ends_with("e999999999"))
        .filter_map(|text| serde_json::from_str(text).ok())
        .collect();
    select(spelt)
}

fn divisor() -> impl Strategy<Value = Value> {
    select(vec!["0.01", "0.1", "1", "7", "2.5", "1e3", "1e-30", "123456789012345678"])
        .prop_map(|text| serde_json::from_str(text).unwrap())
}

fn literal() -> impl Strategy<Value = Value> {
    prop_oneof![
        number(),
        select(TEXTS).prop_map(Value::from),
        select(vec![json!(true), json!(false), json!(null), json!([1]), json!({"a": 1})]),
    ]
}

fn types() -> impl Strategy<Value = Value> {
    let names = vec!["string", "number", "integer", "boolean", "null", "array", "object"];
    prop_oneof![
        3 => select(names.clone()).prop_map(Value::from),
        1 => subsequence(names, 1..4).prop_map(Value::from),
    ]
}

fn keyword() -> impl Strategy<Value = (&'static str, Value)> {
    prop_oneof![
        4 => types().prop_map(|value| ("type", value)),
        1 => prop::collection::vec(literal(), 1..5).prop_map(|values| ("enum", Value::from(values))),
        1 => literal().prop_map(|value| ("const", value)),
        1 => (0u64..6).prop_map(|value| ("minLength", value.into())),
        1 => (0u64..6).prop_map(|value| ("maxLength", value.into())),
        1 => number().prop_map(|value| ("minimum", value)),
        1 => number().prop_map(|value| ("maximum", value)),
        1 => number().prop_map(|value| ("exclusiveMinimum", value)),
        1 => number().prop_map(|value| ("exclusiveMaximum", value)),
        1 => divisor().prop_map(|value| ("multipleOf", value)),
        1 => select(PATTERNS).prop_map(|value| ("pattern", value.into())),
        2 => select(FORMATS).prop_map(|value| ("format", value.into())),
        1 => select(vec!["application/json", "Application/JSON", "text/html"])
            .prop_map(|value| ("contentMediaType", value.into())),
        1 => Just(("contentEncoding", "base64".into())),
        1 => Just(("description", "anything".into())),
    ]
}

fn column_schema() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        4 => Just(json!({})),
        12 => prop::collection::vec(keyword(), 1..4).prop_map(object),
        1 => any::<bool>().prop_map(Value::Bool),
    ];
    leaf.prop_recursive(2, 8, 3, |inner| {
        let members =
            prop::collection::vec(inner, 1..4).prop_map(|members| ("anyOf", members.into()));
        (members, prop::collection::vec(keyword(), 0..3)).prop_map(|(first, mut rest)| {
            rest.push(first);
            object(rest)
        })
    })
}

/// What an author says. A schema that only may hold (`anyOf`) must not have it.
fn message() -> impl Strategy<Value = Value> {
    select(vec![
        json!("say it"),
        json!({"type": "the wrong kind"}),
        json!({"required": "fill it", "maximum": "too much"}),
        json!({"anyOf": "none of these", "dependentRequired": "fill both"}),
    ])
}

fn said(schema: impl Strategy<Value = Value>) -> impl Strategy<Value = Value> {
    (schema, prop_oneof![3 => Just(None), 1 => message().prop_map(Some)]).prop_map(|drawn| {
        let (mut schema, message) = drawn;
        if let (Some(keywords), Some(message)) = (schema.as_object_mut(), message) {
            keywords.insert("x-steward-message".into(), message);
        }
        schema
    })
}

/// A column that is made of others: of the one named `heard` under `$defs`, which always holds, of the one named
/// `tried`, which may hold, or of the last column.
fn referring() -> impl Strategy<Value = Value> {
    let to = |name: &str| json!({"$ref": format!("#/$defs/{name}")});
    let rest = || prop::collection::vec(keyword(), 0..3).prop_map(object);
    let with = |mut rest: Value, keyword: &str, value: Value| {
        rest.as_object_mut().unwrap().insert(keyword.into(), value);
        rest
    };
    prop_oneof![
        2 => rest().prop_map(move |it| with(it, "$ref", "#/$defs/heard".into())),
        1 => (rest(), column_schema())
            .prop_map(move |(it, other)| with(it, "allOf", json!([to("heard"), other]))),
        1 => (rest(), column_schema())
            .prop_map(move |(it, other)| with(it, "anyOf", json!([to("tried"), other]))),
        1 => rest().prop_map(move |it| with(it, "$ref", "#/properties/d".into())),
    ]
}

fn dependent_required() -> impl Strategy<Value = Value> {
    let asked = prop::collection::vec(subsequence(COLUMNS.to_vec(), 0..=2), COLUMNS.len());
    asked.prop_map(|asked| {
        let table = COLUMNS.iter().zip(asked).filter(|(_, asked)| !asked.is_empty());
        json!({"dependentRequired": table.map(|(name, asked)| ((*name).to_owned(), json!(asked)))
            .collect::<Map<String, Value>>()})
    })
}

fn object(keywords: Vec<(&'static str, Value)>) -> Value {
    Value::Object(keywords.into_iter().map(|(name, value)| (name.to_owned(), value)).collect())
}

/// A row schema. One in four also says something that only the general validator judges.
pub fn row_schema() -> impl Strategy<Value = Value> {
    let column = said(prop_oneof![9 => column_schema().boxed(), 1 => referring().boxed()]);
    let columns = (prop::collection::vec(column, COLUMNS.len() - 1), said(column_schema()));
    let columns = columns.prop_map(|(mut columns, last)| {
        columns.push(last);
        columns
    });
    let shared = (said(column_schema()), column_schema());
    let required = subsequence(COLUMNS.to_vec(), 0..=2);
    let rest = prop_oneof![
        6 => Just(json!({})),
        1 => said(dependent_required()),
        1 => select(vec![
            json!({"additionalProperties": false}),
            json!({
                "if": {"required": ["a"]},
                "then": {"properties": {"a": {"type": "string"}, "b": {"minLength": 2}}},
            }),
            json!({"minProperties": 2}),
            json!({"not": {"required": ["a", "b"]}}),
        ]),
    ];
    (columns, shared, required, rest).prop_map(|(columns, (heard, tried), required, rest)| {
        let named = COLUMNS.iter().map(|name| (*name).to_owned());
        let properties: Map<String, Value> = named.zip(columns).collect();
        let mut document =
            json!({"type": "object", "properties": properties, "required": required});
        let root = document.as_object_mut().unwrap();
        root.extend(rest.as_object().unwrap().clone());
        if root.values().any(refers) {
            root.insert("$defs".into(), json!({"heard": heard, "tried": tried}));
        }
        document
    })
}

/// Whether a reference stands somewhere in it.
fn refers(value: &Value) -> bool {
    match value {
        Value::Object(members) => members.contains_key("$ref") || members.values().any(refers),
        Value::Array(items) => items.iter().any(refers),
        _ => false,
    }
}

pub fn cell() -> impl Strategy<Value = String> {
    prop_oneof![
        5 => Just(String::new()),
        4 => select(TEXTS).prop_map(str::to_owned),
        4 => select(NUMBERS).prop_map(str::to_owned),
        1 => "[+-]?[0-9]{0,3}(\\.[0-9]{0,3})?([eE][+-]?[0-9]{0,2})?",
        1 => "[a-c.@\"-]{0,6}@[a-c.-]{0,6}",
        1 => "[02]{2}[0-2]{2}-[01][0-9]-[0-3][0-9](T[0-2][0-9]:[0-6][0-9]:[0-6]0(Z|[+-][01][0-9]:[0-6]0))?",
        1 => "[\\[\\]{}\",:01a ]{0,8}",
        1 => "\\PC{0,6}",
    ]
}

/// Rows of a cell for each column, in the order of `header`.
pub fn rows() -> impl Strategy<Value = Vec<Vec<String>>> {
    prop::collection::vec(prop::collection::vec(cell(), COLUMNS.len() + 1), 1..12)
}

/// A header of every column and one that no schema names.
pub fn header() -> Vec<String> {
    ["d", "b", "unknown", "a", "c"].map(str::to_owned).to_vec()
}

/// A document compiled both ways: by the checks, and for the general validator alone.
pub fn compile_both(document: &[u8]) -> Option<(RowSchema, RowSchema)> {
    let limits = SchemaLimits::default();
    let compiled = RowSchema::compile("t", "1", document, &limits);
    let general = RowSchema::compile_general("t", "1", document, &limits);
    assert_eq!(compiled.is_ok(), general.is_ok(), "one path takes what the other refuses");
    Some((compiled.ok()?, general.ok()?))
}

/// What each path says of a row, in an order that both can be compared in.
pub fn verdict<'s>(bound: &'s BoundSchema, cells: &[&str]) -> Vec<(String, &'s str, String)> {
    let mut violations = Vec::new();
    let valid = bound.check_row(cells, &mut violations);
    assert_eq!(valid, violations.is_empty());
    let mut verdict: Vec<_> = violations
        .into_iter()
        // A bound's message is the schema's own on both paths; alternatives are named on one only.
        .map(|it| {
            (
                it.field.into_owned(),
                it.keyword,
                if it.keyword == "anyOf" { String::new() } else { it.message.into_owned() },
            )
        })
        .collect();
    verdict.sort();
    verdict
}

/// Number, field and keyword of everything that is wrong in the rows when they stand in a file, which is
/// how they come to the sieve.
pub fn verdicts_in_a_file(
    bound: &BoundSchema,
    header: &[String],
    rows: &[Vec<&str>],
) -> Vec<(u64, String, String)> {
    let batch =
        BatchContext { schema: "t", schema_version: "1", source_file: "", quarantined_at: "" };
    let rules = RowRules {
        schema: bound.clone(),
        writer: RecordWriter::new(&batch, header, usize::MAX, bound),
        columns: header.len(),
        delimiter: b',',
        accept_recovered: false,
        valid_out: false,
        max_fields: usize::MAX,
        max_field_bytes: usize::MAX,
        max_record_bytes: usize::MAX,
        max_record_lines: 1 << 20,
    };
    let mut judge = Judge(Checker::new(Arc::new(rules)), Outcome::default());
    let file: String = rows.iter().map(|row| record(row)).collect();
    let bounds = Bounds { record_bytes: 1 << 24, record_lines: 1 << 20 };
    let mut framer = Framer::new(b',', bounds, 0, 1);
    let Ok(()) = framer.feed(file.as_bytes(), &mut judge);
    let Ok(()) = framer.finish(&mut judge);
    let Judge(_, outcome) = judge;
    assert_eq!(outcome.tally.total_rows, rows.len() as u64);
    let mut verdicts = Vec::new();
    for line in std::str::from_utf8(outcome.records.as_bytes()).unwrap().lines() {
        let found: Value = serde_json::from_str(line).unwrap();
        let text = |value: &Value| value.as_str().unwrap().to_owned();
        for error in found["errors"].as_array().unwrap() {
            let number = found["rowNumber"].as_u64().unwrap();
            verdicts.push((number, text(&error["field"]), text(&error["keyword"])));
        }
    }
    verdicts.sort();
    verdicts
}

/// The row as a line of CSV. A cell is quoted where it must be, and now and then where it need not be.
fn record(row: &[&str]) -> String {
    let cell = |cell: &&str| {
        if cell.contains(['"', ',', '\n', '\r']) || cell.len().is_multiple_of(3) {
            format!("\"{}\"", cell.replace('"', "\"\""))
        } else {
            (*cell).to_owned()
        }
    };
    row.iter().map(cell).collect::<Vec<_>>().join(",") + "\n"
}

struct Judge(Checker, Outcome);

impl Sink for Judge {
    type Error = Infallible;

    fn take(&mut self, frame: Frame<'_>) -> Result<(), Infallible> {
        self.0.check(&frame, &mut self.1, usize::MAX, |_| Ok(()))
    }
}
