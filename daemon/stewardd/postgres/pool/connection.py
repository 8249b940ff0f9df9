"""A connection of the pool: psycopg's, which knows how long it may live and when it was last given back."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from dataclasses import dataclass
from random import Random
from typing import Any, TypeVar

import psycopg
from psycopg import AsyncConnection

from stewardd.postgres.pool.options import PoolOptions
from stewardd.postgres.pool.stats import RetireReason
from stewardd.postgres.target import DatabaseTarget

T = TypeVar("T")

_JITTER = 0.1
_PREPARE_AFTER_USES = 5  # of the same statement; psycopg's own default
_RECOVERY_QUERY = "SELECT pg_is_in_recovery()"


@dataclass(frozen=True, slots=True)
class Lifespan:
    """How many loans a connection may serve, and until when."""

    max_uses: int
    expires_at: float


def draw_lifespan(options: PoolOptions, now: float, random: Random) -> Lifespan:
    """Draws up to a tenth less than the limits: connections made together must not all retire together."""
    part = 1 - _JITTER * random.random()
    return Lifespan(max(1, int(options.max_uses * part)), now + options.max_lifetime_s * part)


class PooledConnection(AsyncConnection[Any]):
    """One connection of a pool. `generation` is the pool's at the time when it began to connect."""

    lifespan = Lifespan(0, 0.0)
    generation = 0
    uses = 0
    rested_since = 0.0

    def reason_to_retire(self, now: float) -> RetireReason | None:
        """Says why it may serve no more, or None while it may."""
        if self.uses >= self.lifespan.max_uses:
            return RetireReason.USES
        if now >= self.lifespan.expires_at:
            return RetireReason.LIFETIME
        return None

    def finish(self) -> None:
        """Closes it at once; a statement that runs on it goes on until the server notices."""
        self.pgconn.finish()

    async def in_recovery(self, timeout_s: float) -> bool:
        """Asks the server whether it is a standby. Raises psycopg.Error, TimeoutError; after that it is closed."""
        try:
            cursor = await _bounded(self.execute(_RECOVERY_QUERY), timeout_s)
            row = await cursor.fetchone()
        except (psycopg.Error, TimeoutError):
            self.finish()
            raise
        return row is not None and bool(row[0])

    async def clean(self, timeout_s: float) -> None:
        """Ends what a borrower left behind: a statement is cancelled, a transaction rolled back.

        Where that does not succeed in time, the connection is closed.
        """
        try:
            if self.pgconn.transaction_status == psycopg.pq.TransactionStatus.ACTIVE:
                await self.cancel_safe(timeout=timeout_s)
                self.finish()  # what it still sends belongs to nobody
            else:
                await _bounded(self.rollback(), timeout_s)
        except (psycopg.Error, TimeoutError):
            self.finish()


async def open_connection(target: DatabaseTarget, options: PoolOptions) -> PooledConnection:
    """Connects in autocommit mode. Raises psycopg.Error."""
    return await PooledConnection.connect(
        target.conninfo,
        autocommit=True,
        prepare_threshold=None if options.pooled else _PREPARE_AFTER_USES,
    )


async def _bounded(work: Coroutine[Any, Any, T], timeout_s: float) -> T:
    """Awaits a statement for so long. Raises TimeoutError.

    asyncio.timeout is not enough here: psycopg answers the first cancel by asking the server to end the statement, for
    up to ten seconds, and a server that says nothing is just what this bound is for. At the second cancel it gives up.
    """
    statement = asyncio.ensure_future(work)
    try:
        done, _ = await asyncio.wait({statement}, timeout=timeout_s)
    except asyncio.CancelledError:
        await _abandon(statement)
        raise
    if done:
        return statement.result()
    await _abandon(statement)
    raise TimeoutError


async def _abandon(statement: asyncio.Future[Any]) -> None:
    while not statement.done():
        statement.cancel()
        await asyncio.sleep(0)
