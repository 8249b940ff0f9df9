"""Connections to one database, shared: lent to one caller at a time, and made anew when the database comes back.

The pool is one event loop's own: between two awaits nobody else runs, so that there is no lock. Whoever gets no
connection is told why: the database is away (DatabaseDown), has no connection left (DatabaseFull), refuses us
(DatabaseRefused), or all connections of the pool are lent (DatabaseBusy).

Not here: the breaker, which stands before a pool and hears of everything by its observer.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable

import psycopg
from psycopg import pq

from stewardd.errors import (
    ConfigurationError,
    DatabaseBusy,
    DatabaseDown,
    DatabaseFull,
    DatabaseRefused,
    DatabaseStandby,
    StewardError,
)
from stewardd.postgres.observer import ConnectionObserver, DrainReason, Leak, SilentObserver
from stewardd.postgres.pool.connection import PooledConnection
from stewardd.postgres.pool.counters import Counters
from stewardd.postgres.pool.loans import Loan, Loans
from stewardd.postgres.pool.options import PoolOptions
from stewardd.postgres.pool.stats import PoolStats, RetireReason
from stewardd.postgres.pool.stock import Stock
from stewardd.postgres.pool.tasks import BackgroundTasks
from stewardd.postgres.pool.waiters import Place, Waiters
from stewardd.postgres.pool.watcher import Trouble, Watcher
from stewardd.postgres.sqlstate import READ_ONLY_CODE, Verdict, find_sqlstate
from stewardd.postgres.target import DatabaseTarget
from stewardd.telemetry import logger

log = logger("postgres")

_WATCH_INTERVAL_S = 0.5
_TEND_INTERVAL_S = 1.0
_RESTED_S = 5.0  # a liveness check at each acquire would cost ten times the acquire
_CHECK_TIMEOUT_S = 2.0
_CLEAN_TIMEOUT_S = 2.0
_CLOSE_TIMEOUT_S = 5.0
_IDLE = pq.TransactionStatus.IDLE


class Pool:
    """The connections to one database. `open` once, `close` once; opening never waits for the database.

    `source` reads the target anew, for a URL in a file; it is asked when the database refuses us.
    """

    def __init__(
        self,
        target: DatabaseTarget,
        options: PoolOptions | None = None,
        observer: ConnectionObserver | None = None,
        *,
        source: Callable[[], DatabaseTarget] | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.options = options or PoolOptions()
        self._observer: ConnectionObserver = observer or SilentObserver()
        self._source = source
        self._clock = clock
        self._loans = Loans(self.options.leak_after_s)
        self._waiters = Waiters()
        self._counters = Counters()
        self._tasks = BackgroundTasks(target.name)
        self._watcher = Watcher(lambda: self._stock.session, self._database_seen, clock)
        self._stock = Stock(
            target,
            self.options,
            self._observer,
            self._waiters,
            self._counters,
            self._watcher,
            self._tasks,
            clock,
        )
        self._cleaning: set[PooledConnection] = set()
        self._is_closed = False

    @property
    def target(self) -> DatabaseTarget:
        """Where the connections lead."""
        return self._stock.target

    async def open(self) -> None:
        """Begins to connect, in the background."""
        self._stock.restock()
        self._tasks.repeat(_WATCH_INTERVAL_S, self._watch, "watch")
        tend_s = min(_TEND_INTERVAL_S, self.options.idle_timeout_s / 4)
        self._tasks.repeat(tend_s, self.tend, "tend")

    async def close(self) -> None:
        """Closes what rests now, and what is lent as it comes back."""
        self._is_closed = True
        self._waiters.refuse_all(self._closed_error)
        self._stock.close()
        await self._tasks.close(_CLOSE_TIMEOUT_S)
        await self._watcher.close()
        while self._cleaning:  # what a task that was cancelled had not done
            self._stock.retire(self._cleaning.pop(), RetireReason.CLOSED)

    def connection(self, timeout_s: float | None = None) -> Loan:
        """Lends a connection to an `async with` block, in autocommit mode: each statement is a transaction.

        For more than one statement see `stewardd.postgres.transaction`. The block leaves no state in the session;
        a transaction that it leaves open is rolled back, and told as psycopg.errors.ActiveSqlTransaction.

        Raises DatabaseDown, DatabaseRefused, DatabaseBusy when no connection is to be had in time. Errors of
        statements come as psycopg's own; `stewardd.postgres.sqlstate` sorts them.
        """
        return Loan(self, timeout_s)

    def stats(self) -> PoolStats:
        """The pool as it is now."""
        stock, counters = self._stock, self._counters
        return PoolStats(
            size=stock.size,
            idle=stock.idle,
            lent=stock.size - stock.idle - stock.connecting,
            connecting=stock.connecting,
            waiting=len(self._waiters),
            min_size=self.options.min_size,
            max_size=self.options.max_size,
            acquires=counters.acquires,
            timeouts=counters.timeouts,
            refused=counters.refused,
            cancelled=counters.cancelled,
            connects=counters.connects,
            connect_errors=counters.connect_errors,
            leaks=self._loans.leaks,
            leaks_held=len(self._loans.overdue(self._clock())),
            retired=dict(counters.retired),
            drains=dict(counters.drains),
        )

    def leaks(self) -> list[Leak]:
        """The loans that last longer than the bound now, the longest first."""
        now = self._clock()
        return [loan.as_leak(now) for loan in self._loans.overdue(now)]

    def drain(self, reason: DrainReason = DrainReason.ASKED) -> None:
        """Closes what rests now and what is lent as it comes back, and connects anew."""
        self._stock.drain(reason)

    async def tend(self) -> None:
        """Closes what has rested or lived for too long, and tells of loans that last too long. Awaits nothing."""
        self._stock.retire_rested()
        for leak in self._loans.tell_new(self._clock()):
            log.warning(
                "connection held for long",
                database=self.target.name,
                task=leak.task,
                file=leak.file,
                line=leak.line,
                held_s=round(leak.held_s, 1),
            )
            self._observer.leak_found(leak)
        self._stock.restock()

    # What a loan asks for.

    async def acquire(self, timeout_s: float | None) -> PooledConnection:
        """Finds a connection for a loan."""
        wanted_at = self._clock()
        connection = self._stock.take() or await self._wait(wanted_at, timeout_s)
        while self._clock() - connection.rested_since > _RESTED_S:
            if await self._answers(connection):
                break
            connection = self._stock.take() or await self._wait(wanted_at, timeout_s)
        self._counters.acquires += 1
        self._observer.acquired(self._clock() - wanted_at)
        return connection

    def begin_loan(self, loan: Loan) -> None:
        """Notes a loan."""
        loan.since = self._clock()
        self._loans.begin(loan)

    def end_loan(self, loan: Loan, error: BaseException | None, *, is_closed: bool) -> None:
        """Takes a connection back. Nothing is awaited, so that no cancelled caller can leave it halfway."""
        now = self._clock()
        self._loans.end(loan)
        connection = loan.connection
        connection.uses += 1
        connection.rested_since = now
        verdict: Verdict | None = None
        if error is not None or is_closed:
            verdict = connection.judge(error)
        self._observer.released(verdict, now - loan.since)
        if is_closed or verdict is Verdict.AWAY:
            self._watcher.suspect()
        if is_closed:
            self._take_out(connection, is_broken=verdict is not None)
            return
        is_clean = connection.pgconn.transaction_status == _IDLE
        may_be_standby = error is not None and find_sqlstate(error) == READ_ONLY_CODE
        if self._is_closed or (is_clean and not may_be_standby):
            # A closed pool cleans nothing: nobody would wait for the task, and the connection would be left open.
            self._stock.put(connection)
        else:
            self._cleaning.add(connection)
            self._tasks.spawn(self._clean(connection, may_be_standby=may_be_standby), "clean")
        if error is None and not is_clean:
            raise psycopg.errors.ActiveSqlTransaction(
                "the block ended inside a transaction, which is rolled back"
            )

    def _take_out(self, connection: PooledConnection, *, is_broken: bool) -> None:
        """Takes a closed connection out; one that its borrower closed says nothing of the server."""
        if is_broken:
            self._stock.bury(connection)
        else:
            self._stock.retire(connection, RetireReason.BROKEN)
            self._stock.restock()

    async def _answers(self, connection: PooledConnection) -> bool:
        """Tries a connection that has rested, before it is lent; a fresh one has just proven itself."""
        try:
            in_recovery = await connection.in_recovery(_CHECK_TIMEOUT_S)
        except (psycopg.Error, TimeoutError):
            self._watcher.suspect()
            self._stock.bury(connection)
            return False
        except asyncio.CancelledError:
            self._take_out(connection, is_broken=False)
            raise
        if in_recovery and self._stock.asks_read_write:
            self._stock.leave_standby(connection)
            return False
        if self._is_closed:
            self._stock.put(connection)
        return not self._is_closed

    async def _clean(self, connection: PooledConnection, *, may_be_standby: bool) -> None:
        """Makes a connection fit to be lent again, and finds out whether its server became a standby."""
        in_recovery = False
        try:
            await connection.clean(_CLEAN_TIMEOUT_S)
            if may_be_standby and not connection.closed:
                in_recovery = await connection.in_recovery(_CLEAN_TIMEOUT_S)
        except (psycopg.Error, TimeoutError):
            pass  # it is closed by now
        if connection not in self._cleaning:
            return  # `close` waited no longer
        self._cleaning.remove(connection)
        if connection.closed:
            self._watcher.suspect()
            self._take_out(connection, is_broken=False)
        elif in_recovery and self._stock.expects_primary:
            self._stock.leave_standby(connection)
        else:
            self._stock.put(connection)

    # Callers that wait.

    async def _wait(self, wanted_at: float, timeout_s: float | None) -> PooledConnection:
        if self._is_closed:  # also while a connection was tried for this caller
            raise self._closed_error()
        if timeout_s is None:
            timeout_s = self.options.acquire_timeout_s
        refusal = self._refusal()
        if refusal is not None:
            raise refusal
        if len(self._waiters) >= self.options.max_waiting:
            self._counters.refused += 1
            raise self._busy(f"{self.options.max_waiting} callers wait for a connection already")
        now = self._clock()
        place = self._waiters.join(now)
        self._stock.grow()
        left_s = timeout_s - (now - wanted_at)
        timer = asyncio.get_running_loop().call_later(left_s, _end_waiting, place)
        try:
            answer = await place
        except asyncio.CancelledError:
            self._counters.cancelled += 1
            if not place.cancelled() and isinstance(handed := place.result(), PooledConnection):
                self._stock.put(handed)  # in the same turn of the loop
            raise
        finally:
            timer.cancel()
            self._waiters.leave(place)
        if isinstance(answer, PooledConnection):
            return answer
        if answer is not None:
            raise answer
        self._counters.timeouts += 1
        raise await self._explain_timeout(wanted_at, timeout_s)

    async def _explain_timeout(self, wanted_at: float, timeout_s: float) -> StewardError:
        if self._watcher.trouble is None and self._watcher.seen_at < wanted_at:
            await self._watcher.look()
        if self._is_closed:
            return self._closed_error()
        return self._watcher.explain() or self._busy(
            f"no connection became free within {timeout_s:g} s"
        )

    def _refusal(self) -> Trouble | None:
        """What makes waiting useless: the database refuses us, and we have no connection of before."""
        trouble = self._watcher.trouble
        is_refused = isinstance(trouble, DatabaseRefused)
        if not is_refused or isinstance(trouble, DatabaseStandby):  # a new primary may come
            return None
        return None if self._stock.size > self._stock.connecting else self._watcher.explain()

    def _busy(self, why: str) -> DatabaseBusy:
        return DatabaseBusy(
            f"database {self.target.name!r}: {why}",
            hint="try again, or raise `postgres.pool_max_size`",
            metadata={"database": self.target.name},
            retry_after_s=1.0,
        )

    def _closed_error(self) -> DatabaseDown:
        return DatabaseDown(f"the connections to database {self.target.name!r} are closed")

    # What the watcher finds.

    async def _watch(self) -> None:
        self._stock.restock()
        if not self._watcher.is_due(self._waiters.since):
            return
        await self._watcher.look()
        if isinstance(self._watcher.trouble, DatabaseRefused):
            await self._read_target_anew()

    def _database_seen(self, before: Trouble | None) -> None:
        was_away = isinstance(before, DatabaseDown) and not isinstance(before, DatabaseFull)
        self._stock.hurry()
        if was_away and self._stock.size > self._stock.connecting:
            self._stock.drain(DrainReason.OUTAGE)
        else:
            self._stock.restock()
        self._observer.database_seen()

    async def _read_target_anew(self) -> None:
        """A password that was rotated stands in the file by now; where it does not, those who wait are refused."""
        target = None if self._source is None else await self._ask(self._source)
        if target is not None and target.conninfo != self.target.conninfo:
            log.warning("database url read anew", database=target.name)
            self._stock.aim(target)
            self._stock.drain(DrainReason.RETARGETED)
            await self._watcher.look()
        refusal = self._refusal()
        if refusal is not None:
            self._waiters.refuse_all(lambda: self._watcher.explain() or refusal)

    async def _ask(self, source: Callable[[], DatabaseTarget]) -> DatabaseTarget | None:
        try:
            return await asyncio.to_thread(source)
        except ConfigurationError as error:  # the file may be just being replaced
            log.warning("database url not read anew", database=self.target.name, error=str(error))
            return None


def _end_waiting(place: Place) -> None:
    if not place.done():
        place.set_result(None)
