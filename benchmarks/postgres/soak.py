"""`make soak`: an hour of load and of trouble on one pool with its breaker; then nothing may have grown.

Callers ask, fail, give up and are cancelled; meanwhile sessions are ended, the network is reset, refuses and stalls,
and the pool is drained. Memory, descriptors and the server's sessions are looked at each minute. Ends with 1 when one
of them grew, or when a connection is still lent at the end. `--minutes` makes it shorter.
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import random
import sys
import time
from collections import Counter
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from statistics import median

import psycopg
from stewardd.errors import StewardError
from stewardd.postgres.database import Database
from stewardd.postgres.pool import PoolOptions
from stewardd.postgres.target import DatabaseTarget
from stewardd.postgres.transaction import Isolation, TransactionOptions

from benchmarks.postgres.server import by_tcp, server, socket_path
from tests.support.proxy import Proxy

MINUTES = 60
CALLERS = 30
CALM_S = (5.0, 20.0)
"""How long nothing happens between two troubles."""
WARM_SHARE = 0.25
MEMORY_SLACK_BYTES = 8 << 20
OPTIONS = PoolOptions(
    max_uses=2000, max_lifetime_s=120, idle_timeout_s=10, acquire_timeout_s=3, leak_after_s=30
)
SERIALIZABLE = TransactionOptions(isolation=Isolation.SERIALIZABLE, statement_timeout_s=5)


@dataclass(frozen=True, slots=True)
class Sample:
    """The process at one moment, while the callers stand still."""

    memory_bytes: int
    descriptors: int
    sessions: int
    size: int


async def call(database: Database, chance: random.Random, counts: Counter[str]) -> None:
    """Ask in one of the ways in which people ask; what goes wrong is counted, and is no failure of the soak."""
    way = chance.random()
    try:
        async with asyncio.timeout(chance.choice([0.005, 5, 5, 5])):
            if way < 0.6:
                async with database.connection() as connection:
                    await connection.execute("SELECT %s::int", [chance.randrange(1000)])
            elif way < 0.9:
                await database.run_transaction(count_up, SERIALIZABLE, attempts=3)
            else:
                async with database.connection() as connection:
                    await connection.execute("SELECT 1 / 0")
        counts["answered"] += 1
    except (psycopg.Error, StewardError, TimeoutError) as error:
        counts[type(error).__name__] += 1


async def count_up(connection: psycopg.AsyncConnection[object]) -> None:
    """Read and write a row that others write too."""
    await connection.execute("UPDATE soak SET v = v + 1 WHERE n = 1")


async def call_on(database: Database, seed: int, counts: Counter[str], go: asyncio.Event) -> None:
    """Call again and again, with a breath in between, while `go` is set."""
    chance = random.Random(seed)
    while True:
        await go.wait()
        await call(database, chance, counts)
        await asyncio.sleep(chance.random() * 0.05)


async def make_trouble(database: Database, direct: DatabaseTarget, proxy: Proxy) -> None:
    """Do something to the way to the server, again and again."""
    chance = random.Random(7)
    while True:
        await asyncio.sleep(chance.uniform(*CALM_S))
        match chance.choice(["end", "reset", "refuse", "stall", "drain", "slow"]):
            case "end":
                await asyncio.to_thread(end_sessions, direct)
            case "reset":
                proxy.reset()
            case "refuse":
                proxy.refuse()
                proxy.reset()
                await asyncio.sleep(3)
                proxy.accept()
            case "stall":
                proxy.stall()
                await asyncio.sleep(4)
                proxy.flow(forget=True)
            case "drain":
                database.pool.drain()
            case "slow":
                proxy.pause_s = 0.05
                await asyncio.sleep(3)
                proxy.pause_s = 0.0


def end_sessions(direct: DatabaseTarget) -> None:
    """End all sessions of the pool."""
    with psycopg.connect(direct.conninfo, autocommit=True) as admin:
        admin.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'stewardd'"
        )


def look(database: Database, direct: DatabaseTarget) -> Sample:
    """Look at the process and at the server."""
    gc.collect()
    with psycopg.connect(direct.conninfo, autocommit=True) as admin:
        row = admin.execute(
            "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'stewardd'"
        ).fetchone()
    resident = Path("/proc/self/statm").read_text(encoding="ascii").split()[1]
    return Sample(
        memory_bytes=int(resident) * 4096,
        descriptors=sum(1 for _ in Path("/proc/self/fd").iterdir()),
        sessions=row[0] if row else 0,
        size=database.pool.stats().size,
    )


async def stand_still(database: Database, go: asyncio.Event) -> None:
    """Let no caller begin, and wait until all have given back and what rests over the minimum is closed."""
    go.clear()
    deadline_s = time.monotonic() + 60
    while time.monotonic() < deadline_s:
        stats = database.pool.stats()
        if (stats.lent, stats.connecting, stats.size) == (0, 0, OPTIONS.min_size):
            await asyncio.sleep(1)  # the server's processes end a moment later
            return
        await asyncio.sleep(0.2)


async def soak(direct: DatabaseTarget, minutes: int) -> list[str]:
    """Return what is wrong after it."""
    samples: list[Sample] = []
    counts: Counter[str] = Counter()
    with Proxy(socket_path(direct)) as proxy:
        database = Database(by_tcp(direct, proxy.port), OPTIONS)
        await database.open()
        go = asyncio.Event()
        callers = [
            asyncio.create_task(call_on(database, seed, counts, go)) for seed in range(CALLERS)
        ]
        for minute in range(minutes):
            go.set()
            trouble = asyncio.create_task(make_trouble(database, direct, proxy))
            await asyncio.sleep(40)
            trouble.cancel()
            with suppress(asyncio.CancelledError):
                await trouble
            proxy.flow(forget=True)
            proxy.pause_s = 0.0
            with suppress(OSError):
                proxy.accept()  # where the trouble ended in the middle of a refusal
            proxy.end_forgotten()
            await stand_still(database, go)
            samples.append(look(database, direct))
            print(f"minute {minute + 1}: {samples[-1]} {dict(counts)}", flush=True)
        stats = database.pool.stats()
        print(stats, flush=True)
        for caller in callers:
            caller.cancel()
        await asyncio.gather(*callers, return_exceptions=True)
        await database.close()
    lost = [] if stats.lent == 0 else [f"{stats.lent} connections are lent, and nobody has them"]
    return lost + judge(samples)


def judge(samples: list[Sample]) -> list[str]:
    """Compare the last quarter with the first after the warm-up."""
    warm = samples[int(len(samples) * WARM_SHARE) :]
    quarter = max(1, len(warm) // 4)
    first, last = warm[:quarter], warm[-quarter:]
    wrong = []
    grown = median(s.memory_bytes for s in last) - median(s.memory_bytes for s in first)
    if grown > MEMORY_SLACK_BYTES:
        wrong.append(f"memory grew by {grown / (1 << 20):.1f} MiB")
    if max(s.descriptors for s in last) > max(s.descriptors for s in first):
        wrong.append("there are more descriptors open")
    wrong += [f"{s.sessions} sessions for a pool of {s.size}" for s in last if s.sessions != s.size]
    return wrong


def main() -> int:
    """Run it, and say what is wrong."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.postgres.soak", description=__doc__)
    parser.add_argument("--minutes", type=int, default=MINUTES)
    minutes = parser.parse_args().minutes
    with server() as target:
        with psycopg.connect(target.conninfo) as connection:
            connection.execute(
                "CREATE TABLE soak AS SELECT n, 0 AS v FROM generate_series(1, 10) n"
            )
        wrong = asyncio.run(soak(target, minutes))
    for line in wrong:
        print(f"wrong: {line}")
    print("nothing grew" if not wrong else "the soak failed")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
