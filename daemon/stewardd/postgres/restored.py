"""A database that a backup was restored into, read to be compared with what was recorded when the backup was made."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Collection, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import psycopg
from psycopg import sql

from stewardd.errors import DatabaseDown
from stewardd.postgres.catalogue.reading import DatabaseCatalogue, read_in_transaction
from stewardd.postgres.connect import Connection, connect, explained
from stewardd.postgres.dump_catalog import TableName, read_tables
from stewardd.postgres.dump_source import do_all
from stewardd.postgres.table_proof import (
    SequenceValue,
    TableProof,
    pin_settings,
    read_large_objects,
    read_sequences,
    read_table_proof,
)
from stewardd.postgres.target import DatabaseTarget

_APPLICATION = "stewardd comparison"
_CONNECT_TIMEOUT_S = 15.0
_UNPOPULATED = """
SELECT n.nspname, c.relname FROM pg_class AS c JOIN pg_namespace AS n ON n.oid = c.relnamespace
WHERE c.relkind = 'm' AND NOT c.relispopulated ORDER BY c.oid
"""
_SCHEMAS = """
SELECT nspname FROM pg_namespace WHERE nspname !~ '^pg_' AND nspname NOT IN ('information_schema', 'public')
ORDER BY nspname
"""


@dataclass(frozen=True, slots=True)
class RestoredDatabase:
    """What is there: of the tables that were asked for those that exist."""

    tables: dict[TableName, TableProof] = field(default_factory=dict)
    sequences: dict[TableName, SequenceValue] = field(default_factory=dict)
    large_objects: TableProof = field(default_factory=lambda: TableProof(0, None))
    catalogue: DatabaseCatalogue = field(default_factory=lambda: DatabaseCatalogue(0, {}))


async def read_restored(
    target: DatabaseTarget,
    tables: Sequence[TableName],
    *,
    hashed: bool,
    with_large_objects: bool = True,
    jobs: int,
    on_table: Callable[[], None],
) -> RestoredDatabase:
    """Reads every table, several at once, and the rest. Raises: DatabaseDown, DatabaseRefused."""
    async with _session(target) as connection:
        with explained(target, connection):
            sequences = {each.name: each for each in await read_sequences(connection)}
            large_objects = TableProof(0, None)
            if with_large_objects:
                large_objects = await read_large_objects(connection, hashed=hashed)
            catalogue = await read_in_transaction(connection)
    found = await _read_tables_restored(target, tables, hashed=hashed, jobs=jobs, on_table=on_table)
    return RestoredDatabase(found, sequences, large_objects, catalogue)


async def _read_tables_restored(
    target: DatabaseTarget,
    tables: Sequence[TableName],
    *,
    hashed: bool,
    jobs: int,
    on_table: Callable[[], None],
) -> dict[TableName, TableProof]:
    """Reads those of some tables that are there, several at once. Raises: DatabaseDown, DatabaseRefused."""
    async with _session(target) as connection:
        with explained(target, connection):
            there = {each.name for each in await read_tables(connection)}
    waiting = [each for each in reversed(tables) if each in there]
    found: dict[TableName, TableProof] = {}

    async def read_some() -> None:
        async with _session(target) as connection:
            while waiting:
                name = waiting.pop()
                with explained(target, connection):
                    found[name] = await read_table_proof(connection, name, hashed=hashed)
                on_table()

    await do_all([read_some() for _ in range(min(jobs, len(waiting)))])
    return found


async def refresh_views(target: DatabaseTarget, names: Collection[str]) -> set[str]:
    """Refreshes the materialised views of those names that are not populated; returns the names that could be.

    A dump refreshes them with an empty search_path, which a function that names no schema does not bear. Here every
    schema is on it, as it would be for those who use the view. Raises: DatabaseDown, DatabaseRefused.
    """
    connection = await _connect(target)
    try:
        with explained(target, connection):
            rows = await (await connection.execute(_UNPOPULATED)).fetchall()
            schemas = await (await connection.execute(_SCHEMAS)).fetchall()
        path = sql.SQL(", ").join(map(sql.Identifier, ["public", *(row[0] for row in schemas)]))
        refreshed = set()
        with explained(target, connection):
            await connection.execute(sql.SQL("SET search_path = ") + path)
            for schema, name in rows:
                if name in names and await _refresh(connection, TableName(schema, name)):
                    refreshed.add(name)
        return refreshed
    finally:
        await connection.close()


async def _refresh(connection: Connection, name: TableName) -> bool:
    view = sql.Identifier(name.schema, name.name)
    try:
        await connection.execute(sql.SQL("REFRESH MATERIALIZED VIEW {}").format(view))
    except psycopg.OperationalError:
        raise
    except psycopg.Error:
        return False
    return True


@asynccontextmanager
async def _session(target: DatabaseTarget) -> AsyncIterator[Connection]:
    """A session in one transaction, with the settings on which hashes depend."""
    connection = await _connect(target)
    try:
        with explained(target, connection):
            await connection.execute("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY")
            await pin_settings(connection)
        yield connection
    finally:
        await connection.close()


async def _connect(target: DatabaseTarget) -> Connection:
    try:
        async with asyncio.timeout(_CONNECT_TIMEOUT_S):
            return await connect(target, _APPLICATION)
    except TimeoutError:
        raise DatabaseDown(
            f"database {target.name!r} did not answer within {_CONNECT_TIMEOUT_S:g} s"
        ) from None
