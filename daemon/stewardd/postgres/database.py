"""One target database: where it is, the pool of connections to it, and the breaker that stands before the pool.

Callers borrow by `connection`, which the breaker may refuse. What counts for the breaker is said in
connection_reports.py and guarded_loan.py; looks of the monitoring go by connections of their own and never count.
"""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from enum import Enum
from typing import Protocol, TypeVar

from stewardd.errors import DatabaseDown, DatabaseFull, DatabaseRefused
from stewardd.postgres.breaker import Breaker, BreakerOptions, BreakerState, BreakerView, Transition
from stewardd.postgres.connect import Connection
from stewardd.postgres.connection_reports import ConnectionReports, CountedFailure
from stewardd.postgres.guarded_loan import GuardedLoan, LoanGuard
from stewardd.postgres.observer import ConnectionObserver, Leak
from stewardd.postgres.pool import Pool, PoolOptions, PoolStats
from stewardd.postgres.probe import Sight, probe
from stewardd.postgres.target import DatabaseTarget
from stewardd.postgres.transaction import (
    DEFAULT,
    TransactionOptions,
    run_transaction,
    transaction,
)
from stewardd.telemetry import logger

log = logger("postgres")
T = TypeVar("T")


class ServerState(Enum):
    """What a look at a server found."""

    UP = "up"
    FULL = "full"
    REFUSING = "refusing"
    AWAY = "away"


@dataclass(frozen=True, slots=True)
class ServerView:
    """The server as the last look found it; `detail` says why it is not up. `sight` is of the last that it answered."""

    state: ServerState
    detail: str
    observe_time: datetime
    sight: Sight | None


@dataclass(frozen=True, slots=True)
class DatabaseView:
    """A database at one moment. `server` is None before the first look.

    `state_time` and `half_open_time` are the breaker's moments by the clock on the wall; `force_reason` is why it was
    opened by hand, if it was.
    """

    name: str
    embedded: bool
    server: ServerView | None
    pool: PoolStats
    leaks: tuple[Leak, ...]
    breaker: BreakerView
    failure_threshold: int
    state_time: datetime
    half_open_time: datetime | None
    last_failure: CountedFailure | None
    force_reason: str


class DatabaseObserver(ConnectionObserver, Protocol):
    """What happens to a database: to its connections, and to its breaker."""

    def breaker_changed(self, change: Transition) -> None:
        """The breaker changed its state."""


class Database:
    """A database of the configuration. `open` once, `close` once; opening never waits for the database.

    `direct` is the server's own address where `target` is a pooler's; `source` reads the target anew (see Pool).
    """

    def __init__(
        self,
        target: DatabaseTarget,
        pool_options: PoolOptions | None = None,
        breaker_options: BreakerOptions | None = None,
        *,
        direct: DatabaseTarget | None = None,
        source: Callable[[], DatabaseTarget] | None = None,
        embedded: bool = False,
        clock: Callable[[], float] = time.monotonic,
        chance: Callable[[], float] = random.random,
    ) -> None:
        pool_options = pool_options or PoolOptions()
        # A probe takes at most one acquire timeout to get its connection and another one to try it.
        lease_s = 2 * pool_options.acquire_timeout_s + 1
        self._breaker_options = replace(breaker_options or BreakerOptions(), lease_s=lease_s)
        self._clock = clock
        self._breaker = Breaker(target.name, self._breaker_options, chance, clock())
        self._breaker.listen(self._breaker_changed)
        self._reports = ConnectionReports(target, self._breaker, clock)
        self._server: ServerView | None = None
        self._state_time = datetime.now(UTC)
        self._half_open_time: datetime | None = None
        self._force_reason = ""
        self._changed = asyncio.Event()
        self._direct = direct
        self.embedded = embedded
        self.pool = Pool(target, pool_options, self._reports, source=source)
        self._guard = LoanGuard(self.pool, self._breaker, self._reports, clock)

    @property
    def name(self) -> str:
        """Its name in the configuration."""
        return self.target.name

    @property
    def target(self) -> DatabaseTarget:
        """Where it is."""
        return self.pool.target

    @property
    def direct_target(self) -> DatabaseTarget:
        """Where what needs a session of its own goes: dumps, snapshots, advisory locks."""
        return self._direct or self.target

    def observe(self, observer: DatabaseObserver) -> None:
        """Tells `observer` of the breaker and of the connections from now on; there is one."""
        self._breaker.listen(observer.breaker_changed)
        self._reports.follow(observer)

    async def open(self) -> None:
        """Begins to connect, in the background."""
        await self.pool.open()

    async def close(self) -> None:
        """Closes what rests now, and what is lent as it comes back."""
        await self.pool.close()

    def connection(self, timeout_s: float | None = None) -> GuardedLoan:
        """Lends a connection to an `async with` block; see `Pool.connection`.

        Entering it raises CircuitOpen at once while the breaker is open, else DatabaseDown, DatabaseRefused or
        DatabaseBusy when no connection is to be had in time.
        """
        return GuardedLoan(self._guard, timeout_s)

    @asynccontextmanager
    async def transaction(
        self, options: TransactionOptions = DEFAULT, *, timeout_s: float | None = None
    ) -> AsyncIterator[Connection]:
        """Makes the block one transaction of a borrowed connection; raises as `connection` and `transaction` do."""
        async with self.connection(timeout_s) as connection, transaction(connection, options):
            yield connection

    async def run_transaction(
        self,
        work: Callable[[Connection], Awaitable[T]],
        options: TransactionOptions = DEFAULT,
        *,
        attempts: int = 1,
    ) -> T:
        """Does work in a transaction, again where the server asks for that; see `transaction.run_transaction`."""
        return await run_transaction(self.connection, work, options, attempts=attempts)

    async def look(self, timeout_s: float) -> Sight:
        """Looks at the server by a connection of its own, and keeps what was found for `view`; counts for nothing.

        Raises: DatabaseDown, DatabaseRefused.
        """
        try:
            sight = await probe(self.target, timeout_s)
        except (DatabaseDown, DatabaseRefused) as trouble:
            last = None if self._server is None else self._server.sight
            state = _state_of(trouble)
            self._server = ServerView(state, trouble.message, datetime.now(UTC), last)
            raise
        self._server = ServerView(ServerState.UP, "", datetime.now(UTC), sight)
        return sight

    def reset_breaker(self) -> None:
        """Closes the breaker, whatever its state."""
        self._breaker.reset(self._clock())

    def force_open_breaker(self, reason: str) -> None:
        """Opens the breaker until it is reset; `reason` is for people."""
        self._force_reason = reason
        self._breaker.force_open(self._clock())
        log.warning("circuit breaker opened by hand", database=self.name, reason=reason)
        self._wake()

    def view(self) -> DatabaseView:
        """The database as it is now, of what is known: nothing is asked for."""
        breaker = self._breaker.view(self._clock())
        is_forced = breaker.state is BreakerState.FORCED_OPEN
        return DatabaseView(
            name=self.name,
            embedded=self.embedded,
            server=self._server,
            pool=self.pool.stats(),
            leaks=tuple(self.pool.leaks()),
            breaker=breaker,
            failure_threshold=self._breaker_options.failures,
            state_time=self._state_time,
            half_open_time=self._half_open_time,
            last_failure=self._reports.last_failure,
            force_reason=self._force_reason if is_forced else "",
        )

    def changed(self) -> asyncio.Event:
        """Returns an event that is set at the next change of the breaker."""
        return self._changed

    def _breaker_changed(self, change: Transition) -> None:
        self._state_time = datetime.now(UTC)
        half_open_at_s = self._breaker.view(change.at_s).half_open_at_s
        self._half_open_time = None
        if half_open_at_s is not None:
            left = timedelta(seconds=half_open_at_s - change.at_s)
            self._half_open_time = self._state_time + left
        level = log.info if change.after is BreakerState.CLOSED else log.warning
        level(
            "circuit breaker changed",
            database=self.name,
            state=change.after.value,
            before=change.before.value,
            cause=change.cause.value,
        )
        self._wake()

    def _wake(self) -> None:
        # A new event for those who ask from now on: nobody has to clear one that others still wait for.
        self._changed.set()
        self._changed = asyncio.Event()


def _state_of(trouble: DatabaseDown | DatabaseRefused) -> ServerState:
    if isinstance(trouble, DatabaseFull):
        return ServerState.FULL
    return ServerState.AWAY if isinstance(trouble, DatabaseDown) else ServerState.REFUSING
