"""`steward backup` and `steward operation`, as somebody runs them while backups are made."""

import json
import re
import signal
import subprocess
import sys
import threading

import pytest
from steward.v1 import backup_pb2

from tests.support.waiting import wait_until
from tests.unit.client.on_a_daemon.noted import NotedProxy


@pytest.fixture
def server(databases: NotedProxy) -> NotedProxy:
    return databases


@pytest.fixture
def queued(server, other_is_busy):
    """Begins a backup that waits for its turn, and returns the name of its operation."""
    return lambda: server.client.create_backup("other").name


def start(environment, *words):
    return subprocess.Popen(
        [sys.executable, "-m", "steward_client.command", *words],
        env=environment,
        stderr=subprocess.PIPE,
        text=True,
    )


def when_watched(server, act):
    """Acts in a thread once somebody watches an operation."""

    def wait_and_act():
        wait_until(lambda: server.calls["WatchOperation"])
        act()

    threading.Thread(target=wait_and_act).start()


def two_kibibytes_read(listed):
    metadata = backup_pb2.CreateBackupMetadata()
    newest = listed.operations[0].metadata
    assert newest.Unpack(metadata)
    metadata.dumped_bytes = 2048
    newest.Pack(metadata)
    return listed


def test_a_backup_is_made_listed_and_shown(steward, server):
    made = steward("backup", "create", "--database", "main", "--description", "first")
    assert made.returncode == 0
    name = next(iter(server.client.list_backups())).name
    assert name in made.stdout
    assert "first" in steward("backup", "list").stdout
    assert (
        json.loads(steward("backup", "show", name, "--output", "json").stdout)["description"]
        == "first"
    )
    missing = steward("backup", "show", "9", "--output", "json")
    assert missing.returncode == 3
    assert json.loads(missing.stdout)["error"]["reason"] == "BACKUP_NOT_FOUND"


def test_a_backup_that_is_not_waited_for_is_followed_by_its_operation(steward, server, lock):
    words = ("backup", "create", "--database", "main", "--no-wait", "--output", "json")
    begun = json.loads(steward(*words).stdout)
    assert (server.operations, begun["done"]) == ([begun["name"]], False)
    name = begun["name"]
    wait_until(lambda: server.client.get_operation(name).progress.database_size_bytes)
    assert "running" in steward("operation", "show", name).stdout
    server.changes["ListOperations"] = two_kibibytes_read
    assert "dumping, 2.0 KiB read" in steward("operation", "list").stdout
    late = steward("operation", "wait", name, "--timeout", "0.3")
    assert late.returncode == 3
    assert "DEADLINE_EXCEEDED" in late.stderr
    when_watched(server, lock.release)
    watched = steward("operation", "watch", name, "--output", "json")
    states = [json.loads(line) for line in watched.stdout.splitlines()]
    assert [state["done"] for state in states] == [False] * (len(states) - 1) + [True]
    assert states[0]["progress"]["phase"] == "dumping"
    made = server.client.get_operation(name).state.response
    assert states[-1]["response"]["name"] == made.name
    assert steward("operation", "wait", name).returncode == 0


def test_a_watch_says_once_what_to_do_next(steward, server, lock):
    operation = server.client.create_backup("main")
    when_watched(server, lock.release)
    seen = steward("operation", "watch", "latest").stdout
    assert seen.count("running") >= 1
    made = operation.result(timeout_s=60)
    assert re.findall(r"steward .*", seen) == [f"steward backup show {made.name}"]


def test_an_operation_is_cancelled(steward, server, queued):
    name = queued()
    assert steward("operation", "cancel", name).returncode == 0
    assert server.client.wait_operation(name, timeout_s=60).done
    listed = steward("operation", "list").stdout
    assert re.search(rf"^{name} +cancelled +backup ", listed, re.MULTILINE)
    assert steward("operation", "cancel", "operations/9").returncode == 3


def test_ctrl_c_ends_the_waiting_and_not_the_backup(environment, server, other_is_busy):
    process = start(environment, "backup", "create", "--database", "other")
    wait_until(lambda: server.calls["WatchOperation"] and len(server.responses) == 2)
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=60)
    assert process.returncode == 130
    assert "the backup goes on" in err
    (name,) = server.operations
    assert f"steward operation cancel {name}" in err
    assert "Traceback" not in err
    assert not server.client.get_operation(name).done


def test_a_backup_that_takes_too_long_is_named_and_goes_on(steward, server, other_is_busy):
    words = ("backup", "create", "--database", "other", "--timeout", "1", "--output", "json")
    ended = steward(*words)
    assert ended.returncode == 3
    (name,) = server.operations
    assert (
        f"lost sight of {name}, which may go on\n  next: steward operation wait {name}"
        in ended.stderr
    )
    assert json.loads(ended.stdout)["error"]["code"] == "DEADLINE_EXCEEDED"
    assert not server.client.get_operation(name).done


def test_a_daemon_that_stops_is_told_in_our_words_alone(environment, databases_served, queued):
    with NotedProxy(databases_served) as going:
        surroundings = {**environment, "STEWARD_SERVER": going.address}
        process = start(surroundings, "operation", "wait", queued())
        wait_until(lambda: going.calls["WaitOperation"])
    _, err = process.communicate(timeout=120)
    assert process.returncode == 3
    assert all(line.startswith(("steward: ", "  next: ")) for line in err.splitlines()), err
