"""Databases over gRPC and by the command: a real daemon before a real PostgreSQL, with a network that fails between."""

import asyncio
import json
import re
import threading
from contextlib import contextmanager

import grpc
import pytest
from psycopg.conninfo import conninfo_to_dict, make_conninfo
from steward.v1 import (
    backup_pb2,
    backup_pb2_grpc,
    database_pb2,
    database_pb2_grpc,
    system_pb2,
    system_pb2_grpc,
    validation_pb2,
    validation_pb2_grpc,
)
from stewardd.postgres.embedded import EmbeddedOptions, EmbeddedServer

from tests.acceptance.conftest import LANGUAGE, refused, rows
from tests.support.calls import channel, upload, validate
from tests.support.command import steward_of
from tests.support.daemon import Daemon
from tests.support.proxy import Proxy
from tests.support.waiting import wait_until

Breaker = database_pb2.CircuitBreaker
Server = database_pb2.DatabaseServer
PATIENCE_S = 60.0


@pytest.fixture(scope="module")
def server(session_folder):
    """A PostgreSQL that is not the daemon's own."""
    home = session_folder / "apart"
    home.mkdir(mode=0o711)
    made = EmbeddedServer(home, EmbeddedOptions(settings={"shared_buffers": "32MB"}))
    asyncio.run(made.start())
    yield made
    asyncio.run(made.stop())


@pytest.fixture(scope="module")
def proxy(server):
    parts = conninfo_to_dict(server.target("main").conninfo)
    with Proxy(f"{parts['host']}/.s.PGSQL.5432") as made:
        yield made


@pytest.fixture(scope="module")
def url(server, proxy):
    parts = conninfo_to_dict(server.target("main").conninfo)
    kept = {key: parts[key] for key in ("user", "password", "dbname")}
    way = {"host": "127.0.0.1", "port": proxy.port, "sslmode": "disable", "gssencmode": "disable"}
    return make_conninfo("", **kept, **way)


@pytest.fixture(scope="module")
def environment(url):
    return {
        "STEWARDD_POSTGRES__DATABASES__MAIN__URL": url,
        "STEWARDD_POSTGRES__DATABASES__OTHER__URL": url,
        "STEWARDD_POSTGRES__DATABASES__OTHER__BREAKER_FAILURES": "3",
        "STEWARDD_POSTGRES__PROBE_INTERVAL_S": "0.5",
    }


@pytest.fixture(scope="module")
def daemon(session_folder, environment):
    with Daemon(session_folder / "databases", environment=environment) as running:
        yield running


@contextmanager
def stub(daemon):
    with channel(daemon.address) as opened:
        yield database_pb2_grpc.DatabaseServiceStub(opened)


def get(daemon, name="main"):
    with stub(daemon) as service:
        return service.GetDatabase(
            database_pb2.GetDatabaseRequest(name=f"databases/{name}"), timeout=10
        )


def steward(daemon, *arguments):
    return steward_of(daemon, *arguments)


def component(daemon, name):
    with channel(daemon.address) as opened:
        health = system_pb2_grpc.SystemServiceStub(opened).Health(
            system_pb2.HealthRequest(), timeout=10
        )
    return next(each for each in health.components if each.name == name)


def test_a_database_tells_of_its_server_its_pool_and_its_breaker(daemon):
    wait_until(lambda: get(daemon).pool.idle == 5)
    database = get(daemon)
    assert (database.name, database.embedded) == ("databases/main", False)
    assert (database.server.state, database.server.role) == (Server.STATE_UP, Server.ROLE_PRIMARY)
    assert database.server.version.startswith("18.")
    assert database.server.latency.ToNanoseconds() > 0
    assert (database.pool.size, database.pool.min_size, database.pool.max_size) == (5, 5, 20)
    breaker = database.circuit_breaker
    assert (breaker.state, breaker.failure_threshold) == (Breaker.STATE_CLOSED, 5)
    assert get(daemon, "other").circuit_breaker.failure_threshold == 3


def test_databases_are_listed_by_name_page_by_page(daemon):
    with stub(daemon) as service:
        request = database_pb2.ListDatabasesRequest(page_size=1)
        first = service.ListDatabases(request, timeout=10)
        request.page_token = first.next_page_token
        second = service.ListDatabases(request, timeout=10)
        assert [each.name for each in (*first.databases, *second.databases)] == [
            "databases/main",
            "databases/other",
        ]
        assert second.next_page_token == ""
        whole = service.ListDatabases(database_pb2.ListDatabasesRequest(), timeout=10)
        assert (len(whole.databases), whole.next_page_token) == (2, "")


def test_a_page_token_of_another_listing_is_refused_either_way(daemon):
    for _ in range(2):
        validate(daemon.address, upload(LANGUAGE + rows(1)))
    with channel(daemon.address) as opened:
        batches = validation_pb2_grpc.ValidationServiceStub(opened)
        foreign = batches.ListBatches(
            validation_pb2.ListBatchesRequest(page_size=1), timeout=10
        ).next_page_token
        assert foreign
        databases = database_pb2_grpc.DatabaseServiceStub(opened)
        own = databases.ListDatabases(
            database_pb2.ListDatabasesRequest(page_size=1), timeout=10
        ).next_page_token
        for token, words in (
            (foreign, "another listing"),
            ("7", "none that was given out"),
            ("ZGF0", "another listing"),
        ):
            with refused() as found:
                databases.ListDatabases(
                    database_pb2.ListDatabasesRequest(page_token=token), timeout=10
                )
            assert found[0].code is grpc.StatusCode.INVALID_ARGUMENT
            assert found[0].fields == ("page_token",)
            assert words in found[0].message
        with refused() as found:
            batches.ListBatches(validation_pb2.ListBatchesRequest(page_token=own), timeout=10)
        assert found[0].fields == ("page_token",)
        with refused() as found:
            databases.ListDatabases(database_pb2.ListDatabasesRequest(page_size=-1), timeout=10)
        assert found[0].fields == ("page_size",)


@pytest.mark.parametrize(
    ("method", "request_type"),
    [
        ("GetDatabase", database_pb2.GetDatabaseRequest),
        ("WatchDatabase", database_pb2.WatchDatabaseRequest),
        ("ResetCircuitBreaker", database_pb2.ResetCircuitBreakerRequest),
        ("ForceOpenCircuitBreaker", database_pb2.ForceOpenCircuitBreakerRequest),
    ],
)
def test_a_database_that_is_not_there_is_not_found_and_a_name_of_another_form_is_explained(
    daemon, method, request_type
):
    def ask(name):
        with refused() as found, stub(daemon) as service:
            answer = getattr(service, method)(request_type(name=name), timeout=10)
            if method == "WatchDatabase":
                next(answer)
        return found[0]

    missing = ask("databases/nothing")
    assert (missing.code, missing.reason) == (grpc.StatusCode.NOT_FOUND, "DATABASE_NOT_FOUND")
    for name in ("", "main", "databases/", "databases/main/breaker", "batches/main"):
        assert ask(name).reason == "INVALID_REQUEST"
        assert "databases/main" in ask(name).message
    assert get(daemon).circuit_breaker.state == Breaker.STATE_CLOSED


def test_a_breaker_is_opened_by_hand_and_reset_and_health_says_so(daemon):
    with stub(daemon) as service:
        request = database_pb2.ForceOpenCircuitBreakerRequest(name="databases/main")
        request.reason = "x" * 257
        with refused() as found:
            service.ForceOpenCircuitBreaker(request, timeout=10)
        assert found[0].fields == ("reason",)
        assert get(daemon).circuit_breaker.state == Breaker.STATE_CLOSED
        request.reason = "moving the disk"
        opened = service.ForceOpenCircuitBreaker(request, timeout=10).circuit_breaker
        assert (opened.state, opened.force_reason) == (Breaker.STATE_FORCED_OPEN, "moving the disk")
        assert get(daemon, "other").circuit_breaker.state == Breaker.STATE_CLOSED
        wait_until(
            lambda: (
                component(daemon, "database/main").state == system_pb2.HealthResponse.STATE_DEGRADED
            )
        )
        said = component(daemon, "database/main")
        assert "steward db breaker reset main" in said.detail
        assert said.database.circuit_breaker_state == Breaker.STATE_FORCED_OPEN
        reset = service.ResetCircuitBreaker(
            database_pb2.ResetCircuitBreakerRequest(name="databases/main"), timeout=10
        )
    assert reset.circuit_breaker.state == Breaker.STATE_CLOSED
    wait_until(
        lambda: component(daemon, "database/main").state == system_pb2.HealthResponse.STATE_HEALTHY
    )
    assert daemon.events("circuit breaker opened by hand")[0]["reason"] == "moving the disk"


def test_the_command_does_it_too(daemon):
    opened = steward(daemon, "db", "breaker", "open", "other", "--reason", "a test")
    assert opened.returncode == 0
    assert "forced open" in opened.stdout
    listed = json.loads(steward(daemon, "db", "list", "--output", "json").stdout)["databases"]
    assert [each["circuit_breaker"]["state"] for each in listed] == ["closed", "forced_open"]
    assert steward(daemon, "db", "breaker", "reset", "other").returncode == 0
    assert get(daemon, "other").circuit_breaker.state == Breaker.STATE_CLOSED
    nothing = steward(daemon, "db", "show", "nothing")
    assert nothing.returncode == 3
    assert "DATABASE_NOT_FOUND" in nothing.stderr
    nameless = steward(daemon, "db", "show")
    assert nameless.returncode == 3
    assert "main, other" in nameless.stderr


def test_a_database_that_comes_late_is_seen_by_its_breaker(folder, environment, proxy):
    proxy.refuse()
    states: list[tuple[int, int]] = []

    def follow(daemon):
        with stub(daemon) as service:
            watch = service.WatchDatabase(
                database_pb2.WatchDatabaseRequest(name="databases/main"), timeout=120
            )
            states.extend((each.circuit_breaker.state, each.server.state) for each in watch)

    try:
        with Daemon(folder / "late", environment=environment) as daemon:
            wait_until(lambda: get(daemon).circuit_breaker.state == Breaker.STATE_OPEN)
            away = get(daemon)
            assert away.server.state == Server.STATE_AWAY
            assert away.circuit_breaker.half_open_time.ToNanoseconds() > 0
            assert "is away" in away.circuit_breaker.last_failure
            assert away.pool.connect_error_count >= 5
            watcher = threading.Thread(target=follow, args=(daemon,))
            watcher.start()
            wait_until(lambda: states)
            proxy.accept()
            wait_until(lambda: (Breaker.STATE_HALF_OPEN, Server.STATE_UP) in states)
            wait_until(lambda: get(daemon).pool.idle == 5)
            assert component(daemon, "database/main").state == (
                system_pb2.HealthResponse.STATE_HEALTHY
            )
        watcher.join(30)  # the stream ends with the daemon, and with no error
        assert not watcher.is_alive()
        assert states[0] == (Breaker.STATE_OPEN, Server.STATE_AWAY)
        changes = daemon.events("circuit breaker changed")
        main = [each["state"] for each in changes if each["database"] == "main"]
        assert main[:2] == ["open", "half_open"]
    finally:
        proxy.refuse()
        proxy.accept()


def test_a_watch_says_what_a_call_sees_while_the_network_stalls(daemon, proxy):
    with stub(daemon) as service:
        watch = service.WatchDatabase(
            database_pb2.WatchDatabaseRequest(name="databases/main"), timeout=120
        )
        assert next(watch).server.state == Server.STATE_UP
        proxy.stall()
        try:
            stalled = next(each for each in watch if each.server.state == Server.STATE_AWAY)
        finally:
            proxy.flow()
        assert stalled.server.version.startswith("18.")  # of the last look that it answered
        assert re.search(r"did not answer within", stalled.server.detail)
        back = next(each for each in watch if each.server.state == Server.STATE_UP)
        assert back.name == "databases/main"
        watch.cancel()


def test_a_backup_asks_the_server_and_not_the_breaker(daemon):
    steward(daemon, "db", "breaker", "open", "main")
    try:
        with channel(daemon.address) as opened:
            operation = backup_pb2_grpc.BackupServiceStub(opened).CreateBackup(
                backup_pb2.CreateBackupRequest(database="main"), timeout=10
            )
        waited = steward(daemon, "operation", "wait", operation.name, "--timeout", "50")
        assert waited.returncode == 0, waited.stderr
    finally:
        assert steward(daemon, "db", "breaker", "reset", "main").returncode == 0
