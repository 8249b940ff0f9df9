"""Which locks a statement takes, and what it rewrites or reads: not guessed, but looked at on a scratch server.

Inside of a transaction the session reads its own pg_locks and relfilenodes after each statement. A statement that runs
in no transaction is watched from a second session, which holds a lock that every strong lock waits for, so that the
statement can be seen as it asks. Objects that the transaction made itself are left out: nobody else can see them.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass

import psycopg

from stewardd.postgres.connect import Connection
from stewardd.postgres.migrating.execution import run
from stewardd.postgres.migrating.failures import told

# From the weakest to the strongest, as PostgreSQL's manual has them (13.3.1).
_MODES = (
    *("AccessShareLock", "RowShareLock", "RowExclusiveLock", "ShareUpdateExclusiveLock", "ShareLock"),
    *("ShareRowExclusiveLock", "ExclusiveLock", "AccessExclusiveLock"),
)  # fmt: skip
_BLOCKING_WRITES = _MODES[_MODES.index("ShareLock") :]
_BLOCKING_READS = _MODES[_MODES.index("AccessExclusiveLock") :]
_TABLES = ("r", "p", "m")
_LOOK_S = 0.02
_MOST_LOOKS = 500
_RELATIONS = """
SELECT c.oid::bigint, c.relkind::text, pg_relation_filenode(c.oid)::bigint,
  CASE WHEN s.nspname = 'public' THEN quote_ident(c.relname) ELSE format('%I.%I', s.nspname, c.relname) END
FROM pg_class AS c JOIN pg_namespace AS s ON s.oid = c.relnamespace
WHERE s.nspname !~ '^pg_' AND s.nspname <> 'information_schema' AND c.relkind IN ('r', 'p', 'm', 'v', 'i', 'I', 'S')
"""
_LOCKS = """
SELECT relation::bigint, mode FROM pg_locks
WHERE pid = $1 AND locktype = 'relation' AND database = (SELECT oid FROM pg_database WHERE datname = current_database())
"""
_SCANS = "SELECT relid::bigint, seq_scan FROM pg_stat_xact_user_tables WHERE seq_scan > 0"
_HELD = """
SELECT string_agg(format('%I.%I', s.nspname, c.relname), ', ')
FROM pg_class AS c JOIN pg_namespace AS s ON s.oid = c.relnamespace
WHERE c.relkind IN ('r', 'p') AND s.nspname !~ '^pg_' AND s.nspname <> 'information_schema'
"""
_CHANGES_ROWS = ("SELECT", "INSERT", "UPDATE", "DELETE", "MERGE", "WITH", "VALUES", "TABLE", "COPY")


@dataclass(frozen=True, slots=True)
class TakenLock:
    """A lock on a table, view, index or sequence, and whom it keeps waiting."""

    relation: str
    mode: str

    @property
    def blocks_reads(self) -> bool:
        """Whether even a SELECT waits."""
        return self.mode in _BLOCKING_READS

    @property
    def blocks_writes(self) -> bool:
        """Whether INSERT, UPDATE and DELETE wait."""
        return self.mode in _BLOCKING_WRITES


@dataclass(frozen=True, slots=True)
class StatementEffects:
    """What a statement does to relations that were there before: locks, tables written anew, tables read as a whole."""

    locks: tuple[TakenLock, ...]
    rewrites: tuple[str, ...]
    scans: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class _Relation:
    kind: str
    filenode: int | None
    name: str


class EffectsReader:
    """Runs the statements of one script, in one transaction or outside of it, and tells what each of them does."""

    def __init__(
        self, connection: Connection, before: Mapping[int, _Relation], scans: Mapping[int, int]
    ) -> None:
        self._connection = connection
        self._before = before
        self._held: set[tuple[int, str]] = set()
        self._scans = scans
        self._filenodes = {oid: relation.filenode for oid, relation in before.items()}

    @classmethod
    async def begin(cls, connection: Connection) -> EffectsReader:
        """Looks at what is there before a script, in the transaction that it runs in. Raises: StatementFailure."""
        return cls(connection, await _relations(connection), await _scans(connection))

    async def run(self, statement: str, number: int) -> StatementEffects:
        """Runs a statement inside of the transaction that is open. Raises: StatementFailure."""
        await run(self._connection, statement, number)
        locks = await _locks(self._connection, self._connection.info.backend_pid)
        taken = self._strongest(locks - self._held)
        self._held |= locks
        now = await _relations(self._connection)
        scans = await _scans(self._connection)
        scanned = [oid for oid, count in scans.items() if count > self._scans.get(oid, 0)]
        self._scans = scans
        return StatementEffects(
            taken, self._rewritten(statement, now), self._named(statement, scanned)
        )

    async def run_alone(self, statement: str, number: int, watcher: Connection) -> StatementEffects:
        """Runs a statement in no transaction, watched from another session. Raises: StatementFailure."""
        await _hold_all(watcher)
        task = asyncio.ensure_future(run(self._connection, statement, number))
        pid = self._connection.info.backend_pid
        seen: set[tuple[int, str]] = set()
        try:
            for _ in range(_MOST_LOOKS):
                seen |= await _locks(watcher, pid)
                if task.done() or self._strongest(seen):
                    break
                await asyncio.sleep(_LOOK_S)
        finally:
            await _let_go(watcher)
        while not task.done():  # later locks, such as that on the index itself
            seen |= await _locks(watcher, pid)
            await asyncio.sleep(_LOOK_S)
        await task
        now = await _relations(self._connection)
        return StatementEffects(self._strongest(seen), self._rewritten(statement, now), ())

    def _strongest(self, locks: set[tuple[int, str]]) -> tuple[TakenLock, ...]:
        """The strongest lock of each relation that was there before, the strongest of all first."""
        modes: dict[int, str] = {}
        for oid, mode in locks:
            if oid in self._before and mode in _MODES:
                modes[oid] = max(modes.get(oid, mode), mode, key=_MODES.index)
        taken = [TakenLock(self._before[oid].name, mode) for oid, mode in modes.items()]
        return tuple(sorted(taken, key=lambda lock: (-_MODES.index(lock.mode), lock.relation)))

    def _rewritten(self, statement: str, now: Mapping[int, _Relation]) -> tuple[str, ...]:
        """Tables whose rows were all written into a new file. TRUNCATE makes a new file as well, an empty one."""
        changed = [
            oid
            for oid, filenode in self._filenodes.items()
            if oid in now and now[oid].filenode != filenode and now[oid].kind in _TABLES
        ]
        self._filenodes = {oid: now[oid].filenode for oid in self._filenodes if oid in now}
        if statement.lstrip()[:8].upper() == "TRUNCATE":
            return ()
        return tuple(sorted(self._before[oid].name for oid in changed))

    def _named(self, statement: str, oids: list[int]) -> tuple[str, ...]:
        if statement.lstrip().upper().startswith(_CHANGES_ROWS):
            return ()  # how a query reads an empty table says nothing of a full one
        return tuple(sorted(self._before[oid].name for oid in oids if oid in self._before))


@told
async def _relations(connection: Connection) -> dict[int, _Relation]:
    cursor = await connection.execute(_RELATIONS.encode())
    return {row[0]: _Relation(*row[1:]) for row in await cursor.fetchall()}


@told
async def _locks(connection: Connection, pid: int) -> set[tuple[int, str]]:
    cursor = await connection.execute(_LOCKS.replace("$1", str(int(pid))).encode())
    return {(row[0], row[1]) for row in await cursor.fetchall()}


@told
async def _scans(connection: Connection) -> dict[int, int]:
    cursor = await connection.execute(_SCANS.encode())
    return {row[0]: row[1] for row in await cursor.fetchall()}


@told
async def _hold_all(watcher: Connection) -> None:
    row = await (await watcher.execute(_HELD.encode())).fetchone()
    await watcher.execute("BEGIN")
    if row is not None and row[0]:
        await watcher.execute(
            f"LOCK TABLE {row[0]} IN SHARE UPDATE EXCLUSIVE MODE".encode()  # names of the catalogue
        )


async def _let_go(watcher: Connection) -> None:
    with suppress(psycopg.Error):
        await watcher.execute("ROLLBACK")
