//! Applies a mapping: the payload of a provider becomes the event, in JSON, and nothing of it is lost.
//!
//! What a field copies is taken out of the payload. The rest stands in the event's `metadata`, where it stood in the
//! payload. A text that a table translated, or that a format let pass, is in the rest too, unless another field copies
//! it. Numbers keep the digits that they were written with.

use super::judge::PayloadLimits;
use super::mapping::{EventField, FieldSource, Mapping, REST, passes};
use super::node::PayloadNode;
use super::report::PayloadReport;
use super::schema::PayloadSchema;
use crate::output::json::push_string;
use crate::output::text::TextBuffer;

/// The `type` of an event in an envelope, before its schema's name.
const TYPE_PREFIX: &str = "steward.";

/// What an envelope of `CloudEvents` 1.0 says of the delivery.
#[derive(Clone, Copy, Debug)]
pub struct CloudEvent<'a> {
    /// Of the delivery; not empty.
    pub id: &'a str,
    /// A URI reference: who delivered it; not empty.
    pub source: &'a str,
}

impl PayloadSchema {
    /// Judges a payload and, where it is valid, normalises it: into an event in JSON, on request in an envelope.
    /// There is no event where the schema has no mapping.
    #[must_use]
    pub fn normalise<'a>(
        &'a self,
        payload: &'a [u8],
        strict: bool,
        limits: &PayloadLimits,
        envelope: Option<CloudEvent<'_>>,
    ) -> (PayloadReport<'a>, Option<Vec<u8>>) {
        let report = self.judge(payload, strict, limits);
        let (true, Some(mapping)) = (report.is_valid(), &self.mapping) else {
            return (report, None);
        };
        let node = std::str::from_utf8(payload).ok().and_then(PayloadNode::read);
        let event = node.map(|payload| {
            let event = mapping.event_of(payload);
            let mut out = TextBuffer::default();
            match envelope {
                Some(envelope) => mapping.push_enveloped(&event, envelope, &mut out),
                None => event.push_to(&mut out),
            }
            out.as_bytes().to_vec()
        });
        (report, event)
    }
}

impl Mapping {
    fn event_of<'p>(&'p self, mut payload: PayloadNode<'p>) -> PayloadNode<'p> {
        let mut event = PayloadNode::Object(Vec::new());
        for EventField { target, source } in &self.fields {
            let value = match source {
                FieldSource::Copy(path) => payload.get(path).cloned(),
                FieldSource::Constant(json) => Some(PayloadNode::Text(json.as_ref().into())),
                FieldSource::Table(path, table) => {
                    payload.get(path).map(|value| translated(value, table))
                }
                FieldSource::Formatted(path, checks) => payload
                    .get(path)
                    .filter(|value| value.as_text().is_some_and(|text| passes(checks, &text)))
                    .cloned(),
            };
            if let Some(value) = value {
                event.put(target, value);
            }
        }
        for EventField { source, .. } in &self.fields {
            if let FieldSource::Copy(path) = source {
                payload.take_out(path);
            }
        }
        if let (PayloadNode::Object(members), false) = (&mut event, payload.is_empty()) {
            members.push((REST.into(), payload));
        }
        event
    }

    /// The envelope has the event's time, where that has one.
    fn push_enveloped(
        &self,
        event: &PayloadNode<'_>,
        envelope: CloudEvent<'_>,
        out: &mut TextBuffer,
    ) {
        let Self { event_name, event_version, .. } = self;
        out.extend(b"{\"specversion\":\"1.0\"");
        for (name, value) in [
            ("id", envelope.id),
            ("source", envelope.source),
            ("type", &format!("{TYPE_PREFIX}{event_name}")),
            ("datacontenttype", "application/json"),
            ("dataschema", &format!("urn:steward:schema:event:{event_name}:{event_version}")),
        ] {
            out.push(b',');
            push_string(out, name);
            out.push(b':');
            push_string(out, value);
        }
        if let Some(time) = event.get(&["occurred_at".into()]) {
            out.extend(b",\"time\":");
            time.push_to(out);
        }
        out.extend(b",\"data\":");
        event.push_to(out);
        out.push(b'}');
    }
}

fn translated<'p>(value: &PayloadNode<'p>, table: &'p [(Box<str>, Box<str>)]) -> PayloadNode<'p> {
    let text = value.as_text();
    let found = text.and_then(|text| table.iter().find(|(known, _)| **known == *text));
    found.map_or_else(|| value.clone(), |(_, json)| PayloadNode::Text(json.as_ref().into()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::schema::SchemaLimits;
    use serde_json::{Value, json};

    fn event(mapping: &Value, payload: &str) -> String {
        let schema = json!({"properties": {
            "a": {"type": "string"}, "b": {"properties": {"c": {}, "d": {}}}, "n": {"type": "number"},
        }, "x-steward-normalise": {"event": "thing/2.0", "fields": mapping}});
        let limits = SchemaLimits::default();
        let schema =
            PayloadSchema::compile("p", "1.0", schema.to_string().as_bytes(), &limits).unwrap();
        assert_eq!(schema.event().as_deref(), Some("thing/2.0"));
        let limits = PayloadLimits::default();
        let event = schema.normalise(payload.as_bytes(), false, &limits, None).1;
        String::from_utf8(event.unwrap()).unwrap()
    }

    #[test]
    fn what_no_field_copies_stands_in_the_metadata_where_it_stood() {
        let mapping = json!({"/id": "/a", "/deep/c": "/b/c", "/n": "/n", "/kind": {"const": "k"}});
        for (payload, wanted) in [
            (
                "{\"z\": [\n1.0 ,\"\\n \"], \"a\": \"x\", \"b\": {\"e\": {}, \"c\": null, \"d\": 2}, \"n\": 1.50e3}",
                r#"{"id":"x","deep":{"c":null},"n":1.50e3,"kind":"k","metadata":{"z":[1.0,"\n "],"b":{"e":{},"d":2}}}"#,
            ),
            (r#"{"b": {"c": {"x": 1}}}"#, r#"{"deep":{"c":{"x":1}},"kind":"k"}"#),
            (r#"{"b": {}}"#, r#"{"kind":"k","metadata":{"b":{}}}"#),
            (r#"{"b": {"d": 1}}"#, r#"{"kind":"k","metadata":{"b":{"d":1}}}"#),
            (r#"{"b": 7}"#, r#"{"kind":"k","metadata":{"b":7}}"#),
            ("{}", r#"{"kind":"k"}"#),
            ("[1]", r#"{"kind":"k","metadata":[1]}"#),
        ] {
            assert_eq!(event(&mapping, payload), wanted);
        }
    }

    #[test]
    fn a_text_that_was_translated_or_that_only_passed_a_format_is_kept() {
        let mapping = json!({
            "/kind": {"from": "/a", "table": {"one": 1}},
            "/email": {"from": "/a", "format": "email"},
        });
        for (payload, wanted) in [
            (r#"{"a": "one"}"#, r#"{"kind":1,"metadata":{"a":"one"}}"#),
            (r#"{"a": "two"}"#, r#"{"kind":"two","metadata":{"a":"two"}}"#),
            (
                r#"{"a": "a@b.org"}"#,
                r#"{"kind":"a@b.org","email":"a@b.org","metadata":{"a":"a@b.org"}}"#,
            ),
        ] {
            assert_eq!(event(&mapping, payload), wanted);
        }
    }
}
