"""The clients before a real daemon: one for all tests, and a proxy of calls in front of it for each.

What a test leaves in a daemon stays there until the last one has ended: each looks for what it has made itself.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from steward_client import BackupOptions, Client, RetryPolicy, ServerState

from tests.support.daemon import Daemon
from tests.support.shells import Shells
from tests.support.waiting import wait_until
from tests.unit.client.on_a_daemon.noted import (
    NO_DATABASE,
    NotedProxy,
    TableLock,
    connect,
    noted_daemon,
)

QUICK = RetryPolicy(attempts=5, initial_delay_s=0.01, max_delay_s=0.05)


@pytest.fixture(scope="session")
def noted(session_folder: Path) -> Iterator[Daemon]:
    """The daemon that these tests share. Its database is away."""
    folder = session_folder / "noted"
    folder.mkdir(mode=0o711)
    with noted_daemon(folder, NO_DATABASE) as running:
        yield running


@pytest.fixture(scope="session")
def databases_served(session_folder: Path, daemon: Daemon) -> Iterator[Daemon]:
    """A daemon with the databases `main` and `other`, both on the embedded server of another daemon."""
    folder = session_folder / "databases-served"
    folder.mkdir(mode=0o711)
    with connect(daemon, autocommit=True) as connection:
        connection.execute("CREATE DATABASE other")
    environment = {
        "PGSERVICEFILE": str(daemon.data_dir / "pg_service.conf"),
        "STEWARDD_POSTGRES__DATABASES__MAIN__URL": "service=steward",
        "STEWARDD_POSTGRES__DATABASES__OTHER__URL": "service=steward dbname=other",
        "STEWARDD_POSTGRES__POOL_MIN_SIZE": "1",
        "STEWARDD_BACKUP__IMPORT_ROOTS__DUMPS__URL": str(folder / "dumps"),
        # Backups that wait for their turn have a place, too.
        "STEWARDD_OPERATIONS__MAX_RUNNING": "9",
    }
    with noted_daemon(folder, environment) as running, Client(running.address) as client:
        wait_until(
            lambda: (
                {each.server.state for each in client.list_databases()} == {ServerState.UP}
                and all(each.pool.idle == 1 for each in client.list_databases())
            )
        )
        yield running


@pytest.fixture(scope="session")
def other_is_busy(databases_served: Daemon, daemon: Daemon) -> Iterator[None]:
    """A backup of `other` waits for a lock until the last test has ended: later ones are queued, and need no worker."""
    with TableLock(daemon, "other"), Client(databases_served.address) as client:
        waiting = client.create_backup("other", options=BackupOptions(lock_timeout_s=3600))
        yield
        waiting.cancel()
        waiting.wait()


@pytest.fixture
def databases(databases_served: Daemon) -> Iterator[NotedProxy]:
    """A proxy of this test's own in front of that daemon. Breakers are closed, and operations ended, after the test."""
    with NotedProxy(databases_served) as running:
        yield running
        for each in running.client.list_databases():
            running.client.reset_circuit_breaker(each.name)
        for name in running.operations:
            if not running.client.get_operation(name).done:
                running.client.cancel_operation(name)
                running.client.wait_operation(name)


@pytest.fixture
def lock(databases_served: Daemon, daemon: Daemon) -> Iterator[TableLock]:
    """Keeps backups of `main` waiting while they dump."""
    with TableLock(daemon) as held:
        yield held


@pytest.fixture
def server(noted: Daemon) -> Iterator[NotedProxy]:
    """A proxy of this test's own in front of the daemon that all share."""
    with NotedProxy(noted) as running:
        yield running


@pytest.fixture
def client(server: NotedProxy) -> Iterator[Client]:
    with Client(server.address, retry=QUICK) as connected:
        yield connected


@pytest.fixture(params=["plain", "asyncio"])
def shells(request: pytest.FixtureRequest) -> Iterator[Shells]:
    """Makes clients: the plain ones, then the asyncio ones."""
    made = Shells(request.param)
    yield made
    made.close()


@pytest.fixture
def both(shells: Shells, server: NotedProxy) -> Any:
    """The plain client, then the asyncio one, on the proxy."""
    return shells(server.address)


@pytest.fixture
def environment(environment: dict[str, str], server: NotedProxy) -> dict[str, str]:
    """The surroundings of a command that asks the proxy."""
    return {**environment, "STEWARD_SERVER": server.address}


@pytest.fixture
def notes(tmp_path: Path) -> Path:
    """Three rows, the second with a rating that is too high."""
    path = tmp_path / "notes.csv"
    path.write_text("id,rating\na,0.5\nb,1.5\nc,\n")
    return path


@pytest.fixture
def good_notes(tmp_path: Path) -> Path:
    path = tmp_path / "good.csv"
    path.write_text("id,rating\na,0.5\n")
    return path


@pytest.fixture
def word() -> str:
    """The name of a file that no other test sends, by which the batches of this test are found."""
    return f"{uuid.uuid4()}.csv"
