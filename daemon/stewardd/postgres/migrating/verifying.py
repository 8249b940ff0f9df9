"""Runs the queries of a verify file: each value of each row must be true, and there must be a row."""

from __future__ import annotations

from collections.abc import Sequence

from stewardd.postgres.connect import Connection
from stewardd.postgres.migrating.execution import run
from stewardd.postgres.migrating.failures import StatementFailure


async def untrue_of(connection: Connection, queries: Sequence[str]) -> list[str]:
    """The names of what does not hold, by query and column; empty where all holds. Raises: StatementFailure."""
    found = []
    for number, query in enumerate(queries, 1):
        cursor = await run(connection, query, number)
        names = [column.name for column in cursor.description or ()]
        rows: list[Sequence[object]] = await cursor.fetchall()  # type: ignore[assignment]  # rows are tuples
        if not rows:
            found.append(f"query {number} gave no row")
        for place, name in enumerate(names):
            if any(row[place] is not True for row in rows):
                found.append(f"{name} (query {number})")
    return found


async def unmet_of(connection: Connection, queries: Sequence[str]) -> list[str]:
    """The same, where a query that fails does not hold either. Raises: StatementFailure when the connection is lost."""
    try:
        return await untrue_of(connection, queries)
    except StatementFailure as failure:
        if failure.lost:
            raise
        return [f"query {failure.number} failed: {failure.message}"]
