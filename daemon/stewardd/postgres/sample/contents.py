"""What a change of the schema did to the values: which columns lost how many. Tables are read whole: they are small."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass

from psycopg import sql

from stewardd.postgres.connect import Connection
from stewardd.postgres.migrating.failures import told
from stewardd.postgres.sample.tables import read_tables

Value = str | None


@dataclass(frozen=True, slots=True)
class TableContents:
    """All rows of a table: a column's values as text, in the order of the rows, and which columns are its key."""

    key: tuple[str, ...]
    columns: Mapping[str, list[Value]]
    count: int


@dataclass(frozen=True, slots=True)
class LostValues:
    """Values that a column of a table no longer has."""

    table: str
    column: str
    count: int


@told
async def read_contents(connection: Connection) -> dict[str, TableContents]:
    """Every table's contents, by name. Raises: StatementFailure."""
    found = {}
    for table in await read_tables(connection):
        names = [column.name for column in table.columns]
        columns = sql.SQL(", ").join(
            sql.SQL("{}::text").format(sql.Identifier(name)) for name in names
        )
        name = sql.SQL(table.name)  # quoted by the server
        query = sql.SQL("SELECT {} FROM {}").format(columns, name)
        rows = await (await connection.execute(query, prepare=False)).fetchall()
        found[table.name] = TableContents(
            tuple(table.primary_key),
            {name: [row[place] for row in rows] for place, name in enumerate(names)},
            len(rows),
        )
    return found


def lost_values(
    before: Mapping[str, TableContents], after: Mapping[str, TableContents]
) -> list[LostValues]:
    """The values that were there before and are not after, by table and column; what was NULL is no loss."""
    lost = []
    for name, contents in before.items():
        left = after.get(name, TableContents((), {}, 0))
        keeps_key = contents.key and contents.key == left.key
        for column, values in contents.columns.items():
            count = (
                _lost_by_key(contents, left, column)
                if keeps_key
                else sum((_counted(values) - _counted(left.columns.get(column, []))).values())
            )
            if count:
                lost.append(LostValues(name, column, count))
    return lost


def _lost_by_key(before: TableContents, after: TableContents, column: str) -> int:
    after_values = after.columns.get(column, [None] * after.count)
    left = dict(zip(_keys(after), after_values, strict=True))
    return sum(
        value is not None and left.get(key) != value
        for key, value in zip(_keys(before), before.columns[column], strict=True)
    )


def _keys(contents: TableContents) -> list[tuple[Value, ...]]:
    return list(zip(*(contents.columns[name] for name in contents.key), strict=True))


def _counted(values: list[Value]) -> Counter[str]:
    return Counter(value for value in values if value is not None)
