//! `x-steward-message`: the schema author's message for a violation, which replaces ours.
//!
//! A text is the message for every keyword of a column, or of the row where it stands at the root. An object
//! has a text for each keyword. The annotation in the column's own schema comes first, then those that its
//! `$ref` and `allOf` lead to.

use std::collections::{BTreeMap, HashMap};

use serde_json::{Map, Value};

use super::keyword;

pub(crate) const MESSAGE: &str = "x-steward-message";

/// Characters of one message.
const CHARACTERS_MAX: usize = 500;

/// The author's messages for one column, or for the row.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Messages {
    any: Option<Box<str>>,
    by_keyword: BTreeMap<String, Box<str>>,
}

impl Messages {
    /// Adds what a schema says, behind what was added before.
    pub fn add(&mut self, keywords: &Map<String, Value>) {
        match keywords.get(MESSAGE) {
            Some(Value::String(text)) if self.any.is_none() => {
                self.any = Some(text.as_str().into());
            }
            Some(Value::Object(texts)) => {
                for (keyword, text) in texts {
                    let text = text.as_str().unwrap_or_default();
                    self.by_keyword.entry(keyword.clone()).or_insert_with(|| text.into());
                }
            }
            _ => {}
        }
    }

    /// The message for one keyword by name.
    pub fn named(&self, keyword: &str) -> Option<&str> {
        self.by_keyword.get(keyword).map(AsRef::as_ref)
    }

    /// The message for whatever fails.
    pub fn any(&self) -> Option<&str> {
        self.any.as_deref()
    }
}

/// The author's messages of a whole schema, by column and for the row.
#[derive(Debug, Default)]
pub(crate) struct AuthorMessages {
    pub columns: HashMap<String, Messages>,
    pub row: Messages,
}

impl AuthorMessages {
    /// The author's message for a violation: what names the keyword before what speaks for any.
    pub fn of(&self, column: &str, keyword: &str) -> Option<&str> {
        let own = self.columns.get(column);
        let of_row = own.is_none() || ROW_KEYWORDS.contains(&keyword);
        let row_any = self.row.any().filter(|_| of_row);
        let row = self.row.named(keyword);
        own.and_then(|it| it.named(keyword)).or(row).or_else(|| own?.any()).or(row_any)
    }
}

/// Keywords of the row whose violations stand in a column.
const ROW_KEYWORDS: [&str; 3] =
    ["additionalProperties", "dependentRequired", "unevaluatedProperties"];

/// Whether a value has the form of the annotation.
pub(crate) fn is_form(value: &Value) -> bool {
    match value {
        Value::Object(texts) => {
            !texts.is_empty()
                && texts.iter().all(|(keyword, text)| {
                    keyword::FAILING.contains(&keyword.as_str()) && is_text(text)
                })
        }
        text => is_text(text),
    }
}

fn is_text(value: &Value) -> bool {
    value.as_str().is_some_and(|text| {
        !text.trim().is_empty()
            && text.chars().count() <= CHARACTERS_MAX
            && !text.chars().any(char::is_control)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_message_is_a_text_or_texts_by_keyword() {
        for value in [json!("say it"), json!({"pattern": "say it", "required": "fill it"})] {
            assert!(is_form(&value), "{value}");
        }
        let long = json!("x".repeat(501));
        for value in [
            json!(""),
            json!(" "),
            json!(1),
            json!({}),
            json!({"patern": "x"}),
            json!("a\nb"),
            long,
        ] {
            assert!(!is_form(&value), "{value}");
        }
    }
}
