//! Strict JSON, case by case: what is taken, what is refused, and by which keyword at which place.
//!
//! The cases are of the kinds that `JSONTestSuite` names. `serde_json` is the oracle for drawn text: it must take what is
//! taken here, and what it takes and is refused here must have one of the reasons that this engine adds.

use fastcsv::payload::{PayloadLimits, PayloadReport, PayloadSchema};
use fastcsv::schema::SchemaLimits;
use proptest::prelude::*;
use proptest::sample::select;

fn anything() -> PayloadSchema {
    PayloadSchema::compile("any", "1.0", b"{}", &SchemaLimits::default()).unwrap()
}

/// The pointer and keyword of each violation under a schema that takes anything.
fn faults(payload: &[u8]) -> Vec<(String, &'static str)> {
    let schema = anything();
    let report: PayloadReport<'_> = schema.judge(payload, false, &PayloadLimits::default());
    report.violations.into_iter().map(|it| (it.pointer, it.keyword)).collect()
}

#[test]
fn json_of_every_kind_is_taken() {
    for payload in [
        "{}",
        "[]",
        "\"\"",
        "0",
        "-0",
        "-0.0e-0",
        "1E5",
        "123456789012345678901234567890.123456789",
        "1e400",
        "-1e-400",
        "true",
        "false",
        "null",
        " \t\r\n[ \n1 ,\t2 ]\r ",
        "{\"\":0}",
        "{\"a\":{\"b\":[{},[],\"\",null,true,false,-1.5e+3]}}",
        "\"\\\"\\\\\\/\\b\\f\\n\\r\\t\\u0001\\uABcd\"",
        "\"\\ud83d\\ude00\"",
        "\"\u{7f}\u{80}\u{ffff}\u{10ffff}\u{2028}\"",
        "\"\u{feff}\"",
        "[[[[[[[[[[]]]]]]]]]]",
        "{\"a\":1,\"b\":1,\"A\":1,\"a \":1}",
    ] {
        assert_eq!(faults(payload.as_bytes()), [], "{payload}");
    }
}

#[test]
fn what_is_no_json_is_refused_whole() {
    for payload in [
        "",
        " ",
        "\u{feff}{}",
        "{",
        "[",
        "}",
        "]",
        "[1",
        "[1,",
        "[1,]",
        "[,1]",
        "[1 2]",
        "[1}",
        "[\"a\"",
        "[\"a",
        "{\"a\"",
        "{\"a\":",
        "{\"a\":1",
        "{\"a\":1,",
        "{\"a\":1,}",
        "{,}",
        "{\"a\" 1}",
        "{\"a\"::1}",
        "{a:1}",
        "{'a':1}",
        "{1:1}",
        "{\"a\":1 \"b\":2}",
        "{\"a\":1]",
    ] {
        assert_eq!(faults(payload.as_bytes()), [(String::new(), "json")], "{payload:?}");
    }
}

#[test]
fn a_scalar_that_is_no_json_is_refused_whole() {
    for payload in [
        "nul",
        "nulL",
        "True",
        "truefalse",
        "NaN",
        "Infinity",
        "-Infinity",
        "-",
        "+1",
        "01",
        "-01",
        "1.",
        ".5",
        "1.e3",
        "1e",
        "1e+",
        "0x1",
        "1_000",
        "\u{661}",
        "\"",
        "\"\\\"",
        "\"\\",
        "\"\\x\"",
        "\"\\u\"",
        "\"\\u12\"",
        "\"\\u12g4\"",
        "\"\\u+123\"",
        "\"a\nb\"",
        "\"\t\"",
        "\"\u{0}\"",
        "1 2",
        "{} {}",
        "[]]",
        "{}x",
        "// c\n1",
        "1 /* c */",
        "\u{a0}1",
        "\u{c}1",
    ] {
        assert_eq!(faults(payload.as_bytes()), [(String::new(), "json")], "{payload:?}");
    }
}

#[test]
fn bytes_that_are_no_utf_8_are_refused_whole() {
    for payload in [
        &b"\"\xff\""[..],
        b"\"\xc0\x80\"",
        b"\"\xed\xa0\x80\"",
        b"\xef\xbb",
        b"{\"\xe9\":1}",
        b"\"\xf4\x90\x80\x80\"",
    ] {
        assert_eq!(faults(payload), [(String::new(), "encoding")], "{payload:?}");
    }
}

#[test]
fn what_no_database_could_store_is_told_where_it_stands() {
    for (payload, pointer, keyword) in [
        (r#"{"a":["x","\u0000"]}"#, "/a/1", "nul"),
        (r#"{"a":"\ud800"}"#, "/a", "surrogate"),
        (r#"{"a":"\ude00\ud83d"}"#, "/a", "surrogate"),
        (r#"{"\ud800":1}"#, "/\u{fffd}", "surrogate"),
        (r#"{"a/b":{"\u0000":1}}"#, "/a~1b/\0", "nul"),
        (r#"{"a":1e999999999}"#, "/a", "number"),
        (r"[1e-99999]", "/0", "number"),
    ] {
        assert_eq!(faults(payload.as_bytes()), [(pointer.to_owned(), keyword)], "{payload}");
    }
}

#[test]
fn a_doubled_member_is_told_at_every_depth_and_by_what_its_name_means() {
    let doubled = |pointer: &str| (pointer.to_owned(), "duplicateMember");
    assert_eq!(faults(br#"{"a":1,"a":1}"#), [doubled("/a")]);
    assert_eq!(faults(br#"{"x":[{"mail":1,"b":2,"m\u0061il":{}}]}"#), [doubled("/x/0/mail")]);
    assert_eq!(faults(br#"{"a":1,"a":2,"a":3}"#), [doubled("/a"), doubled("/a")]);
    assert_eq!(faults(br#"{"a":{"a":1},"b":{"a":1}}"#), []);
}

#[test]
fn a_million_members_and_one_doubled_are_read_at_once() {
    use std::fmt::Write;
    // Without optimisation a million take a minute.
    let members = if cfg!(debug_assertions) { 200_000 } else { 1_000_000 };
    let mut payload = String::from("{");
    for number in 0..members {
        write!(payload, "\"{number}\":0,").unwrap();
    }
    payload.push_str("\"100000\":1}");
    let limits = PayloadLimits { max_payload_bytes: 64 << 20, ..PayloadLimits::default() };
    let schema = anything();
    let report = schema.judge(payload.as_bytes(), false, &limits);
    let [violation] = report.violations.as_slice() else { panic!("{:?}", report.violations.len()) };
    assert_eq!((violation.pointer.as_str(), violation.keyword), ("/100000", "duplicateMember"));
    assert_eq!(violation.value.as_deref(), Some("1"));
}

#[test]
fn size_depth_and_violations_are_bounded() {
    let schema = anything();
    let keywords = |payload: &str, limits: &PayloadLimits| -> Vec<&'static str> {
        schema
            .judge(payload.as_bytes(), false, limits)
            .violations
            .iter()
            .map(|it| it.keyword)
            .collect()
    };
    let limits = PayloadLimits { max_payload_bytes: 10, max_depth: 3, max_violations: 2 };
    assert!(keywords("\"12345678\"", &limits).is_empty());
    assert_eq!(keywords("\"123456789\"", &limits), ["payloadBytes"]);
    assert!(keywords("[{\"a\":[]}]", &limits).is_empty());
    assert_eq!(keywords("[[[[]]]]", &limits), ["depth"]);
    let limits = PayloadLimits { max_violations: 2, ..PayloadLimits::default() };
    let report = schema.judge(br#"["\u0000","\u0000","\u0000"]"#, false, &limits);
    assert_eq!((report.violations.len(), report.total_violations), (2, 3));
    let deep = "[".repeat(10_000_000);
    assert_eq!(keywords(&deep, &PayloadLimits::default()), ["depth"]);
}

/// Text that is nearly JSON.
fn nearly_json() -> impl Strategy<Value = String> {
    let token = select(vec![
        "{",
        "}",
        "[",
        "]",
        ",",
        ":",
        "\"",
        "\"a\"",
        "\"b\\n\"",
        "\"\\u0000\"",
        "\"\\ud800\"",
        "\"\\ud83d\\ude00\"",
        "\"é\"",
        "\"a\":",
        "0",
        "-1",
        "1.5",
        "1e5",
        "01",
        "1.",
        "true",
        "null",
        "nul",
        " ",
        "\n",
        "{}",
        "[]",
        "[1]",
        "{\"a\":1}",
        "{\"a\":1,\"a\":2}",
    ]);
    prop::collection::vec(token, 0..8).prop_map(|tokens| tokens.concat())
}

/// A payload of the platform in which some bytes are others.
fn mutated() -> impl Strategy<Value = Vec<u8>> {
    let payload = select(vec![
        r#"{"event_type":"match.created","data":{"a":[1,-2.5e3,true,null],"b\u00e9":"\ud83d\ude00 é"}}"#,
        r#" [ {"x": {"y": {"z": [[], {}, "\n\\"]}}}, 1e5, "\"", 0.5 ] "#,
    ]);
    let byte = prop_oneof![select(b"{}[],:\"\\/u0123456789-+.eEtfn \n\t\0".to_vec()), any::<u8>()];
    let changes = prop::collection::vec((any::<prop::sample::Index>(), byte, 0..3u8), 0..4);
    (payload, changes).prop_map(|(payload, changes)| {
        let mut bytes = payload.as_bytes().to_vec();
        for (at, byte, change) in changes {
            let at = at.index(bytes.len());
            match change {
                0 => bytes[at] = byte,
                1 => bytes.insert(at, byte),
                _ => bytes.truncate(at.max(1)),
            }
        }
        bytes
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 4000, failure_persistence: None, ..ProptestConfig::default() })]

    /// `IgnoredAny` reads no string and no number, so it has no bounds of its own.
    #[test]
    fn changed_bytes_are_taken_as_another_parser_takes_them(payload in mutated()) {
        let found = faults(&payload);
        let added = ["nul", "surrogate", "duplicateMember", "number"];
        let is_json = found.iter().all(|(_, keyword)| added.contains(keyword));
        if !found.iter().any(|(_, keyword)| *keyword == "encoding") {
            let other = serde_json::from_slice::<serde::de::IgnoredAny>(&payload);
            prop_assert_eq!(is_json, other.is_ok(), "{:?}", payload.escape_ascii().to_string());
        }
    }

    #[test]
    fn drawn_text_is_taken_as_another_parser_takes_it(text in nearly_json()) {
        let found = faults(text.as_bytes());
        let parsed = serde_json::from_str::<serde_json::Value>(&text);
        let added = ["nul", "surrogate", "duplicateMember", "number"];
        if found.is_empty() {
            prop_assert!(parsed.is_ok(), "{:?}", text);
        }
        if parsed.is_ok() {
            prop_assert!(found.iter().all(|(_, keyword)| added.contains(keyword)), "{:?}: {:?}", text, found);
        }
    }
}
