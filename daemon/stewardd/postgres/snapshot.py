"""An exported snapshot: one moment of a database, held open so that others can read the same moment.

The transaction only waits; it holds back the horizon of vacuum, no more than the dump that reads from it, and no lock
but those that somebody takes in it.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime

import psycopg

from stewardd.errors import DatabaseDown
from stewardd.postgres.connect import (
    Connection,
    connect,
    explain_statement,
    require_own_session,
)
from stewardd.postgres.probe import version_text
from stewardd.postgres.sessions import SNAPSHOT_SESSION
from stewardd.postgres.target import DatabaseTarget

_LOST_CLIENT_CHECK = "client_connection_check_interval"
_LOST_CLIENT_CHECK_VALUE = "2s"


@dataclass(frozen=True, slots=True)
class Snapshot:
    """One moment of one database. `reader_settings` are what a session that reads it is to set.

    `connection` is the session that holds it: inside its transaction, and to be left there.
    """

    identifier: str
    taken_at: datetime
    server_version: str
    database_size_bytes: int
    reader_settings: dict[str, str]
    connection: Connection = field(repr=False, compare=False)


@asynccontextmanager
async def export_snapshot(
    target: DatabaseTarget, connect_timeout_s: float
) -> AsyncIterator[Snapshot]:
    """Takes a snapshot and holds it until the block ends.

    Raises: DatabaseDown, DatabaseRefused, DirectConnectionNeeded.
    """
    try:
        async with asyncio.timeout(connect_timeout_s):
            connection = await connect(target, SNAPSHOT_SESSION)
    except TimeoutError:
        raise DatabaseDown(
            f"database {target.name!r} did not answer within {connect_timeout_s:g} s"
        ) from None
    try:
        try:
            await require_own_session(target, connection, "the snapshot of a dump")
            snapshot = await _take(connection)
        except psycopg.Error as error:
            raise explain_statement(target, connection, error) from None
        yield snapshot
    finally:
        await connection.close()


async def _take(connection: Connection) -> Snapshot:
    """Everything is set inside the transaction: behind a pooler the session goes on to serve others."""
    await connection.execute("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY")
    await connection.execute("SET LOCAL idle_in_transaction_session_timeout = 0")
    reader_settings = await _settings_for_readers(connection)
    cursor = await connection.execute(
        "SELECT pg_export_snapshot(), now(), pg_database_size(current_database())"
    )
    row = await cursor.fetchone()
    if row is None:
        raise psycopg.InternalError("a SELECT without FROM gave no row")
    return Snapshot(
        identifier=row[0],
        taken_at=row[1],
        server_version=version_text(connection.info.server_version),
        database_size_bytes=row[2],
        reader_settings=reader_settings,
        connection=connection,
    )


async def _settings_for_readers(connection: Connection) -> dict[str, str]:
    """Lets the server notice that a reader was killed, also while it waits for a lock.

    Without it the session of a killed pg_dump keeps its locks and its place in the queue. A server on a system that
    can't tell (Windows) refuses the setting, here and not in the reader's face.
    """
    found = {_LOST_CLIENT_CHECK: _LOST_CLIENT_CHECK_VALUE}
    await connection.execute("SAVEPOINT settings")
    try:
        await connection.execute(f"SET LOCAL {_LOST_CLIENT_CHECK} = '{_LOST_CLIENT_CHECK_VALUE}'")
    except (psycopg.errors.InvalidParameterValue, psycopg.errors.UndefinedObject):
        await connection.execute("ROLLBACK TO SAVEPOINT settings")
        found = {}
    await connection.execute("RELEASE SAVEPOINT settings")  # snapshots are exported outside of one
    return found
