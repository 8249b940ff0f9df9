"""Looks for damage in the files of a live database: what pg_amcheck does, by the functions of the extension amcheck.

Every table is read by verify_heapam, every B-tree index by bt_index_check together with the rows of its table, so that
a row without its entry is found too. Both take locks that readers and writers pass. A restore says nothing of these
files: it makes every index anew.
"""

from __future__ import annotations

from dataclasses import dataclass

import psycopg
from psycopg import sql

from stewardd.errors import DatabaseRefused, ToolMissing
from stewardd.postgres.connect import Connection, connect, explained
from stewardd.postgres.dump_source import do_all
from stewardd.postgres.target import DatabaseTarget

_APPLICATION = "stewardd amcheck"
_MOST_OF_A_TABLE = 50
_EXTENSION = """
SELECT n.nspname,
  bool_and(has_function_privilege(p.oid, 'EXECUTE')) FILTER (WHERE p.proname IN ('verify_heapam', 'bt_index_check')),
  count(DISTINCT p.proname) FILTER (WHERE p.proname IN ('verify_heapam', 'bt_index_check'))
FROM pg_extension AS e JOIN pg_namespace AS n ON n.oid = e.extnamespace LEFT JOIN pg_proc AS p ON p.pronamespace = n.oid
WHERE e.extname = 'amcheck' GROUP BY 1
"""
# Of a standby only what is in its write-ahead log; the largest first.
_RELATIONS = """
SELECT c.oid, format('%I.%I', n.nspname, c.relname), c.relkind = 'i'
FROM pg_class AS c JOIN pg_namespace AS n ON n.oid = c.relnamespace JOIN pg_am AS a ON a.oid = c.relam
LEFT JOIN pg_index AS i ON i.indexrelid = c.oid
WHERE c.relpersistence <> 't' AND (c.relpersistence = 'p' OR NOT pg_is_in_recovery())
  AND (a.amname = 'heap' AND c.relkind IN ('r', 'm', 't')
    OR a.amname = 'btree' AND c.relkind = 'i' AND i.indisvalid AND i.indisready AND i.indislive)
ORDER BY c.relpages, c.oid
"""
# data_corrupted, index_corrupted and other internal errors; a file that is gone, or that cannot be read.
_DAMAGED = ("XX", "58P01", "58030")
_GONE = "could not open relation with OID"


@dataclass(frozen=True, slots=True)
class CheckedFiles:
    """How many tables and indexes were read, and what is damaged, each in words that hold no value of a row."""

    tables: int
    indexes: int
    damages: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class _Relation:
    oid: int
    name: str
    is_index: bool

    @property
    def called(self) -> str:
        return f"{'index' if self.is_index else 'table'} {self.name}"


async def check_files(target: DatabaseTarget, *, jobs: int) -> CheckedFiles:
    """Reads every table and B-tree index of a database, several at once.

    Raises: ToolMissing where the database lacks the extension, DatabaseRefused where its user may not call the
    functions, DatabaseDown.
    """
    connection = await connect(target, _APPLICATION)
    try:
        with explained(target, connection):
            schema = await _find_extension(target, connection)
            rows = await (await connection.execute(_RELATIONS)).fetchall()
    finally:
        await connection.close()
    waiting = [_Relation(*row) for row in rows]
    checked: list[_Relation] = []
    damages: dict[_Relation, list[str]] = {}

    async def check_some() -> None:
        connection = await connect(target, _APPLICATION)
        try:
            await _settle(target, connection)
            while waiting:
                relation = waiting.pop()
                with explained(target, connection):
                    found = await _check(connection, schema, relation)
                if found is not None:
                    checked.append(relation)
                    damages[relation] = found
        finally:
            await connection.close()

    await do_all([check_some() for _ in range(min(jobs, len(waiting)))])
    found = [
        each
        for relation in sorted(damages, key=lambda one: (one.is_index, one.name))
        for each in damages[relation]
    ]
    indexes = sum(each.is_index for each in checked)
    return CheckedFiles(len(checked) - indexes, indexes, tuple(found))


async def _find_extension(target: DatabaseTarget, connection: Connection) -> str:
    row = await (await connection.execute(_EXTENSION)).fetchone()
    if row is None or row[2] < 2:
        raise ToolMissing(
            f"database {target.name!r} lacks the extension amcheck, version 1.3 or newer",
            hint="run CREATE EXTENSION amcheck in it, as a superuser",
        )
    if not row[1]:
        raise DatabaseRefused(
            f"the user of database {target.name!r} may not execute the functions of the extension amcheck",
            hint="GRANT EXECUTE on verify_heapam and bt_index_check to it",
        )
    return str(row[0])


async def _settle(target: DatabaseTarget, connection: Connection) -> None:
    with explained(target, connection):
        await connection.execute("SET statement_timeout = 0")
        await connection.execute("SET search_path = pg_catalog")


async def _check(connection: Connection, schema: str, relation: _Relation) -> list[str] | None:
    """What is damaged in one; None where it is gone by now. Raises: psycopg.Error."""
    try:
        if relation.is_index:
            statement = sql.SQL("SELECT {}(%s::oid::regclass, true)")
            function = sql.Identifier(schema, "bt_index_check")
            await connection.execute(statement.format(function), [relation.oid])
            return []
        statement = sql.SQL("SELECT blkno, offnum, msg FROM {}(%s::oid::regclass) LIMIT %s")
        function = sql.Identifier(schema, "verify_heapam")
        cursor = await connection.execute(
            statement.format(function), [relation.oid, _MOST_OF_A_TABLE]
        )
        return [
            f"{relation.called}: block {block}, row {row}: {said}"
            for block, row, said in await cursor.fetchall()
        ]
    except psycopg.errors.UndefinedTable:
        return None
    except psycopg.Error as error:
        said = error.diag.message_primary or ""
        if said.startswith(_GONE):
            return None
        if connection.broken or not (error.sqlstate or "").startswith(_DAMAGED):
            raise
        return [f"{relation.called}: {said}"]
