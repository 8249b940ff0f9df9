"""ValidateBatch by upload, against a real daemon: what comes in, what comes out, and what is kept."""

import csv
import gzip
import io
import json
import threading

import grpc
import pytest
from steward.v1 import validation_pb2, validation_pb2_grpc

from tests.acceptance.conftest import LANGUAGE, NO_DATABASE, refused, rows
from tests.support.calls import (
    Request,
    batches,
    channel,
    crc32c,
    download,
    opening,
    responses,
    upload,
    validate,
)
from tests.support.daemon import Daemon

SAMPLES = {
    "language_session_1.0.csv": "schemas/language_session/versions/1.0",
    "language_session_1.1.csv": "schemas/language_session/versions/1.1",
    "mentorship_session_1.0.csv": "schemas/mentorship_session/versions/1.0",
}
RECORD_KEYS = {
    "rowNumber",
    "rawData",
    "errors",
    "quarantinedAt",
    "sourceFile",
    "csvType",
    "schemaVersion",
}


@pytest.mark.parametrize("name", SAMPLES)
def test_a_sample_is_detected_judged_and_quarantined(daemon, examples, name):
    body = (examples / name).read_bytes()
    batch = validate(daemon.address, upload(body, source_file=name))
    assert batch.schema == SAMPLES[name]
    assert batch.total_rows == batch.valid_rows + batch.quarantined_rows
    assert 1900 <= batch.valid_rows <= 2000
    assert 20 <= batch.quarantined_rows <= 400
    assert (batch.size_bytes, batch.crc32c) == (len(body), crc32c(body))
    records = [
        json.loads(line)
        for line in download(daemon.address, batch.name, "records.jsonl").splitlines()
    ]
    assert len(records) == batch.quarantined_rows
    numbers = [record["rowNumber"] for record in records]
    assert numbers == sorted(set(numbers))
    for record in records:
        assert record.keys() >= RECORD_KEYS | {"lineNumber", "byteOffset"}
        assert ("rawRow" in record) != ("rawRowBase64" in record)
        assert record["sourceFile"] == name
        assert batch.schema == f"schemas/{record['csvType']}/versions/{record['schemaVersion']}"
        assert all(
            {"field", "keyword", "message", "value"} <= error.keys() for error in record["errors"]
        )


def test_the_raw_row_stands_where_the_record_says(daemon, examples):
    body = (examples / "language_session_1.0.csv").read_bytes()
    batch = validate(daemon.address, upload(body))
    for line in download(daemon.address, batch.name, "records.jsonl").splitlines():
        record = json.loads(line)
        if "rawRow" in record:
            raw = record["rawRow"].encode()
            begin = record["byteOffset"]
            assert body[begin : begin + len(raw)] == raw
            assert body[:begin].count(b"\n") == record["lineNumber"] - 1


def test_the_report_and_the_errors_agree_with_the_batch(daemon, examples):
    batch = validate(daemon.address, upload((examples / "language_session_1.1.csv").read_bytes()))
    report = json.loads(download(daemon.address, batch.name, "report.json"))
    text = json.dumps(report)
    for number in (batch.total_rows, batch.valid_rows, batch.quarantined_rows):
        assert str(number) in text
    assert batch.name.removeprefix("batches/") in text
    table = list(
        csv.reader(io.StringIO(download(daemon.address, batch.name, "errors.csv").decode()))
    )
    assert table[0] == ["Row Number", "Field", "Error Message", "Invalid Value", "Quarantined At"]
    assert (
        len(table) - 1
        == sum(batch.errors_by_field.values())
        == sum(batch.errors_by_keyword.values())
    )
    assert not [
        cell for row in table[1:] for cell in row if cell[:1] in ("=", "+", "-", "@", "\t", "\r")
    ]


def test_valid_rows_come_back_byte_for_byte_when_they_are_asked_for(daemon):
    good = [
        b'S1,ana@example.org,bo@example.org,"2025-03-01",0.50\r\n',
        b"S3,a@b.example,c@d.example,2025-03-02,\r\n",
    ]
    bad = b"S2,nobody,bo@example.org,2025-03-01,0.5\r\n"
    header = LANGUAGE.replace(b"\n", b"\r\n")
    body = header + good[0] + bad + good[1]
    batch = validate(daemon.address, upload(body, options={"keep_valid_rows": True}))
    assert download(daemon.address, batch.name, "valid.csv") == header + good[0] + good[1]
    assert download(daemon.address, batch.name, "valid.csv", len(header)) == good[0] + good[1]
    without = validate(daemon.address, upload(body))
    assert [file.name.rpartition("/")[2] for file in without.files] == [
        "records.jsonl",
        "errors.csv",
        "report.json",
    ]


def test_a_pinned_schema_and_version_are_used_whatever_the_header_says(daemon):
    body = (
        LANGUAGE.replace(b"rating", b"metadata")
        + b"S1,a@b.example,c@d.example,2025-03-01,not json\n"
    )
    detected = validate(daemon.address, upload(body))
    assert (detected.schema, detected.quarantined_rows) == (
        "schemas/language_session/versions/1.1",
        1,
    )
    pinned = validate(
        daemon.address, upload(body, schema="schemas/language_session", schema_version="1.0")
    )
    assert (pinned.schema, pinned.quarantined_rows) == ("schemas/language_session/versions/1.0", 0)
    assert list(pinned.unknown_columns) == ["metadata"]


def test_a_header_that_fits_is_accepted_though_what_comes_right_behind_it_is_refused(daemon):
    answered = threading.Event()
    damaged = gzip.compress(b"more")[:10] + b"not deflated at all"
    body = gzip.compress(LANGUAGE + rows(1000), 0) + damaged

    def messages():
        yield opening()
        yield Request(chunk=Request.Chunk(data=body))
        answered.wait(10)
        yield Request(commit=Request.Commit(size_bytes=len(body), crc32c=crc32c(body)))

    answers = []
    with refused() as found:
        for answer in responses(daemon.address, messages()):
            answers.append(answer.WhichOneof("message"))
            answered.set()
    answered.set()
    assert answers == ["accepted"]
    assert found[0].reason == "INPUT_REFUSED"


def test_accepted_comes_before_the_upload_ends_and_names_the_batch(daemon):
    def messages():
        yield opening()
        yield Request(chunk=Request.Chunk(data=LANGUAGE + rows(10)))
        yield Request(chunk=Request.Chunk(data=rows(10)))
        yield Request(commit=Request.Commit(size_bytes=len(body), crc32c=crc32c(body)))

    body = LANGUAGE + rows(10) + rows(10)
    answers = list(responses(daemon.address, messages()))
    assert answers[0].accepted.schema == "schemas/language_session/versions/1.0"
    assert answers[-1].summary.batch.name == answers[0].accepted.batch
    assert [answer.WhichOneof("message") for answer in answers].count("accepted") == 1


def test_progress_comes_at_most_twice_a_second(daemon):
    import time

    body = LANGUAGE + rows(300)

    def slowly():
        yield opening()
        for begin in range(0, len(body), 500):
            time.sleep(0.05)
            yield Request(chunk=Request.Chunk(data=body[begin : begin + 500]))
        yield Request(commit=Request.Commit(size_bytes=len(body), crc32c=crc32c(body)))

    began = time.monotonic()
    answers = list(responses(daemon.address, slowly()))
    elapsed_s = time.monotonic() - began
    seen = [answer.progress for answer in answers if answer.WhichOneof("message") == "progress"]
    assert 1 <= len(seen) <= elapsed_s * 2 + 1
    assert [one.total_rows for one in seen] == sorted(one.total_rows for one in seen)
    assert all(one.total_rows == one.valid_rows + one.quarantined_rows for one in seen)


def test_a_header_without_rows_is_a_valid_batch(daemon):
    batch = validate(daemon.address, upload(LANGUAGE))
    assert (batch.total_rows, batch.quarantined_rows) == (0, 0)
    assert download(daemon.address, batch.name, "records.jsonl") == b""


@pytest.mark.parametrize(
    ("record", "keyword"),
    [
        (b"S1,a@b.example,c@d.example,2025-03-01\n", "cells"),
        (b"S1,a@b.example,c@d.example,2025-03-01,0.5,more\n", "cells"),
        (b"S\xff,a@b.example,c@d.example,2025-03-01,0.5\n", "encoding"),
        (b'S"1,a@b.example,c@d.example,2025-03-01,0.5\n', "quoting"),
        (b'"S1,a@b.example,c@d.example,2025-03-01,0.5\n', "quoting"),
        (b"S" + b"x" * 3_000_000 + b",a@b.example,c@d.example,2025-03-01,0.5\n", "recordBytes"),
    ],
    ids=["short", "long", "utf-8", "stray quote", "open quote", "3 MB"],
)
def test_a_broken_record_is_quarantined_and_its_neighbours_are_not(daemon, record, keyword):
    body = LANGUAGE + rows(3) + record + rows(3)
    batch = validate(daemon.address, upload(body, options={"accept_recovered": True}))
    assert (batch.total_rows, batch.valid_rows, batch.quarantined_rows) == (7, 6, 1)
    (only,) = (
        json.loads(line)
        for line in download(daemon.address, batch.name, "records.jsonl").splitlines()
    )
    assert only["rowNumber"] == 4
    assert only["errors"][0]["field"] == "_row"
    assert only["errors"][0]["value"] is None
    assert only["errors"][0]["keyword"] == keyword


def test_a_nul_in_a_cell_is_a_violation_of_its_field(daemon):
    body = LANGUAGE + rows(3) + b"S\x001,a@b.example,c@d.example,2025-03-01,0.5\n"
    batch = validate(daemon.address, upload(body))
    assert (batch.valid_rows, batch.quarantined_rows) == (3, 1)
    assert (dict(batch.errors_by_field), dict(batch.errors_by_keyword)) == (
        {"session_id": 1},
        {"nul": 1},
    )


def test_chunks_of_any_size_give_the_same_batch(daemon, examples):
    body = (examples / "mentorship_session_1.0.csv").read_bytes()[:20_000]
    whole = validate(daemon.address, upload(body))
    parts = validate(daemon.address, upload(body, chunk_bytes=17))
    for file in ("errors_by_field", "errors_by_keyword"):
        assert dict(getattr(whole, file)) == dict(getattr(parts, file))
    assert (whole.total_rows, whole.valid_rows) == (parts.total_rows, parts.valid_rows)


def test_batches_are_listed_newest_first_page_by_page(daemon):
    made = [validate(daemon.address, upload(LANGUAGE + rows(n))).name for n in range(1, 9)]
    listed = [batch.name for batch in batches(daemon.address)]
    assert listed[:8] == made[::-1]
    assert len(set(listed)) == len(listed)


def test_a_batch_whose_manifest_is_broken_hides_no_other(folder):
    with Daemon(folder / "data", environment=NO_DATABASE) as daemon:
        made = [validate(daemon.address, upload(LANGUAGE + rows(n))) for n in range(1, 4)]
        identifier = made[1].name.removeprefix("batches/")
        (manifest,) = (daemon.data_dir / "repository").rglob(f"*/{identifier}/manifest.json")
        manifest.write_bytes(manifest.read_bytes().replace(b'"total_rows":2', b'"total_rows":3'))
        assert batches(daemon.address) == [made[2], made[0]]
        with refused() as found, channel(daemon.address) as open_channel:
            stub = validation_pb2_grpc.ValidationServiceStub(open_channel)
            stub.GetBatch(validation_pb2.GetBatchRequest(name=made[1].name), timeout=10)
        assert (found[0].code, found[0].reason) == (grpc.StatusCode.DATA_LOSS, "CORRUPT")
    assert [entry["id"] for entry in daemon.events("left out of a listing")] == [identifier]
