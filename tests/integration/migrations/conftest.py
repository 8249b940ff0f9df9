"""Servers of both majors, a database for each test, and a folder of migrations that a test writes."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AsyncExitStack
from pathlib import Path

import psycopg
import pytest
from psycopg import sql
from stewardd.migrations.files import Direction
from stewardd.migrations.migrations import Asked, MigratedDatabase, Migrations, MigrationsOptions
from stewardd.migrations.progress import MigrateProgress
from stewardd.migrations.runner import RunnerOptions
from stewardd.postgres.migrating.execution import LockLimits
from stewardd.postgres.scratch import ScratchServer, ScratchServers
from stewardd.postgres.target import DatabaseTarget

from tests.support.versions import NEWEST, OLDEST, OLDEST_PROGRAMS

VERIFY = (
    "-- steward: after up\nSELECT true AS it_is;\n-- steward: after down\nSELECT true AS it_was;\n"
)


@pytest.fixture(scope="session")
def servers_by_major(session_folder: Path) -> Iterator[dict[int, ScratchServer]]:
    """A server of each major that is here, for all tests."""
    home = session_folder / "migrations"
    home.mkdir(mode=0o711)
    loop = asyncio.new_event_loop()
    stack = AsyncExitStack()
    majors = [NEWEST, *([OLDEST] if (OLDEST_PROGRAMS / "initdb").exists() else [])]
    made = {}
    try:
        for major in majors:
            context = ScratchServers(home).start(major)
            made[major] = loop.run_until_complete(stack.enter_async_context(context))
        yield made
    finally:
        loop.run_until_complete(stack.aclose())
        loop.close()


@pytest.fixture(scope="module")
def major() -> int:
    """The major that a test runs on, unless it asks for both."""
    return NEWEST


@pytest.fixture
def server(servers_by_major: dict[int, ScratchServer], major: int) -> ScratchServer:
    return servers_by_major[major]


@pytest.fixture
def database(server: ScratchServer) -> Iterator[DatabaseTarget]:
    """An empty database of the test's own."""
    name = f"test_{secrets.token_hex(6)}"
    with psycopg.connect(server.target("postgres").conninfo, autocommit=True) as admin:
        admin.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
        yield server.target(name)
        admin.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name)))


class Files:
    """A folder of migrations."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def add(self, label: str, up: str, down: str = "", verify: str = VERIFY) -> None:
        """Writes a triple."""
        for part, text in (("up", up), ("down", down), ("verify", verify)):
            (self.folder / f"{label}.{part}.sql").write_text(text)


@pytest.fixture
def files(tmp_path: Path) -> Files:
    return Files(tmp_path)


class Recorded:
    """The migrations of one database with everything that they called."""

    def __init__(
        self, target: DatabaseTarget, folder: Path, options: RunnerOptions, *, production: bool
    ) -> None:
        self.target = target
        self.backups: list[tuple[str, str]] = []
        self.progress: list[MigrateProgress] = []
        self.proven: set[str] = set()
        self.migrations = Migrations(
            {"main": MigratedDatabase(target, folder, production)},
            MigrationsOptions(options),
            back_up=self._back_up,
            find_proven=self._find_proven,
        )

    async def _back_up(self, database: str, description: str) -> str:
        self.backups.append((database, description))
        return "backups/1"

    async def _find_proven(self, migrations, major: int) -> frozenset[int]:
        return frozenset(each.number for each in migrations if each.label in self.proven)

    async def up(self, to: int | None = None, **asked):
        return await self.migrations.move(
            "main", Direction.UP, to, Asked("tester", **asked), self.progress.append
        )

    async def down(self, to: int, **asked):
        return await self.migrations.move(
            "main", Direction.DOWN, to, Asked("tester", **asked), self.progress.append
        )

    async def status(self):
        return await self.migrations.status("main")

    def query(self, statement: str):
        with psycopg.connect(self.target.conninfo) as connection:
            return connection.execute(statement).fetchall()


Make = Callable[..., Recorded]


@pytest.fixture
def make(database: DatabaseTarget, files: Files) -> Make:
    def made(
        folder: Path | None = None,
        patience_s: float = 30.0,
        *,
        production: bool = False,
        max_batches: int = 1_000_000,
        max_replica_lag_s: float = 10.0,
        target: DatabaseTarget | None = None,
    ) -> Recorded:
        limits = LockLimits(0.2, patience_s)
        options = RunnerOptions(limits, max_replica_lag_s, max_batches)
        return Recorded(target or database, folder or files.folder, options, production=production)

    return made


@pytest.fixture
async def idle(database: DatabaseTarget) -> AsyncIterator[psycopg.AsyncConnection]:
    """Another session of the database."""
    async with await psycopg.AsyncConnection.connect(database.conninfo) as connection:
        yield connection
