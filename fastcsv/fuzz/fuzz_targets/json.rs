//! The JSON check against `serde_json`: the same verdict on every text, our two refusals beside it, and the same
//! again where the text stands in a cell.

#![no_main]

use fastcsv::rules::json::{DEPTH_MAX, is_json, is_json_in_csv};
use libfuzzer_sys::fuzz_target;
use serde_json::Value;

/// Shallow enough for the recursion limit of `serde_json`, which is near ours but not ours.
const COMPARED_DEPTH: usize = 100;

/// A name that `serde_json` keeps for itself: it reads an object with that member as a number.
const PRIVATE: &str = "$serde_json::private";

fuzz_target!(|data: &[u8]| {
    let Ok(text) = std::str::from_utf8(data) else {
        return;
    };
    let verdict = is_json(text, DEPTH_MAX);
    let shallow = is_json(text, 3);
    assert!(verdict || !shallow, "a lower bound on the depth takes no more");
    let doubled = text.replace('"', "\"\"");
    assert_eq!(is_json_in_csv(doubled.as_bytes(), DEPTH_MAX), verdict, "{text:?} in a cell");
    // What stands in a cell has its quotes doubled; what has not is refused or taken, and nothing worse.
    let _ = is_json_in_csv(data, DEPTH_MAX);
    let brackets = data.iter().filter(|byte| matches!(byte, b'[' | b'{')).count();
    if brackets <= COMPARED_DEPTH && !text.contains(PRIVATE) {
        let parsed = serde_json::from_str::<Value>(text);
        assert_eq!(verdict, parsed.is_ok_and(|value| !holds_nul(&value)), "{text:?}");
    }
});

fn holds_nul(value: &Value) -> bool {
    match value {
        Value::String(text) => text.contains('\0'),
        Value::Array(items) => items.iter().any(holds_nul),
        Value::Object(members) => {
            members.iter().any(|(name, member)| name.contains('\0') || holds_nul(member))
        }
        _ => false,
    }
}
