"""Fills tables with rows that their types, keys and checks take.

A value is made by its type, or taken from the literals that the column's checks name, or from a row that a foreign key
refers to. What PostgreSQL refuses is made anew, with values drawn again: the server's verdict is the only one that
counts. A table that takes too few rows (a key over a boolean) or none is told, never passed over.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from random import Random

import psycopg
from psycopg import sql

from stewardd.postgres.connect import Connection
from stewardd.postgres.migrating.failures import told, words_of
from stewardd.postgres.sample.tables import SampleTable, read_tables
from stewardd.postgres.sample.values import candidates_for, value_for

_TRIES_A_ROW = 25
_FAILURES_IN_A_ROW = 3  # rows given up one after the other: the table takes no more
_NULL_SHARE = 0.1
# Once rows were refused, values are drawn more freely: a check may forbid a literal, or compare two columns.
_LITERAL_SHARE = 0.7
_SPREAD = 1000
_NAME = """
SELECT format('%%I.%%I', s.nspname, c.relname)
FROM pg_class AS c JOIN pg_namespace AS s ON s.oid = c.relnamespace WHERE c.oid = %s
"""
_DEFAULT = object()
Cell = object


@dataclass(frozen=True, slots=True)
class FilledTable:
    """How many rows a table has; `refusal` says why it took no more of them."""

    name: str
    rows: int
    refusal: str


@told
async def fill_tables(
    connection: Connection, rows: int, seed: int, only: Sequence[str] | None = None
) -> list[FilledTable]:
    """Adds rows to every table, or to those named. Raises: StatementFailure when the connection is lost."""
    random = Random(seed)  # noqa: S311 - the same rows for the same seed
    filled = []
    for table in await read_tables(connection):
        if only is None or table.name in only:
            filler = _Filler(connection, table, random, seed)
            filled.append(await filler.fill(rows))
    return filled


def _literal(cell: Cell) -> str:
    """A cell as SQL. What stands here is made up, and thousands of psycopg's own literals take as long as a proof."""
    if cell is _DEFAULT:
        return "DEFAULT"
    if cell is None:
        return "NULL"
    quoted = str(cell).replace("\\", "\\\\").replace("'", "''")
    return f"E'{quoted}'"


class _Filler:
    """Fills one table."""

    def __init__(
        self, connection: Connection, table: SampleTable, random: Random, seed: int
    ) -> None:
        self._connection = connection
        self._table = table
        self._random = random
        self._serial = 1 + seed * 1000
        self._literal_share = 1.0
        self._spread = 1
        self._columns = [
            (
                column,
                table.literals.get(column.name, []),
                not column.not_null and column.name not in table.primary_key,
            )
            for column in table.columns
        ]
        self._referred: dict[tuple[str, ...], list[tuple[str, ...]]] = {}

    async def fill(self, rows: int) -> FilledTable:
        """Adds rows: all in one statement where they pass, else one by one."""
        await self._read_referred()
        made = [self._row() for _ in range(rows)]
        try:
            async with self._connection.transaction():
                await self._insert(made)
        except psycopg.Error as error:
            if self._connection.broken:
                raise
            return await self._fill_one_by_one(rows, words_of(error))
        return FilledTable(self._table.name, rows, "")

    async def _fill_one_by_one(self, rows: int, refusal: str) -> FilledTable:
        self._literal_share, self._spread = _LITERAL_SHARE, _SPREAD
        done = given_up = 0
        async with self._connection.transaction():
            while done < rows and given_up < _FAILURES_IN_A_ROW:
                passed, refusal = await self._try_one(refusal)
                done += passed
                given_up = 0 if passed else given_up + 1
        return FilledTable(self._table.name, done, "" if done == rows else refusal)

    async def _try_one(self, refusal: str) -> tuple[bool, str]:
        for _ in range(_TRIES_A_ROW):
            try:
                async with self._connection.transaction():
                    await self._insert([self._row()])
            except psycopg.Error as error:
                if self._connection.broken:
                    raise
                refusal = words_of(error)
            else:
                if any(key.other_oid == self._table.oid for key in self._table.foreign_keys):
                    await self._read_referred()
                return True, refusal
        return False, refusal

    async def _insert(self, rows: list[dict[str, Cell]]) -> None:
        name = sql.SQL(self._table.name)  # quoted by the server
        if not self._table.columns:
            for _ in rows:
                await self._connection.execute(
                    sql.SQL("INSERT INTO {} DEFAULT VALUES").format(name)
                )
            return
        columns = sql.SQL(", ").join(sql.Identifier(each.name) for each in self._table.columns)
        names = [each.name for each in self._table.columns]
        tuples = sql.SQL(
            ", ".join(f"({', '.join(_literal(row[name]) for name in names)})" for row in rows)
        )
        await self._connection.execute(
            sql.SQL("INSERT INTO {} ({}) VALUES {}").format(name, columns, tuples), prepare=False
        )

    def _row(self) -> dict[str, Cell]:
        self._serial += 1
        row: dict[str, Cell] = {}
        for column, literals, may_be_null in self._columns:
            if may_be_null and self._random.random() < _NULL_SHARE:
                row[column.name] = None
            elif column.labels:
                row[column.name] = self._random.choice(column.labels)
            elif literals and self._random.random() < self._literal_share:
                row[column.name] = candidates_for(literals, column.base_type, self._random)
            else:
                serial = self._serial
                if self._spread > 1:
                    serial += self._random.randrange(self._spread)
                made = value_for(column.base_type, serial, self._random)
                row[column.name] = _DEFAULT if made is None else made
        self._refer(row)
        return row

    def _refer(self, row: dict[str, Cell]) -> None:
        for key in self._table.foreign_keys:
            choices = self._referred.get(tuple(key.columns), [])
            chosen = self._random.choice(choices) if choices else (None,) * len(key.columns)
            if any(row[name] is None for name in key.columns if name in row) and choices:
                continue
            row |= {
                name: value for name, value in zip(key.columns, chosen, strict=True) if name in row
            }

    async def _read_referred(self) -> None:
        """The values that the foreign keys may take."""
        for key in self._table.foreign_keys:
            columns = sql.SQL(", ").join(
                sql.SQL("{}::text").format(sql.Identifier(name)) for name in key.other_columns
            )
            query = sql.SQL("SELECT {} FROM {} LIMIT 1000").format(
                columns,
                sql.SQL(await self._name_of(key.other_oid)),
            )
            found = await (await self._connection.execute(query)).fetchall()
            self._referred[tuple(key.columns)] = [
                tuple(row) for row in found if all(value is not None for value in row)
            ]

    async def _name_of(self, oid: int) -> str:
        row = await (await self._connection.execute(_NAME, [oid])).fetchone()
        return str(row[0]) if row else ""
