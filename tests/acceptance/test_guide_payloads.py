"""docs/guides/payloads.md, executed as it stands there."""

from __future__ import annotations

import json
import re

import pytest

from tests.support.guides import DOCS, Walk, command_lines, shown

PAGE = "guides/payloads.md"


@pytest.fixture(scope="module")
def walked(session_folder):
    walk = Walk(session_folder / "guide-payloads")
    try:
        yield walk.through(PAGE)
    finally:
        walk.close()


def lines(walked, name):
    return (walked.folder / name).read_text().splitlines()


def test_the_provider_is_detected_and_an_unknown_one_is_told_what_was_tried(walked):
    detected, refused, of_lines = [
        each for each in walked.finished if each.line.startswith("steward payload detect")
    ]
    assert "ecornell_webhook 1.0" in detected.stdout
    assert of_lines.stdout == "".join(
        f"deliveries.jsonl:{line}: itslearning_webhook 1.0\n" for line in (1, 2, 3)
    )
    assert "PAYLOAD_REFUSED" in refused.stderr
    assert "/user_id is missing" in refused.stderr


def test_a_member_that_the_schema_does_not_name_is_told(walked):
    assert "/campus" in walked.output("steward payload validate completed.json")[0]


def test_the_event_is_the_one_that_the_page_shows(walked):
    (event,) = shown((DOCS / PAGE).read_text())
    assert json.loads((walked.folder / "event.json").read_text()) == json.loads(event)


def test_the_event_comes_in_an_envelope(walked):
    envelope = json.loads((walked.folder / "envelope.json").read_text())
    assert (envelope["id"], envelope["source"]) == ("ev-20417", "/webhooks/ecornell")
    assert envelope["data"] == json.loads((walked.folder / "event.json").read_text())


def test_the_valid_deliveries_become_events_and_the_other_is_told(walked):
    events = [json.loads(line) for line in lines(walked, "events.jsonl")]
    assert [each["event_id"] for each in events] == ["its-1", "its-3"]
    (of_lines,) = [
        each for each in walked.finished if each.line.endswith("deliveries.jsonl > events.jsonl")
    ]
    assert "deliveries.jsonl:2: no valid itslearning_webhook 1.0: /userEmail" in of_lines.stderr


def test_the_valid_deliveries_are_handed_on_byte_for_byte(walked):
    first, _, third = lines(walked, "deliveries.jsonl")
    assert lines(walked, "good.jsonl") == [first, third]


def test_the_invalid_one_is_shown_with_all_that_is_wrong(walked):
    (row,) = walked.output("steward quarantine show")
    assert re.search(r"/userEmail\b", row)
    assert re.search(r"/progressPercentage\b", row)


def test_the_corrected_one_comes_back_alone(walked):
    (resolved,) = lines(walked, "resolved.jsonl")
    (corrected,) = lines(walked, "corrected.json")
    assert json.loads(resolved) == json.loads(corrected)


def test_every_command_of_the_page_was_run(walked):
    on_the_page = command_lines(PAGE)
    assert [each.line for each in walked.finished] == on_the_page
    assert len(on_the_page) == 11
