"""A loan through the breaker: it asks the breaker before the pool, and tells it afterwards how the loan ended.

A loan at half-open is a probe. Its connection is tried before the caller gets it, so that the breaker depends neither
on what the caller does with it nor on how long that takes.

It is the pool's own loan with a ticket, and no second object around it. While the database is well, the breaker is not
called at all (see `Breaker.calm_ticket`): breaker and timing together may cost a query 2 µs.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from types import TracebackType

import psycopg

from stewardd.errors import DatabaseDown, DatabaseRefused
from stewardd.postgres.breaker import Breaker
from stewardd.postgres.connect import explain_statement
from stewardd.postgres.connection_reports import ConnectionReports
from stewardd.postgres.pool import Pool
from stewardd.postgres.pool.connection import PooledConnection
from stewardd.postgres.pool.loans import Loan
from stewardd.postgres.sqlstate import Verdict


@dataclass(frozen=True, slots=True)
class LoanGuard:
    """What all loans of one database share."""

    pool: Pool
    breaker: Breaker
    reports: ConnectionReports
    clock: Callable[[], float]


class GuardedLoan(Loan):
    """`async with` lends a connection to the block. One object lends once."""

    __slots__ = ("_guard", "_ticket")

    def __init__(self, guard: LoanGuard, timeout_s: float | None) -> None:
        # The attributes of `Loan`, set here: a call of its `__init__` is a tenth of what the breaker may cost.
        self._lender, self._timeout_s = guard.pool, timeout_s
        self._guard = guard

    async def __aenter__(self) -> PooledConnection:
        """Lends a connection. Raises: CircuitOpen, DatabaseDown, DatabaseRefused, DatabaseBusy."""
        guard = self._guard
        calm_ticket = guard.breaker.calm_ticket
        self._ticket = guard.breaker.admit(guard.clock()) if calm_ticket is None else calm_ticket
        try:
            if calm_ticket is None and guard.breaker.is_probe(self._ticket):
                await self._borrow_as_probe()
            else:
                self.connection = await self._lender.acquire(self._timeout_s)
                self._begin()
        except BaseException as error:
            guard.reports.loan_ended(self._ticket, _judge_acquire(error), error)
            raise
        return self.connection

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Takes the connection back."""
        guard, is_closed = self._guard, self.connection.closed
        if error is not None or is_closed:
            guard.reports.loan_ended(self._ticket, self.connection.judge(error), error)
        elif self._ticket != guard.breaker.calm_ticket:
            guard.reports.loan_answered(self._ticket)
        self._lender.end_loan(self, error, is_closed=is_closed)

    async def _borrow_as_probe(self) -> None:
        """Borrows a connection that has just answered. It takes no longer than the probe's lease lasts."""
        guard = self._guard
        limit_s = guard.pool.options.acquire_timeout_s
        timeout_s = limit_s if self._timeout_s is None else min(self._timeout_s, limit_s)
        self.connection = await self._lender.acquire(timeout_s)
        self._begin()
        try:
            await self._try(limit_s)
        except BaseException as error:
            self._lender.end_loan(self, error, is_closed=self.connection.closed)
            raise
        guard.reports.loan_answered(self._ticket)
        self._ticket = guard.breaker.current_ticket()

    async def _try(self, timeout_s: float) -> None:
        target = self._guard.pool.target
        try:
            await self.connection.in_recovery(timeout_s)
        except psycopg.Error as error:
            raise explain_statement(target, self.connection, error) from error
        except TimeoutError:
            raise DatabaseDown(
                f"database {target.name!r} did not answer within {timeout_s:g} s"
            ) from None


def _judge_acquire(error: BaseException) -> Verdict | None:
    """What it says of the database that there was no connection; None for one that only the pool is short of."""
    if isinstance(error, DatabaseDown):
        return Verdict.AWAY
    return Verdict.ANSWERED if isinstance(error, DatabaseRefused) else None
