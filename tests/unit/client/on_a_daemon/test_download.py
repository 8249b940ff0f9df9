"""A file of a batch arrives whole, checked and all at once, or not at all."""

import fcntl
import os
from pathlib import Path

import pytest
from steward.v1.validation_pb2 import DownloadBatchFileRequest, DownloadBatchFileResponse
from steward_client import Client, errors

from tests.support.call_proxy import RESPONSE, Fault, ProxiedCall, failing
from tests.unit.client.on_a_daemon.noted import NotedProxy

ROWS = b"id,rating\n" + b"".join(b"%d,0.5\n" % number for number in range(600_000))


@pytest.fixture(scope="module")
def name(noted):
    """A file of some six megabytes, which come in several messages."""
    with Client(noted.address) as client:
        return client.validate_file(ROWS, keep_valid_rows=True).file("valid.csv").name


def cut_after(size_bytes: int, code: str = "UNAVAILABLE", reason: str = "REPOSITORY_DOWN") -> Fault:
    def fault(call: ProxiedCall) -> None:
        if call.received_bytes >= size_bytes:
            failing(code, reason, "cut")(call)

    return fault


def offsets(server: NotedProxy) -> list[int]:
    return [each.offset_bytes for each in server.of(DownloadBatchFileRequest)]


def part_of(path: Path, name: str) -> Path:
    return path.with_name(f".{path.name}.{name.split('/')[1]}.part")


def test_a_file_is_written_to_a_path(both, name, tmp_path):
    steps = []
    path = tmp_path / "good.csv"
    assert both.download_batch_file(name, path, progress=lambda *step: steps.append(step)) == str(
        path
    )
    assert path.read_bytes() == ROWS
    assert steps[-1] == (len(ROWS), len(ROWS))
    assert list(tmp_path.iterdir()) == [path]


def test_a_file_is_written_into_a_folder(both, name, tmp_path):
    assert both.download_batch_file(name, tmp_path) == str(tmp_path / "valid.csv")


def test_what_was_at_the_path_stays_until_the_new_is_whole(both, server, name, tmp_path):
    path = tmp_path / "good.csv"
    path.write_text("old")
    server.fail("DownloadBatchFile", cut_after(1_500_000, "INTERNAL", "FAILED"), at=RESPONSE)
    with pytest.raises(errors.Failed):
        both.download_batch_file(name, path)
    assert path.read_text() == "old"
    both.download_batch_file(name, path)
    assert path.read_bytes() == ROWS


def test_a_cut_is_followed_by_going_on_where_it_was(both, server, name, tmp_path):
    server.fail("DownloadBatchFile", cut_after(1_500_000), cut_after(3_000_000), at=RESPONSE)
    both.download_batch_file(name, tmp_path / "good.csv")
    assert (tmp_path / "good.csv").read_bytes() == ROWS
    first, second, third = offsets(server)
    assert first == 0
    assert 1_500_000 <= second < third < len(ROWS)


def test_a_later_process_goes_on_where_an_earlier_one_was_cut(both, server, name, tmp_path):
    path = tmp_path / "good.csv"
    part_of(path, name).write_bytes(ROWS[:7000])
    both.download_batch_file(name, path)
    assert offsets(server) == [7000]
    assert path.read_bytes() == ROWS


@pytest.mark.parametrize("left", [b"wrong bytes", b"x" * len(ROWS), b"x" * (len(ROWS) + 5)])
def test_wrong_bytes_of_an_earlier_process_are_dropped(both, server, name, tmp_path, left):
    path = tmp_path / "good.csv"
    part_of(path, name).write_bytes(left)
    both.download_batch_file(name, path)
    assert path.read_bytes() == ROWS


@pytest.mark.parametrize(
    "falsified",
    [
        pytest.param(lambda data: data[:-1] + b"X", id="another byte"),
        pytest.param(lambda data: data[:-1], id="a byte less"),
        pytest.param(lambda data: data + b"more", id="bytes more"),
    ],
)
def test_bytes_that_are_not_what_the_batch_says_are_never_published(
    both, server, name, tmp_path, falsified
):
    server.changes["DownloadBatchFile"] = lambda response: DownloadBatchFileResponse(
        data=falsified(response.data)
    )
    with pytest.raises(errors.Corrupt):
        both.download_batch_file(name, tmp_path / "good.csv")
    assert not (tmp_path / "good.csv").exists()


def test_an_empty_file_is_written_too(both, server, tmp_path):
    batch = both.validate_file(b"id\n1\n")
    both.download_batch_file(batch.file("records.jsonl").name, tmp_path)
    assert (tmp_path / "records.jsonl").read_bytes() == b""


def test_a_file_that_the_batch_has_not_is_told_with_those_it_has(both, name):
    with pytest.raises(
        errors.NotFound, match=r"records\.jsonl, errors\.csv, valid\.csv, report\.json"
    ):
        both.download_batch_file(f"{name.split('/files/')[0]}/files/nothing.csv", "x")


@pytest.mark.parametrize(
    "wrong", ["valid.csv", "batches/x", "batches/x/files/", "batches/x/files/../y"]
)
def test_what_names_no_file_is_refused(both, server, wrong):
    with pytest.raises(errors.InvalidRequest):
        both.download_batch_file(wrong, "x")
    assert server.calls["GetBatch"] == 0


def test_a_device_is_never_replaced(both, name):
    with pytest.raises(OSError, match="no regular file"):
        both.download_batch_file(name, os.devnull)


def test_two_downloads_to_one_path_are_kept_apart(client, name, tmp_path):
    path = tmp_path / "good.csv"
    with part_of(path, name).open("ab") as other:
        fcntl.flock(other, fcntl.LOCK_EX)
        with pytest.raises(errors.Conflict) as caught:
            client.download_batch_file(name, path)
    assert caught.value.reason == "DOWNLOAD_IN_PROGRESS"
    client.download_batch_file(name, path)


def test_a_folder_that_is_not_there_raises_its_own_error(both, name, tmp_path):
    with pytest.raises(FileNotFoundError):
        both.download_batch_file(name, tmp_path / "nowhere" / "good.csv")
