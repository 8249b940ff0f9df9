"""What the failure of a statement says, without a row's values.

PostgreSQL puts values into the messages of data and integrity errors (classes 22 and 23) and of what users raise (P0).
There the condition's name and the names of constraint, table and column are told; elsewhere the server's own words.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from functools import wraps
from typing import Concatenate, ParamSpec, TypeVar

import psycopg

from stewardd.excerpt import excerpt
from stewardd.postgres.connect import Connection

P = ParamSpec("P")
T = TypeVar("T")

_WITH_VALUES = ("22", "23", "P0")
_LIMIT = 300


class StatementFailure(Exception):
    """A statement failed: which of its script (from 1), and what the server said. `lost`: so did the connection."""

    def __init__(self, number: int, sqlstate: str, message: str, *, lost: bool = False) -> None:
        super().__init__(message)
        self.number = number
        self.sqlstate = sqlstate
        self.message = message
        self.lost = lost


def failure_of(number: int, error: psycopg.Error, *, lost: bool) -> StatementFailure:
    """What a failure of the statement of that number says."""
    return StatementFailure(number, error.sqlstate or "", words_of(error), lost=lost)


def told(
    work: Callable[Concatenate[Connection, P], Awaitable[T]],
) -> Callable[Concatenate[Connection, P], Awaitable[T]]:
    """Makes what a piece of work on a connection meets a StatementFailure with the number 0."""

    @wraps(work)
    async def tell(connection: Connection, /, *args: P.args, **kwargs: P.kwargs) -> T:
        try:
            return await work(connection, *args, **kwargs)
        except psycopg.Error as error:
            raise failure_of(0, error, lost=connection.broken) from None

    return tell


def words_of(error: psycopg.Error) -> str:
    """The server's words, or, where values may stand in them, the condition and the names that belong to it."""
    diag = error.diag
    sqlstate = error.sqlstate or ""
    if not sqlstate.startswith(_WITH_VALUES):
        return excerpt(diag.message_primary or str(error), limit=_LIMIT)
    names = [
        f"{what} {name!r}"
        for what, name in (
            ("constraint", diag.constraint_name),
            ("table", diag.table_name),
            ("column", diag.column_name),
            ("type", diag.datatype_name),
        )
        if name
    ]
    condition = _condition(sqlstate)
    return f"{condition} ({sqlstate}){' of ' if names else ''}{', '.join(names)}"


def _condition(sqlstate: str) -> str:
    """A condition's name in words, `unique violation`."""
    try:
        name = psycopg.errors.lookup(sqlstate).__name__
    except KeyError:
        return "the statement raised an error"
    return "".join(f" {each.lower()}" if each.isupper() else each for each in name).strip()
