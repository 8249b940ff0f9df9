"""A connection of the pool: psycopg's, which knows how long it may live and when it was last given back."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from dataclasses import dataclass
from random import Random
from typing import Any, TypeVar

import psycopg
from psycopg import AsyncConnection, waiting
from psycopg.abc import PQGen
from psycopg.pq import TransactionStatus

from stewardd.postgres.pool.options import PoolOptions
from stewardd.postgres.pool.stats import RetireReason
from stewardd.postgres.sqlstate import Verdict, judge_loan
from stewardd.postgres.target import DatabaseTarget

T = TypeVar("T")

_JITTER = 0.1
_PREPARE_AFTER_USES = 5  # of the same statement; psycopg's own default
_WAIT_INTERVAL_S = 0.1  # psycopg's own, too
_CANCEL_TIMEOUT_S = 2.0  # to ask the server for it, and once more for the statement to end
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
    """One connection of a pool. `generation` is the pool's at the time when it began to connect.

    `is_unreachable` tells that the server did not even take the request to end a statement.
    """

    is_unreachable = False
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

    def judge(self, error: BaseException | None) -> Verdict | None:
        """Says what the end of a loan tells of the database; `error` ended the block. See `judge_loan`."""
        return Verdict.AWAY if self.is_unreachable else judge_loan(error, broken=self.broken)

    async def wait(
        self,
        gen: PQGen[T],
        interval: float = _WAIT_INTERVAL_S,
        timeout: float | None = None,  # noqa: ASYNC109 - psycopg's signature
    ) -> T:
        """Waits for an answer; see `AsyncConnection.wait`, which gives the server ten seconds to end a statement.

        For so long a caller that was cancelled would hold a connection to a server that says nothing, and nobody
        would hear that it is away.
        """
        try:
            return await waiting.wait_async(
                gen, self.pgconn.socket, interval=interval, timeout=timeout
            )
        except (asyncio.CancelledError, KeyboardInterrupt):
            if self.pgconn.transaction_status == TransactionStatus.ACTIVE:
                await self._end_statement(gen)
            raise

    async def _end_statement(self, gen: PQGen[Any]) -> None:
        """Asks the server to end the statement. Where it does not end in time, the connection is closed."""
        try:
            is_answered = await self._ask_to_end()
            await waiting.wait_async(
                gen, self.pgconn.socket, interval=_WAIT_INTERVAL_S, timeout=_CANCEL_TIMEOUT_S
            )
            if not is_answered:
                self.finish()  # the request may still be on its way, and would end the next statement
        except psycopg.errors.QueryCanceled:
            pass
        except psycopg.Error:
            self.finish()
        except BaseException:  # cancelled once more: nobody knows what it still sends
            self.finish()
            raise

    async def _ask_to_end(self) -> bool:
        """Sends the request on a connection of its own; tells whether the server answered it.

        Only silence says that the server cannot be reached. A connection that was refused or reset says little: the
        request may have arrived, and if the server is gone, the statement's own connection breaks. Raises
        psycopg.errors.CancellationTimeout.
        """
        try:
            await self.cancel_safe(timeout=_CANCEL_TIMEOUT_S)
        except psycopg.errors.CancellationTimeout:
            self.is_unreachable = True
            raise
        except psycopg.Error:
            return False
        return True

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
            if self.pgconn.transaction_status == TransactionStatus.ACTIVE:
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

    asyncio.timeout is not enough here: the first cancel asks the server to end the statement, for some seconds, and a
    server that says nothing is just what this bound is for. The second cancel gives up.
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
