"""What lending a connection and taking it back costs: `python -m benchmarks.postgres.loans ROUNDS`; prints JSON.

CPU seconds of this process, nothing is asked of the server in between. The ways take turns in one event loop, so that
whatever the machine does meanwhile meets all of them.
"""

from __future__ import annotations

import asyncio
import json
import sys
import time
from collections.abc import Awaitable, Callable
from typing import Any

from psycopg_pool import AsyncConnectionPool
from stewardd.postgres.pool import Pool, PoolOptions
from stewardd.postgres.target import DatabaseTarget

from benchmarks.postgres.server import filled

LOANS = 10_000
OURS = "steward, `async with pool.connection()`"
BLOCK = "psycopg_pool, `async with pool.connection()`"
PAIR = "psycopg_pool, `getconn` and `putconn`"
Peer = AsyncConnectionPool[Any]


async def lend_ours(pool: Pool) -> None:
    """Lend in a block."""
    for _ in range(LOANS):
        async with pool.connection():
            pass


async def lend_block(pool: Peer) -> None:
    """Lend in a block."""
    for _ in range(LOANS):
        async with pool.connection():
            pass


async def lend_pair(pool: Peer) -> None:
    """Lend, and take back, without what a block adds."""
    for _ in range(LOANS):
        await pool.putconn(await pool.getconn())


async def cost_s(way: Callable[[], Awaitable[None]]) -> float:
    """Return CPU seconds a loan."""
    began_s = time.process_time()
    await way()
    return (time.process_time() - began_s) / LOANS


async def measure(conninfo: str, rounds: int) -> dict[str, list[float]]:
    """Lend in each way, round after round, the first of which does not count."""
    ours = Pool(DatabaseTarget("bench", conninfo), PoolOptions(max_uses=1_000_000_000))
    peer: Peer = AsyncConnectionPool(
        conninfo,
        min_size=ours.options.min_size,
        max_size=ours.options.max_size,
        open=False,
        kwargs={"autocommit": True},
    )
    await ours.open()
    await peer.open(wait=True)
    await filled(ours)
    ways = {
        OURS: lambda: lend_ours(ours),
        BLOCK: lambda: lend_block(peer),
        PAIR: lambda: lend_pair(peer),
    }
    found: dict[str, list[float]] = {name: [] for name in ways}
    for _ in range(rounds + 1):
        for name, way in ways.items():
            found[name].append(await cost_s(way))
    await peer.close()
    await ours.close()
    return {name: seconds[1:] for name, seconds in found.items()}


if __name__ == "__main__":
    where = sys.stdin.readline().strip()
    print(json.dumps(asyncio.run(measure(where, int(sys.argv[1])))))
