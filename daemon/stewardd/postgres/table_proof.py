"""Counts and hashes of tables, to compare a restored database with: the same rows give the same hash, in any order.

The hash of a row is the XXH3-64 of its line of COPY text; that of a table is the sum over its rows, as an exact number,
so that order does not matter and a doubled row does. The server does no more than for a COPY, and nothing of it depends
on its major version. The settings on which text depends are pinned, columns are taken in the order of their names, and
generated columns are left out, since a restore computes them anew. Text is in the database's own encoding.

Older backups have hashes that the server made (MD5_METHOD): a restore is compared by the method of its backup.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TypeVar

import psycopg
from psycopg import sql

from fastcsv import LineHash
from stewardd.postgres.connect import Connection
from stewardd.postgres.copy_session import CopyFailed, CopySession
from stewardd.postgres.dump_catalog import TableName

_Read = TypeVar("_Read")

METHOD = "copy-xxh3-64-sum"
MD5_METHOD = "md5-64-sum"
METHODS = frozenset({METHOD, MD5_METHOD})
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
_HASHED_AT_ONCE_BYTES = 256 << 10
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


def setting_statements(settings: Mapping[str, str]) -> Iterator[sql.Composed]:
    """The statements that make settings for the transaction."""
    for name, value in settings.items():
        yield sql.SQL("SET LOCAL {} = {}").format(sql.Identifier(name), value)


async def pin_settings(connection: Connection) -> None:
    """Sets what the text of values depends on, for the transaction."""
    for name, value in PINNED.items():
        await connection.execute("SELECT set_config(%s, %s, true)", [name, value])


async def read_table_proof(
    connection: Connection,
    table: TableName,
    method: str | None,
    session: CopySession | None = None,
) -> TableProof:
    """Reads one table, under pinned settings: counts its rows, and hashes them by one of METHODS.

    Where there is a `session`, it copies the table in place of the connection. Raises: psycopg.Error, CopyFailed,
    ToolFailed.
    """
    proof = None
    if method is not None:
        columns = await _columns(connection, table)
        if method == MD5_METHOD:
            proof = await _hash_by_md5(connection, table, columns)
        else:
            statement = _copy_statement(connection, table, columns)
            proof = await _hash_by_copy(connection, statement, session)
    if proof is not None:
        return proof
    relation = sql.Identifier(table.schema, table.name)
    row = await _one(connection, sql.SQL("SELECT count(*) FROM ONLY {}").format(relation))
    return TableProof(row[0], None)


def _copy_statement(
    connection: Connection, table: TableName, columns: Sequence[str]
) -> sql.Composed:
    """A COPY of a table's own rows in the database's encoding, whatever the client's is."""
    # A table without columns has no list of them, and an empty line for each row.
    chosen = sql.SQL("({})").format(sql.SQL(", ").join(map(sql.Identifier, columns)))
    return sql.SQL("COPY {} {} TO STDOUT (ENCODING {})").format(
        sql.Identifier(table.schema, table.name),
        chosen if columns else sql.SQL(""),
        connection.info.parameter_status("server_encoding"),
    )


async def _hash_by_copy(
    connection: Connection, statement: sql.Composed, session: CopySession | None
) -> TableProof | None:
    """What a COPY comes to; None where a row is too large for it, or is not ours to read."""
    if session is None or session.has_ended:
        return await _within_limits(connection, partial(_copied, connection, statement))
    try:
        rows, found = await session.copy(statement.as_string(connection))
    except CopyFailed as failed:
        if isinstance(failed.error, _NOT_READ):
            return None
        raise
    return TableProof(rows, str(found))


async def _copied(connection: Connection, statement: sql.Composed) -> TableProof:
    found = LineHash()
    waiting: list[bytes | bytearray | memoryview] = []
    size = 0
    async with connection.cursor() as cursor, cursor.copy(statement) as copy:
        async for row in copy:
            waiting.append(row)
            size += len(row)
            if size >= _HASHED_AT_ONCE_BYTES:
                found.feed(b"".join(waiting))
                waiting.clear()
                size = 0
    found.feed(b"".join(waiting))
    rows, sum_of_hashes = found.finish()
    return TableProof(rows, str(sum_of_hashes))


async def _hash_by_md5(
    connection: Connection, table: TableName, columns: Sequence[str]
) -> TableProof | None:
    """As MD5_METHOD has it; None where a row is too large for it, or is not ours to read."""
    # count() of no columns: a table without any still has rows.
    text = sql.SQL("ROW({})::text").format(sql.SQL(", ").join(map(sql.Identifier, columns)))
    statement = sql.SQL(
        "SELECT count(*), COALESCE(sum(('x' || left(md5({}), 16))::bit(64)::bigint), 0)::text FROM ONLY {}"
    ).format(text, sql.Identifier(table.schema, table.name))
    found = await _within_limits(connection, partial(_one, connection, statement))
    return None if found is None else TableProof(*found)


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
    statement = sql.Composed([sql.SQL(_LARGE_OBJECTS)])
    row = await _within_limits(connection, partial(_one, connection, statement))
    return TableProof(count[0], None) if row is None else TableProof(row[0], row[1])


async def _within_limits(
    connection: Connection, read: Callable[[], Awaitable[_Read]]
) -> _Read | None:
    """What is read, or None where a value is too large for the statement, or is not ours to read."""
    await connection.execute("SAVEPOINT proof")
    try:
        found: _Read | None = await read()
    except _NOT_READ:
        await connection.execute("ROLLBACK TO SAVEPOINT proof")
        found = None
    await connection.execute("RELEASE SAVEPOINT proof")
    return found


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
