"""What bad input gets: a clear error with reason and hint, nothing written, the daemon unharmed."""

import threading

import grpc
import pytest

from tests.acceptance.conftest import LANGUAGE, refusal_of, rows
from tests.support.calls import (
    Request,
    batches,
    channel,
    crc32c,
    opening,
    responses,
    upload,
    validate,
)

BODY = LANGUAGE + rows(50, bad_every=10)


@pytest.fixture(autouse=True)
def _nothing_is_written_and_the_daemon_is_unharmed(daemon):
    before = {batch.name for batch in batches(daemon.address)}
    yield
    new = {batch.name for batch in batches(daemon.address)} - before
    assert {name for name in new if name not in ALLOWED} == set()
    assert not list((daemon.data_dir / "scratch").iterdir())
    assert validate(daemon.address, upload(LANGUAGE)).total_rows == 0


ALLOWED: set[str] = set()


def test_an_unknown_type(daemon):
    said = refusal_of(daemon.address, upload(BODY, schema="schemas/nothing"))
    assert (said.code, said.reason) == (grpc.StatusCode.INVALID_ARGUMENT, "SCHEMA_UNKNOWN")
    assert "language_session/1.1" in said.hint


def test_an_unknown_version(daemon):
    said = refusal_of(
        daemon.address, upload(BODY, schema="schemas/language_session", schema_version="9.9")
    )
    assert (said.code, said.reason) == (grpc.StatusCode.INVALID_ARGUMENT, "SCHEMA_UNKNOWN")
    assert "9.9" in said.message


def test_a_header_that_fits_no_schema_names_what_is_missing_and_the_nearest(daemon):
    said = refusal_of(daemon.address, upload(BODY.replace(b"volunteer_email", b"volunteer")))
    assert (said.code, said.reason) == (grpc.StatusCode.INVALID_ARGUMENT, "HEADER_REFUSED")
    assert said.metadata["missing_columns"] == "volunteer_email"
    assert said.metadata["nearest_schema"].startswith("language_session/1.")
    assert "volunteer_email" in said.message
    assert said.hint


@pytest.mark.parametrize(
    "header", [b"session_id,,x\n", b"session_id,session_id\n"], ids=["empty", "doubled"]
)
def test_an_empty_or_doubled_header_name(daemon, header):
    assert refusal_of(daemon.address, upload(header)).reason == "HEADER_REFUSED"


def test_an_unknown_column_under_strict(daemon):
    body = LANGUAGE.replace(b"rating", b"mood") + rows(1)
    assert (
        refusal_of(daemon.address, upload(body, options={"strict": True})).reason
        == "HEADER_REFUSED"
    )


def test_an_empty_file(daemon):
    said = refusal_of(daemon.address, upload(b""))
    assert (said.code, said.reason) == (grpc.StatusCode.INVALID_ARGUMENT, "INPUT_REFUSED")
    assert "empty" in said.message


@pytest.mark.parametrize("size_bytes", [4_300_000, 9_000_000])
def test_a_message_over_the_limit(daemon, size_bytes):
    said = refusal_of(daemon.address, upload(LANGUAGE + b"x" * size_bytes, chunk_bytes=1 << 30))
    assert (said.code, said.reason) == (grpc.StatusCode.RESOURCE_EXHAUSTED, "MESSAGE_TOO_LARGE")
    assert "1 MiB" in said.hint


def test_an_upload_without_commit(daemon):
    said = refusal_of(daemon.address, list(upload(BODY))[:-1])
    assert (said.code, said.reason) == (grpc.StatusCode.ABORTED, "UPLOAD_INCOMPLETE")


@pytest.mark.parametrize(
    "commit",
    [
        Request.Commit(size_bytes=len(BODY) + 1, crc32c=crc32c(BODY)),
        Request.Commit(size_bytes=len(BODY), crc32c=crc32c(BODY) ^ 1),
        Request.Commit(),
    ],
    ids=["size", "checksum", "nothing"],
)
def test_a_commit_that_says_something_else_than_what_came(daemon, commit):
    messages = [*list(upload(BODY))[:-1], Request(commit=commit)]
    said = refusal_of(daemon.address, messages)
    assert (said.code, said.reason) == (grpc.StatusCode.ABORTED, "UPLOAD_INCOMPLETE")


@pytest.mark.parametrize(
    ("messages", "field"),
    [
        ([Request(commit=Request.Commit())], "open"),
        ([Request()], "open"),
        ([Request(open=Request.Open())], "open.source"),
        ([opening(), opening()], "open"),
        ([opening(schema="language_session")], "open.schema"),
        ([opening(request_id="x" * 129)], "open.request_id"),
        ([opening(options={"delimiter": "x"})], "open.options.delimiter"),
        ([opening(uri="file:///etc/passwd"), Request(chunk=Request.Chunk(data=b"x"))], None),
    ],
)
def test_messages_that_do_not_belong(daemon, messages, field):
    said = refusal_of(daemon.address, messages)
    assert said.code is grpc.StatusCode.INVALID_ARGUMENT
    assert field is None or said.fields == (field,)


def test_a_client_that_dies_in_the_middle_leaves_nothing(daemon):
    held = threading.Event()

    def messages():
        yield opening()
        yield Request(chunk=Request.Chunk(data=BODY))
        held.wait(30)

    open_channel = channel(daemon.address)
    from steward.v1 import validation_pb2_grpc

    call = validation_pb2_grpc.ValidationServiceStub(open_channel).ValidateBatch(
        messages(), timeout=30
    )
    assert next(call).WhichOneof("message") == "accepted"
    open_channel.close()
    held.set()
    deadline_s = 10.0
    import time

    until = time.monotonic() + deadline_s
    while list((daemon.data_dir / "scratch").iterdir()):
        assert time.monotonic() < until
        time.sleep(0.05)


def test_a_request_id_gives_the_same_batch_again_and_is_refused_for_another_request(daemon):
    first = validate(daemon.address, upload(BODY, request_id="one"))
    ALLOWED.add(first.name)
    assert validate(daemon.address, upload(BODY, request_id="one")) == first
    other = BODY.replace(b"S1,", b"S9,")
    for messages in (
        upload(other, request_id="one"),
        upload(BODY, request_id="one", schema_version="1.0"),
        upload(BODY, request_id="one", source_file="other.csv"),
    ):
        said = refusal_of(daemon.address, messages)
        assert (said.code, said.reason) == (grpc.StatusCode.INVALID_ARGUMENT, "REQUEST_ID_REUSED")


def test_a_request_id_in_use_is_told_to_wait_and_is_free_again_after_a_failure(daemon):
    go_on = threading.Event()

    def slow():
        yield opening(request_id="two")
        yield Request(chunk=Request.Chunk(data=BODY))
        go_on.wait(30)

    stream = responses(daemon.address, slow())
    next(stream)
    said = refusal_of(daemon.address, upload(BODY, request_id="two"))
    assert (said.code, said.reason) == (grpc.StatusCode.ABORTED, "REQUEST_IN_PROGRESS")
    assert said.retry_after_s
    go_on.set()
    with pytest.raises(grpc.RpcError, match="without Commit"):
        list(stream)
    ALLOWED.add(validate(daemon.address, upload(BODY, request_id="two")).name)


class TestUri:
    def messages(self, uri):
        return [opening(uri=uri), Request(commit=Request.Commit())]

    def test_a_file_below_a_root_is_read(self, daemon, inbox):
        (inbox / "in voice.csv").write_bytes(BODY)
        batch = validate(daemon.address, self.messages(f"file://{inbox}/in%20voice.csv"))
        ALLOWED.add(batch.name)
        assert (batch.total_rows, batch.quarantined_rows) == (50, 5)
        assert batch.uri == f"file://{inbox}/in%20voice.csv"

    def test_what_commit_says_of_it_is_held_to(self, daemon, inbox):
        (inbox / "some.csv").write_bytes(BODY)
        messages = [
            opening(uri=f"file://{inbox}/some.csv"),
            Request(commit=Request.Commit(size_bytes=1)),
        ]
        assert refusal_of(daemon.address, messages).reason == "UPLOAD_INCOMPLETE"

    @pytest.mark.parametrize(
        "uri",
        [
            "file:///etc/passwd",
            "file://{inbox}/../shared/daemon-id",
            "file://{inbox}/%2e%2e/shared/daemon-id",
            "file://{inbox}/link.csv",
            "file://{inbox}/linked/daemon-id",
            "file://{inbox}/inside.csv",
            "file://{inbox}/missing.csv",
            "file://{inbox}",
            "file://{inbox}/folder",
            "file://{inbox}/pipe",
            "file://{inbox}/a%00b",
            "http://{inbox}/some.csv",
            "file://elsewhere{inbox}/some.csv",
            "some.csv",
            "file://[",
        ],
    )
    def test_what_is_no_plain_file_below_a_root_is_refused(self, daemon, inbox, uri):
        import os

        for link, target in {
            "link.csv": daemon.data_dir / "daemon-id",
            "linked": daemon.data_dir,
            "inside.csv": inbox / "some.csv",
        }.items():
            if not (inbox / link).is_symlink():
                (inbox / link).symlink_to(target)
        (inbox / "folder").mkdir(exist_ok=True)
        if not (inbox / "pipe").exists():
            os.mkfifo(inbox / "pipe")
        said = refusal_of(daemon.address, self.messages(uri.format(inbox=inbox)))
        assert (said.code, said.reason) == (grpc.StatusCode.INVALID_ARGUMENT, "URI_REFUSED")
        assert "validation.uri_roots" in said.hint


def test_a_refused_header_is_told_at_once_to_a_client_that_waits(daemon):
    go_on = threading.Event()

    def messages():
        yield opening()
        yield Request(chunk=Request.Chunk(data=b"nothing,fits\n1,2\n"))
        go_on.wait(30)

    try:
        assert refusal_of(daemon.address, messages()).reason == "HEADER_REFUSED"
    finally:
        go_on.set()
