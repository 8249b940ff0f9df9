"""What the command leaves when it is interrupted, what it says when it connects again, and hints that can be copied."""

import re
import shlex
import signal
import subprocess
import sys
import threading
import time

import pytest

from tests.unit.client.contract_state import Call, Fault, failing, status, succeed

ROWS = b"id,rating\n" + b"".join(b"%d,0.5\n" % number for number in range(3000))
ARGV = [sys.executable, "-m", "steward_client.command"]


def cut_after(size_bytes: int, code: str = "UNAVAILABLE", reason: str = "REPOSITORY_DOWN") -> Fault:
    def fault(call: Call) -> None:
        if call.received_bytes >= size_bytes:
            failing(code, reason, "cut")(call)

    return fault


@pytest.fixture
def batch(client):
    return client.validate_file(ROWS, keep_valid_rows=True, source_file="n.csv")


def interrupted(environment, server, folder, *arguments, method="DownloadBatchFile"):
    """Runs a command, interrupts it in the middle of the file, and returns what it said."""
    reached, gone = threading.Event(), threading.Event()

    def hold(call):
        if call.received_bytes >= 5000:
            reached.set()
            gone.wait(30)

    server.faults[method].append(hold)
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
    server.offsets.clear()
    resumed = steward(*next_command(err))
    assert resumed.returncode == 0, resumed.stderr
    assert server.offsets[0] > 0
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
    server.faults["DownloadBatchFile"].append(succeed)  # of report.json; errors.csv is empty
    err = interrupted(environment, server, tmp_path, "batch", "download", batch.name, "--to", "out")
    resumed = steward(*next_command(err))
    assert resumed.returncode == 0, resumed.stderr
    there = {each.name for each in (tmp_path / "out").iterdir()}
    assert there == {each.file for each in batch.files}


def test_stdout_gets_a_file_whole_or_nothing_of_it(steward, server, batch):
    server.faults["DownloadBatchFile"].extend([cut_after(5000, "INTERNAL", "FAILED")])
    cut = steward("batch", "download", batch.name, "valid.csv", "--to", "-")
    assert (cut.returncode, cut.stdout) == (3, "")
    whole = steward("batch", "download", batch.name, "valid.csv", "--to", "-")
    assert (whole.returncode, whole.stdout.encode()) == (0, ROWS)
    assert steward("batch", "download", batch.name, "--to", "-").returncode == 2


def test_a_client_that_connects_again_says_so_once(steward, server, batch, tmp_path):
    server.faults["DownloadBatchFile"].extend([cut_after(3000), cut_after(6000), cut_after(9000)])
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


def test_an_operation_that_was_cancelled_is_told_from_one_that_failed(steward, server):
    server.backup_hold.clear()
    steward("backup", "create", "--no-wait")
    steward("backup", "create", "--no-wait")
    steward("operation", "cancel", "operations/0")
    server.fail(
        "operations/1", status("INTERNAL", "TOOL_FAILED", "pg_dump ended badly", "see the log")
    )
    listed = steward("operation", "list").stdout
    assert re.search(
        r"^operations/1 +failed +backup .*TOOL_FAILED: pg_dump ended badly$", listed, re.MULTILINE
    )
    assert re.search(r"^operations/0 +cancelled +backup ", listed, re.MULTILINE)


def test_a_watch_says_once_what_to_do_next(steward, server):
    server.backup_hold.clear()
    steward("backup", "create", "--no-wait")

    def finish():
        while not server.calls["WatchOperation"]:
            time.sleep(0.01)
        server.backup_hold.set()

    threading.Thread(target=finish).start()
    seen = steward("operation", "watch", "latest").stdout
    assert seen.count("running") >= 1
    assert re.findall(r"steward .*", seen) == ["steward backup show backups/0"]


def test_a_field_of_the_contract_is_told_as_the_option_of_the_command(steward, server):
    server.faults["ListBatches"].append(
        failing("INVALID_ARGUMENT", "INVALID_REQUEST", "page_size is too much", "h", "page_size")
    )
    told = steward("batch", "list").stderr
    assert "steward: --limit is too much" in told
