"""Transactions that always end: committed when their block ends, rolled back when it raises or is cancelled.

Everything that a transaction sets is set inside it (SET LOCAL), in the round trip of its BEGIN: behind a pooler the
session goes on to serve others. A COMMIT that can't be one is an error: a block that swallowed the error of a statement
would otherwise seem to have succeeded, for the server answers such a COMMIT with a rollback and no complaint.

`run_transaction` repeats a piece of work that the server asks to be repeated (a serialization failure, a deadlock). It
never repeats after a lost connection: whether the COMMIT before was done is not known then.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager, suppress
from dataclasses import dataclass
from enum import Enum
from random import Random
from typing import Any, TypeVar

import psycopg
from psycopg import pq

from stewardd.postgres.connect import Connection
from stewardd.postgres.sqlstate import find_sqlstate
from stewardd.telemetry import logger

log = logger("postgres")
T = TypeVar("T")

Lend = Callable[[], AbstractAsyncContextManager[Connection]]
"""What lends a connection, such as `Pool.connection`."""
_REPEAT_CODES = frozenset({"40001", "40P01"})  # serialization failure, deadlock
_FIRST_PAUSE_S = 0.01
_LONGEST_PAUSE_S = 0.5
_Status = pq.TransactionStatus


class Isolation(Enum):
    """How much a transaction sees of others (SQL-92; SERIALIZABLE as PostgreSQL does it, with failures to repeat)."""

    READ_COMMITTED = "READ COMMITTED"
    REPEATABLE_READ = "REPEATABLE READ"
    SERIALIZABLE = "SERIALIZABLE"


@dataclass(frozen=True, slots=True)
class TransactionOptions:
    """How a transaction is begun; None leaves what the server, its database or its user have set."""

    isolation: Isolation | None = None
    read_only: bool = False
    statement_timeout_s: float | None = None
    lock_timeout_s: float | None = None

    @property
    def begin(self) -> str:
        """The statements that begin it."""
        modes = [] if self.isolation is None else [f"ISOLATION LEVEL {self.isolation.value}"]
        modes += ["READ ONLY"] if self.read_only else []
        statements = [" ".join(["BEGIN", *modes])]
        for name, seconds in (
            ("statement_timeout", self.statement_timeout_s),
            ("lock_timeout", self.lock_timeout_s),
        ):
            if seconds is not None:
                # At least 1 ms: 0 would switch the limit off.
                statements.append(f"SET LOCAL {name} = {max(1, round(seconds * 1000))}")
        return "; ".join(statements)


DEFAULT = TransactionOptions()


@asynccontextmanager
async def transaction(
    connection: Connection, options: TransactionOptions = DEFAULT
) -> AsyncIterator[Connection]:
    """Makes the block one transaction of a connection in autocommit mode.

    Raises psycopg.errors.InFailedSqlTransaction for a block that swallowed a statement's error, and
    psycopg.errors.NoActiveSqlTransaction for one that ended the transaction by itself.
    """
    try:
        await connection.execute(options.begin, prepare=False)
        yield connection
    except BaseException:
        await _roll_back(connection)
        raise
    await _commit(connection)


@asynccontextmanager
async def savepoint(connection: Connection) -> AsyncIterator[Connection]:
    """Makes the block a part of its transaction that can fail alone. Savepoints nest.

    Raises psycopg.errors.NoActiveSqlTransaction outside of a transaction.
    """
    if connection.pgconn.transaction_status != _Status.INTRANS:
        raise psycopg.errors.NoActiveSqlTransaction("a savepoint stands inside a transaction")
    async with connection.transaction():
        yield connection


async def run_transaction(
    lend: Lend,
    work: Callable[[Connection], Awaitable[T]],
    options: TransactionOptions = DEFAULT,
    *,
    attempts: int = 1,
    random: Random | None = None,
) -> T:
    """Does work in a transaction on a borrowed connection, and returns what it returns.

    `attempts` above 1 says that the work may be repeated: it has no effect outside of the transaction. It is, after
    pauses that grow, when the server reports a serialization failure or a deadlock; the last such error is raised. Each
    attempt borrows anew, so that others get their turn.
    """
    random = random or Random()  # noqa: S311 - jitter, no secret
    for attempt in range(1, attempts + 1):
        try:
            async with lend() as connection, transaction(connection, options):
                return await work(connection)
        except psycopg.Error as error:
            if attempt == attempts or find_sqlstate(error) not in _REPEAT_CODES:
                raise
            log.debug("transaction repeated", attempt=attempt, sqlstate=error.sqlstate)
        longest_s = min(_FIRST_PAUSE_S * 2 ** (attempt - 1), _LONGEST_PAUSE_S)
        await asyncio.sleep(longest_s * (0.5 + random.random() / 2))
    raise ValueError("a transaction needs at least one attempt")


async def _commit(connection: Connection) -> None:
    status = connection.pgconn.transaction_status
    if status == _Status.INTRANS:
        await _end(connection, "COMMIT")
        return
    await _roll_back(connection)
    if status == _Status.INERROR:
        raise psycopg.errors.InFailedSqlTransaction(
            "the block went on after a statement had failed; its transaction is rolled back"
        )
    raise psycopg.errors.NoActiveSqlTransaction("the block ended its transaction by itself")


async def _roll_back(connection: Connection) -> None:
    """Rolls back what is open. Where that fails the connection is broken, and the server does it by itself."""
    if connection.pgconn.transaction_status in (_Status.INTRANS, _Status.INERROR):
        with suppress(psycopg.Error):
            await _end(connection, "ROLLBACK")


async def _end(connection: psycopg.AsyncConnection[Any], statement: str) -> None:
    await connection.execute(statement, prepare=False)
