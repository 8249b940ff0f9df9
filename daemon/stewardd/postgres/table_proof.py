"""Counts and hashes of tables, to compare a restored database with: the same rows give the same hash, in any order.

The hash of a row is the first half of the MD5 of its values as text; that of a table is the sum over its rows, as an
exact number, so that order does not matter and a doubled row does. Nothing of it depends on the server's major version:
the server's own hash functions may change from one to the next. The settings on which text depends are pinned, columns
are taken in the order of their names, and generated columns are left out, since a restore computes them anew.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import psycopg
from psycopg import sql

from stewardd.postgres.connect import Connection
from stewardd.postgres.dump_catalog import TableName

METHOD = "md5-64-sum"
PINNED = {
    "DateStyle": "ISO, YMD",
    "IntervalStyle": "postgres",
    "TimeZone": "UTC",
    "extra_float_digits": "1",
    "bytea_output": "hex",
    "lc_monetary": "C",
    "xmloption": "content",
    "search_path": "pg_catalog",
    "row_security": "off",
    "statement_timeout": "0",
    "idle_in_transaction_session_timeout": "0",
}
"""What a session that takes proofs sets; with other values the same rows have another hash."""
_SEQUENCES_AT_ONCE = 100
_LARGE_OBJECTS = """
SELECT count(*), sum(('x' || left(md5(oid::text || md5(lo_get(oid))), 16))::bit(64)::bigint)::text
FROM pg_largeobject_metadata
"""
_NOT_READ = (
    psycopg.errors.ProgramLimitExceeded,
    psycopg.errors.OutOfMemory,
    psycopg.errors.InsufficientPrivilege,
)


@dataclass(frozen=True, slots=True)
class TableProof:
    """How many rows a table has, and their hash; None where it was not asked for, or a row is too large for it."""

    rows: int
    hash: str | None


@dataclass(frozen=True, slots=True)
class SequenceValue:
    """Where a sequence stands."""

    name: TableName
    last_value: int
    is_called: bool


async def pin_settings(connection: Connection) -> None:
    """Sets what the text of values depends on, for the transaction."""
    for name, value in PINNED.items():
        await connection.execute("SELECT set_config(%s, %s, true)", [name, value])


async def read_table_proof(connection: Connection, table: TableName, *, hashed: bool) -> TableProof:
    """Reads one table, under pinned settings. Raises: psycopg.Error."""
    relation = sql.Identifier(table.schema, table.name)
    if not hashed:
        row = await _one(connection, sql.SQL("SELECT count(*) FROM ONLY {}").format(relation))
        return TableProof(row[0], None)
    columns = await _columns(connection, table)
    # count() of no columns: a table without any still has rows.
    text = sql.SQL("ROW({})::text").format(sql.SQL(", ").join(map(sql.Identifier, columns)))
    statement = sql.SQL(
        "SELECT count(*), COALESCE(sum(('x' || left(md5({}), 16))::bit(64)::bigint), 0)::text FROM ONLY {}"
    ).format(text, relation)
    found = await _within_limits(connection, statement)
    if found is None:
        return await read_table_proof(connection, table, hashed=False)
    return TableProof(*found)


async def read_sequences(connection: Connection) -> list[SequenceValue]:
    """Where every sequence stands. They are in no snapshot: this is what they say now."""
    rows = await (
        await connection.execute(
            "SELECT n.nspname, c.relname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace"
            " WHERE c.relkind = 'S' AND n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'"
            # The planner may ask in any order, and the function refuses what is no sequence.
            " AND CASE c.relkind WHEN 'S' THEN has_sequence_privilege(c.oid, 'SELECT') ELSE false END"
            " AND has_schema_privilege(n.oid, 'USAGE') ORDER BY 1, 2"
        )
    ).fetchall()
    names = [TableName(*row) for row in rows]
    found: list[SequenceValue] = []
    for start in range(0, len(names), _SEQUENCES_AT_ONCE):
        found += await _sequence_values(connection, names[start : start + _SEQUENCES_AT_ONCE])
    return found


async def read_large_objects(connection: Connection, *, hashed: bool) -> TableProof:
    """How many large objects there are, and the hash of their contents."""
    count = await _one(
        connection, sql.Composed([sql.SQL("SELECT count(*) FROM pg_largeobject_metadata")])
    )
    if not hashed or not count[0]:
        return TableProof(count[0], None)
    row = await _within_limits(
        connection,
        sql.Composed([sql.SQL(_LARGE_OBJECTS)]),
    )
    return TableProof(count[0], None) if row is None else TableProof(row[0], row[1])


async def _within_limits(
    connection: Connection, statement: sql.Composed
) -> tuple[int, str | None] | None:
    """The answer, or None where a value is too large for the statement, or is not ours to read."""
    await connection.execute("SAVEPOINT proof")
    try:
        row = await _one(connection, statement)
    except _NOT_READ:
        await connection.execute("ROLLBACK TO SAVEPOINT proof")
        row = None
    await connection.execute("RELEASE SAVEPOINT proof")
    return row


async def _sequence_values(
    connection: Connection, names: Sequence[TableName]
) -> list[SequenceValue]:
    parts = [
        sql.SQL("SELECT {}::int, last_value, is_called FROM {}").format(
            number, sql.Identifier(each.schema, each.name)
        )
        for number, each in enumerate(names)
    ]
    rows = await (await connection.execute(sql.SQL(" UNION ALL ").join(parts))).fetchall()
    return [SequenceValue(names[number], value, called) for number, value, called in rows]


async def _columns(connection: Connection, table: TableName) -> list[str]:
    rows = await (
        await connection.execute(
            "SELECT a.attname FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid"
            " JOIN pg_namespace n ON n.oid = c.relnamespace"
            " WHERE n.nspname = %s AND c.relname = %s AND a.attnum > 0 AND NOT a.attisdropped AND a.attgenerated = ''"
            ' ORDER BY a.attname COLLATE "C"',
            [table.schema, table.name],
        )
    ).fetchall()
    return [row[0] for row in rows]


async def _one(connection: Connection, statement: sql.Composed) -> tuple[int, str | None]:
    row = await (await connection.execute(statement)).fetchone()
    if row is None:
        raise psycopg.InternalError("an aggregate gave no row")
    return (row[0], row[1] if len(row) > 1 else None)
