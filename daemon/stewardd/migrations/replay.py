"""Runs the scripts of migrations on a scratch server, in the way that the runner runs them on a real one.

Nobody waits behind a scratch server, so that no lock is waited for patiently, and nothing is recorded. Roles are made
as they are named. What the server lacks (an extension that is not installed) is told apart from a script that fails.
"""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager

from stewardd.errors import MigrationNotReplayed
from stewardd.migrations.files import Direction, Migration, Mode, Script
from stewardd.postgres.connect import Connection
from stewardd.postgres.migrating.execution import changed_rows, roll_back, run
from stewardd.postgres.migrating.failures import StatementFailure
from stewardd.postgres.migrating.roles import make_role
from stewardd.postgres.scratch import ScratchServer, ScratchServers

REPLAYED = "replayed"
"""The database of a scratch server that has the migrations."""
_MOST_ROLES = 50
_MOST_BATCHES = 10_000
_ROLE = re.compile(r'role "(?P<name>[^"]+)" does not exist')
_LACKING = re.compile(
    r"is not available|not supported (?:in|by) this build|could not (?:open|access|load)|"
    r'(?:tablespace|collation|language|access method) "[^"]*"(?: for encoding "[^"]*")? does not exist'
)
_LACKING_CODES = ("0A000", "58P01", "42704", "58000")


class MigrationTrialFailed(Exception):
    """A migration did not do what it must; the text says what."""

    def __init__(self, detail: str, differences: tuple[str, ...] = ()) -> None:
        super().__init__(detail)
        self.differences = differences


class ScratchServerLacks(Exception):
    """The scratch server does not have what the migration needs."""


@asynccontextmanager
async def replayed(
    servers: ScratchServers,
    migrations: Sequence[Migration],
    major: int,
    on_migration: Callable[[Migration], None],
) -> AsyncIterator[tuple[ScratchServer, Connection]]:
    """A scratch server with a database that has these migrations, while the block lasts.

    Raises: MigrationNotReplayed, ToolMissing, ToolFailed, StorageFull.
    """
    async with servers.start(major) as server:
        await server.create_database(REPLAYED)
        async with server.session(REPLAYED) as connection:
            for migration in migrations:
                on_migration(migration)
                await _replay(connection, migration, server)
            yield server, connection


async def _replay(connection: Connection, migration: Migration, server: ScratchServer) -> None:
    try:
        await run_script(connection, migration.script(Direction.UP))
    except ScratchServerLacks as lack:
        raise MigrationNotReplayed(
            f"migration {migration.label} cannot be replayed: the scratch server (PostgreSQL {server.version}) lacks "
            f"what it needs: {lack}",
            hint="install what the message names where the daemon finds it (`server_dirs` in [postgres])",
        ) from None
    except MigrationTrialFailed as failure:
        raise MigrationNotReplayed(
            f"migration {migration.label} fails on an empty database: {failure}"
        ) from None


async def run_script(connection: Connection, script: Script) -> None:
    """Runs a script to its end; makes the roles that it names. Raises: MigrationTrialFailed, ScratchServerLacks."""
    await with_roles(connection, script, lambda: _run_once(connection, script))


async def with_roles(
    connection: Connection, script: Script, work: Callable[[], Awaitable[None]]
) -> None:
    """Does work on a script again for each role that it misses. Raises: MigrationTrialFailed, ScratchServerLacks."""
    for _ in range(_MOST_ROLES):
        try:
            await work()
            return
        except StatementFailure as failure:
            role = _ROLE.search(failure.message)
            if role is None:
                raise _explained(script, failure) from None
            await make_role(connection, role["name"])
    raise MigrationTrialFailed(f"{script.file_name} names more than {_MOST_ROLES} roles")


async def _run_once(connection: Connection, script: Script) -> None:
    if script.mode is Mode.NO_TRANSACTION:
        await run(connection, script.statements[0].text, 1)
        return
    if script.mode is Mode.BATCH:
        for _ in range(_MOST_BATCHES):
            if await changed_rows(connection, script.statements[0].text) == 0:
                return
        raise MigrationTrialFailed(
            f"{script.file_name} still changes rows after {_MOST_BATCHES} batches"
        )
    try:
        await run(connection, _as_one(script), 0)
    except StatementFailure:
        await roll_back(connection)
        await _run_one_by_one(connection, script)


async def _run_one_by_one(connection: Connection, script: Script) -> None:
    """Runs a script in one transaction, so that a failure is that of a statement."""
    try:
        await run(connection, "BEGIN", 0)
        for number, statement in enumerate(script.statements, 1):
            await run(connection, statement.text, number)
    except StatementFailure:
        await roll_back(connection)
        raise
    await run(connection, "COMMIT", 0)


def _as_one(script: Script) -> str:
    """The whole transaction in one message: hundreds of statements are one way there and back.

    The line ends keep a comment at the end of a statement from hiding what comes after it.
    """
    return "\n;\n".join(("BEGIN", *(each.text for each in script.statements), "COMMIT"))


def _explained(
    script: Script, failure: StatementFailure
) -> MigrationTrialFailed | ScratchServerLacks:
    line = script.statements[failure.number - 1].line if failure.number else 0
    text = f"{script.file_name} line {line}: {failure.message}"
    if failure.sqlstate in _LACKING_CODES and _LACKING.search(failure.message):
        return ScratchServerLacks(text)
    return MigrationTrialFailed(text)
