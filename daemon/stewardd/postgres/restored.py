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
from stewardd.postgres.copy_session import (
    CopyFailed,
    CopySession,
    StartCopySession,
    copy_session,
    explain_copy,
    find_large,
)
from stewardd.postgres.dump_catalog import TableName, read_tables
from stewardd.postgres.dump_source import do_all
from stewardd.postgres.table_proof import (
    METHOD,
    PINNED,
    SequenceValue,
    TableProof,
    pin_settings,
    read_large_objects,
    read_sequences,
    read_table_proof,
    setting_statements,
)
from stewardd.postgres.target import DatabaseTarget

APPLICATION = "stewardd comparison"
_CONNECT_TIMEOUT_S = 15.0
_BEGIN = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY"
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
    method: str | None,
    with_large_objects: bool = True,
    jobs: int,
    start_session: StartCopySession | None,
    on_table: Callable[[], None],
) -> RestoredDatabase:
    """Reads every table, several at once, and the rest.

    Rows are hashed by one of METHODS, or counted; `start_session` is what reads large tables. Raises: DatabaseDown,
    DatabaseRefused, ToolFailed.
    """
    async with _session(target) as connection:
        with explained(target, connection):
            sequences = {each.name: each for each in await read_sequences(connection)}
            large_objects = TableProof(0, None)
            if with_large_objects:
                large_objects = await read_large_objects(connection, hashed=method is not None)
            catalogue = await read_in_transaction(connection)
    reading = _TableReading(target, method, start_session, on_table)
    found = await reading.read(tables, jobs)
    return RestoredDatabase(found, sequences, large_objects, catalogue)


@dataclass(slots=True)
class _TableReading:
    """Reads those of some tables that are there, several at once; `large` are those that a CopySession reads."""

    target: DatabaseTarget
    method: str | None
    start_session: StartCopySession | None
    on_table: Callable[[], None]
    small: list[TableName] = field(default_factory=list)
    large: list[TableName] = field(default_factory=list)
    found: dict[TableName, TableProof] = field(default_factory=dict)

    async def read(self, tables: Sequence[TableName], jobs: int) -> dict[TableName, TableProof]:
        """Returns what they hold. Raises: DatabaseDown, DatabaseRefused, ToolFailed."""
        async with _session(self.target) as connection:
            with explained(self.target, connection):
                there = {each.name: each for each in await read_tables(connection)}
                wanted = [there[each] for each in reversed(tables) if each in there]
                if self.method == METHOD and self.start_session is not None:
                    self.large = [each.name for each in await find_large(connection, wanted)]
        is_large = set(self.large)
        self.small = [each.name for each in wanted if each.name not in is_large]
        sessions = len(self.large)
        await do_all(
            [self._read_some(number < sessions) for number in range(min(jobs, len(wanted)))]
        )
        return self.found

    async def _read_some(self, reads_large: bool) -> None:
        async with (
            _session(self.target) as connection,
            self._copying(connection, self.start_session if reads_large else None) as session,
        ):
            while (reads_large and self.large) or self.small:
                is_large = reads_large and bool(self.large)
                name = self.large.pop() if is_large else self.small.pop()
                with explained(self.target, connection):
                    self.found[name] = await read_table_proof(
                        connection, name, self.method, session if is_large else None
                    )
                self.on_table()

    @asynccontextmanager
    async def _copying(
        self, connection: Connection, start: StartCopySession | None
    ) -> AsyncIterator[CopySession | None]:
        statements = [sql.SQL(_BEGIN), *setting_statements(PINNED)]
        try:
            async with copy_session(start, self.target, connection, statements) as session:
                yield session
        except CopyFailed as failed:
            raise explain_copy(self.target, failed) from None


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
            await connection.execute(_BEGIN)
            await pin_settings(connection)
        yield connection
    finally:
        await connection.close()


async def _connect(target: DatabaseTarget) -> Connection:
    try:
        async with asyncio.timeout(_CONNECT_TIMEOUT_S):
            return await connect(target, APPLICATION)
    except TimeoutError:
        raise DatabaseDown(
            f"database {target.name!r} did not answer within {_CONNECT_TIMEOUT_S:g} s"
        ) from None
