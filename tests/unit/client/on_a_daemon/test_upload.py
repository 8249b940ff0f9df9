"""Validation: what is sent, what comes back, when it is sent again, and when it is not."""

import io
import os
import threading
import time
import uuid
from datetime import UTC, datetime, timedelta

import google_crc32c
import pytest
from steward_client import Accepted, Batch, Progress, RetryPolicy, errors
from steward_client.transfer.source import CHUNK_BYTES

from tests.support.call_proxy import ANSWERED, BEGIN, COMMIT, failing
from tests.unit.client.on_a_daemon.noted import NotedProxy

AWAY = failing("UNAVAILABLE", "REPOSITORY_DOWN", "away")


def test_a_path_is_validated_and_its_batch_returned(both, server, notes):
    seen: list[Accepted | Progress] = []
    batch = both.validate_file(notes, progress=seen.append)
    assert isinstance(batch, Batch)
    assert (batch.total_rows, batch.valid_rows, batch.quarantined_rows) == (3, 2, 1)
    assert not batch.is_clean
    assert batch.errors_by_field == {"rating": 1}
    assert batch.source_file == "notes.csv"
    assert batch.size_bytes == notes.stat().st_size
    assert batch.crc32c == google_crc32c.value(notes.read_bytes())
    assert 0 < batch.elapsed_s < 60
    assert abs(batch.create_time - datetime.now(UTC)) < timedelta(minutes=1)
    assert seen[0] == Accepted(batch.name, "schemas/note/versions/1.0", ())
    uuid.UUID(server.opens[0].request_id)


def test_every_option_reaches_the_daemon(both, server, notes):
    mine = str(uuid.uuid4())
    both.validate_file(
        notes, schema="note", schema_version="1.0", source_file="other.csv", delimiter=",", strict=True,
        accept_recovered=True, keep_valid_rows=True, request_id=mine,
    )  # fmt: skip
    opened = server.opens[0]
    assert (opened.schema, opened.schema_version, opened.source_file) == (
        "schemas/note",
        "1.0",
        "other.csv",
    )
    assert opened.request_id == mine
    options = opened.options
    assert (
        options.delimiter,
        options.strict,
        options.accept_recovered,
        options.keep_valid_rows,
    ) == (",", True, True, True)
    assert opened.WhichOneof("source") == "upload"


@pytest.mark.parametrize("rows", [0, 1, 200_000])
@pytest.mark.parametrize("kind", ["path", "bytes", "file", "pipe"])
def test_what_arrives_is_what_was_there_whatever_it_is_read_from(
    both, server, tmp_path, kind, rows
):
    content = b"id,rating\n" + b"x,0.5\n" * rows
    path = tmp_path / "f.csv"
    path.write_bytes(content)
    if kind == "path":
        batch = both.validate_file(str(path))
    elif kind == "bytes":
        batch = both.validate_file(content)
    elif kind == "file":
        with path.open("rb") as file:
            file.seek(0)
            batch = both.validate_file(file)
    else:
        reading, writing = os.pipe()

        def feed():
            with os.fdopen(writing, "wb") as pipe:
                pipe.write(content)

        thread = threading.Thread(target=feed)
        thread.start()
        with os.fdopen(reading, "rb", buffering=0) as pipe:
            batch = both.validate_file(pipe, source_file="pipe.csv")
        thread.join()
    assert (batch.total_rows, batch.crc32c) == (rows, google_crc32c.value(content))


def test_a_file_object_is_read_from_where_it_stands(both, notes):
    file = io.BytesIO(b"a preface\nid\n1\n")
    file.readline()
    assert both.validate_file(file).total_rows == 1


def test_a_uri_is_read_by_the_daemon(both, server, noted):
    path = noted.data_dir.parent / "inbox" / "x.csv"
    path.write_text("id\n1\n")
    batch = both.validate_uri(f"file://{path}")
    assert (batch.uri, batch.total_rows) == (f"file://{path}", 1)
    assert server.opens[0].source_file == "x.csv"


def test_a_file_that_is_not_there_is_an_oserror_and_nothing_is_sent(both, server, tmp_path):
    with pytest.raises(FileNotFoundError):
        both.validate_file(tmp_path / "nothing.csv")
    assert server.calls["ValidateBatch"] == 0


def test_a_file_that_fails_while_it_is_read_raises_its_own_error_and_publishes_nothing(
    both, server
):
    class Broken(io.RawIOBase):
        def read(self, size=-1):
            if server.sent_bytes:
                raise OSError(5, "Input/output error")
            time.sleep(0.01)
            return b"id\n1\n"

    with pytest.raises(OSError, match="Input/output error"):
        both.validate_file(Broken())
    assert server.batches == []


def test_a_text_file_is_refused_by_name(both, server):
    with pytest.raises(OSError, match="mode 'rb'"):
        both.validate_file(io.StringIO("id\n1\n"))
    assert server.batches == []


@pytest.mark.parametrize("when", [BEGIN, COMMIT, ANSWERED])
def test_an_upload_that_breaks_is_sent_again_under_its_id_and_one_batch_comes_of_it(
    both, server, notes, when
):
    server.fail("ValidateBatch", AWAY, AWAY, at=when)
    batch = both.validate_file(notes)
    assert batch.total_rows == 3
    assert len(server.batches) == 1
    assert len({opened.request_id for opened in server.opens}) == 1
    assert server.calls["ValidateBatch"] == 3


def test_a_request_that_is_still_being_served_is_asked_for_again(both, server, notes):
    server.fail("ValidateBatch", failing("ABORTED", "REQUEST_IN_PROGRESS", "busy"))
    assert both.validate_file(notes).total_rows == 3
    assert server.calls["ValidateBatch"] == 2


def test_the_sending_again_is_bounded(both, server, notes):
    server.fail("ValidateBatch", *[AWAY] * 50)
    with pytest.raises(errors.Unavailable):
        both.validate_file(notes)
    assert server.calls["ValidateBatch"] == 5


def test_a_pipe_is_not_sent_again(both, server):
    reading, writing = os.pipe()
    os.write(writing, b"id\n1\n")
    os.close(writing)
    server.fail("ValidateBatch", AWAY)
    with os.fdopen(reading, "rb", buffering=0) as pipe, pytest.raises(errors.Unavailable):
        both.validate_file(pipe)
    assert server.calls["ValidateBatch"] == 1


def test_a_refusal_is_not_sent_again(both, server):
    with pytest.raises(errors.InvalidRequest) as caught:
        both.validate_file(b"rating\n1\n")
    assert caught.value.reason == "HEADER_REFUSED"
    assert "id" in caught.value.message
    assert server.calls["ValidateBatch"] == 1


class Endless(io.RawIOBase):
    """Rows without end, and how many bytes of them were read."""

    def __init__(self, header: bytes) -> None:
        self.count = 0
        self._header = header

    def read(self, size=-1):
        piece = self._header if self.count == 0 else b"x,0.5\n" * (size // 6)
        self.count += len(piece)
        return piece


def test_a_refused_header_stops_an_upload_that_would_never_end(both):
    file = Endless(b"rating\n")
    with pytest.raises(errors.InvalidRequest):
        both.validate_file(file)
    read = file.count
    time.sleep(0.3)
    assert file.count <= read + 2 * CHUNK_BYTES
    assert read < 64 * CHUNK_BYTES


def test_no_more_is_read_than_the_daemon_takes(both, server):
    file = Endless(b"id,rating\n")
    reads = []

    def hold(call):
        time.sleep(1.0)
        reads.append(file.count)
        failing("INVALID_ARGUMENT", "INPUT_REFUSED", "enough")(call)

    server.fail("ValidateBatch", hold)
    with pytest.raises(errors.InvalidRequest):
        both.validate_file(file)
    assert reads[0] < 32 * CHUNK_BYTES


def test_what_progress_raises_cancels_the_call(both, server):
    class Enough(Exception):
        pass

    def progress(event):
        raise Enough

    with pytest.raises(Enough):
        both.validate_file(Endless(b"id,rating\n"), progress=progress)
    assert server.cancelled.wait(5)
    assert server.batches == []


def test_the_deadline_holds_for_all_attempts_together(both, server, notes):
    def linger(call):
        time.sleep(0.3)
        AWAY(call)

    server.fail("ValidateBatch", *[linger] * 50)
    began = time.monotonic()
    with pytest.raises((errors.DeadlineExceeded, errors.Unavailable)):
        both.validate_file(notes, timeout_s=0.5)
    assert time.monotonic() - began < 3


def test_on_commit_is_told_before_the_last_message_and_not_when_the_file_breaks(both, notes):
    told = []
    both.validate_file(notes, on_commit=lambda: told.append(1))
    assert told == [1]
    with pytest.raises(errors.InvalidRequest):
        both.validate_file(Endless(b"rating\n"), on_commit=lambda: told.append(2))
    assert told == [1]


def test_a_daemon_that_restarts_in_mid_upload_gets_the_file_again(shells, noted, tmp_path, notes):
    address = f"unix:{tmp_path}/s.sock"
    first = NotedProxy(noted, address)
    second = []

    def die(call):
        def restart():
            first._server.stop(None).wait(5)
            time.sleep(0.2)
            second.append(NotedProxy(noted, address).__enter__())

        threading.Thread(target=restart).start()
        time.sleep(5)

    first.fail("ValidateBatch", die)
    with first:
        client = shells(
            address, retry=RetryPolicy(attempts=9, initial_delay_s=0.1, max_delay_s=0.5)
        )
        batch = client.validate_file(notes)
        assert batch.total_rows == 3
        assert second[0].batches == [batch.name]
    second[0].close()


def test_a_client_that_was_made_before_a_fork_says_so_in_the_child(server, client):
    client._connection._process = -1  # what a child sees: the pid is another
    with pytest.raises(RuntimeError, match="fork"):
        client.health()
