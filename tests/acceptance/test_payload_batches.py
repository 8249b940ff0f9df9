"""ValidatePayloads and the quarantine of payloads on a real daemon: batches of JSON Lines, from upload to export."""

import gzip
import json
from typing import Any

import pytest
from steward.v1 import validation_pb2 as v
from steward.v1 import validation_pb2_grpc
from steward_client import Client, ExportFormat, SchemaKind
from steward_client.errors import Conflict, InvalidRequest
from steward_client.quarantine.rows import PAYLOAD

from tests.acceptance.conftest import NO_DATABASE, refused
from tests.support.calls import channel, crc32c
from tests.support.checkins import checkin
from tests.support.daemon import Daemon

Request = v.ValidatePayloadsRequest
Chunk, Commit = v.ValidateBatchRequest.Chunk, v.ValidateBatchRequest.Commit


@pytest.fixture(scope="module")
def daemon(session_folder):
    settings = {**NO_DATABASE, "STEWARDD_SERVER__MAX_CONCURRENT_CALLS": "1000"}
    with Daemon(session_folder / "payload-batches", environment=settings) as started:
        yield started


@pytest.fixture(scope="module")
def client(daemon):
    with Client(daemon.address) as connected:
        yield connected


def lines(count, *, bad_every):
    return b"".join(
        checkin(n, "sad" if n % bad_every == 0 else "good") + b"\n" for n in range(1, count + 1)
    )


def found_in(row):
    return [(each.field, each.keyword) for each in row.violations]


def test_a_file_of_payloads_becomes_a_batch(client, tmp_path):
    seen: list[Any] = []
    path = tmp_path / "checkins.jsonl"
    path.write_bytes(lines(500, bad_every=10))
    batch = client.validate_payloads(
        path, schema="buddy_checkin", keep_valid_payloads=True, progress=seen.append
    )
    assert (batch.total_rows, batch.valid_rows, batch.quarantined_rows) == (500, 450, 50)
    assert batch.kind is SchemaKind.PAYLOAD
    assert batch.errors_by_field == {"/mood": 50}
    assert batch.errors_by_keyword == {"enum": 50}
    assert batch.source_file == "checkins.jsonl"
    assert seen[0].schema == batch.schema == "schemas/buddy_checkin/versions/1.0"
    assert seen[0].batch == batch.name
    assert client.get_batch(batch.name) == batch
    valid = tmp_path / "valid.jsonl"
    client.download_batch_file(f"{batch.name}/files/valid.jsonl", valid)
    sent = path.read_bytes().splitlines(keepends=True)
    assert valid.read_bytes() == b"".join(each for each in sent if b"sad" not in each)


@pytest.mark.parametrize(
    ("line", "field", "keyword"),
    [
        (b"{broken", "_row", "json"),
        (checkin(1) + b" {}", "_row", "json"),
        (b'{"match_id": "x", "match_id": "y"}', "/match_id", "duplicateMember"),
        (checkin(1)[:-1] + b', "x": "\\u0000"}', "/x", "nul"),
        (checkin(1)[:-1] + b', "x": "\xff"}', "_row", "encoding"),
        (checkin(1)[:-1] + b', "x": [1, {"y": 1e200000}]}', "/x/1/y", "number"),
        (b"[" * 65 + b"]" * 65, "_row", "depth"),
        (checkin(1)[:-1] + b', "x": "' + b"y" * (1 << 20) + b'"}', "_row", "payloadBytes"),
        (b"null", "_row", "type"),
    ],
)
def test_a_line_that_is_no_payload_is_quarantined_and_its_neighbours_are_kept(
    client, line, field, keyword
):
    body = b"\n".join((checkin(1), b"", line, b"   ", checkin(3)))
    batch = client.validate_payloads(body, schema="buddy_checkin")
    assert (batch.total_rows, batch.valid_rows) == (3, 2)
    (row,) = client.quarantined_rows(batch.name)
    assert (field, keyword) in found_in(row)
    assert (row.row_number, row.line_number) == (2, 3)
    assert row.is_payload
    corrected = client.correct_row(row.name, {PAYLOAD: checkin(2).decode()})
    assert corrected.state == "resolved"
    assert [each.value for each in corrected.current_cells] == [checkin(2).decode()]


def test_the_same_request_id_makes_one_batch_and_another_file_is_refused(client):
    body = lines(3, bad_every=2)
    first = client.validate_payloads(body, schema="buddy_checkin", request_id="r-1")
    assert client.validate_payloads(body, schema="buddy_checkin", request_id="r-1") == first
    with pytest.raises(InvalidRequest) as told:
        client.validate_payloads(body + b"{}", schema="buddy_checkin", request_id="r-1")
    assert told.value.reason == "REQUEST_ID_REUSED"


def test_without_commit_or_with_another_checksum_nothing_is_published(daemon, client):
    before = [each.name for each in client.list_batches()]
    opened = Request(
        open=Request.Open(schema="schemas/buddy_checkin", upload=v.ValidateBatchRequest.Upload())
    )
    chunk = Request(chunk=Chunk(data=checkin(1)))
    wrong = Request(commit=Commit(size_bytes=len(checkin(1)), crc32c=crc32c(b"other")))
    with channel(daemon.address) as open_channel:
        stub = validation_pb2_grpc.ValidationServiceStub(open_channel)
        for messages in ([opened, chunk], [opened, chunk, wrong]):
            with refused() as found:
                list(stub.ValidatePayloads(iter(messages), timeout=20))
            assert found[0].reason == "UPLOAD_INCOMPLETE"
    assert [each.name for each in client.list_batches()] == before


@pytest.mark.parametrize("compress", [bytes, gzip.compress], ids=["plain", "gzip"])
def test_a_file_of_any_compression_is_read(client, compress):
    batch = client.validate_payloads(compress(lines(20, bad_every=5)), schema="buddy_checkin")
    assert (batch.total_rows, batch.quarantined_rows) == (20, 4)


def test_an_empty_file_is_a_batch_without_payloads(client):
    assert client.validate_payloads(b"\n \n", schema="buddy_checkin").total_rows == 0


def test_strict_holds_for_corrections_too(client):
    body = checkin(1, surprise=1) + b"\n"
    assert client.validate_payloads(body, schema="buddy_checkin").is_clean
    batch = client.validate_payloads(body, schema="buddy_checkin", strict=True)
    (row,) = client.quarantined_rows(batch.name)
    assert found_in(row) == [("/surprise", "additionalProperties")]
    assert client.correct_row(row.name, {PAYLOAD: checkin(1, surprise=2).decode()}).state == "open"
    assert client.correct_row(row.name, {PAYLOAD: checkin(1).decode()}).state == "resolved"


def test_rows_are_found_by_the_pointer_of_a_member(client):
    body = lines(40, bad_every=4) + checkin(41, match_id="x") + b"\n"
    batch = client.validate_payloads(body, schema="buddy_checkin")
    found = list(client.quarantined_rows(batch.name, field="/match_id"))
    assert [each.row_number for each in found] == [41]
    assert len(list(client.quarantined_rows(batch.name, field="/mood", keyword="enum"))) == 10
    with pytest.raises(InvalidRequest):
        list(client.quarantined_rows(batch.name, field="mood"))


def test_statistics_mask_personal_members_however_deep_and_no_others(client):
    user = {"external_id": "", "email": "ana@localhost", "first_name": "x" * 101}
    body = json.dumps({"event_type": "gone", "user": user}).encode()
    batch = client.validate_payloads(body, schema="ecornell_webhook")
    stats = client.quarantine_stats(batch.name, top_values=100)
    values = {each.field: each.value for each in stats.top_values}
    assert values["/user/email"] == values["/user/first_name"] == "***"
    assert values["/user/external_id"] == '""'
    assert values["/event_type"] == '"gone"'
    whole = client.validate_payloads(b'{"user": ["ana@example.org"]}', schema="ecornell_webhook")
    stats = client.quarantine_stats(whole.name, top_values=100)
    assert {each.value for each in stats.top_values} == {"***"}


def test_an_edited_file_of_payloads_comes_back_and_the_good_ones_leave_once(client, tmp_path):
    batch = client.validate_payloads(
        lines(60, bad_every=3), schema="buddy_checkin", keep_valid_payloads=True
    )
    sheet = tmp_path / "rows.jsonl"
    client.export_quarantine(batch.name, sheet, format=ExportFormat.SHEET)
    table = [json.loads(line) for line in sheet.read_text().splitlines()]
    assert [each["row"] for each in table] == list(range(3, 61, 3))
    for each in table[:-1]:
        each["payload"]["mood"] = "okay"
    # Whoever edits it may write the members of an object in another way, and add some of their own.
    edited = "\n".join(json.dumps(each | {"by": "mia"}, indent=None) for each in table)
    outcome = client.resubmit_sheet(edited.encode())
    assert (outcome.resolved_rows, outcome.unchanged_rows) == (19, 1)
    assert client.resubmit_sheet(edited.encode()).unchanged_rows == 20
    first = client.export_next(batch.name, "importer", tmp_path / "first.jsonl")
    assert first.rows == 40 + 19
    assert first.file_name.endswith(".jsonl")
    last = client.get_quarantined_row(f"{batch.name}/rows/60")
    client.correct_row(last.name, {PAYLOAD: json.dumps(json.loads(checkin(60)), indent=2)})
    second = client.export_next(batch.name, "importer", tmp_path / "second.jsonl")
    assert second.rows == 1
    good = [
        json.loads(line)["notes"]
        for name in ("first.jsonl", "second.jsonl")
        for line in (tmp_path / name).read_text().splitlines()
    ]
    assert sorted(good) == sorted(f"by ana{n}@example.org" for n in range(1, 61))


def test_a_sheet_of_the_other_kind_is_refused(client, tmp_path):
    payloads = client.validate_payloads(lines(2, bad_every=1), schema="buddy_checkin")
    for sheet in (
        b"Row Number,a\n1,x\n",
        b'{"row": 1}\n',
        b'{"row": "1", "payload": {}}\n',
        b"{\n",
    ):
        with pytest.raises(InvalidRequest) as told:
            client.resubmit_sheet(sheet, batch=payloads.name)
        assert told.value.reason == "INPUT_REFUSED"


def test_an_erased_person_is_in_no_payload_and_numbers_keep_their_digits(daemon, client):
    person = "zoe.erased@example.org"
    nested = checkin(1, "sad", notes="x", deep=[{"mail": person.upper(), person: 1}])
    exact = nested[:-1] + b', "n": 0.10000000000000000000001, "big": 12345678901234567890}'
    body = exact + b"\n" + checkin(2, notes=f"call {person}") + b"\n"
    batch = client.validate_payloads(body, schema="buddy_checkin", keep_valid_payloads=True)
    (row,) = client.quarantined_rows(batch.name)
    client.correct_row(row.name, {PAYLOAD: exact.decode().replace("sad", "bad")}, actor=person)
    outcome = client.erase_subject(person, dry_run=False).result()
    assert (outcome.quarantined_rows, outcome.valid_rows) == (1, 1)
    row = client.get_quarantined_row(row.name)
    assert b"0.10000000000000000000001" in row.raw_row
    assert b"12345678901234567890" in row.raw_row
    assert json.loads(row.raw_row)["notes"] == "[erased]"
    assert "0.10000000000000000000001" in row.corrected_cells[0].value
    stored = [
        path.read_bytes() for path in daemon.data_dir.glob("repository/**/*") if path.is_file()
    ]
    assert stored
    assert not any(person.encode() in each.lower() for each in stored)


# --- a file whose schema nobody names


MATCHED = b'{"participant_id": "x", "buddy_id": "y"}'


def test_the_first_payload_tells_the_schema_and_an_invalid_one_of_another_schema_is_told_as_that(
    client,
):
    body = b"\n".join(
        (b"", checkin(1), checkin(2, "sad"), MATCHED, b'{"mood": 1}', b"{", checkin(3, extra=1))
    )
    batch = client.validate_payloads(body, keep_valid_payloads=True)
    assert batch.schema == "schemas/buddy_checkin/versions/1.0"
    assert (batch.total_rows, batch.valid_rows) == (6, 2)
    assert batch.errors_by_keyword["otherSchema"] == 1
    assert batch.unknown_columns == ("/extra",)
    rows = {row.row_number: row for row in client.quarantined_rows(batch.name)}
    assert found_in(rows[3]) == [("_row", "otherSchema")]
    (violation,) = rows[3].violations
    assert "buddy_match/1.0" in violation.message
    assert rows[3].raw_row == MATCHED
    assert json.loads(rows[3].cells[0].value) == json.loads(MATCHED)
    assert found_in(rows[2]) == [("/mood", "enum")]
    assert "otherSchema" not in {
        each.keyword for each in (*rows[4].violations, *rows[5].violations)
    }
    assert client.correct_row(rows[3].name, {PAYLOAD: checkin(9).decode()}).state == "resolved"


def test_of_a_named_schema_every_violation_is_told_whatever_else_would_fit(client):
    batch = client.validate_payloads(checkin(1) + b"\n" + MATCHED, schema="buddy_checkin")
    (row,) = client.quarantined_rows(batch.name)
    assert set(found_in(row)) == {("/match_id", "required"), ("/mood", "required")}


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (b"", "INPUT_REFUSED"),
        (b"\n \n", "INPUT_REFUSED"),
        (b'{"a": 1}\n' + MATCHED, "PAYLOAD_REFUSED"),
        (b"{\n" + MATCHED, "PAYLOAD_REFUSED"),
        (b"x" * (2 << 20), "INPUT_REFUSED"),
        (b"\x1f\x8b\x00broken", "INPUT_REFUSED"),
    ],
    ids=["empty", "blank", "unknown", "no-json", "endless", "broken-gzip"],
)
def test_a_file_whose_first_payload_tells_no_schema_is_refused_whole(client, body, reason):
    before = [each.name for each in client.list_batches()]
    with pytest.raises(InvalidRequest) as told:
        client.validate_payloads(body)
    assert told.value.reason == reason
    assert [each.name for each in client.list_batches()] == before


def test_of_two_who_correct_one_payload_one_is_told(client):
    row = client.validate_payload(checkin(1, "sad"), schema="buddy_checkin", quarantine=True).row
    etag = client.get_quarantined_row(row).etag
    client.correct_row(row, {PAYLOAD: "{}"}, etag=etag)
    with pytest.raises(Conflict) as told:
        client.correct_row(row, {PAYLOAD: checkin(1).decode()}, etag=etag)
    assert told.value.reason == "ROW_CHANGED"
