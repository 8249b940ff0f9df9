"""Invalid indexes: what a concurrent build leaves that fails, is cancelled or dies."""

from __future__ import annotations

from collections.abc import Sequence

from stewardd.postgres.connect import Connection
from stewardd.postgres.migrating.failures import told
from stewardd.postgres.migrating.ledger import InvalidIndex, read_ledger
from stewardd.telemetry import logger

log = logger("migrations")


@told
async def drop_new_invalid_indexes(
    connection: Connection, before: Sequence[int]
) -> list[InvalidIndex]:
    """Drops the invalid indexes that were not there before, and returns them. Raises: StatementFailure."""
    left = [
        index
        for index in (await read_ledger(connection)).invalid_indexes
        if index.oid not in set(before)
    ]
    for index in left:
        log.warning("invalid index dropped", index=index.name)
        await connection.execute(f"DROP INDEX CONCURRENTLY IF EXISTS {index.name}".encode())
    return left
