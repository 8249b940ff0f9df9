"""The clients before a real daemon: one for all tests, and a proxy of calls in front of it for each."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from steward_client import Client, ServerState

from tests.support.daemon import Daemon
from tests.support.waiting import wait_until
from tests.unit.client.on_a_daemon.noted import NO_DATABASE, NotedProxy, noted_daemon


@pytest.fixture(scope="session")
def noted(session_folder: Path) -> Iterator[Daemon]:
    """The daemon that these tests share; each of them sees the batches of the others."""
    folder = session_folder / "noted"
    folder.mkdir(mode=0o711)
    with noted_daemon(folder, NO_DATABASE) as running:
        yield running


@pytest.fixture(scope="session")
def databases_served(session_folder: Path, daemon: Daemon) -> Iterator[Daemon]:
    """A daemon with the databases `main` and `other`, which are both the embedded one of another daemon."""
    folder = session_folder / "databases-served"
    folder.mkdir(mode=0o711)
    environment = {
        "PGSERVICEFILE": str(daemon.data_dir / "pg_service.conf"),
        "STEWARDD_POSTGRES__DATABASES__MAIN__URL": "service=steward",
        "STEWARDD_POSTGRES__DATABASES__OTHER__URL": "service=steward",
        "STEWARDD_POSTGRES__POOL_MIN_SIZE": "1",
    }
    with noted_daemon(folder, environment) as running, Client(running.address) as client:
        wait_until(
            lambda: (
                {each.server.state for each in client.list_databases()} == {ServerState.UP}
                and all(each.pool.idle == 1 for each in client.list_databases())
            )
        )
        yield running


@pytest.fixture
def databases(databases_served: Daemon) -> Iterator[NotedProxy]:
    """A proxy of this test's own in front of that daemon. Breakers are closed after the test."""
    with NotedProxy(databases_served) as running:
        yield running
        for each in running.client.list_databases():
            running.client.reset_circuit_breaker(each.name)


@pytest.fixture
def server(noted: Daemon) -> Iterator[NotedProxy]:
    """A proxy of this test's own in front of that daemon."""
    with NotedProxy(noted) as running:
        yield running
