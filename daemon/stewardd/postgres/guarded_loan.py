"""A loan through the breaker: it asks the breaker before the pool, and tells it afterwards how the loan ended.

A loan at half-open is a probe. Its connection is tried before the caller gets it, so that the breaker depends neither
on what the caller does with it nor on how long that takes.
"""

from __future__ import annotations

from collections.abc import Callable
from types import TracebackType

import psycopg

from stewardd.errors import DatabaseDown, DatabaseRefused
from stewardd.postgres.breaker import Breaker
from stewardd.postgres.connect import explain_statement
from stewardd.postgres.connection_reports import ConnectionReports
from stewardd.postgres.pool import Pool
from stewardd.postgres.pool.connection import PooledConnection
from stewardd.postgres.sqlstate import Verdict, judge_loan


class GuardedLoan:
    """`async with` lends a connection to the block. One object lends once."""

    __slots__ = ("_breaker", "_clock", "_loan", "_pool", "_reports", "_ticket", "_timeout_s")

    def __init__(
        self,
        breaker: Breaker,
        reports: ConnectionReports,
        pool: Pool,
        clock: Callable[[], float],
        timeout_s: float | None,
    ) -> None:
        self._breaker = breaker
        self._reports = reports
        self._pool = pool
        self._clock = clock
        self._timeout_s = timeout_s

    async def __aenter__(self) -> PooledConnection:
        """Lends a connection. Raises: CircuitOpen, DatabaseDown, DatabaseRefused, DatabaseBusy."""
        self._ticket = self._breaker.admit(self._clock())
        try:
            if self._breaker.is_probe(self._ticket):
                return await self._enter_as_probe()
            self._loan = self._pool.connection(self._timeout_s)
            return await self._loan.__aenter__()
        except BaseException as error:
            self._reports.loan_ended(self._ticket, _judge_acquire(error), error)
            raise

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Takes the connection back."""
        verdict = judge_loan(error, broken=self._loan.connection.broken)
        if verdict is None and error is None:
            verdict = Verdict.ANSWERED
        self._reports.loan_ended(self._ticket, verdict, error)
        await self._loan.__aexit__(kind, error, traceback)

    async def _enter_as_probe(self) -> PooledConnection:
        """Lends a connection that has just answered. It takes no longer than the probe's lease lasts."""
        limit_s = self._pool.options.acquire_timeout_s
        timeout_s = limit_s if self._timeout_s is None else min(self._timeout_s, limit_s)
        self._loan = self._pool.connection(timeout_s)
        connection = await self._loan.__aenter__()
        try:
            await self._try(connection, limit_s)
        except BaseException as error:
            await self._loan.__aexit__(type(error), error, error.__traceback__)
            raise
        self._reports.loan_ended(self._ticket, Verdict.ANSWERED, None)
        self._ticket = self._breaker.current_ticket()
        return connection

    async def _try(self, connection: PooledConnection, timeout_s: float) -> None:
        target = self._pool.target
        try:
            await connection.in_recovery(timeout_s)
        except psycopg.Error as error:
            raise explain_statement(target, connection, error) from error
        except TimeoutError:
            raise DatabaseDown(
                f"database {target.name!r} did not answer within {timeout_s:g} s"
            ) from None


def _judge_acquire(error: BaseException) -> Verdict | None:
    """What it says of the database that there was no connection; None for one that only the pool is short of."""
    if isinstance(error, DatabaseDown):
        return Verdict.AWAY
    return Verdict.ANSWERED if isinstance(error, DatabaseRefused) else None
