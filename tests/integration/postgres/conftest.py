"""What the tests of the pool share: a way to wait, a clock that is set by hand, an observer, a proxy.

Pools and servers are opened by fixtures, which close them whatever becomes of the test: a connection that a test that
failed leaves open is a warning, and so an error, in some test after it.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import pytest
from psycopg.conninfo import conninfo_to_dict
from stewardd.errors import StewardError
from stewardd.postgres.embedded import EmbeddedOptions, EmbeddedServer
from stewardd.postgres.observer import DrainReason, Leak
from stewardd.postgres.pool import Pool
from stewardd.postgres.sqlstate import Verdict
from stewardd.postgres.target import DatabaseTarget

from tests.support.proxy import Proxy

OpenPool = Callable[..., Awaitable[Pool]]
StartServer = Callable[[Path, EmbeddedOptions], Awaitable[EmbeddedServer]]


class Clock:
    """Time as the test sets it."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


class Recorder:
    """An observer that remembers what it was told."""

    def __init__(self) -> None:
        self.connects = 0
        self.connect_failures: list[tuple[Verdict, StewardError]] = []
        self.acquires = 0
        self.releases: list[Verdict | None] = []
        self.seen = 0
        self.drains: list[DrainReason] = []
        self.leaks: list[Leak] = []

    def connected(self, duration_s: float) -> None:
        self.connects += 1

    def connect_failed(self, verdict: Verdict, error: StewardError) -> None:
        self.connect_failures.append((verdict, error))

    def acquired(self, waited_s: float) -> None:
        self.acquires += 1

    def released(self, verdict: Verdict | None, held_s: float) -> None:
        self.releases.append(verdict)

    def database_seen(self) -> None:
        self.seen += 1

    def drained(self, reason: DrainReason) -> None:
        self.drains.append(reason)

    def leak_found(self, leak: Leak) -> None:
        self.leaks.append(leak)


async def answer(pool: Pool) -> int:
    async with pool.connection() as connection:
        row = await (await connection.execute("SELECT 42")).fetchone()
        assert row is not None
        return int(row[0])


async def backend(pool: Pool) -> int:
    """Which of the server's processes serves the next loan."""
    async with pool.connection() as connection:
        return connection.info.backend_pid


def socket_of(target: DatabaseTarget) -> Path:
    return Path(str(conninfo_to_dict(target.conninfo)["host"])) / ".s.PGSQL.5432"


def by_port(target: DatabaseTarget, *ports: int, **parameters: str) -> DatabaseTarget:
    """The same database, by TCP through what listens on these ports of this machine."""
    parts = conninfo_to_dict(target.conninfo)
    kept = {key: str(parts[key]) for key in ("user", "password", "dbname")}
    return DatabaseTarget(target.name, "").with_parameters(
        **kept,
        host=",".join("127.0.0.1" for _ in ports),
        port=",".join(str(port) for port in ports),
        sslmode="disable",
        gssencmode="disable",
        **parameters,
    )


@pytest.fixture
async def start_server() -> AsyncIterator[StartServer]:
    """Starts embedded servers, one after the other where they have the same folder."""
    async with AsyncExitStack() as running:

        async def start(home: Path, options: EmbeddedOptions) -> EmbeddedServer:
            made = EmbeddedServer(home, options)
            await made.start()
            running.push_async_callback(made.stop)
            return made

        yield start


@pytest.fixture
async def open_pool() -> AsyncIterator[OpenPool]:
    """Opens pools; takes what Pool takes. A test names it after its server, and so has it closed before."""
    async with AsyncExitStack() as opened:

        async def open_pool(*arguments: Any, **options: Any) -> Pool:
            pool = Pool(*arguments, **options)
            opened.push_async_callback(pool.close)
            await pool.open()
            return pool

        yield open_pool


@pytest.fixture
def proxy(database: DatabaseTarget) -> Iterator[Proxy]:
    with Proxy(str(socket_of(database))) as made:
        yield made


@pytest.fixture
def proxied(database: DatabaseTarget, proxy: Proxy) -> DatabaseTarget:
    return by_port(database, proxy.port)
