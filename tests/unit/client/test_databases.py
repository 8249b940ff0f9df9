"""Databases through both clients: read, listed, watched, and their breakers opened and closed."""

import threading
from datetime import UTC, datetime

import pytest
from steward.v1 import database_pb2 as pb
from steward.v1 import system_pb2
from steward_client import BreakerState, ServerRole, ServerState, errors

from tests.unit.client.contract_databases import make_database
from tests.unit.client.contract_state import failing

AWAY = failing("UNAVAILABLE", "REPOSITORY_DOWN", "away")


@pytest.fixture
def server(server):
    server.databases["databases/main"] = make_database("main")
    return server


def test_a_database_comes_with_every_fact(both, server):
    database = both.get_database("main")
    assert database == both.get_database("databases/main")
    assert (database.name, database.embedded) == ("databases/main", False)
    told = database.server
    assert (told.state, told.role, told.version) == (ServerState.UP, ServerRole.PRIMARY, "18.1")
    assert told.observe_time == datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
    assert (told.latency_s, told.connect_latency_s, told.tls) == (0.012, 0.034, False)
    pool = database.pool
    assert (pool.size, pool.idle, pool.lent, pool.connecting, pool.waiting) == (6, 3, 2, 1, 7)
    assert (pool.min_size, pool.max_size, pool.acquire_count, pool.leaks) == (5, 20, 1000, ())
    assert (pool.timeout_count, pool.refused_count, pool.leak_count) == (8, 9, 12)
    assert (pool.connect_count, pool.connect_error_count) == (10, 11)
    breaker = database.circuit_breaker
    assert (breaker.state, breaker.failures, breaker.failure_threshold) == (
        BreakerState.CLOSED,
        1,
        5,
    )
    assert breaker.state_time == datetime(2026, 1, 2, 3, 4, 6, tzinfo=UTC)
    assert (breaker.open_count, breaker.refused_count) == (2, 13)
    assert (breaker.half_open_time, breaker.last_failure_time) == (None, None)


def test_leaks_say_who_holds_what(both, server):
    database = server.databases["databases/main"]
    leak = database.pool.leaks.add(task="load 7", file="loads/copy.py", line=42)
    leak.held.FromSeconds(90)
    (seen,) = both.get_database("main").pool.leaks
    assert (seen.task, seen.file, seen.line, seen.held_s) == ("load 7", "loads/copy.py", 42, 90)


def test_what_only_a_newer_daemon_knows_is_unknown_and_what_is_not_there_is_none(both, server):
    database = server.databases["databases/main"] = pb.Database(name="databases/main")
    database.circuit_breaker.state = 77  # type: ignore[assignment]
    seen = both.get_database("main")
    assert seen.circuit_breaker.state is BreakerState.UNKNOWN
    assert (seen.server.state, seen.server.role) == (ServerState.UNKNOWN, ServerRole.UNKNOWN)
    assert (seen.server.observe_time, seen.server.latency_s) == (None, None)


def test_databases_are_listed_page_by_page(both, server):
    for name in ("b", "a"):
        server.databases[f"databases/{name}"] = make_database(name)
    listed = [each.name for each in both.list_databases(page_size=2)]
    assert listed == ["databases/a", "databases/b", "databases/main"]
    assert server.calls["ListDatabases"] == 2


def test_an_unknown_database_is_not_found(both):
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


def test_a_watch_tells_of_each_change_until_the_daemon_stops(both, server):
    def change() -> None:
        opened = pb.CircuitBreaker.STATE_OPEN
        server.change_database(
            "databases/main", lambda database: _set_state(database.circuit_breaker, opened)
        )

    states = []
    for database in both.watch_database("main", timeout_s=30):
        states.append(database.circuit_breaker.state)
        if len(states) == 1:
            threading.Thread(target=change).start()
        else:
            server.is_stopping = True
    assert states == [BreakerState.CLOSED, BreakerState.OPEN]


def _set_state(breaker: pb.CircuitBreaker, state: pb.CircuitBreaker.State.ValueType) -> None:
    breaker.state = state


@pytest.mark.parametrize("method", ["GetDatabase", "ResetCircuitBreaker"])
def test_what_harms_nothing_is_sent_again(both, server, method):
    server.faults[method].extend([AWAY, AWAY])
    call = {"GetDatabase": both.get_database, "ResetCircuitBreaker": both.reset_circuit_breaker}
    assert call[method]("main").name == "databases/main"
    assert server.calls[method] == 3


def test_health_sums_up_the_breaker_and_the_leaks(both, server):
    facts = server.health.components.add(
        name="database", state=system_pb2.HealthResponse.STATE_HEALTHY
    ).database
    facts.circuit_breaker_state, facts.leaks = pb.CircuitBreaker.STATE_HALF_OPEN, 2
    (seen,) = both.health().components
    assert seen.database is not None
    assert (seen.database.circuit_breaker, seen.database.leaks) == (BreakerState.HALF_OPEN, 2)
