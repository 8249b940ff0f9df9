//! Finds the schema of a payload by its structure: the members at its root, and what each of them is.
//!
//! The values are not judged. A payload that fits schemas of several names has none: nothing is guessed. Of several
//! versions of one name the one is taken that leaves the fewest members unknown, then misses the fewest of its own, then
//! is the newest, as for the header of a CSV.

use std::borrow::Cow;
use std::cmp::Reverse;
use std::sync::Arc;

use super::judge::PayloadLimits;
use super::reader::JsonReader;
use super::report::PayloadText;
use super::schema::PayloadSchema;
use super::structure::MemberKind;
use super::text;
use crate::error::{DetectionFault, DetectionReason};

/// Schemas of payloads to choose from.
#[derive(Clone, Debug)]
pub struct PayloadDetector {
    schemas: Vec<Arc<PayloadSchema>>,
}

/// Members that the schema does not name, members of its own that are missing, and how new it is.
type VersionDistance<'s> = (usize, usize, Reverse<(Option<&'s str>, Vec<u64>)>);

/// The members at the root of a payload.
struct RootMembers<'p> {
    members: Vec<(Cow<'p, str>, MemberKind)>,
}

impl RootMembers<'_> {
    fn kind_of(&self, name: &str) -> Option<MemberKind> {
        self.members.iter().find(|(member, _)| *member == name).map(|(_, kind)| *kind)
    }
}

impl PayloadDetector {
    #[must_use]
    pub fn new(schemas: Vec<Arc<PayloadSchema>>) -> Self {
        Self { schemas }
    }

    /// The place of the schema that a payload fits.
    pub fn detect(&self, payload: &[u8], limits: &PayloadLimits) -> Result<usize, DetectionFault> {
        let members = root_members(payload, limits)?;
        let kind_of = |name: &str| members.kind_of(name);
        let fitting: Vec<usize> = (0..self.schemas.len())
            .filter(|place| {
                self.schemas[*place].structure.as_ref().is_some_and(|it| it.fits(kind_of))
            })
            .collect();
        let name_of = |place: &usize| self.schemas[*place].name();
        let Some(first) = fitting.first() else {
            let detail = "no schema fits the payload".to_owned();
            return Err(self.fault(DetectionReason::Unknown, detail, &members));
        };
        if fitting.iter().any(|place| name_of(place) != name_of(first)) {
            let names: Vec<String> = fitting.iter().map(|place| self.label(*place)).collect();
            let detail = format!("several schemas fit the payload: {}", names.join(", "));
            return Err(self.fault(DetectionReason::Ambiguous, detail, &members));
        }
        let best = fitting.iter().min_by_key(|place| self.distance(**place, &members));
        Ok(*best.unwrap_or(first))
    }

    /// The schema that a payload fits, if it has another name than the one given.
    pub(crate) fn other_than(
        &self,
        schema: &PayloadSchema,
        payload: &[u8],
        limits: &PayloadLimits,
    ) -> Option<String> {
        let place = self.detect(payload, limits).ok()?;
        (self.schemas[place].name() != schema.name()).then(|| self.label(place))
    }

    /// How far a payload that fits is from a version of its schema.
    fn distance(&self, place: usize, members: &RootMembers<'_>) -> VersionDistance<'_> {
        let schema = &self.schemas[place];
        let named = &schema.root_members;
        let unknown = members.members.iter().filter(|(name, _)| !named.iter().any(|it| it == name));
        let missing = named.iter().filter(|name| members.kind_of(name).is_none());
        let version = schema.version().split('.').map(|part| part.parse().unwrap_or(0)).collect();
        (unknown.count(), missing.count(), Reverse((schema.effective_date(), version)))
    }

    fn label(&self, place: usize) -> String {
        let schema = &self.schemas[place];
        format!("{}/{}", schema.name(), schema.version())
    }

    fn fault(
        &self,
        reason: DetectionReason,
        detail: String,
        members: &RootMembers<'_>,
    ) -> DetectionFault {
        let tried = self.schemas.iter().enumerate().map(|(place, schema)| {
            let faults = schema.structure.as_ref().map_or_else(
                || vec!["its schema does not say by what it is recognised".to_owned()],
                |it| it.faults(|name| members.kind_of(name)),
            );
            (self.label(place), faults)
        });
        DetectionFault { reason, detail, tried: tried.collect() }
    }
}

/// The members at the root of strict JSON. A value that is no object has none.
fn root_members<'p>(
    payload: &'p [u8],
    limits: &PayloadLimits,
) -> Result<RootMembers<'p>, DetectionFault> {
    let unreadable = |detail: String| DetectionFault {
        reason: DetectionReason::Unreadable,
        detail: format!("the payload cannot be read: it {detail}"),
        tried: Vec::new(),
    };
    let report = PayloadSchema::read_alone(payload, limits);
    let text = std::str::from_utf8(payload).ok().filter(|_| report.text != PayloadText::Refused);
    let Some(text) = text else {
        let fault = report.violations.first().map(|it| it.message.clone().into_owned());
        return Err(unreadable(fault.unwrap_or_default()));
    };
    let mut reader = JsonReader::new(text);
    let mut members = Vec::new();
    reader.skip_blanks();
    if reader.peek() == Some(b'{') {
        while next_member(&mut reader, &mut members).is_some() {}
    }
    Ok(RootMembers { members })
}

/// Reads the next member of an object that is known to be JSON; nothing at its end. The reader stands at the bracket or
/// the comma before it.
fn next_member<'p>(
    reader: &mut JsonReader<'p>,
    members: &mut Vec<(Cow<'p, str>, MemberKind)>,
) -> Option<()> {
    reader.at += 1;
    reader.skip_blanks();
    if reader.peek() != Some(b'"') {
        return None;
    }
    let (name, _) = text::decode(reader.string().ok()?);
    reader.skip_blanks();
    reader.at += 1;
    reader.skip_blanks();
    members.push((name, MemberKind::of(reader.peek()?)));
    reader.skip_value()?;
    reader.skip_blanks();
    (reader.peek() == Some(b',')).then_some(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::schema::SchemaLimits;

    fn schema(name: &str, version: &str, document: &str) -> Arc<PayloadSchema> {
        let limits = SchemaLimits::default();
        Arc::new(PayloadSchema::compile(name, version, document.as_bytes(), &limits).unwrap())
    }

    fn detector() -> PayloadDetector {
        PayloadDetector::new(vec![
            schema(
                "a",
                "1.9",
                r#"{"x-steward-detect": {"x": "any"}, "properties": {"x": {}, "y": {}}}"#,
            ),
            schema(
                "a",
                "1.10",
                r#"{"x-steward-detect": {"x": "any"}, "properties": {"x": {}, "y": {}, "z": {}}}"#,
            ),
            schema("b", "1.0", r#"{"x-steward-detect": {"x": "any", "o": "object"}}"#),
            schema("c", "1.0", "{}"),
        ])
    }

    fn detected(payload: &str) -> Result<usize, DetectionFault> {
        detector().detect(payload.as_bytes(), &PayloadLimits::default())
    }

    #[test]
    fn of_the_versions_that_fit_the_nearest_is_taken_and_then_the_newest() {
        assert_eq!(detected(r#"{"x": {"a": [1, "]}\"", {}]}, "y": -1.5e3}"#), Ok(0));
        assert_eq!(detected(r#" { "z" : true , "\u0078" : null } "#), Ok(1));
        let same = PayloadDetector::new(vec![
            schema("a", "1.9", r#"{"x-steward-detect": {"x": "any"}}"#),
            schema("a", "1.10", r#"{"x-steward-detect": {"x": "any"}}"#),
        ]);
        assert_eq!(same.detect(br#"{"x": 1}"#, &PayloadLimits::default()), Ok(1));
    }

    #[test]
    fn what_fits_nothing_or_several_is_told_with_what_was_tried() {
        let fault = detected(r#"{"o": []}"#).unwrap_err();
        assert_eq!(fault.reason, DetectionReason::Unknown);
        let (name, faults) = &fault.tried[2];
        assert_eq!(name, "b/1.0");
        assert_eq!(*faults, ["/x is missing", "/o is a list and not an object"]);
        assert_eq!(fault.tried[3].1.len(), 1);
        let fault = detected(r#"{"x": 1, "o": {}}"#).unwrap_err();
        assert_eq!(fault.reason, DetectionReason::Ambiguous);
        assert_eq!(fault.detail, "several schemas fit the payload: a/1.9, a/1.10, b/1.0");
        assert!(fault.tried[2].1.is_empty());
        for payload in ["[]", "1", "{}", "\"x\""] {
            assert_eq!(detected(payload).unwrap_err().reason, DetectionReason::Unknown);
        }
        for payload in ["", "{", "{}x"] {
            assert_eq!(detected(payload).unwrap_err().reason, DetectionReason::Unreadable);
        }
    }
}
