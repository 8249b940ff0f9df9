"""Invalid indexes: what a concurrent build leaves that fails, is cancelled or dies."""

from __future__ import annotations

from collections.abc import Sequence

from stewardd.postgres.connect import Connection
from stewardd.postgres.migrating.failures import told
from stewardd.postgres.migrating.ledger import InvalidIndex, read_ledger
from stewardd.telemetry import logger

log = logger("migrations")


async def new_invalid_indexes(connection: Connection, before: Sequence[int]) -> list[InvalidIndex]:
    """The invalid indexes that were not there before. Raises: StatementFailure."""
    known = set(before)
    return [
        each for each in (await read_ledger(connection)).invalid_indexes if each.oid not in known
    ]


@told
async def drop_new_invalid_indexes(
    connection: Connection, before: Sequence[int], lock_timeout_s: float = 0.0
) -> list[InvalidIndex]:
    """Drops the invalid indexes that were not there before, and returns them.

    It waits for transactions that use their tables, for `lock_timeout_s` at most (0: as long as it takes). Raises:
    StatementFailure.
    """
    left = await new_invalid_indexes(connection, before)
    await connection.execute(f"SET lock_timeout = {round(lock_timeout_s * 1000)}".encode())
    try:
        for index in left:
            log.warning("invalid index dropped", index=index.name)
            await connection.execute(f"DROP INDEX CONCURRENTLY IF EXISTS {index.name}".encode())
    finally:
        if not connection.broken:
            await connection.execute("SET lock_timeout = 0")
    return left
