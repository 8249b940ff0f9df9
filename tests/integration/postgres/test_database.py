"""A database with its breaker: what opens it and what does not, an outage under load, and the return."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

import psycopg
import pytest
from stewardd.errors import CircuitOpen, DatabaseBusy, DatabaseDown, DatabaseRefused, StewardError
from stewardd.postgres.breaker import BreakerOptions, BreakerState
from stewardd.postgres.database import Database, ServerState
from stewardd.postgres.embedded import EmbeddedOptions
from stewardd.postgres.pool import PoolOptions
from stewardd.postgres.transaction import TransactionOptions

from tests.support.campaigns import FULL
from tests.support.waiting import until

OPTIONS = EmbeddedOptions(settings={"shared_buffers": "32MB"})
POOL = PoolOptions(min_size=2, max_size=5, acquire_timeout_s=2)
LAZY = PoolOptions(min_size=0, max_size=5, acquire_timeout_s=2)
AT_ONCE = BreakerOptions(failures=1)
"""One failure opens it, so that what opens it not is no failure."""
CALLERS = 20


@dataclass(frozen=True)
class Outage:
    """How long an outage lasts, and how soon breaker, refusals and the return must follow."""

    pool: PoolOptions
    lasts_s: float
    open_within_s: float
    refused_within_s: float
    back_within_s: float


# What is promised, of the pool as it is configured by default; and what a busy machine keeps too.
PROMISED = Outage(PoolOptions(), 40, 6, 0.005, 2)
SHORT = Outage(POOL, 5, 10, 0.05, 5)
OUTAGE = PROMISED if FULL else SHORT


@dataclass
class Load:
    """Callers that ask again and again, and what became of their calls, by whether the database had come back."""

    before: Counter[str] = field(default_factory=Counter)
    after: Counter[str] = field(default_factory=Counter)
    refused_s: list[float] = field(default_factory=list)
    successes_s: list[float] = field(default_factory=list)
    """When a call that began while the breaker was open or later was answered."""
    is_open: bool = False
    is_done: bool = False

    async def call_on(self, database: Database) -> None:
        while not self.is_done:
            await self.call(database)
            await asyncio.sleep(0.02)

    async def call(self, database: Database) -> None:
        began_s, began_open = time.monotonic(), self.is_open
        counts = self.after if self.successes_s else self.before
        try:
            await answer(database)
        except CircuitOpen:
            self.refused_s.append(time.monotonic() - began_s)
            counts["refused"] += 1
        except (StewardError, psycopg.Error) as error:
            counts[type(error).__name__] += 1
        else:
            counts["answered"] += 1
            if began_open:
                self.successes_s.append(time.monotonic())


@asynccontextmanager
async def opened(target, pool=POOL, breaker=None):
    made = Database(target, pool, breaker)
    await made.open()
    try:
        yield made
    finally:
        await made.close()


async def answer(database: Database) -> int:
    async with database.connection() as connection:
        row = await (await connection.execute("SELECT 42")).fetchone()
        assert row is not None
        return int(row[0])


def state(database: Database) -> BreakerState:
    return database.view().breaker.state


@pytest.fixture(scope="module")
def home(session_folder: Path) -> Path:
    """A data folder whose cluster is made once, and serves one test after the other."""
    path = session_folder / "database"
    path.mkdir(mode=0o711)
    return path


@pytest.fixture
async def server(home: Path, start_server):
    return await start_server(home, OPTIONS)


async def test_what_the_database_answers_opens_nothing(database):
    async with opened(database, POOL, AT_ONCE) as made:
        async with made.connection() as connection:
            await connection.execute("CREATE TABLE t (n int PRIMARY KEY)")
            await connection.execute("INSERT INTO t VALUES (1), (2)")
        with pytest.raises(psycopg.errors.UniqueViolation):
            async with made.connection() as connection:
                await connection.execute("INSERT INTO t VALUES (1)")
        with pytest.raises(psycopg.errors.SyntaxError):
            async with made.connection() as connection:
                await connection.execute("SELEKT")
        with pytest.raises(psycopg.errors.QueryCanceled):
            async with made.transaction(TransactionOptions(statement_timeout_s=0.1)) as connection:
                await connection.execute("SELECT pg_sleep(30)")
        with pytest.raises(ZeroDivisionError):
            async with made.connection():
                raise ZeroDivisionError
        assert state(made) is BreakerState.CLOSED


async def test_a_deadlock_opens_nothing(database):
    async with opened(database, POOL, AT_ONCE) as made:
        async with made.connection() as connection:
            await connection.execute("CREATE TABLE t (n int PRIMARY KEY, m int)")
            await connection.execute("INSERT INTO t VALUES (1, 0), (2, 0)")
        both_hold = asyncio.Barrier(2)

        async def lock(first: int, second: int) -> None:
            async with made.transaction() as connection:
                await connection.execute("UPDATE t SET m = 1 WHERE n = %s", (first,))
                await both_hold.wait()
                await connection.execute("UPDATE t SET m = 1 WHERE n = %s", (second,))

        ended = await asyncio.gather(lock(1, 2), lock(2, 1), return_exceptions=True)
        assert [type(each) for each in ended if each] == [psycopg.errors.DeadlockDetected]
        assert state(made) is BreakerState.CLOSED


async def test_a_wrong_password_opens_nothing(database):
    async with opened(database.with_parameters(password="wrong"), POOL, AT_ONCE) as made:
        for _ in range(3):
            with pytest.raises(DatabaseRefused, match="password authentication failed"):
                await answer(made)
        assert state(made) is BreakerState.CLOSED


async def test_a_pool_that_is_only_busy_and_callers_that_are_cancelled_open_nothing(database):
    one = PoolOptions(min_size=1, max_size=1, acquire_timeout_s=0.3)
    async with opened(database, one, AT_ONCE) as made:
        async with made.connection():
            with pytest.raises(DatabaseBusy):
                await answer(made)
        task = asyncio.create_task(_sleep_in(made))
        await until(lambda: made.view().pool.lent == 1)
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task
        assert state(made) is BreakerState.CLOSED
        assert await answer(made) == 42


async def test_cancelled_callers_open_and_drain_nothing_where_a_request_to_cancel_ends_in_a_reset(
    proxied, proxy
):
    """The server took the request, and something on the way ended its connection by RST instead of FIN."""
    async with opened(proxied, POOL, AT_ONCE) as made:
        for _ in range(3):
            tasks = [asyncio.create_task(_sleep_in(made)) for _ in range(POOL.max_size)]
            await until(lambda: _sessions(made, "active") == POOL.max_size)
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
        assert state(made) is BreakerState.CLOSED
        stats = made.view().pool
        assert stats.drains == {}
        assert stats.retired == {}, "the statements ended, so the connections are good"
        assert await answer(made) == 42


async def _sleep_in(database: Database) -> None:
    async with database.connection() as connection:
        await connection.execute("SELECT pg_sleep(60)")


async def test_looks_of_the_monitoring_count_for_nothing(server):
    target = server.target("main")
    await server.stop()
    async with opened(target, LAZY, AT_ONCE) as made:
        for _ in range(3):
            with pytest.raises(DatabaseDown):
                await made.look(2)
        view = made.view()
        assert view.server is not None
        assert (view.server.state, view.server.sight) == (ServerState.AWAY, None)
        assert (view.breaker.state, view.breaker.failures) == (BreakerState.CLOSED, 0)


async def test_a_lone_caller_trips_it_within_a_few_tries(server):
    target = server.target("main")
    await server.stop()
    async with opened(target, LAZY) as made:
        with pytest.raises(CircuitOpen) as refused:
            for _ in range(6):
                with suppress(DatabaseDown):
                    await answer(made)
        assert refused.value.retry_after_s is not None
        assert made.view().last_failure is not None
        assert "away" in made.view().last_failure.message


async def test_an_outage_under_load_and_the_return(home, server, start_server):
    load = Load()
    async with opened(server.target("main"), OUTAGE.pool) as made:
        callers = [asyncio.create_task(load.call_on(made)) for _ in range(CALLERS)]
        await until(lambda: load.before["answered"] > 100)
        await server.stop()
        stopped_at_s = time.monotonic()
        await until(lambda: state(made) is BreakerState.OPEN, OUTAGE.open_within_s)
        load.is_open = True
        await asyncio.sleep(stopped_at_s + OUTAGE.lasts_s - time.monotonic())
        assert load.successes_s == []
        await start_server(home, OPTIONS)
        started_at_s = time.monotonic()
        await until(lambda: bool(load.successes_s), 10)
        assert load.successes_s[0] - started_at_s < OUTAGE.back_within_s
        await until(lambda: load.after["answered"] > 500)
        load.is_done = True
        await asyncio.gather(*callers)
        assert set(load.after) == {"answered"}
        # Refused by the breaker, none of them waited for a connection.
        refused_s = sorted(load.refused_s)
        assert len(refused_s) > 500
        assert refused_s[len(refused_s) * 9 // 10] < OUTAGE.refused_within_s
        view = made.view()
        assert view.breaker.state is BreakerState.CLOSED
        assert view.pool.lent == 0
        assert OUTAGE.pool.min_size <= view.pool.size <= OUTAGE.pool.max_size
        assert _sessions(made) == made.view().pool.size


def _sessions(database: Database, state: str = "%") -> int:
    with psycopg.connect(database.target.conninfo) as connection:
        row = connection.execute(
            "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'stewardd' AND state LIKE %s",
            [state],
        ).fetchone()
    assert row is not None
    return int(row[0])


async def test_a_stall_with_all_connections_lent_opens_it_when_their_callers_give_up(
    proxied, proxy
):
    """Nobody waits for a connection, and none is being made: only those that are lent can tell."""
    full = PoolOptions(min_size=CALLERS, max_size=CALLERS)
    async with opened(proxied, full) as made:
        await until(lambda: made.view().pool.idle == CALLERS)

        async def call() -> None:
            async with asyncio.timeout(1):
                await _sleep_in(made)

        tasks = [asyncio.create_task(call()) for _ in range(CALLERS)]
        await until(lambda: made.view().pool.lent == CALLERS)
        proxy.stall()
        await until(lambda: state(made) is BreakerState.OPEN, 1 + full.acquire_timeout_s)
        ended = await asyncio.gather(*tasks, return_exceptions=True)
        assert {type(each) for each in ended} == {TimeoutError}
        proxy.flow(forget=True)
        await until(lambda: state(made) is BreakerState.HALF_OPEN)
        assert await answer(made) == 42
        assert state(made) is BreakerState.CLOSED


async def test_a_slow_end_of_a_cancelled_statement_opens_nothing(database):
    """The server was reached, and asked to end it: that it takes its time says nothing of the database."""
    async with opened(database, POOL, AT_ONCE) as made:
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.3), made.connection() as connection:
                await connection.execute(
                    "DO $$ BEGIN LOOP BEGIN PERFORM pg_sleep(60); EXCEPTION WHEN query_canceled THEN"
                    " PERFORM pg_sleep(4); EXIT; END; END LOOP; END $$"
                )
        assert connection.closed
        assert state(made) is BreakerState.CLOSED
        assert await answer(made) == 42


async def test_of_twenty_callers_at_half_open_one_is_the_probe(home, server, start_server):
    target = server.target("main")
    await server.stop()
    async with opened(target, LAZY, AT_ONCE) as made:
        with pytest.raises(DatabaseDown):
            await answer(made)
        assert state(made) is BreakerState.OPEN
        await start_server(home, OPTIONS)
        await until(lambda: state(made) is BreakerState.HALF_OPEN)
        before = made.view().pool.acquires
        tasks = [asyncio.create_task(answer(made)) for _ in range(CALLERS)]
        await asyncio.sleep(0)
        assert made.view().breaker.probes == 1
        ended = await asyncio.gather(*tasks, return_exceptions=True)
        assert ended.count(42) == 1
        assert sum(isinstance(each, CircuitOpen) for each in ended) == CALLERS - 1
        assert made.view().pool.acquires == before + 1
        assert state(made) is BreakerState.CLOSED


async def test_a_probe_that_is_cancelled_leaves_room_for_the_next(home, server, start_server):
    target = server.target("main")
    await server.stop()
    slow = PoolOptions(min_size=0, max_size=5, acquire_timeout_s=30)
    async with opened(target, slow, BreakerOptions(failures=1, open_s=0.2)) as made:
        first = asyncio.create_task(answer(made))
        await until(lambda: state(made) is not BreakerState.CLOSED)
        await until(lambda: state(made) is BreakerState.HALF_OPEN)
        probe = asyncio.create_task(answer(made))
        await until(lambda: made.view().breaker.probes == 1)
        with pytest.raises(CircuitOpen):
            await answer(made)
        probe.cancel()
        first.cancel()
        await asyncio.gather(probe, first, return_exceptions=True)
        assert made.view().breaker.probes == 0
        await start_server(home, OPTIONS)
        assert await answer(made) == 42


async def test_a_probe_that_holds_its_connection_for_long_holds_up_nobody(
    home, server, start_server
):
    target = server.target("main")
    await server.stop()
    async with opened(target, LAZY, AT_ONCE) as made:
        with pytest.raises(DatabaseDown):
            await answer(made)
        await start_server(home, OPTIONS)
        await until(lambda: state(made) is BreakerState.HALF_OPEN)
        async with made.connection():
            assert state(made) is BreakerState.CLOSED
            assert await answer(made) == 42


async def test_one_that_was_opened_by_hand_refuses_until_it_is_reset(database):
    async with opened(database) as made:
        changed = made.changed()
        made.force_open_breaker("moving the disk")
        assert changed.is_set()
        with pytest.raises(CircuitOpen, match="opened by hand"):
            await answer(made)
        assert made.view().force_reason == "moving the disk"
        made.reset_breaker()
        assert await answer(made) == 42
        assert (state(made), made.view().force_reason) == (BreakerState.CLOSED, "")


async def test_work_in_a_transaction_is_repeated_through_the_breaker(database):
    attempts = []

    async def work(connection) -> int:
        attempts.append(1)
        if len(attempts) == 1:
            await connection.execute("DO $$ BEGIN RAISE EXCEPTION USING ERRCODE = '40001'; END $$")
        row = await (await connection.execute("SELECT 7")).fetchone()
        return int(row[0])

    async with opened(database, POOL, AT_ONCE) as made:
        assert await made.run_transaction(work, attempts=2) == 7
        assert len(attempts) == 2
        assert state(made) is BreakerState.CLOSED


async def test_it_says_what_its_server_is(database):
    async with opened(database) as made:
        assert made.view().server is None
        await made.look(5)
        server = made.view().server
        assert server is not None
        assert server.sight is not None
        assert (server.state, server.sight.in_recovery) == (ServerState.UP, False)
        assert server.sight.server_version.startswith("18.")
