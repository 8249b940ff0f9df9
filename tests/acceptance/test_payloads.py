"""ValidatePayload on a real daemon: the shared vectors, bad input of every kind, and what is refused by name."""

import asyncio
import hashlib
import json
import subprocess
import sys
from functools import partial

import grpc
import pytest
from steward.v1 import validation_pb2 as v
from steward.v1 import validation_pb2_grpc
from steward_client import AsyncClient, Client, CloudEvent, SchemaKind
from steward_client.errors import Exhausted, InvalidRequest
from stewardd.validation.payload_validation import INLINE_BYTES

from tests.acceptance.conftest import NO_DATABASE, refused
from tests.support import payload_vectors
from tests.support.calls import channel
from tests.support.command import steward_of
from tests.support.daemon import Daemon
from tests.support.payload_vectors import Case

MATCH = {
    "participant_id": "0197c5d2-8a4b-7c31-9e0f-2b6d5a81c3f4",
    "buddy_id": "0197c5d2-8a4b-7c31-9e0f-2b6d5a81c3f5",
}
BODY = json.dumps(MATCH).encode()


@pytest.fixture(scope="module")
def daemon(session_folder):
    with Daemon(session_folder / "payloads", environment=NO_DATABASE) as started:
        yield started


@pytest.fixture(scope="module")
def stub(daemon):
    with channel(daemon.address) as opened:
        yield validation_pb2_grpc.ValidationServiceStub(opened)


def judge(stub, payload, schema="buddy_match", **fields):
    request = v.ValidatePayloadRequest(payload=payload, schema=f"schemas/{schema}", **fields)
    return stub.ValidatePayload(request, timeout=20)


def found_in(verdict):
    return sorted((each.pointer, each.keyword) for each in verdict.violations)


@pytest.mark.parametrize("path", payload_vectors.PATHS, ids=lambda path: path.stem)
def test_every_field_of_every_schema_is_judged_as_its_vectors_say(daemon, path):
    cases = list(payload_vectors.cases(path))
    assert any(case.errors for case in cases)

    async def judged(client: AsyncClient, bound: asyncio.Semaphore, case: Case) -> None:
        async with bound:
            verdict = await client.validate_payload(case.payload, schema=path.stem)
        assert verdict.schema == f"schemas/{path.stem}/versions/1.0"
        found = sorted((each.pointer, each.keyword) for each in verdict.violations)
        assert found == case.errors, case
        assert verdict.valid == (not case.errors)

    async def all_judged() -> None:
        bound = asyncio.Semaphore(32)
        async with AsyncClient(daemon.address) as client, asyncio.TaskGroup() as group:
            for case in cases:
                group.create_task(judged(client, bound, case))

    asyncio.run(all_judged())


@pytest.mark.parametrize(
    ("payload", "pointer", "keyword"),
    [
        (b"", "", "json"),
        (b" \n", "", "json"),
        (b"{", "", "json"),
        (BODY + b" {}", "", "json"),
        (b'\xef\xbb\xbf{"a": 1', "", "json"),
        (BODY[:-1] + b', "x": 1, "\\u0078": 2}', "/x", "duplicateMember"),
        (BODY[:-1] + b', "x": "\\u0000"}', "/x", "nul"),
        (BODY[:-1] + b', "x": "\\ud800"}', "/x", "surrogate"),
        (BODY[:-1] + b', "x": "\xff"}', "", "encoding"),
        (BODY[:-1] + b', "x": 1e200000}', "/x", "number"),
        (BODY[:-1] + b', "x": ' + b"[" * 64 + b"]" * 64 + b"}", "", "depth"),
        (BODY[:-1] + b', "x": "' + b"y" * (1 << 20) + b'"}', "", "payloadBytes"),
    ],
)
def test_bytes_that_are_no_payload_are_a_verdict_and_no_error(stub, payload, pointer, keyword):
    verdict = judge(stub, payload)
    assert not verdict.valid
    assert (pointer, keyword) in found_in(verdict)


def test_a_string_of_10_mb_is_refused_by_name_and_a_smaller_one_judged(daemon, stub):
    with refused() as found:
        judge(stub, b'{"x": "' + b"y" * 10_000_000 + b'"}')
    assert found[0].reason == "MESSAGE_TOO_LARGE"
    with Client(daemon.address) as client, pytest.raises(Exhausted):
        client.validate_payload("x" * 5_000_000, schema="buddy_match")
    assert judge(stub, BODY).valid


def test_a_large_payload_is_judged_like_a_small_one(stub):
    large = BODY[:-1] + b', "status": "%s"}' % (b"y" * (INLINE_BYTES * 4))
    (found,) = judge(stub, large).violations
    assert (found.pointer, found.keyword) == ("/status", "enum")
    assert found.value == f'"{"y" * 4095}…'
    many = b"{%s}" % b",".join(b'"k%d":%d' % (n, n) for n in range(60_000))
    verdict = judge(stub, many)
    assert found_in(verdict) == [("/buddy_id", "required"), ("/participant_id", "required")]
    assert len(verdict.unknown_members) == 100


def test_every_violation_is_told_with_pointer_keyword_message_and_value(daemon):
    body = json.dumps(MATCH | {"buddy_id": "x", "status": "gone", "note": 1})
    with Client(daemon.address) as client:
        verdict = client.validate_payload(body, schema="buddy_match", schema_version="1.0")
        told = [(it.pointer, it.keyword, it.value) for it in verdict.violations]
        assert told == [("/buddy_id", "format", '"x"'), ("/status", "enum", '"gone"')]
        assert verdict.unknown_members == ("/note",)
        assert verdict.total_violations == 2
        assert "gone" not in repr(verdict)
        strict = client.validate_payload(body, schema="buddy_match", strict=True)
        assert ("/note", "additionalProperties") in {
            (it.pointer, it.keyword) for it in strict.violations
        }


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({"schema": "nobody"}, "schema"),
        ({"schema": "language_session"}, "schema"),
        ({"schema_version": "9.9"}, "schema"),
        ({"schema_version": "newest"}, "schema_version"),
        ({"schema": "no name"}, "schema"),
    ],
)
def test_a_schema_that_is_none_of_payloads_is_refused_by_name(stub, fields, field):
    with refused() as found:
        judge(stub, BODY, **fields)
    assert found[0].code is grpc.StatusCode.INVALID_ARGUMENT
    assert found[0].fields == (field,)
    assert found[0].hint


def test_nothing_is_written(daemon):
    def objects():
        return sorted(
            str(path)
            for path in daemon.data_dir.glob("repository/**/batches/**/*")
            if path.is_file()
        )

    before = objects()
    with Client(daemon.address) as client:
        assert not client.validate_payload("{}", schema="buddy_match").valid
    assert objects() == before == []


ECORNELL = {
    "event_type": "course.completed",
    "event_id": "e-7",
    "timestamp": "2025-06-01T10:00:00Z",
    "user": {"external_id": "u-1", "email": "ana@example.org"},
    "course": {"course_id": "c-1", "course_name": "Statistics"},
    "progress": {"status": "completed", "percent_complete": 100},
    "extra": {"score": 1.50},
}


def test_a_payload_without_a_named_schema_is_judged_by_the_one_that_it_fits(daemon):
    with Client(daemon.address) as client:
        for path in payload_vectors.PATHS:
            base = next(payload_vectors.cases(path)).payload
            assert client.detect_payload(base).schema == f"schemas/{path.stem}/versions/1.0"
            verdict = client.validate_payload(base)
            assert (verdict.schema, verdict.valid) == (f"schemas/{path.stem}/versions/1.0", True)


@pytest.mark.parametrize(
    ("payload", "cause"),
    [
        (b'{"a": 1}', "PAYLOAD_UNKNOWN"),
        (b"{", "PAYLOAD_UNREADABLE"),
        (json.dumps(ECORNELL | {"provider": "x"}).encode(), "PAYLOAD_AMBIGUOUS"),
    ],
)
def test_a_payload_that_fits_no_schema_is_refused_with_what_was_tried(stub, payload, cause):
    for method, request in (
        (stub.ValidatePayload, v.ValidatePayloadRequest(payload=payload)),
        (stub.DetectSchema, v.DetectSchemaRequest(payload=payload)),
    ):
        with refused() as found:
            method(request, timeout=20)
        assert (found[0].reason, found[0].metadata["cause"]) == ("PAYLOAD_REFUSED", cause)


def test_a_valid_webhook_becomes_an_event_and_an_envelope_where_one_is_asked_for(daemon):
    with Client(daemon.address) as client:
        plain = client.validate_payload(json.dumps(ECORNELL), normalise=True)
        event = json.loads(plain.event)
        assert event["provider"] == "ecornell"
        assert event["user"] == {"external_id": "u-1", "email": "ana@example.org"}
        assert event["metadata"]["extra"] == {"score": 1.5}
        delivery = CloudEvent("d-1", "/webhooks/ecornell")
        envelope = json.loads(
            client.validate_payload(json.dumps(ECORNELL), normalise=delivery).event
        )
        assert (envelope["specversion"], envelope["id"]) == ("1.0", "d-1")
        assert envelope["source"] == "/webhooks/ecornell"
        assert envelope["data"] == event
        invalid = client.validate_payload(json.dumps(ECORNELL | {"event_id": ""}), normalise=True)
        assert (invalid.valid, invalid.event) == (False, b"")
        with pytest.raises(InvalidRequest):
            client.validate_payload(BODY, schema="buddy_match", normalise=True)
        assert client.get_schema("learning_event").kind is SchemaKind.EVENT


def test_numbers_beyond_floats_and_integers_are_exact_or_a_named_violation(stub):
    exact = {"big": "123456789012345678901234567890", "fine": "0.10000000000000000000000000001"}
    open_event = json.dumps(ECORNELL).removesuffix("}")
    body = f'{open_event}, "big": {exact["big"]}, "fine": {exact["fine"]}}}'
    request = v.ValidatePayloadRequest(payload=body.encode())
    request.normalise.SetInParent()
    event = stub.ValidatePayload(request, timeout=20).event.decode()
    assert f'"big":{exact["big"]}' in event
    assert f'"fine":{exact["fine"]}' in event
    for number, keywords in (
        ("100.0000000000000000000000001", ["type"]),
        ("1e400", ["maximum"]),
        ("-9223372036854775809", ["minimum"]),
        ("18446744073709551617", ["maximum"]),
        ("1e131073", ["maximum", "number"]),
    ):
        progress = '"percent_complete": 100'
        payload = json.dumps(ECORNELL).replace(progress, f'"percent_complete": {number}')
        verdict = judge(stub, payload.encode(), "ecornell_webhook")
        assert sorted(each.keyword for each in verdict.violations) == keywords, number
        assert {each.value for each in verdict.violations} == {number}


def test_the_data_of_a_buddy_webhook_are_judged_by_their_type_wherever_it_stands(stub):
    outer = '"event_id": "1", "timestamp": "2025-06-01T10:00:00Z"'
    data = '"data": {"match_id": "x", "mood": "sad"}'
    kind = '"event_type": "checkin.submitted"'
    verdicts = [
        judge(stub, f"{{{', '.join(parts)}}}".encode(), "buddy_webhook")
        for parts in ((data, outer, kind), (kind, data, outer))
    ]
    expected = [("/data/match_id", "format"), ("/data/mood", "enum")]
    assert [found_in(each) for each in verdicts] == [expected, expected]


def test_a_million_members_in_a_line_are_refused_by_name_and_their_neighbours_kept(daemon):
    many = b"{%s}" % b",".join(b'"%d":0' % n for n in range(1_000_000))
    with Client(daemon.address) as client:
        batch = client.validate_payloads(b"\n".join((BODY, many, BODY)), schema="buddy_match")
        (row,) = client.quarantined_rows(batch.name)
    assert (batch.total_rows, batch.valid_rows) == (3, 2)
    assert [each.keyword for each in row.violations] == ["payloadBytes"]


EXACT = "0.1000000000000000000001"
ITSLEARNING = {
    "eventType": "CourseProgress",
    "eventId": "its-1",
    "timestamp": "2025-06-01T10:00:00Z",
    "userId": "u-1",
    "userEmail": "ana@example.org",
    "courseId": "c-1",
    "courseName": "Statistics",
    "status": "in_progress",
}


@pytest.fixture
def command(daemon):
    return partial(steward_of, daemon, "payload")


def test_the_command_detects_and_normalises_a_webhook(command, tmp_path):
    path = tmp_path / "webhook.json"
    path.write_text(json.dumps(ECORNELL))
    assert command("detect", str(path)).stdout == f"{path}: ecornell_webhook 1.0\n"
    done = command("normalise", str(path))
    assert (done.returncode, json.loads(done.stdout)["event_id"]) == (0, "e-7")
    path.write_text(json.dumps(ECORNELL | {"event_id": ""}))
    refused_one = command("normalise", str(path))
    assert (refused_one.returncode, refused_one.stdout) == (1, "")
    assert "/event_id" in refused_one.stderr
    assert command("validate", str(path)).returncode == 1


def test_the_command_takes_the_lines_of_a_file_and_of_stdin_each_by_its_own_schema(
    command, tmp_path
):
    written = [
        json.dumps(ECORNELL),
        "",
        json.dumps(ITSLEARNING | {"userEmail": "ana"}),
        "{",
        json.dumps(MATCH),
        json.dumps(ITSLEARNING | {"courseName": "Ümläut \u2028", "extra": 7}).replace("7", EXACT),
    ]
    text = "\n".join(written)
    path = tmp_path / "mixed.jsonl"
    path.write_text(text)
    detected = command("detect", str(path))
    assert detected.returncode == 3
    assert [line.rpartition("mixed.jsonl:")[2] for line in detected.stdout.splitlines()] == [
        "1: ecornell_webhook 1.0",
        "3: itslearning_webhook 1.0",
        "5: buddy_match 1.0",
        "6: itslearning_webhook 1.0",
    ]
    assert "mixed.jsonl:4: " in detected.stderr
    done = command("normalise", "--lines", "-", text=text)
    assert done.returncode == 3
    events = [json.loads(line) for line in done.stdout.splitlines()]
    assert [each["event_id"] for each in events] == ["e-7", "its-1"]
    assert f'"extra":{EXACT}' in done.stdout
    for place in ("stdin:3: no valid itslearning_webhook", "stdin:4: ", "stdin:5: "):
        assert place in done.stderr


def test_the_command_tells_a_program_of_each_payload(command, tmp_path):
    path = tmp_path / "mixed.jsonl"
    lines = [
        ITSLEARNING | {"courseName": "Ümläut", "n": 1e2},
        ITSLEARNING | {"status": 1},
        {"a": 1},
    ]
    path.write_text("\n".join(json.dumps(each, ensure_ascii=False) for each in lines))
    done = command("--output", "json", "normalise", str(path), str(tmp_path / "none.json"))
    assert done.returncode == 3
    assert done.stdout.isascii()
    told = [json.loads(line) for line in done.stdout.splitlines()]
    assert [each["line"] for each in told] == [1, 2, 3, None]
    assert told[0]["event"]["course"]["name"] == "Ümläut"
    assert told[1]["verdict"]["violations"][0]["pointer"] == "/status"
    assert told[2]["error"]["reason"] == "PAYLOAD_REFUSED"
    assert told[3]["error"]["reason"] == "FILE_UNUSABLE"
    assert [each["event"] is None for each in told] == [False, True, True, True]
    detected = command("--output", "json", "detect", str(path))
    told = [json.loads(line) for line in detected.stdout.splitlines()]
    assert told[0] == {
        "file": str(path),
        "line": 1,
        "schema": "schemas/itslearning_webhook/versions/1.0",
        "error": None,
    }
    assert told[2]["error"]["reason"] == "PAYLOAD_REFUSED"


def test_the_command_puts_events_in_envelopes_with_the_same_id_each_time(command, tmp_path):
    path = tmp_path / "lines.jsonl"
    path.write_text(f"{json.dumps(ITSLEARNING)}\n{json.dumps(ECORNELL)}\n")
    envelope = ("normalise", "--envelope", "--source", "/webhooks")
    done = command(*envelope, str(path))
    assert command(*envelope, str(path)).stdout == done.stdout
    first, second = [json.loads(line) for line in done.stdout.splitlines()]
    assert (first["specversion"], first["source"]) == ("1.0", "/webhooks")
    assert first["id"] == hashlib.sha256(json.dumps(ITSLEARNING).encode()).hexdigest()
    assert first["id"] != second["id"]
    one = command(*envelope, "--id", "d-1", "-", text=json.dumps(ECORNELL))
    assert json.loads(one.stdout)["id"] == "d-1"


def test_what_is_wrong_with_one_payload_is_told_and_what_is_wrong_with_all_once(command, tmp_path):
    path = tmp_path / "lines.jsonl"
    good = json.dumps(ECORNELL)
    path.write_text(f'{good}\n{{"a": "{"x" * (4 << 20)}"}}\n{good}\n')
    done = command("normalise", str(path))
    assert (done.returncode, len(done.stdout.splitlines())) == (3, 2)
    assert "lines.jsonl:2: the payload is longer than" in done.stderr
    for named in ("nobody", "buddy_match"):
        done = command("normalise", "--type", named, str(path), str(tmp_path / "none.json"))
        assert (done.returncode, done.stdout) == (3, "")
        assert done.stderr.count("steward: ") == 2, done.stderr


@pytest.mark.parametrize(
    "words",
    [
        ["--envelope", "a.json"],
        ["--source", "/x", "a.json"],
        ["--id", "1", "a.json"],
        ["--envelope", "--source", "/x", "--id", "1", "a.jsonl"],
        ["--envelope", "--source", "/x", "--id", "1", "a.json", "b.json"],
    ],
)
def test_an_envelope_needs_its_source_and_an_id_names_one_payload(command, words):
    assert command("normalise", *words).returncode == 2


def test_a_line_of_a_pipe_is_answered_before_the_next_one_comes(daemon):
    words = ["--server", daemon.address, "payload", "detect", "--lines", "-"]
    with subprocess.Popen(
        [sys.executable, "-m", "steward_client.command", *words],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    ) as running:
        assert running.stdin
        assert running.stdout
        for line in (1, 2):
            running.stdin.write(json.dumps(ECORNELL).encode() + b"\n")
            running.stdin.flush()
            assert running.stdout.readline() == b"stdin:%d: ecornell_webhook 1.0\n" % line
        running.stdin.close()
        assert running.wait(60) == 0
