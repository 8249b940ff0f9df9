//! A key for every JSON value: two values have the same key if JSON Schema calls them equal, and only then.
//!
//! Numbers are equal by value, and objects whatever the order of their members. `uniqueItems` sorts the keys: that costs
//! n log n whatever the items are, where comparing every pair would be quadratic.

use serde_json::Value;

use crate::rules::decimal::Decimal;

/// What is said of a list with equal items.
pub(crate) const REPEATED: &str = "has an item twice";

/// Whether two of the values are equal.
pub(crate) fn has_equal(values: &[Value]) -> bool {
    if values.len() < 2 {
        return false;
    }
    let mut keys: Vec<Vec<u8>> = values.iter().map(key_of).collect();
    keys.sort_unstable();
    keys.windows(2).any(|pair| pair[0] == pair[1])
}

fn key_of(value: &Value) -> Vec<u8> {
    let mut key = Vec::new();
    push_key(value, &mut key);
    key
}

/// Appends a key that is no beginning of another one: each part says its length, or has an end of its own.
fn push_key(value: &Value, key: &mut Vec<u8>) {
    match value {
        Value::Null => key.push(b'n'),
        Value::Bool(value) => key.push(if *value { b't' } else { b'f' }),
        Value::Number(number) => match Decimal::parse(number.as_str()) {
            Some(decimal) => decimal.push_key(key),
            None => push_text(number.as_str(), key),
        },
        Value::String(text) => push_text(text, key),
        Value::Array(items) => {
            key.push(b'[');
            push_count(items.len(), key);
            for item in items {
                push_key(item, key);
            }
        }
        Value::Object(members) => {
            key.push(b'{');
            push_count(members.len(), key);
            let mut sorted: Vec<_> = members.iter().collect();
            sorted.sort_unstable_by_key(|(name, _)| name.as_str());
            for (name, member) in sorted {
                push_text(name, key);
                push_key(member, key);
            }
        }
    }
}

fn push_text(text: &str, key: &mut Vec<u8>) {
    key.push(b'"');
    push_count(text.len(), key);
    key.extend_from_slice(text.as_bytes());
}

fn push_count(count: usize, key: &mut Vec<u8>) {
    key.extend_from_slice(&count.to_le_bytes());
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn parsed(text: &str) -> Vec<Value> {
        serde_json::from_str(text).unwrap()
    }

    #[test]
    fn equal_values_are_found_however_they_are_written() {
        for text in [
            r"[1, 1.0]",
            r"[0, 5, -0.0e9]",
            r"[100, 1e2]",
            r"[12.5, 125e-1]",
            r"[1e400, 10e399]",
            r#"["a", "b", "\u0061"]"#,
            r#"[{"a": 1, "b": [null]}, 2, {"b": [null], "a": 1.0}]"#,
            r"[[], 1, []]",
            r"[[1, 2], [1, 2.0]]",
            r"[null, null]",
        ] {
            assert!(has_equal(&parsed(text)), "{text}");
        }
    }

    #[test]
    fn different_values_are_told_apart() {
        for text in [
            r"[]",
            r"[1]",
            r#"[1, "1", true, [1], {"1": 1}, null, false, 0, ""]"#,
            r"[1, -1, 10, 0.1, 1.00000000000000000000000001]",
            r"[1e400, 1e401, -1e400]",
            r#"[["a", "b"], ["ab"], ["a"], [["a"], "b"], []]"#,
            r#"[{"a": 1}, {"a": 2}, {"b": 1}, {"a": 1, "b": 1}, {}]"#,
        ] {
            assert!(!has_equal(&parsed(text)), "{text}");
        }
        let many: Vec<Value> = (0..100_000).map(|number| json!(number)).collect();
        assert!(!has_equal(&many));
    }
}
