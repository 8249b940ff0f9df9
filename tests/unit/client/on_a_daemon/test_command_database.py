"""`steward db`, as somebody runs it."""

from __future__ import annotations

import json
import re
import signal
import subprocess
import sys
from collections.abc import Callable

import pytest
from steward.v1 import database_pb2 as pb

from tests.unit.client.on_a_daemon.noted import NotedProxy


@pytest.fixture
def server(databases: NotedProxy) -> NotedProxy:
    return databases


def change(server: NotedProxy, by: Callable[[pb.Database], None]) -> None:
    """Changes what the daemon says of a database, on its way."""

    def changed(database: pb.Database) -> pb.Database:
        by(database)
        return database

    server.changes["GetDatabase"] = changed


def keep_one(listed: pb.ListDatabasesResponse) -> pb.ListDatabasesResponse:
    """The answer of a daemon that has one database."""
    del listed.databases[1:]
    return listed


def test_databases_are_listed(steward, server):
    listed = steward("db", "list").stdout
    for name in ("main", "other"):
        pattern = rf"^{name} +up +closed +primary +[\d.]+ +1 of 20 +1 +0$"
        assert re.search(pattern, listed, re.MULTILINE), listed
    document = json.loads(steward("db", "list", "--output", "json").stdout)
    names = [each["name"] for each in document["databases"]]
    assert names == ["databases/main", "databases/other"]


def test_the_only_database_is_shown_without_its_name(steward, server):
    server.changes["ListDatabases"] = keep_one

    def busy(database: pb.Database) -> None:
        database.server.latency.FromMilliseconds(12)
        database.server.connect_latency.FromMilliseconds(34)
        database.circuit_breaker.state_time.FromJsonString("2026-01-02T03:04:06Z")
        database.circuit_breaker.failures = 1
        pool = database.pool
        pool.size, pool.idle, pool.lent, pool.connecting, pool.waiting = 6, 3, 2, 1, 7

    change(server, busy)
    shown = steward("db", "show").stdout
    answers = r"^server +up, PostgreSQL [\d.]+, primary, answers in 12 ms, connects in 34 ms$"
    assert re.search(answers, shown, re.MULTILINE)
    closed = r"^breaker +closed since 2026-01-02 03:04:06Z; 1 of 5 failures in a row$"
    assert re.search(closed, shown, re.MULTILINE)
    assert "6 open (from 1 to 20): 3 idle, 2 lent, 1 being made; 7 callers waiting" in shown
    document = json.loads(steward("db", "show", "databases/main", "--output", "json").stdout)
    assert document["circuit_breaker"]["state"] == "closed"
    assert document["pool"]["idle"] == 3


def test_of_several_one_has_to_be_named(steward, server):
    ended = steward("db", "show")
    assert ended.returncode == 3
    assert "the daemon has 2 databases, and none is named" in ended.stderr
    assert "main, other" in ended.stderr
    assert steward("db", "show", "other").returncode == 0
    assert steward("db", "breaker", "open").returncode == 3


def test_an_unknown_database_is_refused(steward, server):
    ended = steward("db", "show", "nothing", "--output", "json")
    assert ended.returncode == 3
    assert json.loads(ended.stdout)["error"]["reason"] == "DATABASE_NOT_FOUND"


def test_a_breaker_is_opened_with_a_reason_and_reset(steward, server):
    opened = steward("db", "breaker", "open", "main", "--reason", "moving the disk").stdout
    assert "databases/main: the breaker is forced open since" in opened
    assert "moving the disk" in opened
    assert "steward db breaker reset main" in steward("db", "show", "main").stdout
    reset = json.loads(steward("db", "breaker", "reset", "main", "--output", "json").stdout)
    assert reset["circuit_breaker"]["state"] == "closed"


@pytest.mark.parametrize(
    ("state", "half_open_time", "words"),
    [
        ("STATE_OPEN", "2026-01-02T03:05:06Z", "tries again at 2026-01-02 03:05:06Z, or when"),
        ("STATE_HALF_OPEN", "", "the next caller tries the database"),
    ],
)
def test_each_state_of_a_breaker_says_what_it_waits_for(
    steward, server, state, half_open_time, words
):
    def fail(database: pb.Database) -> None:
        breaker = database.circuit_breaker
        breaker.last_failure = "database 'main' is away: refused"
        breaker.last_failure_time.FromJsonString("2026-01-02T03:04:07Z")
        breaker.state = pb.CircuitBreaker.State.Value(state)
        if half_open_time:
            breaker.half_open_time.FromJsonString(half_open_time)

    change(server, fail)
    shown = steward("db", "show", "main").stdout
    assert words in shown
    assert "2026-01-02 03:04:07Z: database 'main' is away: refused" in shown


def test_who_holds_a_connection_for_too_long_is_listed(steward, server):
    def leak(database: pb.Database) -> None:
        held = database.pool.leaks.add(task="load 7", file="copy.py", line=42)
        held.held.FromSeconds(90)

    change(server, leak)
    shown = steward("db", "show", "main").stdout
    assert re.search(r"^ +load 7 +copy.py:42 +1 min 30 s$", shown, re.MULTILINE)


@pytest.mark.parametrize("output", ["table", "json"])
def test_a_watch_prints_a_line_for_each_change_until_ctrl_c(environment, server, output):
    watch = [sys.executable, "-m", "steward_client.command", "db", "show", "main", "--watch"]
    with subprocess.Popen(
        [*watch, "--output", output], env=environment, stdout=subprocess.PIPE, text=True
    ) as running:
        assert running.stdout is not None
        assert "closed" in running.stdout.readline()
        server.client.force_open_circuit_breaker("main", reason="moving the disk")
        line = running.stdout.readline()
        while "forced" not in line:  # other things of a real database change, too
            assert line, "the watch ended"
            line = running.stdout.readline()
        if output == "json":
            assert json.loads(line)["circuit_breaker"]["state"] == "forced_open"
        else:
            told = r"Z  main  server up  breaker forced open  1 open, 1 idle, 0 lent, 0 waiting$"
            assert re.search(told, line), line
        running.send_signal(signal.SIGINT)
        assert running.wait(30) == 0


def test_a_shell_completes_the_names_of_databases(steward, environment, server):
    environment.update(
        _STEWARD_COMPLETE="bash_complete", COMP_WORDS="steward db show ", COMP_CWORD="3"
    )
    assert steward().stdout == "plain,main\nplain,other\n"
