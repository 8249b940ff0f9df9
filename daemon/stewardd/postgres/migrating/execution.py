"""Runs statements so that nobody waits long behind them.

A statement that waits for a strong lock makes all wait who come after it. So it waits `lock_timeout_s` at most; then
the whole transaction is rolled back, others get their turn, and it is tried again after a pause with jitter, until
`lock_patience_s` is over. What builds concurrently makes nobody wait, and waits for old transactions itself: it gets
the whole time.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from random import Random
from typing import TypeVar

import psycopg

from stewardd.postgres.connect import Connection
from stewardd.postgres.migrating.failures import StatementFailure, failure_of
from stewardd.postgres.migrating.session import MigrationSession

T = TypeVar("T")

_LOCK_CODES = frozenset({"55P03", "40P01"})  # lock not available, deadlock
_FIRST_PAUSE_S = 0.1
_LONGEST_PAUSE_S = 3.0
_GROWTH = 1.6
Finish = Callable[[Connection, int], Awaitable[None]]
"""The last part of a transaction; it is told which attempt it is of."""


@dataclass(frozen=True, slots=True)
class LockLimits:
    """How long a lock is waited for at a time, and in all."""

    lock_timeout_s: float = 0.2
    lock_patience_s: float = 60.0


class LockNotGiven(Exception):
    """A lock was not given for as long as the patience lasts."""

    def __init__(self, number: int, attempts: int) -> None:
        super().__init__(f"statement {number} got no lock in {attempts} attempts")
        self.number = number
        self.attempts = attempts


def pause_after(attempt: int, random: Random) -> float:
    """How long to leave others their turn after an attempt, in seconds."""
    longest_s = min(_FIRST_PAUSE_S * _GROWTH ** (attempt - 1), _LONGEST_PAUSE_S)
    return longest_s * (0.5 + random.random() / 2)


async def run_in_transaction(
    session: MigrationSession,
    statements: Sequence[str],
    finish: Finish,
    limits: LockLimits,
    random: Random,
) -> int:
    """Runs statements, and then `finish`, in one transaction, again where a lock is not given; returns the attempts.

    Raises: StatementFailure, LockNotGiven; what `finish` raises, rolled back.
    """

    async def attempt(count: int) -> None:
        connection = session.connection
        try:
            await run(connection, "BEGIN", 0)
            await run(connection, f"SET LOCAL lock_timeout = {_ms(limits.lock_timeout_s)}", 0)
            for number, statement in enumerate(statements, 1):
                await run(connection, statement, number)
            await finish(connection, count)
        except BaseException:
            await roll_back(connection)
            raise
        await run(connection, "COMMIT", 0)

    return await _patiently(attempt, limits, random)


async def run_alone(
    session: MigrationSession,
    statement: str,
    number: int,
    limits: LockLimits,
    random: Random,
    *,
    concurrent: bool,
) -> int:
    """Runs one statement outside of a transaction; returns the attempts. Raises: StatementFailure, LockNotGiven."""
    timeout_s = limits.lock_patience_s if concurrent else limits.lock_timeout_s

    async def attempt(_: int) -> None:
        await run(session.connection, f"SET lock_timeout = {_ms(timeout_s)}", number)
        try:
            await run(session.connection, statement, number)
        finally:
            with suppress(psycopg.Error):
                await session.connection.execute("SET lock_timeout = 0")

    if concurrent:  # a second attempt would meet the invalid index that the first one left
        try:
            await attempt(1)
        except StatementFailure as failure:
            if failure.sqlstate in _LOCK_CODES:
                raise LockNotGiven(number, 1) from None
            raise
        return 1
    return await _patiently(attempt, limits, random)


async def run(connection: Connection, statement: str, number: int) -> psycopg.AsyncCursor[object]:
    """Runs one statement as it is written. Raises: StatementFailure."""
    try:
        return await connection.execute(statement.encode(), prepare=False)
    except psycopg.Error as error:
        raise failure_of(number, error, lost=connection.broken) from None


async def changed_rows(connection: Connection, statement: str) -> int:
    """Runs a statement, and returns how many rows it changed. Raises: StatementFailure."""
    return max((await run(connection, statement, 1)).rowcount, 0)


async def roll_back(connection: Connection) -> None:
    """Rolls back; where that fails, the connection is broken and the server does it by itself."""
    with suppress(psycopg.Error):
        await connection.execute("ROLLBACK", prepare=False)


async def _patiently(
    attempt: Callable[[int], Awaitable[None]], limits: LockLimits, random: Random
) -> int:
    deadline = time.monotonic() + limits.lock_patience_s
    attempts = 0
    while True:
        attempts += 1
        try:
            await attempt(attempts)
        except StatementFailure as failure:
            if failure.sqlstate not in _LOCK_CODES:
                raise
            pause_s = pause_after(attempts, random)
            if time.monotonic() + pause_s > deadline:
                raise LockNotGiven(failure.number, attempts) from None
            await asyncio.sleep(pause_s)
        else:
            return attempts


def _ms(seconds: float) -> int:
    return max(1, round(seconds * 1000))
