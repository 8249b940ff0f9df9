"""Connections to one database, shared: psycopg's pool, and around it what an outage asks for.

psycopg's pool takes minutes to come back from a long outage (its pauses double) and says PoolTimeout for everything.
Here a watcher looks at a database that fails twice a second and refills the pool as soon as it answers; a connection
that rested is tried before it is lent; the first broken one empties the pool; and who gets none is told whether the
database is away (DatabaseDown), has no connection left (DatabaseFull), refuses us (DatabaseRefused) or all connections
of the pool are lent (DatabaseBusy).

Not here: the limit of uses per connection, a stricter idle limit, and the breaker, which stands in front of a pool.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import Any

import psycopg
from psycopg import AsyncConnection
from psycopg_pool import AsyncConnectionPool, PoolClosed, PoolTimeout, TooManyRequests

from stewardd.errors import (
    DatabaseBusy,
    DatabaseDown,
    DatabaseFull,
    DatabaseRefused,
    StewardError,
)
from stewardd.postgres.observer import ConnectionObserver, SilentObserver
from stewardd.postgres.pool.options import PoolOptions
from stewardd.postgres.pool.stats import PoolStats
from stewardd.postgres.probe import probe
from stewardd.postgres.target import DatabaseTarget
from stewardd.telemetry import logger

log = logger("postgres")

_WATCH_INTERVAL_S = 0.5
_PROBE_TIMEOUT_S = 1.5
_CONNECT_TIMEOUT_S = 3
_RETRY_FOR_S = 1.0  # psycopg's own retries end after this, and the watcher's begin
_RESTED_S = 5.0  # a liveness check at each acquire would cost ten times the acquire
_CLOSE_TIMEOUT_S = 5.0


class _Pooled(AsyncConnection[Any]):
    """A connection that knows how old it is, and when it was last given back."""

    rested_since = float("inf")

    def __init__(self, *arguments: Any, **keywords: Any) -> None:
        super().__init__(*arguments, **keywords)
        self.made_at = time.monotonic()


class Pool:
    """The connections to one database. Opening never waits for the database."""

    def __init__(
        self,
        target: DatabaseTarget,
        options: PoolOptions | None = None,
        observer: ConnectionObserver | None = None,
    ) -> None:
        self.target = target
        self.options = options or PoolOptions()
        self._observer: ConnectionObserver = observer or SilentObserver()
        self._lent = 0
        self._drained_at = 0.0
        self._trouble: DatabaseDown | DatabaseRefused | None = None
        self._watcher: asyncio.Task[None] | None = None
        self._pool: AsyncConnectionPool[_Pooled] = AsyncConnectionPool(
            _session(target, self.options).conninfo,
            connection_class=_Pooled,
            min_size=self.options.min_size,
            max_size=self.options.max_size,
            timeout=self.options.acquire_timeout_s,
            max_waiting=self.options.max_waiting,
            max_idle=self.options.idle_timeout_s,
            reconnect_timeout=_RETRY_FOR_S,
            check=_check_rested,
            name=target.name,
            open=False,
        )

    async def open(self) -> None:
        """Begins to connect, in the background."""
        await self._pool.open()
        self._watcher = asyncio.create_task(self._watch(), name=f"pool-{self.target.name}")

    async def close(self) -> None:
        """Closes what rests now, and what is lent as it comes back."""
        if self._watcher is not None:
            self._watcher.cancel()
            with suppress(asyncio.CancelledError):
                await self._watcher
        await self._pool.close(_CLOSE_TIMEOUT_S)

    @asynccontextmanager
    async def connection(
        self, timeout_s: float | None = None
    ) -> AsyncIterator[AsyncConnection[Any]]:
        """Lends a connection: commits when the block ends, rolls back when it raises.

        Raises DatabaseDown, DatabaseRefused, DatabaseBusy when none is to be had in time. Errors of statements come
        as psycopg's own; `stewardd.postgres.sqlstate` sorts them.
        """
        connection = await self._acquire(timeout_s)
        self._lent += 1
        try:
            async with connection:
                yield connection
        finally:
            self._lent -= 1
            await self._give_back(connection)

    def stats(self) -> PoolStats:
        """The pool as it is now."""
        seen = self._pool.get_stats()
        return PoolStats(
            size=seen["pool_size"],
            idle=seen["pool_available"],
            lent=self._lent,
            connecting=max(0, seen["pool_size"] - seen["pool_available"] - self._lent),
            waiting=seen["requests_waiting"],
            min_size=seen["pool_min"],
            max_size=seen["pool_max"],
        )

    async def _acquire(self, timeout_s: float | None) -> _Pooled:
        try:
            return await self._pool.getconn(timeout_s)
        except PoolTimeout:
            waited_s = self.options.acquire_timeout_s if timeout_s is None else timeout_s
            raise await self._explain_timeout(waited_s) from None
        except TooManyRequests:
            raise self._busy(
                f"{self.options.max_waiting} callers wait for a connection already"
            ) from None
        except PoolClosed:
            raise DatabaseDown(
                f"the connections to database {self.target.name!r} are closed"
            ) from None

    async def _explain_timeout(
        self, waited_s: float
    ) -> DatabaseDown | DatabaseRefused | DatabaseBusy:
        if self._trouble is not None:
            # A new one: an exception that is raised twice mixes its tracebacks.
            return type(self._trouble)(self._trouble.message, metadata=self._trouble.metadata)
        if self._lent < self.options.max_size:
            # Not all are lent, so that the database must be what is slow.
            try:
                await probe(self.target, _PROBE_TIMEOUT_S)
            except (DatabaseDown, DatabaseRefused) as trouble:
                return trouble
        return self._busy(f"no connection became free within {waited_s:g} s")

    def _busy(self, why: str) -> DatabaseBusy:
        return DatabaseBusy(
            f"database {self.target.name!r}: {why}",
            hint="try again, or raise `postgres.pool_max_size`",
            metadata={"database": self.target.name},
            retry_after_s=1.0,
        )

    async def _give_back(self, connection: _Pooled) -> None:
        connection.rested_since = time.monotonic()
        broken = connection.broken
        await self._pool.putconn(connection)
        if broken and connection.made_at > self._drained_at:
            # The others rest on the same dead server, and would fail their callers one by one. Those that were lent
            # before a drain come back broken after it, and must not empty the pool again.
            self._drained_at = time.monotonic()
            await self._pool.drain()

    async def _watch(self) -> None:
        """Looks at the database while connecting to it fails, and refills the pool when it is back."""
        failures_seen = 0
        while True:
            await asyncio.sleep(_WATCH_INTERVAL_S)
            failures = self._pool.get_stats().get("connections_errors", 0)
            if failures == failures_seen and self._trouble is None:
                continue
            failures_seen = failures
            try:
                await self._look()
            except (StewardError, psycopg.Error, OSError):
                # Without a watcher the pool would not come back.
                log.exception("looking at the database failed", database=self.target.name)

    async def _look(self) -> None:
        try:
            await probe(self.target, _PROBE_TIMEOUT_S)
        except (DatabaseDown, DatabaseRefused) as trouble:
            if self._trouble is None:
                event = "database full" if isinstance(trouble, DatabaseFull) else "database lost"
                log.warning(event, database=self.target.name, error=trouble.message)
            self._trouble = trouble
            return
        if self._trouble is not None:
            log.warning("database back", database=self.target.name)
        self._trouble = None
        await self._refill()

    async def _refill(self) -> None:
        """Starts as many connections as are missing from the minimum, or one for those who wait.

        psycopg gives a connection up for good when its retries end, and grows again only at a next caller. Lowering
        the minimum to what is there and raising it again adds exactly the missing ones.
        """
        seen, options = self.stats(), self.options
        missing = min(max(options.min_size - seen.size, seen.waiting), options.max_size - seen.size)
        if missing > 0:
            lowered = min(seen.size, options.min_size)
            await self._pool.resize(lowered, options.max_size)
            await self._pool.resize(lowered + missing, options.max_size)
            await self._pool.resize(options.min_size, options.max_size)


async def _check_rested(connection: _Pooled) -> None:
    """Tries a connection that has rested, before it is lent; a fresh one has just proven itself."""
    if time.monotonic() - connection.rested_since > _RESTED_S:
        await AsyncConnectionPool.check_connection(connection)


def _session(target: DatabaseTarget, options: PoolOptions) -> DatabaseTarget:
    """The target with what every connection of the pool is opened with."""
    if options.statement_timeout_s is not None:
        target = target.with_options(
            {"statement_timeout": str(round(options.statement_timeout_s * 1000))}
        )
    return target.with_parameters(
        application_name=options.application_name, connect_timeout=_CONNECT_TIMEOUT_S
    )
