"""What the command leaves when it is interrupted, what it says when it connects again, and hints that can be copied."""

import re
import shlex
import signal
import subprocess
import sys
import threading
import time

import pytest
from steward.v1.validation_pb2 import DownloadBatchFileRequest
from steward_client import Client

from tests.support.call_proxy import RESPONSE, Fault, ProxiedCall, failing

ROWS = b"id,rating\n" + b"".join(b"%d,0.5\n" % number for number in range(600_000))
"""Some six megabytes, which come in several messages."""
ARGV = [sys.executable, "-m", "steward_client.command"]


def cut_after(size_bytes: int, code: str = "UNAVAILABLE", reason: str = "REPOSITORY_DOWN") -> Fault:
    def fault(call: ProxiedCall) -> None:
        if call.received_bytes >= size_bytes:
            failing(code, reason, "cut")(call)

    return fault


@pytest.fixture(scope="module")
def batch(noted):
    with Client(noted.address) as client:
        return client.validate_file(ROWS, keep_valid_rows=True, source_file="n.csv")


def interrupted(environment, server, folder, *arguments):
    """Runs a command, interrupts it in the middle of the file, and returns what it said."""
    reached, gone = threading.Event(), threading.Event()

    def hold(call):
        if call.received_bytes >= 1_500_000:
            reached.set()
            gone.wait(30)

    server.fail("DownloadBatchFile", *[hold] * 8, at=RESPONSE)  # one file of them is so large
    process = subprocess.Popen(
        [*ARGV, *map(str, arguments)],
        env=environment,
        cwd=folder,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    was_reached = reached.wait(30)
    time.sleep(0.2)  # what was sent before the hold is on its way
    process.send_signal(signal.SIGINT)
    try:
        _, err = process.communicate(timeout=30)
    finally:
        gone.set()
        server.faults.clear()
    assert was_reached, err
    assert process.returncode in (130, 3), err
    return err


def next_command(err):
    found = re.search(r"next: steward (.*)$", err, re.MULTILINE)
    assert found is not None, err
    return shlex.split(found[1])


@pytest.mark.parametrize("place", ["good file.csv", "out/"])
def test_an_interrupted_download_is_resumed_by_the_command_that_is_shown(
    steward, environment, server, batch, tmp_path, place
):
    err = interrupted(
        environment, server, tmp_path, "batch", "download", batch.name, "valid.csv", "--to", place
    )
    assert len(list(tmp_path.rglob(".*.part"))) == 1
    resumed = steward(*next_command(err))
    assert resumed.returncode == 0, resumed.stderr
    _, again = server.of(DownloadBatchFileRequest)
    assert again.offset_bytes > 0
    left = [each for each in tmp_path.rglob("*") if each.is_file()]
    assert [each.read_bytes() for each in left] == [ROWS]


def test_an_interrupted_validation_names_the_command_that_fetches_its_valid_rows(
    steward, environment, server, tmp_path
):
    (tmp_path / "in.csv").write_bytes(ROWS)
    err = interrupted(
        environment, server, tmp_path, "validate", "in.csv", "--valid-out", "good.csv"
    )
    resumed = steward(*next_command(err))
    assert resumed.returncode == 0, resumed.stderr
    assert (tmp_path / "good.csv").read_bytes() == ROWS
    assert sorted(each.name for each in tmp_path.iterdir()) == ["good.csv", "in.csv"]


def test_of_several_files_those_that_are_left_are_fetched_by_the_command_that_is_shown(
    steward, environment, server, batch, tmp_path
):
    err = interrupted(environment, server, tmp_path, "batch", "download", batch.name, "--to", "out")
    resumed = steward(*next_command(err))
    assert resumed.returncode == 0, resumed.stderr
    there = {each.name for each in (tmp_path / "out").iterdir()}
    assert there == {each.file for each in batch.files}


def test_stdout_gets_a_file_whole_or_nothing_of_it(steward, server, batch):
    server.fail("DownloadBatchFile", cut_after(1_500_000, "INTERNAL", "FAILED"), at=RESPONSE)
    cut = steward("batch", "download", batch.name, "valid.csv", "--to", "-")
    assert (cut.returncode, cut.stdout) == (3, "")
    whole = steward("batch", "download", batch.name, "valid.csv", "--to", "-")
    assert (whole.returncode, whole.stdout.encode()) == (0, ROWS)
    assert steward("batch", "download", batch.name, "--to", "-").returncode == 2


def test_a_client_that_connects_again_says_so_once(steward, server, batch, tmp_path):
    faults = [cut_after(size) for size in (1_500_000, 3_000_000, 4_500_000)]
    server.fail("DownloadBatchFile", *faults, at=RESPONSE)
    ended = steward("batch", "download", batch.name, "valid.csv", "--to", "good.csv")
    assert (ended.returncode, (tmp_path / "good.csv").read_bytes()) == (0, ROWS)
    assert ended.stderr == "steward: cut; trying again\n"


def test_no_file_is_written_over_before_all_are_known_to_be_free(steward, server, batch, tmp_path):
    (tmp_path / "errors.csv").write_text("mine")
    refused = steward("batch", "download", batch.name)
    assert refused.returncode == 3
    assert "errors.csv: a file is there already [FILE_EXISTS]" in refused.stderr
    assert [each.name for each in tmp_path.iterdir()] == ["errors.csv"]
    assert steward("batch", "download", batch.name, "--force").returncode == 0
    assert (tmp_path / "errors.csv").read_text() != "mine"


def test_a_field_of_the_contract_is_told_as_the_option_of_the_command(steward, server):
    server.fail(
        "ListBatches",
        failing("INVALID_ARGUMENT", "INVALID_REQUEST", "page_size is too much", "h", "page_size"),
    )
    told = steward("batch", "list").stderr
    assert "steward: --limit is too much" in told
