"""The schema `steward` of a database: which migrations it has, and who did what when.

    steward.migrations          one row a migration that the database has
    steward.migration_history   every applying, rolling back, baseline and repair; only added to
    steward.migration_progress  how far a migration came that runs outside of a transaction, while it is under way

A migration in a transaction writes its row in that same transaction: it is applied and recorded, or neither.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import LiteralString

from psycopg.rows import class_row

from stewardd.postgres.connect import Connection
from stewardd.postgres.migrating.failures import told

_MAKE = """
CREATE SCHEMA IF NOT EXISTS steward;
COMMENT ON SCHEMA steward IS 'kept by steward: which migrations this database has';
CREATE TABLE IF NOT EXISTS steward.migrations (
    number         integer      PRIMARY KEY CHECK (number > 0),
    name           text         NOT NULL,
    sha256         text         NOT NULL,
    up_code_sha256 text         NOT NULL,
    is_baseline    boolean      NOT NULL,
    applied_at     timestamptz  NOT NULL,
    applied_by     text         NOT NULL
);
COMMENT ON TABLE steward.migrations IS 'the migrations that this database has';
CREATE TABLE IF NOT EXISTS steward.migration_history (
    id             bigint       GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    number         integer      NOT NULL,
    name           text         NOT NULL,
    sha256         text         NOT NULL,
    action         text         NOT NULL CHECK (action IN ('apply', 'roll back', 'baseline', 'repair')),
    done_at        timestamptz  NOT NULL,
    done_by        text         NOT NULL,
    server_user    text         NOT NULL DEFAULT session_user,
    elapsed_ms     bigint       NOT NULL,
    lock_wait_ms   bigint       NOT NULL,
    lock_waits     jsonb        NOT NULL,
    attempts       integer      NOT NULL,
    forced         boolean      NOT NULL,
    changed_rows   bigint       NOT NULL
);
COMMENT ON TABLE steward.migration_history IS 'who did what to the migrations of this database, and how long it took';
CREATE TABLE IF NOT EXISTS steward.migration_progress (
    number          integer      PRIMARY KEY,
    name            text         NOT NULL,
    sha256          text         NOT NULL,
    direction       text         NOT NULL CHECK (direction IN ('up', 'down')),
    batches         bigint       NOT NULL,
    changed_rows    bigint       NOT NULL,
    invalid_before  oid[]        NOT NULL,
    began_at        timestamptz  NOT NULL,
    updated_at      timestamptz  NOT NULL
);
ALTER TABLE steward.migration_progress ADD COLUMN IF NOT EXISTS queries_tell boolean NOT NULL DEFAULT true;
COMMENT ON TABLE steward.migration_progress IS 'migrations outside of a transaction that are under way';
"""
_EXISTS = """
SELECT to_regclass('steward.migrations') IS NOT NULL AND to_regclass('steward.migration_progress') IS NOT NULL
"""
_IS_OF_NOW = """
SELECT count(*) = 1 FROM pg_attribute
WHERE attrelid = to_regclass('steward.migration_progress') AND attname = 'queries_tell'
"""
_APPLIED = """
SELECT number, name, sha256, up_code_sha256, is_baseline, applied_at, applied_by
FROM steward.migrations ORDER BY number
"""
_PROGRESS = """
SELECT number, name, sha256, direction, batches, changed_rows, invalid_before::bigint[],
  coalesce((to_jsonb(progress) ->> 'queries_tell')::boolean, true) AS queries_tell, began_at
FROM steward.migration_progress AS progress ORDER BY number
"""
_INVALID_INDEXES = """
SELECT indexrelid::bigint AS oid, format('%I.%I', schema.nspname, class.relname) AS name
FROM pg_index JOIN pg_class AS class ON class.oid = indexrelid JOIN pg_namespace AS schema ON schema.oid = relnamespace
WHERE NOT indisvalid AND class.relkind = 'i' ORDER BY 2
"""


@dataclass(frozen=True, slots=True)
class AppliedMigration:
    """A migration that a database has."""

    number: int
    name: str
    sha256: str
    up_code_sha256: str
    is_baseline: bool
    applied_at: datetime | None
    applied_by: str


@dataclass(frozen=True, slots=True)
class MigrationProgress:
    """How far a migration outside of a transaction came.

    `queries_tell` says that the queries of its verify file did not hold before it: when they hold, it was done.
    """

    number: int
    name: str
    sha256: str
    direction: str
    batches: int
    changed_rows: int
    invalid_before: Sequence[int]
    queries_tell: bool
    began_at: datetime | None


@dataclass(frozen=True, slots=True)
class InvalidIndex:
    """An index that a build which did not end has left; no query uses it, and every write keeps it up."""

    oid: int
    name: str


@dataclass(frozen=True, slots=True)
class Ledger:
    """What a database has of migrations."""

    applied: tuple[AppliedMigration, ...] = ()
    progress: MigrationProgress | None = None
    invalid_indexes: tuple[InvalidIndex, ...] = ()


@dataclass(frozen=True, slots=True)
class HistoryEntry:
    """What was done, and what it took."""

    number: int
    name: str
    sha256: str
    action: str
    done_by: str
    elapsed_s: float = 0.0
    lock_wait_s: float = 0.0
    lock_waits: str = "[]"
    attempts: int = 1
    forced: bool = False
    changed_rows: int = 0


@told
async def make_ledger(connection: Connection) -> None:
    """Makes the schema where it is not there, or is that of an older daemon."""
    if not await _answer(connection, _EXISTS) or not await _answer(connection, _IS_OF_NOW):
        await connection.execute(_MAKE, prepare=False)


@told
async def read_ledger(connection: Connection) -> Ledger:
    """What the database has; nothing where no migration was ever applied."""
    invalid = await connection.cursor(row_factory=class_row(InvalidIndex)).execute(_INVALID_INDEXES)
    indexes = tuple(await invalid.fetchall())
    if not await _answer(connection, _EXISTS):
        return Ledger(invalid_indexes=indexes)
    rows = await connection.cursor(row_factory=class_row(AppliedMigration)).execute(_APPLIED)
    applied = tuple(await rows.fetchall())
    found = await connection.cursor(row_factory=class_row(MigrationProgress)).execute(_PROGRESS)
    return Ledger(applied, await found.fetchone(), indexes)


@told
async def record_applied(
    connection: Connection, applied: AppliedMigration, entry: HistoryEntry
) -> None:
    """Records that the database has a migration from now on, or has it under another SHA-256."""
    await connection.execute(
        "INSERT INTO steward.migrations VALUES (%s, %s, %s, %s, %s, now(), %s) ON CONFLICT (number) DO UPDATE"
        " SET sha256 = excluded.sha256, up_code_sha256 = excluded.up_code_sha256",
        [
            applied.number,
            applied.name,
            applied.sha256,
            applied.up_code_sha256,
            applied.is_baseline,
            applied.applied_by,
        ],
    )
    await _end(connection, entry)


@told
async def record_rolled_back(connection: Connection, entry: HistoryEntry) -> None:
    """Records that the database has a migration no more."""
    await connection.execute("DELETE FROM steward.migrations WHERE number = %s", [entry.number])
    await _end(connection, entry)


@told
async def record_progress(connection: Connection, progress: MigrationProgress) -> None:
    """Records how far a migration outside of a transaction has come."""
    await connection.execute(
        "INSERT INTO steward.migration_progress VALUES (%s, %s, %s, %s, %s, %s, %s::oid[], now(), now(), %s)"
        " ON CONFLICT (number) DO UPDATE SET batches = excluded.batches,"
        " changed_rows = excluded.changed_rows, invalid_before = excluded.invalid_before, updated_at = now()",
        [
            progress.number,
            progress.name,
            progress.sha256,
            progress.direction,
            progress.batches,
            progress.changed_rows,
            list(progress.invalid_before),
            progress.queries_tell,
        ],
    )


@told
async def forget_progress(connection: Connection, number: int) -> None:
    """Forgets how far a migration came: what it began was taken back."""
    await connection.execute("DELETE FROM steward.migration_progress WHERE number = %s", [number])


async def _end(connection: Connection, entry: HistoryEntry) -> None:
    await forget_progress(connection, entry.number)
    await connection.execute(
        "INSERT INTO steward.migration_history (number, name, sha256, action, done_at, done_by, elapsed_ms,"
        " lock_wait_ms, lock_waits, attempts, forced, changed_rows)"
        " VALUES (%s, %s, %s, %s, clock_timestamp(), %s, %s, %s, %s::jsonb, %s, %s, %s)",
        [
            entry.number,
            entry.name,
            entry.sha256,
            entry.action,
            entry.done_by,
            round(entry.elapsed_s * 1000),
            round(entry.lock_wait_s * 1000),
            entry.lock_waits,
            entry.attempts,
            entry.forced,
            entry.changed_rows,
        ],
    )


async def _answer(connection: Connection, question: LiteralString) -> bool:
    row = await (await connection.execute(question)).fetchone()
    return row is not None and bool(row[0])
