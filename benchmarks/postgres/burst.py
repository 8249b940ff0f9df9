"""A burst on an idle pool, as steward's pool takes it: `python -m benchmarks.postgres.burst CALLERS QUERIES`.

Prints the seconds from the first call to the last answer, as JSON. The Java program beside it does the same.
"""

from __future__ import annotations

import asyncio
import json
import sys
import time

from stewardd.postgres.pool import Pool, PoolOptions
from stewardd.postgres.target import DatabaseTarget

from benchmarks.postgres.server import filled

QUERY = "SELECT pg_sleep(0.002)"
REST_S = 1.0


async def burst(conninfo: str, callers: int, queries: int) -> float:
    """Let so many callers come at once, each with so many queries in a row, each query on a loan of its own."""
    pool = Pool(DatabaseTarget("bench", conninfo), PoolOptions(acquire_timeout_s=30))
    await pool.open()
    await filled(pool)
    print("ready", flush=True)
    await asyncio.to_thread(sys.stdin.readline)

    async def call() -> None:
        for _ in range(queries):
            async with pool.connection() as connection:
                await connection.execute(QUERY)

    began_s = time.perf_counter()
    await asyncio.gather(*(call() for _ in range(callers)))
    took_s = time.perf_counter() - began_s
    await asyncio.sleep(REST_S)  # what is being connected still counts
    await pool.close()
    return took_s


if __name__ == "__main__":
    where = sys.stdin.readline().strip()
    print(json.dumps(asyncio.run(burst(where, *map(int, sys.argv[1:])))))
