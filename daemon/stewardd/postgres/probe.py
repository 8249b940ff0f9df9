"""One look at a database: a connection of its own, one small query, one time limit.

Never through the pool: its queue says how busy we are, not how the database is. What went wrong is sorted by SQLSTATE,
and a failure to connect, which carries none, by PQping.
"""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass

import psycopg

from stewardd.errors import DatabaseDown, DatabaseRefused
from stewardd.postgres.sqlstate import Verdict, judge_connected, judge_connecting, ping
from stewardd.postgres.target import DatabaseTarget

_QUERY = "SELECT pg_is_in_recovery()"  # reads no table and no file
_REASON_LIMIT = 300


@dataclass(frozen=True, slots=True)
class Sight:
    """What a look at a database that answered saw. `latency_s` is of the query; `connect_s` came before."""

    server_version: str
    major: int
    in_recovery: bool
    connect_s: float
    latency_s: float


async def probe(target: DatabaseTarget, timeout_s: float) -> Sight:
    """Looks at a database.

    Raises DatabaseDown when it is away (refused, timed out, starting, shutting down, no slot left), DatabaseRefused
    when it answers and won't have us (wrong password, no such database).
    """
    try:
        async with asyncio.timeout(timeout_s):
            made = await _connect(target)
            try:
                return await _look(target, made)
            finally:
                await made.connection.close()
    except TimeoutError:
        raise DatabaseDown(
            f"database {target.name!r} did not answer within {timeout_s:g} s"
        ) from None


@dataclass(frozen=True, slots=True)
class _Made:
    connection: psycopg.AsyncConnection
    connect_s: float


async def _connect(target: DatabaseTarget) -> _Made:
    began = time.perf_counter()
    try:
        connection = await psycopg.AsyncConnection.connect(
            target.conninfo, autocommit=True, application_name="stewardd probe"
        )
    except psycopg.Error as error:
        raise await explain_connect_failure(target, error) from None
    return _Made(connection, time.perf_counter() - began)


async def _look(target: DatabaseTarget, made: _Made) -> Sight:
    began = time.perf_counter()
    try:
        cursor = await made.connection.execute(_QUERY)
        row = await cursor.fetchone()
    except psycopg.Error as error:
        verdict = judge_connected(error, broken=made.connection.broken)
        raise _as_error(target, verdict, error) from None
    number = made.connection.info.server_version
    return Sight(
        server_version=f"{number // 10000}.{number % 10000}",
        major=number // 10000,
        in_recovery=row is not None and bool(row[0]),
        connect_s=made.connect_s,
        latency_s=time.perf_counter() - began,
    )


async def explain_connect_failure(
    target: DatabaseTarget, error: psycopg.Error
) -> DatabaseDown | DatabaseRefused:
    """Tells a database that is away from one that refuses us, after a failure to connect."""
    seen = await asyncio.to_thread(ping, target.conninfo)
    return _as_error(target, judge_connecting(error, seen), error)


def _as_error(
    target: DatabaseTarget, verdict: Verdict, error: psycopg.Error
) -> DatabaseDown | DatabaseRefused:
    """The server's own words, on one line; neither it nor libpq puts a password into them."""
    said = " ".join(str(error).split())[:_REASON_LIMIT]
    metadata = {"database": target.name} | ({"sqlstate": error.sqlstate} if error.sqlstate else {})
    if verdict is Verdict.AWAY:
        return DatabaseDown(f"database {target.name!r} is away: {said}", metadata=metadata)
    return DatabaseRefused(f"database {target.name!r} refuses: {said}", metadata=metadata)
