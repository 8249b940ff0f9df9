//! Any mapping compiles or is refused, any payload is detected or not, and no payload of a provider loses anything on its
//! way into an event.
//!
//! The first byte chooses: a mapping or a structure as it stands, or a member that a valid payload gets in addition.

#![no_main]

use fastcsv::payload::{PayloadDetector, PayloadLimits, PayloadSchema};
use fastcsv::schema::SchemaLimits;
use libfuzzer_sys::fuzz_target;
use serde_json::Value;
use std::sync::{Arc, LazyLock};

/// A schema and a payload that is valid by it.
struct Provider {
    schema: Arc<PayloadSchema>,
    payload: &'static str,
}

static PROVIDERS: LazyLock<[Provider; 3]> = LazyLock::new(|| {
    let provider =
        |document: &[u8], payload| Provider { schema: Arc::new(compiled(document)), payload };
    [
        provider(
            include_bytes!("../../../schemas/json/ecornell_webhook/1.0.json"),
            r#"{"event_type": "course.started", "event_id": "1", "timestamp": "2025-11-13T10:00:00Z", "user": {"external_id": "u", "email": "ana@example.org", "last_name": "S"}, "course": {"course_id": "c", "course_name": "n"}, "progress": {"status": "enrolled", "percent_complete": 1.0}}"#,
        ),
        provider(
            include_bytes!("../../../schemas/json/itslearning_webhook/1.0.json"),
            r#"{"eventType": "CourseProgress", "eventId": "1", "timestamp": "2025-11-13T10:00:00Z", "userId": "u", "userEmail": "ana@example.org", "courseId": "c", "courseName": "n", "status": "enrolled"}"#,
        ),
        provider(
            include_bytes!("../../../schemas/json/generic_webhook/1.0.json"),
            r#"{"event_type": "x", "event_id": "1", "timestamp": "2025-11-13T10:00:00Z", "provider": "p", "user_identifier": "ana@example.org", "course_id": "c", "course_name": "n", "status": "enrolled"}"#,
        ),
    ]
});

static EVENT: LazyLock<PayloadSchema> =
    LazyLock::new(|| compiled(include_bytes!("../../../schemas/event/learning_event/1.0.json")));

fn compiled(document: &[u8]) -> PayloadSchema {
    PayloadSchema::compile("a", "1.0", document, &SchemaLimits::default()).expect("it compiles")
}

fuzz_target!(|data: &[u8]| {
    match data.split_first() {
        Some((first, rest)) if first % 4 == 0 => as_annotation("x-steward-normalise", rest),
        Some((first, rest)) if first % 4 == 1 => as_annotation("x-steward-detect", rest),
        Some((_, rest)) => as_member(rest),
        None => (),
    }
});

fn as_annotation(name: &str, annotation: &[u8]) {
    let Ok(annotation) = std::str::from_utf8(annotation) else { return };
    let document = format!(
        r#"{{"properties": {{"a": {{}}, "b": {{"properties": {{"c": {{}}}}}}}}, "{name}": {annotation}}}"#
    );
    let limits = SchemaLimits::default();
    let Ok(schema) = PayloadSchema::compile("a", "1.0", document.as_bytes(), &limits) else {
        return;
    };
    let payload = br#"{"a": "x@example.org", "b": {"c": [1.50, {}], "d": null}, "e": 7}"#;
    let limits = PayloadLimits::default();
    let (report, event) = schema.normalise(payload, false, &limits, None);
    assert_eq!(event.is_some(), report.is_valid() && schema.event().is_some());
    if let Some(event) = event {
        serde_json::from_slice::<Value>(&event).expect("an event is JSON");
    }
    let _ = PayloadDetector::new(vec![Arc::new(schema)]).detect(payload, &limits);
}

fn as_member(value: &[u8]) {
    let detector =
        PayloadDetector::new(PROVIDERS.iter().map(|it| Arc::clone(&it.schema)).collect());
    let limits = PayloadLimits { max_depth: 66, ..PayloadLimits::default() };
    let _ = detector.detect(value, &limits);
    for (place, Provider { schema, payload }) in PROVIDERS.iter().enumerate() {
        let open = payload.strip_suffix('}').expect("it is an object");
        let payload = [open.as_bytes(), br#", "more": "#, value, b"}"].concat();
        let (report, event) = schema.normalise(&payload, false, &PayloadLimits::default(), None);
        assert_eq!(event.is_some(), report.is_valid());
        let Some(event) = event else { continue };
        assert!(EVENT.judge(&event, false, &limits).is_valid(), "{}", event.escape_ascii());
        // The value may have closed the object and opened another member: then that stands in the payload too.
        let sent: Value = serde_json::from_slice(&payload).expect("a valid payload is JSON");
        let event: Value = serde_json::from_slice(&event).expect("an event is JSON");
        assert_eq!(event["metadata"]["more"], sent["more"]);
        let is_alone =
            sent.as_object().is_some_and(|it| !it.contains_key("provider") || place == 2);
        if is_alone && let Ok(found) = detector.detect(&payload, &limits) {
            assert_eq!(found, place);
        }
    }
}
