//! A schema of any JSON value, for the official test suite of JSON Schema.

use jsonschema::Validator;
use serde_json::Value;

use super::check::Checks;
use super::error::SchemaError;
use super::exact::{Exact, ExactNode};
use super::limits::SchemaLimits;
use super::{annotation, compile, document, general, subschema};

/// A compiled schema of a JSON value.
#[derive(Debug)]
pub struct ValueSchema {
    validator: Validator<Exact>,
    checks: Option<Checks>,
}

impl ValueSchema {
    /// Compiles a JSON Schema 2020-12 document.
    pub fn compile(document: &[u8], limits: &SchemaLimits) -> Result<Self, SchemaError> {
        let parsed = document::parse(document, limits)?;
        subschema::walk(&parsed, &mut |keywords, pointer| annotation::check(keywords, pointer))?;
        Ok(Self {
            validator: general::build(&parsed, limits)?,
            checks: compile::compile(&parsed, "", limits)?,
        })
    }

    /// The verdict of the general validator.
    #[must_use]
    pub fn is_valid(&self, value: &Value) -> bool {
        self.validator.is_valid(ExactNode::Value(value))
    }

    /// The verdict of the compiled checks, where they claim every keyword and the value is a scalar.
    #[must_use]
    pub fn is_valid_by_checks(&self, value: &Value) -> Option<bool> {
        let scalar = ExactNode::Value(value).scalar()?;
        Some(self.checks.as_ref()?.hold(&scalar))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn checks_speak_of_scalars_alone() {
        let schema = br#"{"type": "integer", "maximum": 5}"#;
        let schema = ValueSchema::compile(schema, &SchemaLimits::default()).unwrap();
        assert!(schema.is_valid(&json!(5)) && !schema.is_valid(&json!([5])));
        assert_eq!(schema.is_valid_by_checks(&json!(6)), Some(false));
        assert_eq!(schema.is_valid_by_checks(&json!([5])), None);
        let declined = ValueSchema::compile(br#"{"not": {}}"#, &SchemaLimits::default()).unwrap();
        assert_eq!(declined.is_valid_by_checks(&json!(5)), None);
        assert!(!declined.is_valid(&json!(5)));
    }
}
