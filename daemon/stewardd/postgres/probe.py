"""One look at a database: a connection of its own, one small query, one time limit.

Never through the pool: its queue says how busy we are, not how the database is. What went wrong is sorted by SQLSTATE,
and a failure to connect, which carries none, by PQping.
"""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass

import psycopg

from stewardd.errors import DatabaseDown, DatabaseFull, DatabaseRefused
from stewardd.postgres.connect import Connection, connect, explain_statement
from stewardd.postgres.pinning import is_socket, pinned
from stewardd.postgres.target import DatabaseTarget

_QUERY = "SELECT pg_is_in_recovery()"  # reads no table and no file
_GSS_QUERY = "SELECT encrypted FROM pg_stat_gssapi WHERE pid = pg_backend_pid()"


@dataclass(frozen=True, slots=True)
class Sight:
    """What a look at a database that answered saw. `latency_s` is of the query; `connect_s` came before.

    `way` is the target as this connection reached it: one server, encrypted as this connection was.
    """

    server_version: str
    major: int
    in_recovery: bool
    connect_s: float
    latency_s: float
    way: DatabaseTarget
    tls: bool
    gss: bool


async def probe(target: DatabaseTarget, timeout_s: float) -> Sight:
    """Looks at a database.

    Raises DatabaseDown when it is away (refused, timed out, starting, shutting down), and of its kind DatabaseFull when
    it has no slot left, DatabaseRefused when it answers and won't have us (wrong password, no such database).
    """
    try:
        async with asyncio.timeout(timeout_s):
            began = time.perf_counter()
            connection = await connect(target, "stewardd probe")
            try:
                return await _look(target, connection, time.perf_counter() - began)
            finally:
                await connection.close()
    except TimeoutError:
        raise DatabaseDown(
            f"database {target.name!r} did not answer within {timeout_s:g} s"
        ) from None


async def look_for_outage(target: DatabaseTarget, timeout_s: float) -> DatabaseDown | None:
    """Returns why a database is away; None where it answers, be it with a refusal."""
    try:
        await probe(target, timeout_s)
    except (DatabaseFull, DatabaseRefused):
        return None
    except DatabaseDown as down:
        return down
    return None


async def _look(target: DatabaseTarget, connection: Connection, connect_s: float) -> Sight:
    began = time.perf_counter()
    try:
        row = await (await connection.execute(_QUERY)).fetchone()
        latency_s = time.perf_counter() - began
        gss = await _gss_encrypted(connection)
    except psycopg.Error as error:
        raise explain_statement(target, connection, error) from None
    number = connection.info.server_version
    return Sight(
        server_version=version_text(number),
        major=number // 10000,
        in_recovery=row is not None and bool(row[0]),
        connect_s=connect_s,
        latency_s=latency_s,
        way=pinned(target, connection, gss_encrypted=gss),
        tls=connection.pgconn.ssl_in_use,
        gss=gss,
    )


async def _gss_encrypted(connection: Connection) -> bool:
    """Whether Kerberos encrypts it, which libpq tells only by a function that psycopg does not have."""
    options = {option.keyword: option.val for option in connection.pgconn.info}
    impossible = options.get(b"gssencmode") in (None, b"disable")
    if impossible or connection.pgconn.ssl_in_use or is_socket(connection):
        return False
    row = await (await connection.execute(_GSS_QUERY)).fetchone()
    return row is not None and bool(row[0])


def version_text(number: int) -> str:
    """A version as people write it, `18.6`, of the server's 180006 (PostgreSQL 10 and newer)."""
    return f"{number // 10000}.{number % 10000}"
