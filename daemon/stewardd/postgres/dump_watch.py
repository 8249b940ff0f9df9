"""A dump as its server sees it, on a connection of its own: which tables are being copied, and who waits for its locks.

The sessions of a dump are known by the names that they give themselves, in their database and under their role.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

import psycopg

from stewardd.errors import DatabaseDown
from stewardd.postgres.connect import Connection, connect, explain_statement
from stewardd.postgres.dump_catalog import TableName
from stewardd.postgres.sessions import (
    DUMP_SESSION,
    PROOF_SESSION,
    SNAPSHOT_SESSION,
    WATCH_SESSION,
)
from stewardd.postgres.target import DatabaseTarget

_SESSIONS = [SNAPSHOT_SESSION, DUMP_SESSION, PROOF_SESSION]
_COPIES = """
SELECT c.relid::bigint, c.tuples_processed FROM pg_stat_progress_copy c JOIN pg_stat_activity a USING (pid)
WHERE a.datname = current_database() AND a.usename = current_user AND a.application_name = %s
"""
# Of sessions of other roles an ordinary role sees the locks, but not that they wait: so the locks come first here.
_WAITERS = """
WITH dump AS (
  SELECT array_agg(pid) AS pids FROM pg_stat_activity
  WHERE datname = current_database() AND usename = current_user AND application_name = ANY(%s)
)
SELECT DISTINCT l.pid, a.backend_start::text, a.usename, a.application_name, l.mode, n.nspname, c.relname
FROM dump CROSS JOIN pg_locks l
LEFT JOIN pg_stat_activity a ON a.pid = l.pid
LEFT JOIN pg_class c ON c.oid = l.relation LEFT JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE NOT l.granted AND l.pid <> ALL(dump.pids) AND pg_blocking_pids(l.pid) && dump.pids
"""


@dataclass(frozen=True, slots=True)
class LockWaiter:
    """A session that waits behind the locks of a dump; `role` and `application` where they may be seen."""

    pid: int
    started: str
    role: str
    application: str
    mode: str
    table: TableName | None

    def __str__(self) -> str:
        who = ", ".join(each for each in (self.role, self.application) if each)
        what = f" on {self.table}" if self.table is not None else ""
        return f"the server's process {self.pid}{f' ({who})' if who else ''} waits for {self.mode}{what}"


class DumpWatch:
    """Looks at the dump of one database. Raises, in each method: DatabaseDown, DatabaseRefused."""

    def __init__(self, target: DatabaseTarget, connection: Connection) -> None:
        self._target = target
        self._connection = connection

    async def copied_rows(self) -> dict[int, int]:
        """How many rows pg_dump has read of each table that it reads now, by the table's oid."""
        try:
            rows = await (await self._connection.execute(_COPIES, [DUMP_SESSION])).fetchall()
        except psycopg.Error as error:
            raise explain_statement(self._target, self._connection, error) from None
        return {oid: rows_read or 0 for oid, rows_read in rows if oid}

    async def lock_waiters(self) -> list[LockWaiter]:
        """The sessions that the dump's locks stop now."""
        try:
            rows = await (await self._connection.execute(_WAITERS, [_SESSIONS])).fetchall()
        except psycopg.Error as error:
            raise explain_statement(self._target, self._connection, error) from None
        return [
            LockWaiter(
                pid=pid,
                started=started or "",
                role=role or "",
                application=application or "",
                mode=mode,
                table=TableName(schema, name) if name is not None else None,
            )
            for pid, started, role, application, mode, schema, name in rows
        ]


@asynccontextmanager
async def watch_dump(target: DatabaseTarget, connect_timeout_s: float) -> AsyncIterator[DumpWatch]:
    """Opens the connection, which does nothing but look. Raises: DatabaseDown, DatabaseFull, DatabaseRefused."""
    try:
        async with asyncio.timeout(connect_timeout_s):
            connection = await connect(target, WATCH_SESSION)
    except TimeoutError:
        raise DatabaseDown(
            f"database {target.name!r} did not answer within {connect_timeout_s:g} s"
        ) from None
    try:
        yield DumpWatch(target, connection)
    finally:
        await connection.close()
