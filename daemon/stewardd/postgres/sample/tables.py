"""What has to be known of a table to make rows for it: columns, keys, checks, and which table comes first."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TypeVar

from psycopg.rows import class_row

from stewardd.postgres.connect import Connection

_COLUMNS = """
SELECT c.oid::bigint AS table_oid, format('%I.%I', s.nspname, c.relname) AS table_name, a.attname AS name,
  format_type(a.atttypid, a.atttypmod) AS type,
  format_type(coalesce(nullif(t.typbasetype, 0), t.oid), CASE WHEN t.typbasetype <> 0 THEN t.typtypmod ELSE a.atttypmod
    END) AS base_type,
  a.attnotnull OR t.typnotnull AS not_null, a.atthasdef OR a.attidentity <> '' AS has_default,
  (SELECT array_agg(enumlabel::text ORDER BY enumsortorder) FROM pg_enum WHERE enumtypid = t.oid) AS labels,
  a.attnum AS number
FROM pg_attribute AS a JOIN pg_class AS c ON c.oid = a.attrelid JOIN pg_namespace AS s ON s.oid = c.relnamespace
JOIN pg_type AS t ON t.oid = a.atttypid
WHERE c.relkind IN ('r', 'p') AND NOT c.relispartition AND s.nspname !~ '^pg_'
  AND s.nspname NOT IN ('information_schema', 'steward') AND a.attnum > 0 AND NOT a.attisdropped
  AND a.attgenerated = '' AND a.attidentity <> 'a'
ORDER BY c.oid, a.attnum
"""
_TABLES = """
SELECT c.oid::bigint AS oid, format('%I.%I', s.nspname, c.relname) AS name
FROM pg_class AS c JOIN pg_namespace AS s ON s.oid = c.relnamespace
WHERE c.relkind IN ('r', 'p') AND NOT c.relispartition AND s.nspname !~ '^pg_'
  AND s.nspname NOT IN ('information_schema', 'steward') ORDER BY 2
"""
_FOREIGN_KEYS = """
SELECT k.conrelid::bigint AS table_oid, k.confrelid::bigint AS other_oid,
  (SELECT array_agg(a.attname::text ORDER BY place) FROM unnest(k.conkey) WITH ORDINALITY AS key (number, place)
   JOIN pg_attribute AS a ON a.attrelid = k.conrelid AND a.attnum = key.number) AS columns,
  (SELECT array_agg(a.attname::text ORDER BY place) FROM unnest(k.confkey) WITH ORDINALITY AS key (number, place)
   JOIN pg_attribute AS a ON a.attrelid = k.confrelid AND a.attnum = key.number) AS other_columns
FROM pg_constraint AS k WHERE k.contype = 'f' AND k.conparentid = 0 ORDER BY k.oid
"""
# Checks of the table, of the domains of its columns, and the bounds of its partitions: where their literals come from.
_CHECKS = """
SELECT k.conrelid::bigint AS table_oid, a.attname AS column, pg_get_constraintdef(k.oid) AS text
FROM pg_constraint AS k JOIN pg_attribute AS a ON a.attrelid = k.conrelid AND a.attnum = ANY (k.conkey)
WHERE k.contype = 'c'
UNION ALL
SELECT a.attrelid::bigint, a.attname, pg_get_constraintdef(k.oid)
FROM pg_constraint AS k JOIN pg_attribute AS a ON a.atttypid = k.contypid WHERE k.contype = 'c' AND k.contypid <> 0
UNION ALL
SELECT i.inhparent::bigint, a.attname, pg_get_expr(part.relpartbound, part.oid)
FROM pg_inherits AS i JOIN pg_class AS part ON part.oid = i.inhrelid JOIN pg_partitioned_table AS p ON p.partrelid =
  i.inhparent JOIN pg_attribute AS a ON a.attrelid = i.inhparent AND a.attnum = ANY (p.partattrs::smallint[])
WHERE part.relpartbound IS NOT NULL
"""
_PRIMARY_KEYS = """
SELECT i.indrelid::bigint AS table_oid, a.attname AS column FROM pg_index AS i
JOIN pg_attribute AS a ON a.attrelid = i.indrelid AND a.attnum = ANY (i.indkey::smallint[]) WHERE i.indisprimary
"""
T = TypeVar("T")
_LITERAL = re.compile(r"'((?:[^']|'')*)'")
_NUMBER = re.compile(r"(?<![\w'.])-?\d+(?:\.\d+)?")


@dataclass(frozen=True, slots=True)
class SampleColumn:
    """A column that values are made for. `base_type` is that of its domain, if its type is one."""

    table_oid: int
    table_name: str
    name: str
    type: str
    base_type: str
    not_null: bool
    has_default: bool
    labels: list[str] | None
    number: int


@dataclass(frozen=True, slots=True)
class SampleForeignKey:
    """Columns that refer to those of another table, or of the same."""

    table_oid: int
    other_oid: int
    columns: list[str]
    other_columns: list[str]


@dataclass(slots=True)
class SampleTable:
    """A table that rows are made for. `literals` are those that the checks of a column name."""

    oid: int
    name: str
    columns: list[SampleColumn] = field(default_factory=list)
    foreign_keys: list[SampleForeignKey] = field(default_factory=list)
    literals: dict[str, list[str]] = field(default_factory=dict)
    primary_key: list[str] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class _Named:
    oid: int
    name: str


@dataclass(frozen=True, slots=True)
class _Check:
    table_oid: int
    column: str
    text: str


@dataclass(frozen=True, slots=True)
class _KeyColumn:
    table_oid: int
    column: str


async def read_tables(connection: Connection) -> list[SampleTable]:
    """The tables of a database; one that others refer to comes before them, as far as they don't go in a circle."""
    named = await _all(connection, _Named, _TABLES)
    tables = {each.oid: SampleTable(each.oid, each.name) for each in named}
    for column in await _all(connection, SampleColumn, _COLUMNS):
        tables[column.table_oid].columns.append(column)
    for key in await _all(connection, SampleForeignKey, _FOREIGN_KEYS):
        if key.table_oid in tables:
            tables[key.table_oid].foreign_keys.append(key)
    for check in await _all(connection, _Check, _CHECKS):
        if check.table_oid in tables:
            found = tables[check.table_oid].literals.setdefault(check.column, [])
            found += [literal.replace("''", "'") for literal in _LITERAL.findall(check.text)]
            found += _NUMBER.findall(_LITERAL.sub("", check.text))
    for part in await _all(connection, _KeyColumn, _PRIMARY_KEYS):
        if part.table_oid in tables:
            tables[part.table_oid].primary_key.append(part.column)
    return in_order(list(tables.values()))


def in_order(tables: Sequence[SampleTable]) -> list[SampleTable]:
    """Those that others refer to first; the rest of a circle in the order that they are given."""
    left = {table.oid: table for table in tables}
    ordered: list[SampleTable] = []
    while left:
        free = [
            table
            for table in left.values()
            if not any(
                key.other_oid in left and key.other_oid != table.oid for key in table.foreign_keys
            )
        ] or [next(iter(left.values()))]
        ordered += [left.pop(table.oid) for table in free]
    return ordered


async def _all(connection: Connection, cls: type[T], query: str) -> list[T]:
    cursor = connection.cursor(row_factory=class_row(cls))
    return await (await cursor.execute(query.encode())).fetchall()
