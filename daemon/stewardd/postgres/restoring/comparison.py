"""Compares the tables of a restored database with what was read of them in the backup's snapshot: rows, and hashes.

Here it is asked whether the restore brought everything back, before anybody uses it. Whether a backup is good at all
is another question, which a trial on a scratch server answers beforehand.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass

import psycopg

from stewardd.errors import DatabaseDown
from stewardd.postgres.connect import Connection, connect, explained
from stewardd.postgres.dump_catalog import TableName
from stewardd.postgres.table_proof import TableProof, pin_settings, read_table_proof
from stewardd.postgres.target import DatabaseTarget

_APPLICATION = "stewardd restore"
_CONNECT_TIMEOUT_S = 15.0


@dataclass(frozen=True, slots=True)
class TableComparison:
    """What came of it: equal tables and their rows, and for each other one what is different. No value is in it."""

    tables: int
    rows: int
    differences: tuple[str, ...]


async def compare_tables(
    target: DatabaseTarget,
    expected: Mapping[TableName, TableProof],
    *,
    jobs: int,
    on_table: Callable[[], None],
) -> TableComparison:
    """Reads every table, several at once. Raises: DatabaseDown, DatabaseRefused."""
    waiting = sorted(expected, key=str, reverse=True)
    equal_rows: list[int] = []
    differences: dict[TableName, str] = {}

    async def read_some() -> None:
        async with _reading(target) as connection:
            while waiting:
                name = waiting.pop()
                said = await _difference(target, connection, name, expected[name])
                if said:
                    differences[name] = said
                else:
                    equal_rows.append(expected[name].rows)
                on_table()

    tasks = [asyncio.create_task(read_some()) for _ in range(min(jobs, len(expected)))]
    try:
        await asyncio.gather(*tasks)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
    return TableComparison(
        len(equal_rows),
        sum(equal_rows),
        tuple(differences[name] for name in sorted(differences, key=str)),
    )


async def _difference(
    target: DatabaseTarget, connection: Connection, name: TableName, expected: TableProof
) -> str:
    with explained(target, connection):
        await connection.execute("SAVEPOINT compared")
        try:
            found = await read_table_proof(connection, name, hashed=expected.hash is not None)
        except psycopg.errors.UndefinedTable:
            await connection.execute("ROLLBACK TO SAVEPOINT compared")
            return f"table {name} is missing"
        await connection.execute("RELEASE SAVEPOINT compared")
    if found.rows != expected.rows:
        return f"table {name} has {found.rows} rows, and the backup {expected.rows}"
    if expected.hash is not None and found.hash != expected.hash:
        return f"table {name} has other values than the backup"
    return ""


@asynccontextmanager
async def _reading(target: DatabaseTarget) -> AsyncIterator[Connection]:
    try:
        async with asyncio.timeout(_CONNECT_TIMEOUT_S):
            connection = await connect(target, _APPLICATION)
    except TimeoutError:
        raise DatabaseDown(
            f"database {target.name!r} did not answer within {_CONNECT_TIMEOUT_S:g} s"
        ) from None
    try:
        with explained(target, connection):
            await connection.execute("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY")
            await pin_settings(connection)
        yield connection
    finally:
        await connection.close()
