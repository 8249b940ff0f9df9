"""How long a connection of the pool lives, in which order they are lent, and who is told for holding one too long."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack

import psycopg
import pytest
from stewardd.errors import ConfigurationError, DatabaseBusy, DatabaseDown
from stewardd.postgres.pool import Pool, PoolOptions, RetireReason
from stewardd.postgres.target import DatabaseTarget

from tests.integration.postgres.conftest import Clock, OpenPool, Recorder, answer, backend
from tests.support.waiting import until


@pytest.fixture
def open_full(open_pool: OpenPool) -> OpenPool:
    """Opens a pool, and waits until it has its minimum."""

    async def opened(target: DatabaseTarget, options: PoolOptions, **more) -> Pool:
        pool = await open_pool(target, options, **more)
        await until(lambda: pool.stats().idle == options.min_size, 20)
        return pool

    return opened


async def test_a_connection_is_retired_after_its_uses_and_another_takes_its_place(
    database, open_full
):
    pool = await open_full(database, PoolOptions(min_size=1, max_size=1, max_uses=10))
    served: dict[int, int] = {}
    for _ in range(45):
        pid = await backend(pool)
        served[pid] = served.get(pid, 0) + 1
    assert max(served.values()) <= 10
    assert set(pool.stats().retired) == {RetireReason.USES}
    assert pool.stats().retired[RetireReason.USES] in (len(served) - 1, len(served))
    assert pool.stats().size == 1


async def test_connections_made_together_do_not_retire_together(database, open_full):
    pool = await open_full(database, PoolOptions(min_size=8, max_size=8))
    async with AsyncExitStack() as lent:
        lifespans = [(await lent.enter_async_context(pool.connection())).lifespan for _ in range(8)]
    assert len({each.max_uses for each in lifespans}) > 1
    assert len({each.expires_at for each in lifespans}) == 8
    assert all(6750 <= each.max_uses <= 7500 for each in lifespans)


async def test_an_old_connection_is_looked_at_before_a_loan_and_not_lent(database, open_full):
    clock = Clock()
    pool = await open_full(
        database, PoolOptions(min_size=1, max_size=1, max_lifetime_s=60), clock=clock
    )
    first = await backend(pool)
    clock.now += 50
    assert await backend(pool) == first
    clock.now += 10
    assert await backend(pool) != first
    assert pool.stats().retired == {RetireReason.LIFETIME: 1}


async def test_a_resting_connection_is_replaced_when_its_lifetime_ends(database, open_full):
    clock = Clock()
    pool = await open_full(
        database, PoolOptions(min_size=2, max_size=4, max_lifetime_s=60), clock=clock
    )
    clock.now += 60
    await pool.tend()
    assert pool.stats().retired == {RetireReason.LIFETIME: 2}
    await until(lambda: pool.stats().idle == 2, 20)


async def lend_all_at_once(pool: Pool, count: int) -> None:
    async with AsyncExitStack() as lent:
        for _ in range(count):
            await lent.enter_async_context(pool.connection())


async def test_what_rests_for_too_long_is_closed_down_to_the_minimum_all_at_once(
    database, open_full
):
    clock = Clock()
    pool = await open_full(database, PoolOptions(min_size=2, max_size=8), clock=clock)
    await lend_all_at_once(pool, 8)
    clock.now += 29
    await pool.tend()
    assert pool.stats().idle == 8
    clock.now += 1
    await pool.tend()
    assert (pool.stats().size, pool.stats().retired) == (2, {RetireReason.IDLE: 6})


async def test_a_timer_of_the_pools_own_closes_what_rests(database, open_full):
    pool = await open_full(database, PoolOptions(min_size=1, max_size=6, idle_timeout_s=0.4))
    await lend_all_at_once(pool, 6)
    assert pool.stats().size == 6
    await until(lambda: pool.stats().size == 1, 20)  # nobody borrows meanwhile


async def test_a_small_load_uses_few_connections_so_that_the_others_rest(database, open_full):
    clock = Clock()
    pool = await open_full(database, PoolOptions(min_size=0, max_size=6), clock=clock)
    await lend_all_at_once(pool, 6)
    for _ in range(31):
        clock.now += 1
        await answer(pool)
        await pool.tend()
    assert pool.stats().size == 1


async def test_callers_are_served_in_the_order_in_which_they_came(database, open_full):
    pool = await open_full(database, PoolOptions(min_size=1, max_size=1))
    served: list[int] = []

    async def call(number: int) -> None:
        async with pool.connection():
            served.append(number)

    async with pool.connection():
        calls = []
        for number in range(20):
            calls.append(asyncio.create_task(call(number)))
            await asyncio.sleep(0)
        calls[3].cancel()
        calls[0].cancel()
    await asyncio.gather(*calls, return_exceptions=True)
    assert served == [1, 2, *range(4, 20)]
    stats = pool.stats()
    assert (stats.cancelled, stats.waiting, stats.lent, stats.idle) == (2, 0, 0, 1)


async def test_a_caller_that_is_cancelled_just_as_it_is_served_gives_its_connection_on(
    database, open_full
):
    pool = await open_full(database, PoolOptions(min_size=1, max_size=1))
    async with AsyncExitStack() as lent:
        await lent.enter_async_context(pool.connection())
        first = asyncio.create_task(answer(pool))
        second = asyncio.create_task(answer(pool))
        await until(lambda: pool.stats().waiting == 2, 5)
    first.cancel()  # its connection was handed over in this turn of the loop
    assert await second == 42
    assert first.cancelled()
    assert pool.stats().idle == 1


async def test_it_grows_by_one_at_a_time_while_callers_wait(proxied, proxy, open_pool):
    proxy.delay_s = 0.1
    pool = await open_pool(proxied, PoolOptions(min_size=0, max_size=4, acquire_timeout_s=30))
    connecting: set[int] = set()

    async def hold() -> None:
        async with pool.connection():
            connecting.add(pool.stats().connecting)
            await until(lambda: pool.stats().connects == 4, 20)

    await asyncio.gather(*(hold() for _ in range(4)))
    assert connecting <= {0, 1}
    assert pool.stats().connects == 4


async def test_while_callers_are_served_soon_it_grows_half_as_fast(proxied, proxy, open_pool):
    clock = Clock()
    pool = await open_pool(
        proxied, PoolOptions(min_size=0, max_size=4, acquire_timeout_s=30), clock=clock
    )
    proxy.delay_s = 0.2
    may_end = asyncio.Event()
    first = asyncio.create_task(hold_on(pool, may_end))
    await until(lambda: pool.stats().connecting == 1, 5)
    clock.now += 0.5  # that is what it takes to connect, by this clock
    second = asyncio.create_task(hold_on(pool, may_end))
    await until(lambda: pool.stats().lent == 1, 20)
    await asyncio.sleep(0)
    assert (pool.stats().waiting, pool.stats().connecting) == (1, 0)
    await until(lambda: pool.stats().lent == 2, 20)  # demand lasts
    may_end.set()
    await asyncio.gather(first, second)


async def test_a_burst_that_the_connections_can_serve_opens_hardly_any(proxied, proxy, open_pool):
    pool = await open_pool(proxied, PoolOptions(min_size=5, max_size=20))
    await until(lambda: pool.stats().idle == 5, 20)
    proxy.delay_s = 1.0  # more than the burst takes
    assert await asyncio.gather(*(answer(pool) for _ in range(50))) == [42] * 50
    assert pool.stats().size <= 6


async def hold_on(pool: Pool, told: asyncio.Event) -> None:
    async with pool.connection():  # the line that a leak names
        await told.wait()


async def test_who_holds_a_connection_for_long_is_told_once_counted_and_listed(database, open_full):
    clock, seen, may_end = Clock(), Recorder(), asyncio.Event()
    pool = await open_full(
        database, PoolOptions(min_size=1, max_size=2, leak_after_s=10), observer=seen, clock=clock
    )
    borrower = asyncio.create_task(hold_on(pool, may_end), name="import-7")
    await until(lambda: pool.stats().lent == 1, 5)
    await pool.tend()
    assert (seen.leaks, pool.leaks()) == ([], [])
    clock.now += 11
    for _ in range(3):
        await pool.tend()
    (leak,) = seen.leaks
    assert leak.task == "import-7 hold_on"
    assert leak.file == __file__
    assert leak.line == hold_on.__code__.co_firstlineno + 1
    clock.now += 5
    assert [each.held_s for each in pool.leaks()] == [16]
    assert (pool.stats().leaks, pool.stats().leaks_held) == (1, 1)
    may_end.set()
    await borrower
    assert (pool.leaks(), pool.stats().leaks, pool.stats().leaks_held) == ([], 1, 0)


async def test_a_drain_closes_what_rests_now_and_what_is_lent_as_it_comes_back(database, open_full):
    seen = Recorder()
    pool = await open_full(database, PoolOptions(min_size=2, max_size=3), observer=seen)
    async with pool.connection() as connection:
        before = connection.info.backend_pid
        pool.drain()
        await connection.execute("SELECT 1")  # a loan is not disturbed
    await until(lambda: pool.stats().idle == 2, 20)
    assert pool.stats().retired == {RetireReason.DRAINED: 2}
    assert await backend(pool) != before
    assert [each.value for each in seen.drains] == ["asked"]


async def test_an_error_of_a_statement_leaves_the_connection_in_the_pool(database, open_full):
    seen = Recorder()
    pool = await open_full(database, PoolOptions(min_size=1, max_size=1), observer=seen)
    before = await backend(pool)

    async def divide() -> None:
        async with pool.connection() as connection:
            await connection.execute("SELECT 1 / 0")

    with pytest.raises(psycopg.errors.DivisionByZero):
        await divide()
    assert await backend(pool) == before
    assert [each.value if each else None for each in seen.releases] == [None, "answered", None]


async def test_a_closed_pool_keeps_nothing_open_and_tells_those_who_wait(database, open_full):
    pool = await open_full(database, PoolOptions(min_size=1, max_size=1))
    async with pool.connection() as connection:
        waiting = asyncio.create_task(answer(pool))
        await until(lambda: pool.stats().waiting == 1, 5)
        await pool.close()
        assert not connection.closed
    assert connection.closed
    with pytest.raises(Exception, match="are closed"):
        await waiting
    with pytest.raises(Exception, match="are closed"):
        await answer(pool)
    assert pool.stats().size == 0


async def test_a_pool_that_is_closed_while_it_cleans_leaves_nothing_open(database, open_full):
    pool = await open_full(database, PoolOptions(min_size=1, max_size=1))

    async def begin_and_fail() -> psycopg.AsyncConnection[object]:
        lent: list[psycopg.AsyncConnection[object]] = []
        with pytest.raises(ZeroDivisionError):
            async with pool.connection() as connection:
                lent.append(connection)
                await connection.execute("BEGIN")
                raise ZeroDivisionError
        return lent[0]

    connection = await begin_and_fail()
    await pool.close()
    assert connection.closed
    assert pool.stats().size == 0


async def test_what_is_given_back_to_a_closed_pool_in_a_transaction_is_closed_at_once(
    database, open_full
):
    pool = await open_full(database, PoolOptions(min_size=1, max_size=1))
    with pytest.raises(psycopg.errors.ActiveSqlTransaction):
        async with pool.connection() as connection:
            await connection.execute("BEGIN")
            await pool.close()
    assert connection.closed  # nobody waits for a task that would do it later
    assert pool.stats().size == 0


async def test_a_connection_that_is_tried_while_the_pool_is_closed_is_not_lent(database, open_pool):
    clock = Clock()
    pool = await open_pool(database, PoolOptions(min_size=1, max_size=1), clock=clock)
    await until(lambda: pool.stats().idle == 1, 20)
    clock.now += 6  # long enough to be tried first
    asking = asyncio.create_task(answer(pool))
    await asyncio.sleep(0)  # it is being tried from now on
    assert pool.stats().lent == 1
    await pool.close()
    with pytest.raises(DatabaseDown, match="are closed"):
        await asking
    assert pool.stats().size == 0


async def test_who_waits_to_hear_why_there_is_no_connection_hears_of_the_close(
    proxied, proxy, open_pool
):
    pool = await open_pool(proxied, PoolOptions(min_size=0, max_size=1, acquire_timeout_s=0.05))
    proxy.stall()
    asking = asyncio.create_task(answer(pool))
    await until(lambda: pool._watcher._looking is not None, 5)
    await pool.close()
    with pytest.raises(DatabaseDown, match="are closed"):  # and it is not taken for cancelled
        await asking


async def test_time_that_is_over_is_counted(database, open_full):
    pool = await open_full(database, PoolOptions(min_size=1, max_size=1, max_waiting=1))
    async with pool.connection():

        async def wait_briefly() -> None:
            async with pool.connection(timeout_s=0.2):
                pass

        waiting = asyncio.create_task(wait_briefly())
        await until(lambda: pool.stats().waiting == 1, 5)
        with pytest.raises(DatabaseBusy, match="1 callers wait"):
            await answer(pool)
        with pytest.raises(DatabaseBusy, match=r"within 0\.2 s"):
            await waiting
    stats = pool.stats()
    assert (stats.acquires, stats.timeouts, stats.refused) == (1, 1, 1)


@pytest.mark.parametrize(("smallest", "largest"), [(5, 4), (-1, 4), (0, 0)])
def test_sizes_that_contradict_each_other_are_refused(smallest, largest):
    with pytest.raises(ConfigurationError, match=f"{smallest} to {largest} connections"):
        PoolOptions(min_size=smallest, max_size=largest)
