"""What a dump would hold, read from the catalogs in the dump's own snapshot, before anything is dumped.

pg_dump reports what it may not read when it comes to it, which can be hours later. Here every table is known
beforehand: whether the role may read it, whether row security would hide rows, and how many locks a dump would take.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import psycopg
from psycopg import sql

from stewardd.errors import DatabaseRefused, Exhausted, InvalidRequest, ToolFailed
from stewardd.postgres.causes import find_cause
from stewardd.postgres.connect import Connection
from stewardd.postgres.target import DatabaseTarget

_SHOWN = 5
_LOCKED_AT_ONCE = 500
# Each of the dump's sessions takes a lock on a table, and the hash table of locks is as large as these settings say
# (NLOCKENTS in the server's lock.c; twice as many holders as locks).
_LOCK_SETTINGS = (
    "max_locks_per_transaction",
    "max_connections",
    "max_prepared_transactions",
    "max_worker_processes",
    "max_wal_senders",
    "autovacuum_max_workers",
)
_TABLES = """
SELECT c.oid, n.nspname, c.relname, c.relkind::text, c.relpersistence::text, row_security_active(c.oid),
       has_table_privilege(c.oid, 'SELECT'), has_schema_privilege(n.oid, 'USAGE'),
       COALESCE((SELECT array_agg(i.inhparent) FROM pg_inherits i WHERE i.inhrelid = c.oid), '{}'),
       (c.relpages + COALESCE(t.relpages, 0))::bigint * current_setting('block_size')::bigint,
       GREATEST(c.reltuples, 0)::bigint
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace LEFT JOIN pg_class t ON t.oid = c.reltoastrelid
WHERE c.relkind IN ('r', 'p') AND n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'
  AND NOT EXISTS (SELECT FROM pg_depend d
                  WHERE d.classid = 'pg_class'::regclass AND d.objid = c.oid AND d.deptype = 'e')
ORDER BY n.nspname, c.relname
"""


@dataclass(frozen=True, slots=True)
class TableName:
    """A table by its schema and its name, as the catalogs have them."""

    schema: str
    name: str

    def __str__(self) -> str:
        return f"{quoted(self.schema)}.{quoted(self.name)}"


@dataclass(frozen=True, slots=True)
class DumpTable:
    """A table as the catalogs describe it. Only one that is not `partitioned` has rows of its own.

    Its size and its rows are those that vacuum or ANALYZE last saw; the size of what is out of line (TOAST) is in it.
    """

    oid: int
    name: TableName
    partitioned: bool
    unlogged: bool
    hides_rows: bool
    readable: bool
    schema_usable: bool
    parents: tuple[int, ...]
    size_bytes: int
    rows: int


@dataclass(frozen=True, slots=True)
class Choice:
    """The chosen parts of a database, by their exact names; all of it where these are empty."""

    schemas: tuple[str, ...] = ()
    exclude_schemas: tuple[str, ...] = ()
    tables: tuple[TableName, ...] = ()
    exclude_tables: tuple[TableName, ...] = ()


def quoted(name: str) -> str:
    """A name as SQL has it, in double quotes; to pg_dump it is a pattern that means just this name."""
    return '"' + name.replace('"', '""') + '"'


async def read_tables(connection: Connection) -> list[DumpTable]:
    """Every table that a dump of the whole database reads."""
    rows = await (await connection.execute(_TABLES)).fetchall()
    return [
        DumpTable(
            oid=row[0],
            name=TableName(row[1], row[2]),
            partitioned=row[3] == "p",
            unlogged=row[4] == "u",
            hides_rows=row[5],
            readable=row[6],
            schema_usable=row[7],
            parents=tuple(row[8]),
            size_bytes=row[9],
            rows=row[10],
        )
        for row in rows
    ]


async def check_schemas(connection: Connection, names: Iterable[str]) -> None:
    """Refuses a schema that is not there, which pg_dump would dump as nothing. Raises: InvalidRequest."""
    rows = await (await connection.execute("SELECT nspname FROM pg_namespace")).fetchall()
    there = {row[0] for row in rows}
    for name in names:
        if name not in there:
            raise InvalidRequest(f"there is no schema {quoted(name)}", field="selection.schemas")


def choose_tables(
    tables: Iterable[DumpTable], choice: Choice
) -> tuple[list[DumpTable], list[DumpTable]]:
    """The tables that a choice means, and those that it leaves out by name.

    Partitions and children go with a table, and so do the parents of one that is chosen.

    Raises: InvalidRequest for a table that is not there, and where none is left.
    """
    every = list(tables)
    by_name = {each.name: each for each in every}
    for name in (*choice.tables, *choice.exclude_tables):
        if name not in by_name:
            raise InvalidRequest(f"there is no table {name}", field="selection.tables")
    wanted = _with_parents(every, _with_children(every, choice.tables))
    unwanted = _with_children(every, choice.exclude_tables)
    chosen = [
        each
        for each in every
        if (not choice.tables or each.oid in wanted)
        and (not choice.schemas or each.name.schema in choice.schemas)
        and each.oid not in unwanted
        and each.name.schema not in choice.exclude_schemas
    ]
    if choice.tables and not chosen:
        raise InvalidRequest(
            "the selection leaves no table: those that it names are left out by it too",
            field="selection",
        )
    return chosen, [each for each in every if each.oid in unwanted]


def _with_children(tables: list[DumpTable], chosen: Iterable[TableName]) -> set[int]:
    names = set(chosen)
    found = {each.oid for each in tables if each.name in names}
    while True:
        more = {each.oid for each in tables if found.intersection(each.parents)} - found
        if not more:
            return found
        found |= more


def _with_parents(tables: list[DumpTable], chosen: set[int]) -> set[int]:
    """A partition cannot be attached, nor a child made, without its parent."""
    found = set(chosen)
    while True:
        more = {oid for each in tables if each.oid in found for oid in each.parents} - found
        if not more:
            return found
        found |= more


def check_readable(target: DatabaseTarget, tables: Iterable[DumpTable]) -> None:
    """Refuses a dump that would lack rows. Raises: DatabaseRefused, with what to grant."""
    denied = [
        f"permission denied for table {each.name.name}"
        if each.schema_usable
        else f"permission denied for schema {each.name.schema}"
        for each in tables
        if not (each.readable and each.schema_usable)
    ]
    hidden = [
        f"a query would be affected by row-level security policy for table {quoted(each.name.name)}"
        for each in tables
        if each.hides_rows
    ]
    said = list(dict.fromkeys(denied or hidden))
    if not said:
        return
    cause = find_cause(said[0], target.user or "its user")
    more = f", and {len(said) - _SHOWN} more" if len(said) > _SHOWN else ""
    raise DatabaseRefused(
        f"a backup of {target.name!r} would not be whole: {'; '.join(said[:_SHOWN])}{more}",
        hint=cause.hint if cause else None,
        metadata={"database": target.name},
    )


async def check_locks(
    target: DatabaseTarget, connection: Connection, tables: int, sessions: int
) -> None:
    """Refuses more tables than the server's lock table holds. Raises: Exhausted, with the setting to raise.

    `sessions` is how many sessions lock each table at the same time.
    """
    rows = await (
        await connection.execute(
            "SELECT name, setting::bigint FROM pg_settings WHERE name = ANY(%s)",
            [list(_LOCK_SETTINGS)],
        )
    ).fetchall()
    found: dict[str, int] = dict(rows)
    per_transaction = found.pop("max_locks_per_transaction")
    transactions = sum(found.values())
    needed = max(tables, tables * sessions // 2)
    if needed > per_transaction * transactions:
        wanted = -(-needed // transactions)
        raise Exhausted(
            f"a backup of {target.name!r} locks {tables} tables, and the server's lock table holds about "
            f"{per_transaction * transactions} locks",
            hint=f"set max_locks_per_transaction of the server to {wanted} or more and restart it, or choose schemas",
        )


async def lock_tables(
    target: DatabaseTarget, connection: Connection, tables: Sequence[DumpTable], timeout_s: float
) -> None:
    """Holds the tables as they are (ACCESS SHARE) until the transaction ends.

    TRUNCATE and many forms of ALTER TABLE put another file in a table's place, which a snapshot does not protect from.
    Raises: ToolFailed where somebody else holds a table for longer.
    """
    await connection.execute(sql.SQL("SET LOCAL lock_timeout = {}").format(round(timeout_s * 1000)))
    await connection.execute("SAVEPOINT locks")
    for statement in lock_statements(tables):
        try:
            await connection.execute(statement)
        except psycopg.errors.LockNotAvailable as error:
            await connection.execute("ROLLBACK TO SAVEPOINT locks")
            raise await lock_failure(target, connection, tables, timeout_s, error) from None
    await connection.execute("RELEASE SAVEPOINT locks")


def lock_statements(tables: Sequence[DumpTable]) -> Iterator[sql.Composed]:
    """The statements that lock tables, so many at once."""
    for start in range(0, len(tables), _LOCKED_AT_ONCE):
        some = tables[start : start + _LOCKED_AT_ONCE]
        names = [sql.Identifier(each.name.schema, each.name.name) for each in some]
        yield sql.SQL("LOCK TABLE ONLY {} IN ACCESS SHARE MODE").format(
            sql.SQL(", ONLY ").join(names)
        )


async def lock_failure(
    target: DatabaseTarget,
    connection: Connection,
    tables: Sequence[DumpTable],
    timeout_s: float,
    error: psycopg.Error,
) -> ToolFailed:
    """The error for a lock that was not to be had in time: it says who holds the tables."""
    held = await _held_by_others(connection, tables)
    cause = find_cause(str(error), "")
    return ToolFailed(
        f"the backup of {target.name!r} waited {timeout_s:g} s for a lock (timeout): {held}",
        hint=cause.hint if cause else None,
        metadata={"database": target.name},
    )


async def _held_by_others(connection: Connection, tables: Iterable[DumpTable]) -> str:
    rows = await (
        await connection.execute(
            "SELECT relation, pid FROM pg_locks WHERE granted AND mode = 'AccessExclusiveLock' AND relation = ANY(%s)",
            [[each.oid for each in tables]],
        )
    ).fetchall()
    names = {each.oid: each.name for each in tables}
    said = [f"table {names[oid]} is held by the server's process {pid}" for oid, pid in rows]
    return "; ".join(said[:_SHOWN]) or "who held it is gone"


async def read_source(connection: Connection) -> dict[str, Any]:
    """What a restore depends on: encoding, locale, extensions, and the checksum failures that the server counted."""
    row = await (
        await connection.execute(
            "SELECT pg_encoding_to_char(d.encoding), d.datcollate, d.datctype, to_jsonb(d), pg_is_in_recovery(),"
            " (SELECT s.checksum_failures FROM pg_stat_database s WHERE s.datid = d.oid)"
            " FROM pg_database d WHERE d.datname = current_database()"
        )
    ).fetchone()
    if row is None:
        raise psycopg.InternalError("a database that is connected to is not in pg_database")
    more = row[3]
    provider = {"c": "libc", "i": "icu", "b": "builtin"}.get(more.get("datlocprovider") or "", "")
    extensions = await (
        await connection.execute("SELECT extname, extversion FROM pg_extension ORDER BY extname")
    ).fetchall()
    return {
        "encoding": row[0],
        "collation": row[1],
        "character_type": row[2],
        "locale_provider": provider,
        "locale": more.get("datlocale") or more.get("daticulocale") or "",
        "in_recovery": row[4],
        "checksum_failures": row[5],
        "extensions": [tuple(each) for each in extensions],
    }


async def read_roles(connection: Connection) -> list[str]:
    """The roles that own an object of the database or have a right to one, and the server's first superuser.

    The catalog of dependencies leaves that one out.
    """
    rows = await (
        await connection.execute(
            "SELECT rolname FROM pg_roles WHERE rolname !~ '^pg_' AND (oid = 10 OR oid IN (SELECT refobjid"
            " FROM pg_shdepend WHERE refclassid = 'pg_authid'::regclass AND"
            " dbid = (SELECT oid FROM pg_database WHERE datname = current_database()))) ORDER BY rolname"
        )
    ).fetchall()
    return [row[0] for row in rows]
