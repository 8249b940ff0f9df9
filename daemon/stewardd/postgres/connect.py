"""Making one connection, and saying what a failure to make it means.

psycopg's failures to connect carry no SQLSTATE: whether the database is away or refuses us is found out by PQping.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import psycopg

from stewardd.errors import (
    DatabaseDown,
    DatabaseFull,
    DatabaseRefused,
    DatabaseStandby,
    DirectConnectionNeeded,
)
from stewardd.postgres.causes import find_cause
from stewardd.postgres.sqlstate import (
    Verdict,
    has_no_slot,
    is_standby,
    judge_connected,
    judge_connecting,
    ping,
)
from stewardd.postgres.target import DatabaseTarget

Connection = psycopg.AsyncConnection[Any]
_REASON_LIMIT = 400


async def connect(target: DatabaseTarget, application_name: str) -> Connection:
    """Makes a connection in autocommit mode; the caller bounds the time and closes it.

    Raises DatabaseDown (refused, timed out, starting, shutting down), and of its kind DatabaseFull (no slot left),
    DatabaseRefused (a wrong password, no such database).
    """
    try:
        return await psycopg.AsyncConnection.connect(
            target.conninfo,
            autocommit=True,
            application_name=application_name,
            client_encoding="utf8",  # a database of encoding SQL_ASCII would give its text as bytes
        )
    except psycopg.Error as error:
        raise explain(target, await judge_failure(target, error), error) from None


async def require_own_session(target: DatabaseTarget, connection: Connection, work: str) -> None:
    """Makes sure that the session belongs to this connection alone, as `work` needs it.

    A pooler in transaction mode answers a new connection itself, so that the process that then serves it is another
    one than the process that it was promised. Raises: DirectConnectionNeeded.
    """
    cursor = await connection.execute("SELECT pg_backend_pid()")
    if await cursor.fetchone() != (connection.info.backend_pid,):
        raise DirectConnectionNeeded(
            f"database {target.name!r} is reached through a connection pooler, which cannot hold {work}"
        )


async def judge_failure(target: DatabaseTarget, error: psycopg.Error) -> Verdict:
    """Sorts a failure to connect, with a PQping where the error alone does not tell."""
    if error.sqlstate is not None or isinstance(error, psycopg.errors.ConnectionTimeout):
        return judge_connecting(error, psycopg.pq.Ping.OK)
    return judge_connecting(error, await asyncio.to_thread(ping, target.conninfo))


@contextmanager
def explained(target: DatabaseTarget, connection: Connection) -> Iterator[None]:
    """Turns what the driver raises into the daemon's errors. Raises: DatabaseDown, DatabaseRefused."""
    try:
        yield
    except psycopg.Error as error:
        raise explain_statement(target, connection, error) from None


def explain_statement(
    target: DatabaseTarget, connection: Connection, error: psycopg.Error
) -> DatabaseDown | DatabaseRefused:
    """What the failure of a statement says of the database."""
    return explain(target, judge_connected(error, broken=connection.broken), error)


def explain(
    target: DatabaseTarget, verdict: Verdict, error: psycopg.Error
) -> DatabaseDown | DatabaseRefused:
    """The server's own words, with what to do about them."""
    said = target.quote(error, _REASON_LIMIT)
    metadata = {"database": target.name} | ({"sqlstate": error.sqlstate} if error.sqlstate else {})
    if verdict is Verdict.AWAY and has_no_slot(error):
        return DatabaseFull(
            f"database {target.name!r} has no connection left: {said}", metadata=metadata
        )
    if verdict is Verdict.AWAY:
        return DatabaseDown(f"database {target.name!r} is away: {said}", metadata=metadata)
    if is_standby(error):
        return DatabaseStandby(
            f"database {target.name!r} has no primary: {said}", metadata=metadata
        )
    cause = find_cause(str(error), target.user or "its user")
    hint = cause.hint if cause is not None else None
    return DatabaseRefused(
        f"database {target.name!r} refuses: {said}", hint=hint, metadata=metadata
    )
