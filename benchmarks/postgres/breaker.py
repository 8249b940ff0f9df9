"""What the breaker and the metrics' timing add to a loan with which nothing is done: CPU time of one core, medians.

`python -m benchmarks.postgres.breaker` prints it by itself.
"""

import asyncio
import time
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from statistics import median

from stewardd.app.metrics import DaemonMetrics
from stewardd.postgres.connect import Connection
from stewardd.postgres.database import Database
from stewardd.postgres.databases import Databases
from stewardd.postgres.pool import Pool, PoolOptions
from stewardd.postgres.target import DatabaseTarget

from benchmarks.postgres.server import server

LOANS = 20_000
ROUNDS = 9
ASKED_US = 2.0
# A connection that is replaced on the way would be measured too.
OPTIONS = PoolOptions(min_size=2, max_size=2, max_uses=10**9)

Lend = Callable[[], AbstractAsyncContextManager[Connection]]


@dataclass(frozen=True, slots=True)
class LoanCost:
    """Microseconds of a loan: of the pool alone, through the breaker, and with the metrics' timing as well."""

    pool_us: float
    breaker_us: float
    timed_us: float

    @property
    def more_us(self) -> float:
        """What breaker and timing add together; `ASKED_US` is what they may."""
        return self.timed_us - self.pool_us


async def loan_us(lend: Lend) -> float:
    """Borrows and gives back, so many times."""
    began_s = time.process_time()
    for _ in range(LOANS):
        async with lend():
            pass
    return (time.process_time() - began_s) / LOANS * 1e6


async def loan_cost(target: DatabaseTarget, rounds: int = ROUNDS) -> LoanCost:
    """Measures the three in turn, so many times."""
    pool, plain, timed = Pool(target, OPTIONS), Database(target, OPTIONS), Database(target, OPTIONS)
    DaemonMetrics().add_databases(Databases([timed]))
    lenders: tuple[Lend, ...] = (pool.connection, plain.connection, timed.connection)
    try:
        for each in (pool, plain, timed):
            await each.open()
        turns = [[await loan_us(lend) for lend in lenders] for _ in range(rounds + 1)]
    finally:
        for each in (pool, plain, timed):
            await each.close()
    # The first turn waits for the connections.
    return LoanCost(*(median(column) for column in zip(*turns[1:], strict=True)))


if __name__ == "__main__":
    with server() as here:
        cost = asyncio.run(loan_cost(here))
    print(f"the pool alone:             {cost.pool_us:5.2f} µs a loan")
    print(f"through the breaker:        {cost.breaker_us:5.2f} µs")
    print(
        f"with timing for metrics:    {cost.timed_us:5.2f} µs, {cost.more_us:.2f} more; asked: {ASKED_US:g}"
    )
