"""What the breaker and the timing of a query cost a caller: CPU time of one core, medians, the empty loop taken off.

`python -m benchmarks.postgres.breaker` prints it by itself.
"""

import time
from dataclasses import dataclass
from random import random
from statistics import median

from stewardd.postgres.breaker import Breaker, BreakerOptions

QUERIES = 200_000
ROUNDS = 9
ASKED_US = 2.0


@dataclass(frozen=True, slots=True)
class QueryCost:
    """Microseconds that each query costs more; `asked_us` is what both together may cost."""

    breaker_us: float
    breaker_and_timing_us: float
    asked_us: float = ASKED_US


def empty_s() -> float:
    """Return the CPU time of the loop itself."""
    began_s = time.process_time()
    for _ in range(QUERIES):
        pass
    return time.process_time() - began_s


def breaker_s(breaker: Breaker) -> float:
    """Return the CPU time of admitting and reporting, the clock not asked."""
    began_s = time.process_time()
    for _ in range(QUERIES):
        breaker.succeeded(breaker.admit(0.0), 0.0)
    return time.process_time() - began_s


def breaker_and_timing_s(breaker: Breaker) -> float:
    """Return the CPU time of admitting, timing and reporting, as around each connection that is lent."""
    clock, held_s = time.monotonic, 0.0
    began_s = time.process_time()
    for _ in range(QUERIES):
        lent_s = clock()
        ticket = breaker.admit(lent_s)
        returned_s = clock()
        held_s += returned_s - lent_s
        breaker.succeeded(ticket, returned_s)
    return time.process_time() - began_s


def query_cost(rounds: int = ROUNDS) -> QueryCost:
    """Measure in turn, so many times."""
    breaker = Breaker("main", BreakerOptions(), random, time.monotonic())
    alone, timed = [], []
    for _ in range(rounds):
        loop_s = empty_s()
        alone.append(breaker_s(breaker) - loop_s)
        timed.append(breaker_and_timing_s(breaker) - loop_s)
    return QueryCost(median(alone) / QUERIES * 1e6, median(timed) / QUERIES * 1e6)


if __name__ == "__main__":
    cost = query_cost()
    print(f"breaker: {cost.breaker_us:.2f} µs a query")
    print(f"breaker and timing: {cost.breaker_and_timing_us:.2f} µs a query, asked {ASKED_US:g}")
