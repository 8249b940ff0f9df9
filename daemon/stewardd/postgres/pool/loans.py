"""Who holds connections now, and who holds one for too long.

A borrower is named by its task and by the place in the code where it borrowed: the innermost frame that is not of this
package. File and line are copied; a frame that is kept would keep all variables of the borrower alive.
"""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Iterator
from types import FrameType, TracebackType
from typing import Protocol

from stewardd.postgres.observer import Leak
from stewardd.postgres.pool.connection import PooledConnection

_OWN_MODULES = "stewardd.postgres."
_LIBRARY_MODULES = ("contextlib", "asyncio")


class Lender(Protocol):
    """The pool, as a loan sees it."""

    async def acquire(self, timeout_s: float | None) -> PooledConnection:
        """Finds a connection."""

    def begin_loan(self, loan: Loan) -> None:
        """Notes a loan."""

    def end_loan(self, loan: Loan, error: BaseException | None, *, is_closed: bool) -> None:
        """Takes the connection back, which may be closed by now; `error` ended the block."""


class Loan:
    """`async with` lends a connection to the block. One object lends once."""

    __slots__ = ("_lender", "_timeout_s", "connection", "file", "line", "since", "task", "told")

    def __init__(self, lender: Lender, timeout_s: float | None) -> None:
        self._lender = lender
        self._timeout_s = timeout_s
        self.connection: PooledConnection
        self.since: float

    async def __aenter__(self) -> PooledConnection:
        connection = self.connection = await self._lender.acquire(self._timeout_s)
        self._begin()
        return connection

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._lender.end_loan(self, error, is_closed=self.connection.closed)

    def _begin(self) -> None:
        """Notes the borrower. Called by `__aenter__` itself, so that the borrower is at least two frames above."""
        self.task: asyncio.Task[object] | None = asyncio.current_task()
        self.file, self.line = "", 0
        self.told = False
        here = inspect.currentframe()
        entering = None if here is None else here.f_back
        frame = None if entering is None else _borrower(entering.f_back)
        if frame is not None:
            self.file, self.line = frame.f_code.co_filename, frame.f_lineno
        self._lender.begin_loan(self)

    def as_leak(self, now: float) -> Leak:
        """Names the borrower."""
        name = ""
        if self.task is not None:
            name = f"{self.task.get_name()} {getattr(self.task.get_coro(), '__qualname__', '')}"
        return Leak(name.strip(), self.file, self.line, now - self.since)


class Loans:
    """The loans of one pool."""

    def __init__(self, leak_after_s: float | None) -> None:
        self._leak_after_s = leak_after_s
        self._held: set[Loan] = set()
        self.leaks = 0

    def __len__(self) -> int:
        return len(self._held)

    def begin(self, loan: Loan) -> None:
        """Notes a loan."""
        self._held.add(loan)

    def end(self, loan: Loan) -> None:
        """Forgets a loan."""
        self._held.discard(loan)

    def overdue(self, now: float) -> list[Loan]:
        """The loans that last longer than the bound, the longest first."""
        if self._leak_after_s is None:
            return []
        limit = now - self._leak_after_s
        return sorted(
            (loan for loan in self._held if loan.since <= limit), key=lambda loan: loan.since
        )

    def tell_new(self, now: float) -> Iterator[Leak]:
        """The overdue loans that were not told yet; each is told once."""
        for loan in self.overdue(now):
            if not loan.told:
                loan.told = True
                self.leaks += 1
                yield loan.as_leak(now)


def _borrower(frame: FrameType | None) -> FrameType | None:
    while frame is not None:
        module = frame.f_globals.get("__name__", "")
        if not module.startswith(_OWN_MODULES) and module not in _LIBRARY_MODULES:
            return frame
        frame = frame.f_back
    return None
