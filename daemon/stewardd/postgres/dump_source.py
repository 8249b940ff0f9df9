"""The database of a dump, looked at in the dump's own snapshot: what it holds, and what its tables' rows prove.

One connection holds the snapshot and the locks until the dump and the proof are done; others join the snapshot.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

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
from stewardd.postgres.dump_catalog import (
    Choice,
    DumpTable,
    TableName,
    check_locks,
    check_readable,
    check_schemas,
    choose_tables,
    lock_failure,
    lock_statements,
    lock_tables,
    read_roles,
    read_source,
    read_tables,
)
from stewardd.postgres.sessions import PROOF_SESSION
from stewardd.postgres.snapshot import Snapshot
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

_NOT_TO_BE_READ = (
    psycopg.errors.InsufficientPrivilege,
    psycopg.errors.LockNotAvailable,
    psycopg.InternalError,  # the object was dropped while it was looked at
)


_TABLE_COST_BYTES = 1 << 16  # what an empty table costs, as bytes that are read in that time


@dataclass(frozen=True, slots=True)
class Survey:
    """What a dump will hold: the chosen tables, and those left out by name, each with its partitions and children.

    `facts` are those of database and server; see dump_catalog.read_source.
    """

    choice: Choice
    tables: tuple[DumpTable, ...]
    excluded: tuple[DumpTable, ...]
    facts: dict[str, Any]

    @property
    def with_rows(self) -> list[DumpTable]:
        """The tables that have rows in the dump; unlogged ones have none on a standby."""
        skipped = bool(self.facts["in_recovery"])
        return [
            each for each in self.tables if not each.partitioned and not (skipped and each.unlogged)
        ]


@dataclass(frozen=True, slots=True)
class RowsProof:
    """What was read of all tables and large objects."""

    tables: dict[TableName, TableProof] = field(default_factory=dict)
    large_objects: TableProof = field(default_factory=lambda: TableProof(0, None))


@dataclass(frozen=True, slots=True)
class SourceState:
    """What no snapshot holds still, as it is at one moment: sequences, the catalogue, and the roles that it names.

    The catalogue is None where it could not be read: the role may not, or somebody held an object.
    """

    sequences: list[SequenceValue] = field(default_factory=list)
    catalogue: DatabaseCatalogue | None = None
    roles: list[str] = field(default_factory=list)


class DumpSource:
    """A database, through its snapshot."""

    def __init__(
        self,
        target: DatabaseTarget,
        snapshot: Snapshot,
        connect_timeout_s: float,
        start_session: StartCopySession | None = None,
    ) -> None:
        """`start_session` is what reads large tables in place of the daemon's own connections."""
        self._target = target
        self._snapshot = snapshot
        self._connect_timeout_s = connect_timeout_s
        self._start_session = start_session

    async def survey(self, choice: Choice, sessions: int) -> Survey:
        """Looks at what is to be dumped by so many sessions, and refuses what would come out in part.

        Raises: InvalidRequest, DatabaseRefused, Exhausted, DatabaseDown.
        """
        connection = self._snapshot.connection
        with explained(self._target, connection):
            await check_schemas(connection, (*choice.schemas, *choice.exclude_schemas))
            tables, excluded = choose_tables(await read_tables(connection), choice)
            check_readable(self._target, tables)
            await check_locks(self._target, connection, len(tables), sessions)
            facts = await read_source(connection)
            return Survey(choice, tuple(tables), tuple(excluded), facts)

    async def lock(self, survey: Survey, timeout_s: float) -> None:
        """Holds the tables until the snapshot ends. Raises: ToolFailed where one is not free in time."""
        with explained(self._target, self._snapshot.connection):
            await lock_tables(self._target, self._snapshot.connection, survey.tables, timeout_s)

    async def prove(
        self,
        tables: Sequence[DumpTable],
        *,
        hashed: bool,
        jobs: int,
        lock_timeout_s: float,
        on_table: Callable[[DumpTable], None],
    ) -> RowsProof:
        """Reads every table, several at once, large ones first.

        Each session locks its tables before it reads the first one: see dump_worker.py. Raises: DatabaseDown,
        DatabaseRefused, ToolFailed where a table is not free in time.
        """
        found: dict[TableName, TableProof] = {}

        async def read_some(tables: Sequence[DumpTable]) -> None:
            async with self._joined() as connection:
                with explained(self._target, connection):
                    await lock_tables(self._target, connection, tables, lock_timeout_s)
                    large = await find_large(connection, tables) if hashed else []
                    is_large = {each.name for each in large}
                    async with self._copying(connection, large, lock_timeout_s) as session:
                        for table in tables:
                            found[table.name] = await read_table_proof(
                                connection,
                                table.name,
                                METHOD if hashed else None,
                                session if table.name in is_large else None,
                            )
                            on_table(table)

        await do_all([read_some(each) for each in share_out(tables, jobs)])
        async with self._joined() as connection:
            with explained(self._target, connection):
                return RowsProof(found, await read_large_objects(connection, hashed=hashed))

    async def look(self, lock_timeout_s: float) -> SourceState:
        """Reads what changes in spite of the snapshot: once before the dump and once after it.

        Where somebody holds an object for longer, there is no catalogue; where it is a sequence, there are no
        sequences either. Raises: DatabaseDown, DatabaseRefused.
        """
        async with self._joined() as connection:
            with explained(self._target, connection):
                await connection.execute(
                    sql.SQL("SET LOCAL lock_timeout = {}").format(round(lock_timeout_s * 1000))
                )
                sequences: list[SequenceValue] = []
                await connection.execute("SAVEPOINT looking")
                try:
                    sequences = await read_sequences(connection)
                    await connection.execute("SAVEPOINT looking")
                    catalogue = await read_in_transaction(connection)
                    roles = await read_roles(connection)
                except _NOT_TO_BE_READ:
                    await connection.execute("ROLLBACK TO SAVEPOINT looking")
                    return SourceState(sequences)
                return SourceState(sequences, catalogue, roles)

    @asynccontextmanager
    async def _copying(
        self, connection: Connection, large: Sequence[DumpTable], lock_timeout_s: float
    ) -> AsyncIterator[CopySession | None]:
        """A session in a process of its own for large tables, which it locks; None where there are none."""
        if not large:
            yield None
            return
        settings = {
            **self._snapshot.reader_settings,
            "lock_timeout": str(round(lock_timeout_s * 1000)),
        }
        statements = [
            sql.SQL("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY"),
            sql.SQL("SET TRANSACTION SNAPSHOT {}").format(self._snapshot.identifier),
            *setting_statements({**settings, **PINNED}),
            *lock_statements(large),
        ]
        begun = copy_session(self._start_session, self._target, connection, statements)
        try:
            async with begun as session:
                yield session
        except CopyFailed as failed:
            if isinstance(failed.error, psycopg.errors.LockNotAvailable):
                raise await lock_failure(
                    self._target, connection, large, lock_timeout_s, failed.error
                ) from None
            raise explain_copy(self._target, failed) from None

    @asynccontextmanager
    async def _joined(self) -> AsyncIterator[Connection]:
        """A session of its own that reads in the snapshot, with the settings on which hashes depend."""
        try:
            async with asyncio.timeout(self._connect_timeout_s):
                connection = await connect(self._target, PROOF_SESSION)
        except TimeoutError:
            raise DatabaseDown(
                f"database {self._target.name!r} did not answer within {self._connect_timeout_s:g} s"
            ) from None
        try:
            with explained(self._target, connection):
                await connection.execute("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY")
                await connection.execute(
                    sql.SQL("SET TRANSACTION SNAPSHOT {}").format(self._snapshot.identifier)
                )
                for name, value in self._snapshot.reader_settings.items():
                    await connection.execute("SELECT set_config(%s, %s, true)", [name, value])
                await pin_settings(connection)
            yield connection
        finally:
            await connection.close()


def share_out(tables: Sequence[DumpTable], jobs: int) -> list[list[DumpTable]]:
    """Shares tables out to at most so many readers, so that each has about as much to read; large ones come first."""
    shares: list[list[DumpTable]] = [[] for _ in range(min(jobs, len(tables)))]
    sizes = [0] * len(shares)
    for table in sorted(tables, key=lambda each: each.size_bytes, reverse=True):
        least = sizes.index(min(sizes))
        shares[least].append(table)
        sizes[least] += table.size_bytes + _TABLE_COST_BYTES
    return shares


async def do_all(works: Sequence[Coroutine[Any, Any, None]]) -> None:
    """Does all of them at the same time; where one fails, the others are ended first."""
    tasks = [asyncio.create_task(each) for each in works]
    try:
        await asyncio.gather(*tasks)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
