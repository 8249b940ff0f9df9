"""Payloads in Python: the shared vectors of every schema, what a report says, and the bounds."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

import fastcsv
from tests.support import payload_vectors

ROOT = Path(__file__).parents[3]


def schema(name: str) -> fastcsv.PayloadSchema:
    document = (ROOT / "schemas/json" / name / "1.0.json").read_bytes()
    return fastcsv.PayloadSchema(document, name=name, version="1.0")


def of(document: object) -> fastcsv.PayloadSchema:
    return fastcsv.PayloadSchema(json.dumps(document), name="a", version="1.0")


@pytest.mark.parametrize("path", payload_vectors.PATHS, ids=lambda path: path.stem)
def test_every_field_is_judged_as_its_vectors_say(path: Path) -> None:
    judged = schema(path.stem)
    assert judged.compiled
    for case in payload_vectors.cases(path):
        report = fastcsv.validate_payload(judged, case.payload)
        found = sorted((it.pointer, it.keyword) for it in report.violations)
        assert found == case.errors, case


def test_a_report_names_pointer_keyword_message_and_value_of_every_violation() -> None:
    judged = of(
        {
            "type": "object",
            "required": ["id", "tags"],
            "properties": {
                "id": {"type": "integer"},
                "tags": {"items": {"enum": ["a", "b"]}},
                "person": {"properties": {"email": {"type": "string", "format": "email"}}},
            },
        }
    )
    payload = b'{"tags": ["a", "c"], "person": {"email": "ana@localhost", "x~/y": null}}'
    report = fastcsv.validate_payload(judged, payload)
    assert not report.valid
    assert report.total_violations == 3
    told = [(it.pointer, it.keyword, it.message, it.value) for it in report.violations]
    assert told == [
        ("/tags/1", "enum", "must be one of a, b", '"c"'),
        ("/person/email", "format", "is not an e-mail address", '"ana@localhost"'),
        ("/id", "required", "is missing", None),
    ]
    assert report.unknown_members == ("/person/x~0~1y",)
    assert "localhost" not in repr(report.violations[1])


@pytest.mark.parametrize(
    ("payload", "pointer", "keyword"),
    [
        (b"", "", "json"),
        (b"{", "", "json"),
        (b"{} {}", "", "json"),
        (b'{"a": 1, "a": 1}', "/a", "duplicateMember"),
        (b'{"a": "\\u0000"}', "/a", "nul"),
        (b'{"a": "\\ud800"}', "/a", "surrogate"),
        (b'{"a": "\xff"}', "", "encoding"),
        (b'{"a": 1e200000}', "/a", "number"),
        (b"[" * 65 + b"]" * 65, "", "depth"),
        (b'"' + b"x" * (16 << 20) + b'"', "", "payloadBytes"),
    ],
)
def test_a_payload_that_cannot_be_stored_is_a_report(payload: bytes, pointer: str, keyword: str):
    report = fastcsv.validate_payload(of({}), payload)
    assert [(it.pointer, it.keyword) for it in report.violations] == [(pointer, keyword)]


def test_numbers_are_exact_however_many_digits_they_have() -> None:
    judged = of({"maximum": 9007199254740993})
    assert fastcsv.validate_payload(judged, b"9007199254740993.0").valid
    assert not fastcsv.validate_payload(judged, b"9007199254740993.00000000000000000001").valid
    assert not fastcsv.validate_payload(judged, b"1e400").valid


def test_large_payloads_and_other_buffers_are_judged_alike() -> None:
    judged = of({"items": {"type": "string"}})
    payload = json.dumps(["x" * 100] * 1000 + [1]).encode()
    for data in (payload, bytearray(payload), memoryview(payload)):
        report = fastcsv.validate_payload(judged, data)
        assert [(it.pointer, it.value) for it in report.violations] == [("/1000", "1")]
    with pytest.raises(TypeError):
        fastcsv.validate_payload(judged, payload.decode())  # type: ignore[arg-type]


def test_violations_are_kept_up_to_a_bound_and_all_counted() -> None:
    report = fastcsv.validate_payload(of({"items": False}), b"[1, 2, 3]", max_violations=2)
    assert (len(report.violations), report.total_violations) == (2, 3)
    long = fastcsv.validate_payload(of({"maxLength": 1}), b'"' + b"x" * 10_000 + b'"')
    assert long.violations[0].value == '"' + "x" * 4095 + "…"
    with pytest.raises(ValueError, match="max_violations"):
        fastcsv.validate_payload(of({}), b"1", max_violations=0)
    with pytest.raises(ValueError, match="max_depth"):
        fastcsv.validate_payload(of({}), b"1", max_depth=121)


def test_a_schema_says_what_it_is_and_what_of_it_has_no_effect() -> None:
    judged = schema("buddy_webhook")
    assert (judged.name, judged.version) == ("buddy_webhook", "1.0")
    assert (judged.effective_date, judged.deprecated, judged.warnings) == ("2025-01-01", False, ())
    general = of({"not": {"type": "string"}, "note": "x"})
    assert not general.compiled
    assert general.warnings == ("the keyword note is unknown and checks nothing (at /note)",)
    for document, reason in [
        ({"requried": []}, "SCHEMA_KEYWORD_UNKNOWN"),
        ({"properties": {"a": {"x-steward-message": ""}}}, "SCHEMA_ANNOTATION_INVALID"),
        ({"$ref": "https://example.org/x"}, "SCHEMA_REFERENCE_REFUSED"),
    ]:
        with pytest.raises(fastcsv.SchemaError) as raised:
            of(document)
        assert raised.value.reason == reason


def test_the_examples_of_the_page_print_what_the_page_shows(
    capsys: pytest.CaptureFixture[str],
) -> None:
    page = (ROOT / "docs/payloads.md").read_text()
    blocks = re.findall(r"^```(python|text)\n(.*?)^```$", page, re.DOTALL | re.MULTILINE)
    names: dict[str, object] = {}
    for (language, code), (_, shown) in zip(blocks[::2], blocks[1::2], strict=True):
        assert language == "python"
        exec(compile(code, "docs/payloads.md", "exec"), names)
        assert capsys.readouterr().out == shown
