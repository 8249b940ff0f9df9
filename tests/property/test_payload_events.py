"""Nothing of a provider's payload is lost in its event, and the event is valid by its own schema.

The oracle undoes the mapping: from the event alone, and the annotation, it makes the payload again, every number as
it was spelt.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import fastcsv
from tests.support import payload_vectors

ROOT = Path(__file__).parents[2]
PROVIDERS = ("ecornell_webhook", "generic_webhook", "itslearning_webhook")
DOCUMENTS = {
    name: json.loads((ROOT / "schemas/json" / name / "1.0.json").read_text()) for name in PROVIDERS
}
SCHEMAS = {
    name: fastcsv.PayloadSchema(json.dumps(document), name=name, version="1.0")
    for name, document in DOCUMENTS.items()
}
EVENT = fastcsv.PayloadSchema(
    (ROOT / "schemas/event/learning_event/1.0.json").read_bytes(),
    name="learning_event",
    version="1.0",
)
VALID = {
    path.stem: [case.payload for case in payload_vectors.cases(path) if not case.errors]
    for path in payload_vectors.PATHS
    if path.stem in PROVIDERS
}


class Number(str):
    """A number as it is spelt."""

    __slots__ = ()


def read(text: bytes) -> Any:
    return json.loads(text, parse_int=Number, parse_float=Number)


def put(target: dict[str, Any], pointer: str, value: Any) -> None:
    *parents, name = pointer.split("/")[1:]
    for parent in parents:
        target = target.setdefault(parent, {})
    assert name not in target, "two fields copy one member"
    target[name] = value


def get(value: Any, pointer: str) -> Any:
    for name in pointer.split("/")[1:]:
        value = value.get(name) if isinstance(value, dict) else None
    return value


def undone(event: dict[str, Any], fields: dict[str, Any]) -> dict[str, Any]:
    """The payload, made again from its event."""
    payload: dict[str, Any] = event.get("metadata", {})
    for target, source in fields.items():
        found = get(event, target)
        if isinstance(source, str) and found is not None:
            put(payload, source, found)
    return payload


def spelt(value: Any) -> str:
    if isinstance(value, dict):
        return "{" + ",".join(f"{json.dumps(k)}: {spelt(v)}" for k, v in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(spelt, value)) + "]"
    return str(value) if isinstance(value, Number) else json.dumps(value)


NUMBERS = st.from_regex(
    r"-?(0|[1-9][0-9]{0,30})(\.[0-9]{1,20})?([eE][+-]?[0-9]{1,3})?", fullmatch=True
)
TEXTS = st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=8)
VALUES = st.recursive(
    st.none() | st.booleans() | NUMBERS.map(Number) | TEXTS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXTS, inner, max_size=3),
    max_leaves=8,
)


@pytest.mark.parametrize("name", PROVIDERS)
@settings(suppress_health_check=[HealthCheck.too_slow], deadline=None)
@given(data=st.data())
def test_an_event_holds_all_that_the_provider_sent(name: str, data: st.DataObject) -> None:
    payload = read(data.draw(st.sampled_from(VALID[name])))
    inner = [payload, *(it for it in payload.values() if isinstance(it, dict))]
    for place in inner:
        for member, value in data.draw(st.dictionaries(TEXTS, VALUES, max_size=3)).items():
            place.setdefault(member, value)
    percent = data.draw(st.sampled_from(["6e1", "60.0", "60", "0"]))
    for holder, member in (
        (payload.get("progress"), "percent_complete"),
        (payload, "progress_percent"),
        (payload, "progressPercentage"),
    ):
        if isinstance(holder, dict) and member in holder:
            holder[member] = Number(percent)
    report = fastcsv.normalise_payload(SCHEMAS[name], spelt(payload).encode())
    assert report.valid, report.violations
    assert report.event is not None
    judged = fastcsv.validate_payload(EVENT, report.event, max_depth=66)
    assert judged.valid, judged.violations
    fields = DOCUMENTS[name]["x-steward-normalise"]["fields"]
    assert undone(read(report.event), fields) == payload


@pytest.mark.parametrize("name", PROVIDERS)
def test_every_valid_payload_of_the_vectors_becomes_a_valid_event(name: str) -> None:
    fields = DOCUMENTS[name]["x-steward-normalise"]["fields"]
    for payload in VALID[name]:
        event = fastcsv.normalise_payload(SCHEMAS[name], payload).event
        assert event is not None
        assert fastcsv.validate_payload(EVENT, event, max_depth=66).valid
        assert undone(read(event), fields) == read(payload)
