"""A session that reads large tables by COPY in a process of its own: what it offers, how it begins, and how it fails.

psycopg hands over one row at a time, which holds the interpreter for most of the time of a large table. The process is
psql (backup/worker/psql_session.py): this file knows only what the readers of tables need.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from typing import Protocol

import psycopg
from psycopg import sql

from stewardd.errors import StewardError
from stewardd.postgres.connect import Connection, explain
from stewardd.postgres.dump_catalog import DumpTable
from stewardd.postgres.sqlstate import judge_connected
from stewardd.postgres.target import DatabaseTarget

LARGE_BYTES = 8 << 20
"""From this size on a table is worth a process."""

# By what is on the disk: what vacuum and ANALYZE last saw may be old, and of a restored table they have seen nothing.
_LARGE = """
SELECT oid FROM pg_class WHERE oid = ANY(%s)
  AND pg_relation_size(oid) + COALESCE(pg_relation_size(NULLIF(reltoastrelid, 0)), 0) >= %s
"""


class CopyFailed(Exception):
    """The server refused a statement, or is gone (`is_lost`); the session has ended.

    `is_made` is False where it could not connect at all.
    """

    def __init__(self, sqlstate: str, said: str, *, is_lost: bool, is_made: bool) -> None:
        super().__init__(said)
        self.is_lost = is_lost
        self.is_made = is_made
        self.error = _error_of(sqlstate, said)


class CopySession(Protocol):
    """One session of a database in a process of its own. It ends at its first error."""

    @property
    def has_ended(self) -> bool:
        """Whether it has ended, so that nothing more can be read by it."""
        ...

    async def execute(self, statements: str) -> None:
        """Executes statements that answer nothing. Raises: CopyFailed, ToolFailed where the process itself fails."""
        ...

    async def copy(self, statement: str) -> tuple[int, int]:
        """Executes one COPY to STDOUT: how many lines came, and the sum of their hashes.

        Raises: CopyFailed, ToolFailed where the process itself fails.
        """
        ...

    async def end(self) -> None:
        """Ends the process; it must be awaited, whatever happens."""
        ...


StartCopySession = Callable[[DatabaseTarget], CopySession]


async def find_large(connection: Connection, tables: Sequence[DumpTable]) -> list[DumpTable]:
    """Those of some tables that are worth a process. It waits for who holds one in ACCESS EXCLUSIVE mode."""
    rows = await (
        await connection.execute(_LARGE, [[each.oid for each in tables], LARGE_BYTES])
    ).fetchall()
    found = {oid for (oid,) in rows}
    return [each for each in tables if each.oid in found]


@asynccontextmanager
async def copy_session(
    start: StartCopySession | None,
    target: DatabaseTarget,
    connection: Connection,
    statements: Sequence[sql.Composable],
) -> AsyncIterator[CopySession | None]:
    """Begins a session by some statements, and ends it when the block ends; None where none is to be had.

    A server that has no connection left for it, or that it can't reach, is no failure: `connection` reads all then.
    Raises: CopyFailed, ToolFailed.
    """
    if start is None:
        yield None
        return
    session = start(target)
    try:
        begun: CopySession | None = session
        try:
            text = [each.as_string(connection) for each in statements]
            await session.execute("; ".join(["SET client_encoding TO 'UTF8'", *text]))
        except CopyFailed as failed:
            if failed.is_made:
                raise
            begun = None
        yield begun
    finally:
        await session.end()


def explain_copy(target: DatabaseTarget, failed: CopyFailed) -> StewardError:
    """The daemon's error for a session that failed."""
    return explain(target, judge_connected(failed.error, broken=failed.is_lost), failed.error)


def _error_of(sqlstate: str, said: str) -> psycopg.Error:
    try:
        return psycopg.errors.lookup(sqlstate)(said)
    except KeyError:
        return psycopg.OperationalError(said)
