"""The schema of a payload found by its structure, and payloads of providers normalised into one event."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

import fastcsv
from tests.support import payload_vectors

ROOT = Path(__file__).parents[3]
PATHS = sorted((ROOT / "schemas/json").glob("*/1.0.json"))
SCHEMAS = [
    fastcsv.PayloadSchema(path.read_bytes(), name=path.parent.name, version="1.0") for path in PATHS
]
BY_NAME = {it.name: it for it in SCHEMAS}
PROVIDERS = ("ecornell_webhook", "generic_webhook", "itslearning_webhook")

ECORNELL = {
    "event_type": "course.completed",
    "event_id": "ec-1",
    "timestamp": "2025-11-13T10:00:00Z",
    "user": {"external_id": "u-77", "email": "ana@example.org", "first_name": "Ana"},
    "course": {"course_id": "LSM501", "course_name": "Leadership"},
    "progress": {"status": "completed", "percent_complete": 100},
}


def of(name: str, document: object) -> fastcsv.PayloadSchema:
    return fastcsv.PayloadSchema(json.dumps(document), name=name, version="1.0")


def fault_of(payload: object) -> fastcsv.DetectionError:
    text = payload if isinstance(payload, bytes) else json.dumps(payload).encode()
    with pytest.raises(fastcsv.DetectionError) as raised:
        fastcsv.detect_payload(SCHEMAS, text)
    return raised.value


@pytest.mark.parametrize("path", payload_vectors.PATHS, ids=lambda path: path.stem)
def test_every_valid_payload_of_the_vectors_is_detected_as_its_own_schema(path: Path) -> None:
    valid = [it.payload for it in payload_vectors.cases(path) if not it.errors]
    assert len(valid) > 5
    for payload in valid:
        assert fastcsv.detect_payload(SCHEMAS, payload).name == path.stem


def test_a_payload_with_a_bad_value_is_still_detected() -> None:
    payload = json.dumps({**ECORNELL, "event_type": 7, "event_id": None}).encode()
    assert fastcsv.detect_payload(SCHEMAS, payload) is BY_NAME["ecornell_webhook"]


def test_what_fits_no_schema_is_told_with_what_speaks_against_each() -> None:
    fault = fault_of({**ECORNELL, "user": "u-77"})
    assert fault.reason == "PAYLOAD_UNKNOWN"
    assert fault.hint
    assert set(fault.tried) == {f"{it.name}/1.0" for it in SCHEMAS}
    assert fault.tried["ecornell_webhook/1.0"] == ("/user is a text and not an object",)
    assert fault.tried["generic_webhook/1.0"] == ("/provider is missing",)
    assert all(fault.tried.values())


def test_what_fits_schemas_of_several_names_is_ambiguous() -> None:
    fault = fault_of({**ECORNELL, "provider": "x"})
    assert fault.reason == "PAYLOAD_AMBIGUOUS"
    assert str(fault).endswith(": ecornell_webhook/1.0, generic_webhook/1.0")
    assert fault.tried["ecornell_webhook/1.0"] == ()
    assert isinstance(fault, fastcsv.InputError)


@pytest.mark.parametrize("payload", [b"", b"{", b'{"a": \xff}', b"[" * 70])
def test_what_is_no_json_is_detected_as_nothing(payload: bytes) -> None:
    fault = fault_of(payload)
    assert (fault.reason, fault.tried) == ("PAYLOAD_UNREADABLE", {})


def test_a_schema_says_whether_it_is_detected_and_which_event_it_makes() -> None:
    assert all(it.detected for it in SCHEMAS)
    events = {it.name: it.event for it in SCHEMAS if it.event}
    assert events == dict.fromkeys(PROVIDERS, "learning_event/1.0")
    plain = of("a", {})
    assert (plain.detected, plain.event) == (False, None)


@pytest.mark.parametrize(
    ("document", "where"),
    [
        ({"x-steward-detect": {"a": "text"}}, "/x-steward-detect/a"),
        ({"x-steward-detect": []}, "/x-steward-detect"),
        ({"properties": {"a": {"x-steward-detect": {"b": "any"}}}}, "/properties/a"),
        ({"x-steward-normalise": {"event": "e/1", "fields": {"/a": "/b"}}}, "/fields/~1a"),
    ],
)
def test_an_annotation_that_is_wrong_is_refused_where_it_stands(
    document: dict[str, Any], where: str
) -> None:
    with pytest.raises(fastcsv.SchemaError, match=where) as raised:
        of("a", document)
    assert raised.value.reason == "SCHEMA_ANNOTATION_INVALID"


def test_a_csv_has_no_structure_to_detect() -> None:
    with pytest.raises(fastcsv.SchemaError) as raised:
        fastcsv.Schema('{"x-steward-detect": {"a": "any"}}', name="a", version="1.0")
    assert raised.value.reason == "SCHEMA_ANNOTATION_INVALID"


def test_an_event_of_ecornell_reads_as_the_mapping_says() -> None:
    report = fastcsv.normalise_payload(BY_NAME["ecornell_webhook"], json.dumps(ECORNELL).encode())
    assert report.valid
    assert report.event is not None
    assert json.loads(report.event) == {
        "provider": "ecornell",
        "event_id": "ec-1",
        "event_type": "course.completed",
        "occurred_at": "2025-11-13T10:00:00Z",
        "user": {"external_id": "u-77", "email": "ana@example.org"},
        "course": {"id": "LSM501", "name": "Leadership"},
        "status": "completed",
        "progress_percent": 100,
        "metadata": {"user": {"first_name": "Ana"}},
    }


def test_an_event_in_an_envelope_has_the_delivery_and_the_version_of_its_schema() -> None:
    report = fastcsv.normalise_payload(
        BY_NAME["ecornell_webhook"],
        json.dumps(ECORNELL).encode(),
        event_id="d-1",
        event_source="/webhooks/ecornell",
    )
    assert report.event is not None
    envelope = json.loads(report.event)
    plain = fastcsv.normalise_payload(BY_NAME["ecornell_webhook"], json.dumps(ECORNELL).encode())
    assert plain.event is not None
    assert envelope.pop("data") == json.loads(plain.event)
    assert envelope == {
        "specversion": "1.0",
        "id": "d-1",
        "source": "/webhooks/ecornell",
        "type": "steward.learning_event",
        "datacontenttype": "application/json",
        "dataschema": "urn:steward:schema:event:learning_event:1.0",
        "time": "2025-11-13T10:00:00Z",
    }
    document = json.loads((ROOT / "schemas/event/learning_event/1.0.json").read_text())
    assert document["$id"] == envelope["dataschema"]


def test_a_payload_that_is_not_valid_has_violations_and_no_event() -> None:
    report = fastcsv.normalise_payload(BY_NAME["ecornell_webhook"], b'{"event_type": 1}')
    assert (report.valid, report.event) == (False, None)
    assert report.total_violations > 1


def test_arguments_that_cannot_be_meant_are_refused() -> None:
    for name, more in (
        ("buddy_match", {}),
        ("ecornell_webhook", {"event_id": "a"}),
        ("ecornell_webhook", {"event_id": "", "event_source": "b"}),
    ):
        with pytest.raises(ValueError):
            fastcsv.normalise_payload(BY_NAME[name], b"{}", **more)  # type: ignore[arg-type]
