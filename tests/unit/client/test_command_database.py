"""`steward db`, as somebody runs it."""

import json
import re
import signal
import subprocess
import sys

import pytest
from steward.v1 import database_pb2 as pb

from tests.unit.client.contract_databases import make_database


@pytest.fixture
def server(server):
    server.databases["databases/main"] = make_database("main")
    return server


@pytest.fixture
def two(server):
    server.databases["databases/other"] = make_database("other")
    return server


def test_databases_are_listed(steward, two):
    listed = steward("db", "list")
    assert re.search(
        r"^main +up +closed +primary +18.1 +6 of 20 +3 +7$", listed.stdout, re.MULTILINE
    )
    assert "other" in listed.stdout
    names = [
        each["name"]
        for each in json.loads(steward("db", "list", "--output", "json").stdout)["databases"]
    ]
    assert names == ["databases/main", "databases/other"]


def test_the_only_database_is_shown_without_its_name(steward, server):
    shown = steward("db", "show").stdout
    assert re.search(
        r"^server +up, PostgreSQL 18.1, primary, answers in 12 ms, connects in 34 ms$",
        shown,
        re.MULTILINE,
    )
    assert re.search(
        r"^breaker +closed since 2026-01-02 03:04:06Z; 1 of 5 failures in a row$",
        shown,
        re.MULTILINE,
    )
    assert "6 open (from 5 to 20): 3 idle, 2 lent, 1 being made; 7 callers waiting" in shown
    document = json.loads(steward("db", "show", "databases/main", "--output", "json").stdout)
    assert document["circuit_breaker"]["state"] == "closed"
    assert document["pool"]["idle"] == 3


def test_of_several_one_has_to_be_named(steward, two):
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
    assert "steward db breaker reset main" in steward("db", "show").stdout
    reset = json.loads(steward("db", "breaker", "reset", "--output", "json").stdout)
    assert reset["circuit_breaker"]["state"] == "closed"


def test_each_state_of_a_breaker_says_what_it_waits_for(steward, server):
    breaker = server.databases["databases/main"].circuit_breaker
    breaker.last_failure = "database 'main' is away: refused"
    breaker.last_failure_time.FromJsonString("2026-01-02T03:04:07Z")
    for state, half_open_time, words in (
        ("STATE_OPEN", "2026-01-02T03:05:06Z", "tries again at 2026-01-02 03:05:06Z, or when"),
        ("STATE_HALF_OPEN", "", "the next caller tries the database"),
    ):
        breaker.state = pb.CircuitBreaker.State.Value(state)
        breaker.ClearField("half_open_time")
        if half_open_time:
            breaker.half_open_time.FromJsonString(half_open_time)
        shown = steward("db", "show").stdout
        assert words in shown
        assert "2026-01-02 03:04:07Z: database 'main' is away: refused" in shown


def test_who_holds_a_connection_for_too_long_is_listed(steward, server):
    leak = server.databases["databases/main"].pool.leaks.add(task="load 7", file="copy.py", line=42)
    leak.held.FromSeconds(90)
    assert re.search(
        r"^ +load 7 +copy.py:42 +1 min 30 s$", steward("db", "show").stdout, re.MULTILINE
    )


@pytest.mark.parametrize("output", ["table", "json"])
def test_a_watch_prints_a_line_for_each_change_until_ctrl_c(environment, server, output):
    watch = [sys.executable, "-m", "steward_client.command", "db", "show", "main", "--watch"]
    with subprocess.Popen(
        [*watch, "--output", output], env=environment, stdout=subprocess.PIPE, text=True
    ) as running:
        assert running.stdout is not None
        assert "closed" in running.stdout.readline()

        def fail(database: pb.Database) -> None:
            database.circuit_breaker.state = pb.CircuitBreaker.STATE_OPEN

        server.change_database("databases/main", fail)
        line = running.stdout.readline()
        if output == "json":
            assert json.loads(line)["circuit_breaker"]["state"] == "open"
        else:
            assert re.search(
                r"Z  main  server up  breaker open  6 open, 3 idle, 2 lent, 7 waiting$", line
            )
        running.send_signal(signal.SIGINT)
        assert running.wait(30) == 0


def test_a_shell_completes_the_names_of_databases(steward, environment, two):
    environment.update(
        _STEWARD_COMPLETE="bash_complete", COMP_WORDS="steward db show ", COMP_CWORD="3"
    )
    assert steward().stdout == "plain,main\nplain,other\n"
