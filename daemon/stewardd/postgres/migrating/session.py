"""The session of one runner: a direct connection that holds an advisory lock for as long as it lives.

The lock is the session's, so that it is free the moment that the runner dies; the server looks for a client that is
gone even while a statement runs. A transaction pooler would lend that session to others, and leave the lock with
whichever server connection it was taken on: it is known by the process number that it tells its clients, which is not
that of any backend, and refused.

Where a connection was lost, nobody knows whether the last statement was done. A new session that has the lock can tell:
then the old session has ended, and what the database says is final.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import psycopg
from psycopg import sql

from stewardd.errors import (
    DatabaseDown,
    DatabaseStandby,
    MigrationInProgress,
)
from stewardd.postgres.connect import Connection, connect, explain_statement, require_own_session
from stewardd.postgres.target import DatabaseTarget

LOCK = 0x7374_6577_6172_64  # "steward"; advisory locks are a database's own
LOCK_TRIES = 20
_TRY_PAUSE_S = 0.25
_LOST_PAUSE_S = 0.5
_SETTINGS = {
    "statement_timeout": "0",  # a migration's statements take as long as they take; the wait for locks is bounded
    "lock_timeout": "0",
    "idle_in_transaction_session_timeout": "0",
    "client_min_messages": "warning",
    "tcp_keepalives_idle": "10",
    "tcp_keepalives_interval": "5",
    "tcp_keepalives_count": "3",
}
_LOST_CLIENT_CHECK = "500ms"
_HOLDER = """
SELECT activity.application_name, activity.pid, activity.backend_start::timestamptz(0)
FROM pg_locks AS lock JOIN pg_stat_activity AS activity USING (pid)
WHERE lock.locktype = 'advisory' AND lock.granted AND lock.database = (SELECT oid FROM pg_database WHERE
  datname = current_database()) AND ((lock.classid::bigint << 32) | lock.objid::bigint) = %s
"""
_BACKEND_START = "SELECT backend_start FROM pg_stat_activity WHERE pid = pg_backend_pid()"
_END_BACKEND = (
    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid = %s AND backend_start = %s"
)
# A user who is called steward would otherwise make its tables in the schema of that name, through "$user".
_SEARCH_PATH = """
SELECT string_agg(quote_ident(name), ', ' ORDER BY place)
FROM unnest(current_schemas(false)) WITH ORDINALITY AS path (name, place) WHERE name <> 'steward'
"""


@dataclass(frozen=True, slots=True)
class MigrationSession:
    """A connection in autocommit mode that holds the lock, and the server behind it."""

    target: DatabaseTarget
    connection: Connection
    server_major: int
    backend_start: datetime

    @property
    def pid(self) -> int:
        """The backend's process number."""
        return self.connection.info.backend_pid


@asynccontextmanager
async def open_session(
    target: DatabaseTarget, *, connect_timeout_s: float, lock_tries: int = LOCK_TRIES
) -> AsyncIterator[MigrationSession]:
    """Connects and takes the lock for as long as the block lasts.

    Raises: DatabaseDown, DatabaseRefused, DatabaseStandby, DirectConnectionNeeded, MigrationInProgress.
    """
    connection = await connect_directly(target, connect_timeout_s)
    try:
        try:
            await _prepare(target, connection)
            await _take_lock(target, connection, lock_tries)
            (backend_start,) = await _row(connection, _BACKEND_START)
        except psycopg.Error as error:
            raise explain_statement(target, connection, error) from None
        major = connection.info.server_version // 10000
        yield MigrationSession(target, connection, major, backend_start)
    finally:
        await connection.close()


@asynccontextmanager
async def open_session_after(
    lost: MigrationSession, *, connect_timeout_s: float, patience_s: float
) -> AsyncIterator[MigrationSession]:
    """Opens a session in place of one whose connection was lost; tries for as long as the patience lasts.

    The server may take a while to start again, or to notice that the client of the old session is gone: its backend is
    ended. Raises: what `open_session` raises.
    """
    deadline = time.monotonic() + patience_s
    async with AsyncExitStack() as stack:
        while True:
            opening = open_session(lost.target, connect_timeout_s=connect_timeout_s, lock_tries=1)
            try:
                session = await stack.enter_async_context(opening)
                break
            except (DatabaseDown, MigrationInProgress) as error:
                if time.monotonic() + _LOST_PAUSE_S > deadline:
                    raise
                if isinstance(error, MigrationInProgress):
                    await _end_backend(lost, connect_timeout_s)
            await asyncio.sleep(_LOST_PAUSE_S)
        yield session


async def _end_backend(lost: MigrationSession, connect_timeout_s: float) -> None:
    """Ends the backend of a session that was lost, if it is still there. Raises: DatabaseDown, DatabaseRefused."""
    connection = await connect_directly(lost.target, connect_timeout_s)
    try:
        with suppress(psycopg.Error):  # a COMMIT that is under way ends first
            await connection.execute(_END_BACKEND, [lost.pid, lost.backend_start])
    finally:
        await connection.close()


async def connect_directly(target: DatabaseTarget, connect_timeout_s: float) -> Connection:
    """Makes a connection for looking and for migrating. Raises: DatabaseDown, DatabaseRefused."""
    try:
        async with asyncio.timeout(connect_timeout_s):
            return await connect(target.with_patience(), "stewardd migrations")
    except TimeoutError:
        raise DatabaseDown(
            f"database {target.name!r} did not answer within {connect_timeout_s:g} s"
        ) from None


async def _prepare(target: DatabaseTarget, connection: Connection) -> None:
    await require_own_session(target, connection, "the lock of migrations")
    (in_recovery,) = await _row(connection, "SELECT pg_is_in_recovery()")
    if in_recovery:
        raise DatabaseStandby(
            f"database {target.name!r} is a standby, which cannot be migrated",
            hint="name the primary in the database's URL",
        )
    for name, value in _SETTINGS.items():
        await connection.execute(_set(name, value))
    with suppress(psycopg.errors.InvalidParameterValue):  # where the system cannot tell
        await connection.execute(_set("client_connection_check_interval", _LOST_CLIENT_CHECK))
    path = await _row(connection, _SEARCH_PATH)
    await connection.execute("SELECT set_config('search_path', %s, false)", [path[0] or "public"])


async def _take_lock(target: DatabaseTarget, connection: Connection, tries: int) -> None:
    for attempt in range(1, tries + 1):
        taken = await _row(connection, "SELECT pg_try_advisory_lock(%s)", [LOCK])
        if taken[0]:
            return
        if attempt < tries:
            await asyncio.sleep(_TRY_PAUSE_S)
    held = await (await connection.execute(_HOLDER, [LOCK])).fetchone()
    who = f": {held[0]!r}, process {held[1]}, since {held[2]}" if held else ""
    raise MigrationInProgress(
        f"database {target.name!r} is being migrated by another runner{who}",
        metadata={"database": target.name},
    )


async def _row(connection: Connection, query: Any, values: list[Any] | None = None) -> Any:
    row = await (await connection.execute(query, values)).fetchone()
    if row is None:
        raise psycopg.InternalError("a query that always has a row had none")
    return row


def _set(name: str, value: str) -> sql.Composed:
    return sql.SQL("SET {} = {}").format(sql.Identifier(name), sql.Literal(value))
