"""The connections that a pool has: those that rest, those that are being made, and how many there are.

What was given back last is lent first; that way the others rest, and the idle limit finds them. A connection that is
lent belongs to its borrower until it is put back, and is counted here all the time. Each drain begins a generation:
what was made before it is closed as it comes back.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from random import Random

import psycopg
from psycopg.conninfo import conninfo_to_dict

from stewardd.errors import DatabaseDown, DatabaseRefused
from stewardd.postgres.connect import explain, judge_failure
from stewardd.postgres.observer import ConnectionObserver, DrainReason
from stewardd.postgres.pool.connection import PooledConnection, draw_lifespan, open_connection
from stewardd.postgres.pool.counters import Counters
from stewardd.postgres.pool.options import PoolOptions
from stewardd.postgres.pool.session import session
from stewardd.postgres.pool.stats import RetireReason
from stewardd.postgres.pool.tasks import BackgroundTasks
from stewardd.postgres.pool.waiters import Waiters
from stewardd.postgres.pool.watcher import Watcher
from stewardd.postgres.sqlstate import Verdict
from stewardd.postgres.target import DatabaseTarget
from stewardd.telemetry import logger

log = logger("postgres")

_RETRY_PAUSE_S = 0.2  # between two attempts that callers ask for
_STANDBY_PAUSE_S = 1.0
_READ_WRITE = ("read-write", "primary")


class Stock:
    """All connections of one pool. Whatever is put back goes to the first of the waiters, or rests."""

    def __init__(
        self,
        target: DatabaseTarget,
        options: PoolOptions,
        observer: ConnectionObserver,
        waiters: Waiters,
        counters: Counters,
        watcher: Watcher,
        tasks: BackgroundTasks,
        clock: Callable[[], float],
    ) -> None:
        self._options = options
        self._observer = observer
        self._waiters = waiters
        self._counters = counters
        self._watcher = watcher
        self._tasks = tasks
        self._clock = clock
        self._random = Random()  # noqa: S311 - jitter, no secret
        self._idle: deque[PooledConnection] = deque()
        self._growing = False
        self._retry_at = 0.0
        self._generation = 0
        self._left_standby_at = float("-inf")
        self._has_seen_primary = False
        self._is_closed = False
        self.size = 0
        self.connecting = 0
        self.aim(target)

    @property
    def idle(self) -> int:
        """How many rest."""
        return len(self._idle)

    @property
    def expects_primary(self) -> bool:
        """Whether a standby is not what was asked for, or not what was here before."""
        return self.asks_read_write or self._has_seen_primary

    def aim(self, target: DatabaseTarget) -> None:
        """Sets where connections are made to from now on."""
        self.target = target
        self.session = session(target, self._options)
        parameters = conninfo_to_dict(self.session.conninfo)
        self.asks_read_write = parameters.get("target_session_attrs") in _READ_WRITE

    def take(self) -> PooledConnection | None:
        """The connection that was given back last; those that lived for too long are closed on the way."""
        now = self._clock()
        while self._idle:
            connection = self._idle.pop()
            reason = connection.reason_to_retire(now)
            if reason is None:
                return connection
            self.retire(connection, reason)
        return None

    def put(self, connection: PooledConnection) -> None:
        """Gives a connection to the next caller, or lets it rest; or closes it when its time is over."""
        reason = connection.reason_to_retire(self._clock())
        if self._is_closed:
            reason = RetireReason.CLOSED
        elif connection.generation < self._generation:
            reason = RetireReason.DRAINED
        if reason is not None:
            self.retire(connection, reason)
            self.restock()
        elif not self._waiters.serve(connection):
            self._idle.append(connection)

    def retire(self, connection: PooledConnection, reason: RetireReason) -> None:
        """Closes a connection that does not rest."""
        connection.finish()
        self.size -= 1
        self._counters.retired[reason] += 1

    def retire_rested(self) -> None:
        """Closes what has rested for too long, down to the minimum, and what has lived for too long."""
        now, options = self._clock(), self._options
        while (
            self._idle
            and self.size > options.min_size
            and now - self._idle[0].rested_since >= options.idle_timeout_s
        ):
            self.retire(self._idle.popleft(), RetireReason.IDLE)
        for connection in list(self._idle):
            reason = connection.reason_to_retire(now)
            if reason is not None:
                self._idle.remove(connection)
                self.retire(connection, reason)

    def bury(self, connection: PooledConnection) -> None:
        """Takes out a connection that the server, or the way to it, broke.

        The others rest on the same dead server, and would fail their callers one by one: the first one broken drains
        the pool. Those that were lent before come back broken after it, and must not drain it again.
        """
        is_first = connection.generation == self._generation
        self.retire(connection, RetireReason.BROKEN)
        if is_first and not self._is_closed:
            self.drain(DrainReason.BROKEN)
        else:
            self.restock()

    def leave_standby(self, connection: PooledConnection) -> None:
        """Connects anew, in the hope of the new primary; once a second while there is none."""
        self.retire(connection, RetireReason.STANDBY)
        is_news = connection.generation == self._generation
        if is_news and self._clock() - self._left_standby_at > _STANDBY_PAUSE_S:
            self._left_standby_at = self._clock()
            self.drain(DrainReason.STANDBY)
        else:
            self.restock()

    def drain(self, reason: DrainReason) -> None:
        """Closes what rests now and what is lent as it comes back, and connects anew."""
        self._generation += 1
        self._counters.drains[reason] += 1
        self._retire_idle(RetireReason.DRAINED)
        log.info("pool drained", database=self.target.name, reason=reason.value)
        self._observer.drained(reason)
        self.restock()

    def close(self) -> None:
        """Closes what rests; what is put back from now on is closed too."""
        self._is_closed = True
        self._retire_idle(RetireReason.CLOSED)

    def restock(self) -> None:
        """Starts the connections that are missing from the minimum, and one for those who wait."""
        if self._is_closed:
            return
        if self._watcher.trouble is None and self._clock() >= self._retry_at:
            for _ in range(self._options.min_size - self.size):
                self._begin_connecting(growing=False)
        self.grow()

    def grow(self) -> None:
        """Starts one connection more while callers wait; what comes after that one, `_after_growth` says."""
        if (
            not self._growing
            and self.size < self._options.max_size
            and len(self._waiters) > self.connecting
            and self._clock() >= self._retry_at
        ):
            self._growing = True
            self._begin_connecting(growing=True)

    def hurry(self) -> None:
        """Lets connections be made at once, for the database was seen."""
        self._retry_at = 0.0

    def _retire_idle(self, reason: RetireReason) -> None:
        while self._idle:
            self.retire(self._idle.pop(), reason)

    def _begin_connecting(self, *, growing: bool) -> None:
        self.size += 1
        self.connecting += 1
        self._tasks.spawn(self._connect(growing=growing), "connect")

    async def _connect(self, *, growing: bool) -> None:
        generation, began, target = self._generation, self._clock(), self.session
        made: PooledConnection | None = None
        try:
            made = await open_connection(target, self._options)
        except psycopg.Error as error:
            verdict = await judge_failure(target, error)
            self._tell_failure(verdict, explain(target, verdict, error))
        finally:
            self.connecting -= 1
            if made is None:
                self.size -= 1
                self._growing = self._growing and not growing
        if made is not None:
            self._welcome(made, generation, began)
            if growing:
                await self._after_growth(self._clock() - began)

    def _welcome(self, connection: PooledConnection, generation: int, began: float) -> None:
        now = self._clock()
        connection.generation = generation
        connection.rested_since = now
        connection.lifespan = draw_lifespan(self._options, now, self._random)
        # A server before 14, and most poolers, don't say; only a standby that says so is taken for one.
        if connection.pgconn.parameter_status(b"in_hot_standby") != b"on":
            self._has_seen_primary = True
        self._counters.connects += 1
        self._observer.connected(now - began)
        self.put(connection)
        self.restock()

    async def _after_growth(self, connecting_s: float) -> None:
        """Grows again at once, or lets the connection that was just made show first whether it is enough.

        Where the first in the queue has waited for longer than it takes to connect, the queue needs more connections.
        Where it has not, connections that are given back serve it sooner than new ones: the pool then waits for as long
        as it took to connect. Measured: 50 callers with 20 queries of 2 ms each, 150 ms to connect, are through in the
        same time, with 2 or 3 connections more in place of 4 to 6.
        """
        first_came = self._waiters.since
        if first_came is not None and self._clock() - first_came < connecting_s:
            await asyncio.sleep(connecting_s)
        self._growing = False
        self.restock()

    def _tell_failure(self, verdict: Verdict, error: DatabaseDown | DatabaseRefused) -> None:
        self._counters.connect_errors += 1
        self._retry_at = self._clock() + _RETRY_PAUSE_S
        self._watcher.suspect()
        self._observer.connect_failed(verdict, error)
