"""Databases through both clients: read, listed, watched, and their breakers opened and closed."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from datetime import UTC, datetime

import pytest
from steward.v1 import database_pb2 as pb
from steward.v1 import system_pb2
from steward_client import BreakerState, ServerRole, ServerState, errors

from tests.support.call_proxy import failing
from tests.unit.client.on_a_daemon.messages import counts, number
from tests.unit.client.on_a_daemon.noted import NotedProxy

AWAY = failing("UNAVAILABLE", "REPOSITORY_DOWN", "away")


@pytest.fixture
def server(databases: NotedProxy) -> NotedProxy:
    return databases


def change(server: NotedProxy, by: Callable[[pb.Database], None]) -> None:
    """Changes what the daemon says of a database, on its way."""

    def changed(database: pb.Database) -> pb.Database:
        by(database)
        return database

    server.changes["GetDatabase"] = changed


def test_a_database_comes_with_every_fact(both, server):
    def changed(database: pb.Database) -> None:
        numbers = itertools.count(1)
        for part in (database.pool, database.circuit_breaker):
            number(part, numbers)
        database.server.latency.FromMilliseconds(12)
        database.server.connect_latency.FromMilliseconds(34)
        database.server.observe_time.FromJsonString("2026-01-02T03:04:05Z")
        database.circuit_breaker.state_time.FromJsonString("2026-01-02T03:04:06Z")

    change(server, changed)
    database = both.get_database("main")
    (said,) = server.responses
    assert (database.name, database.embedded) == ("databases/main", False)
    told = database.server
    assert (told.state, told.role) == (ServerState.UP, ServerRole.PRIMARY)
    assert told.version == said.server.version
    assert told.observe_time == datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
    assert (told.latency_s, told.connect_latency_s, told.tls) == (0.012, 0.034, False)
    pool, breaker = database.pool, database.circuit_breaker
    assert pool.leaks == ()
    for part, raw in ((pool, said.pool), (breaker, said.circuit_breaker)):
        assert {name: getattr(part, name) for name in counts(raw)} == counts(raw) != {}
    assert breaker.state is BreakerState.CLOSED
    assert breaker.state_time == datetime(2026, 1, 2, 3, 4, 6, tzinfo=UTC)
    assert (breaker.half_open_time, breaker.last_failure_time) == (None, None)


def test_a_database_is_named_in_short_or_in_full(both, server):
    assert both.get_database("databases/main").name == both.get_database("main").name


def test_leaks_say_who_holds_what(both, server):
    def leak(database: pb.Database) -> None:
        held = database.pool.leaks.add(task="load 7", file="loads/copy.py", line=42)
        held.held.FromSeconds(90)

    change(server, leak)
    (seen,) = both.get_database("main").pool.leaks
    assert (seen.task, seen.file, seen.line, seen.held_s) == ("load 7", "loads/copy.py", 42, 90)


def test_what_only_a_newer_daemon_knows_is_unknown_and_what_is_not_there_is_none(both, server):
    def empty(database: pb.Database) -> None:
        database.ClearField("server")
        database.circuit_breaker.state = 77  # type: ignore[assignment]

    change(server, empty)
    seen = both.get_database("main")
    assert seen.circuit_breaker.state is BreakerState.UNKNOWN
    assert (seen.server.state, seen.server.role) == (ServerState.UNKNOWN, ServerRole.UNKNOWN)
    assert (seen.server.observe_time, seen.server.latency_s) == (None, None)


def test_databases_are_listed_page_by_page(both, server):
    listed = [each.name for each in both.list_databases(page_size=1)]
    assert listed == ["databases/main", "databases/other"]
    assert server.calls["ListDatabases"] == 2


def test_an_unknown_database_is_not_found(both, server):
    with pytest.raises(errors.NotFound) as caught:
        both.get_database("nothing")
    assert caught.value.reason == "DATABASE_NOT_FOUND"
    with pytest.raises(errors.NotFound):
        list(both.watch_database("nothing"))


def test_a_breaker_is_opened_and_closed(both, server):
    opened = both.force_open_circuit_breaker("main", reason="moving the disk").circuit_breaker
    assert (opened.state, opened.force_reason) == (BreakerState.FORCED_OPEN, "moving the disk")
    closed = both.reset_circuit_breaker("databases/main").circuit_breaker
    assert (closed.state, closed.force_reason) == (BreakerState.CLOSED, "")


def test_a_watch_tells_of_each_change(both, server):
    states = []
    for database in both.watch_database("main", timeout_s=60):
        states.append(database.circuit_breaker.state)
        if len(states) == 1:
            server.client.force_open_circuit_breaker("main", reason="moving the disk")
        if states[-1] is BreakerState.FORCED_OPEN:
            break
    assert states[0] is BreakerState.CLOSED
    assert set(states) == {BreakerState.CLOSED, BreakerState.FORCED_OPEN}


@pytest.mark.parametrize("method", ["GetDatabase", "ResetCircuitBreaker"])
def test_what_harms_nothing_is_sent_again(both, server, method):
    server.fail(method, AWAY, AWAY)
    call = {"GetDatabase": both.get_database, "ResetCircuitBreaker": both.reset_circuit_breaker}
    assert call[method]("main").name == "databases/main"
    assert server.calls[method] == 3


def test_health_sums_up_the_breaker_and_the_leaks(both, server):
    def half_open(health: system_pb2.HealthResponse) -> system_pb2.HealthResponse:
        for component in health.components:
            if component.name == "database/main":
                facts = component.database
                facts.circuit_breaker_state, facts.leaks = pb.CircuitBreaker.STATE_HALF_OPEN, 2
        return health

    server.changes["Health"] = half_open
    (seen,) = [each.database for each in both.health().components if each.name == "database/main"]
    assert seen is not None
    assert (seen.circuit_breaker, seen.leaks) == (BreakerState.HALF_OPEN, 2)
