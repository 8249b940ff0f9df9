//! A payload as a tree, for the general validator. Its text has passed the strict walk.
//!
//! `serde_json` itself would read an object with a certain private name as a number, and refuse a lone surrogate: here
//! such an object is one, and the surrogate is U+FFFD. Of two members with one name the later counts.

use serde_json::{Map, Number, Value};

use super::fault::JsonFault;
use super::reader::JsonReader;
use super::text::decode;

/// Reads the text's one value. The walk has bounded its depth.
pub(crate) fn read(text: &str) -> Result<Value, JsonFault> {
    value(&mut JsonReader::new(text))
}

fn value(reader: &mut JsonReader<'_>) -> Result<Value, JsonFault> {
    reader.skip_blanks();
    match reader.peek() {
        Some(b'{') => object(reader),
        Some(b'[') => list(reader),
        Some(b'"') => Ok(Value::String(decode(reader.string()?).0.into_owned())),
        Some(b't') => reader.word(b"true").map(|()| Value::Bool(true)),
        Some(b'f') => reader.word(b"false").map(|()| Value::Bool(false)),
        Some(b'n') => reader.word(b"null").map(|()| Value::Null),
        Some(b'-' | b'0'..=b'9') => {
            let number = reader.number()?.text.parse::<Number>();
            number.map(Value::Number).map_err(|_| JsonFault::UnexpectedByte)
        }
        _ => Err(reader.unexpected()),
    }
}

fn object(reader: &mut JsonReader<'_>) -> Result<Value, JsonFault> {
    let mut members = Map::new();
    reader.at += 1;
    reader.skip_blanks();
    while reader.peek() != Some(b'}') {
        if reader.peek() != Some(b'"') {
            return Err(JsonFault::MemberInvalid);
        }
        let name = decode(reader.string()?).0.into_owned();
        reader.skip_blanks();
        reader.word(b":")?;
        members.insert(name, value(reader)?);
        next(reader, b'}')?;
    }
    reader.at += 1;
    Ok(Value::Object(members))
}

fn list(reader: &mut JsonReader<'_>) -> Result<Value, JsonFault> {
    let mut items = Vec::new();
    reader.at += 1;
    reader.skip_blanks();
    while reader.peek() != Some(b']') {
        items.push(value(reader)?);
        next(reader, b']')?;
    }
    reader.at += 1;
    Ok(Value::Array(items))
}

/// Passes a comma, or stops at the closing bracket.
fn next(reader: &mut JsonReader<'_>, closing: u8) -> Result<(), JsonFault> {
    reader.skip_blanks();
    match reader.peek() {
        Some(b',') => {
            reader.at += 1;
            reader.skip_blanks();
            Ok(())
        }
        Some(byte) if byte == closing => Ok(()),
        _ => Err(reader.unexpected()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tree_is_the_one_that_serde_json_reads() {
        for text in [
            "null",
            " [1, -2.50e3, \"a\\n\", {}, []] ",
            r#"{"a": {"b": [true, false]}, "c": "\ud83d\ude00"}"#,
        ] {
            assert_eq!(read(text), Ok(serde_json::from_str(text).unwrap()), "{text}");
        }
    }

    #[test]
    fn no_name_has_a_meaning_of_its_own() {
        let Ok(Value::Object(members)) = read(r#"{"$serde_json::private::Number": "1"}"#) else {
            panic!("it is an object");
        };
        assert_eq!(members.len(), 1);
        assert_eq!(read(r#""\ud800""#), Ok(Value::String("\u{fffd}".into())));
    }
}
