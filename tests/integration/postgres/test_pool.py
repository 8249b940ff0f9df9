"""The pool before, during and after an outage of a real server."""

from __future__ import annotations

import asyncio
import os
import signal
import time
from contextlib import AsyncExitStack
from functools import partial
from pathlib import Path

import psycopg
import pytest
from stewardd.errors import DatabaseBusy, DatabaseDown, DatabaseRefused
from stewardd.postgres.embedded import EmbeddedOptions, EmbeddedServer
from stewardd.postgres.pool import PoolOptions
from stewardd.postgres.postmaster import read_postmaster_file

from tests.integration.postgres.conftest import answer
from tests.support.waiting import until

OPTIONS = EmbeddedOptions(settings={"shared_buffers": "32MB"})
SMALL = PoolOptions(min_size=2, max_size=4, acquire_timeout_s=1.5)


@pytest.fixture
async def pool(database, open_pool):
    return await open_pool(database, SMALL)


@pytest.fixture(scope="module")
def home(session_folder: Path) -> Path:
    """A data folder whose cluster is made once, and serves one test after the other."""
    path = session_folder / "pooled"
    path.mkdir(mode=0o711)
    return path


@pytest.fixture
async def server(home: Path, start_server):
    return await start_server(home, OPTIONS)


async def test_it_keeps_its_minimum_and_grows_to_its_maximum(pool):
    await until(lambda: pool.stats().idle == 2, 5)
    async with AsyncExitStack() as lent:
        for _ in range(4):
            await lent.enter_async_context(pool.connection())
        stats = pool.stats()
        assert (stats.size, stats.idle, stats.min_size, stats.max_size) == (4, 0, 2, 4)


async def test_connections_say_whose_they_are_and_stop_statements_in_time(database, open_pool):
    pool = await open_pool(
        database,
        PoolOptions(
            min_size=1, max_size=1, statement_timeout_s=0.2, application_name="stewardd test"
        ),
    )
    async with pool.connection() as connection:
        row = await (await connection.execute("SHOW application_name")).fetchone()
        assert row == ("stewardd test",)
        with pytest.raises(psycopg.errors.QueryCanceled):
            await connection.execute("SELECT pg_sleep(5)")


async def test_a_transaction_that_a_block_leaves_open_is_rolled_back_and_told(pool):
    async with pool.connection() as connection:
        await connection.execute("CREATE TABLE t (n int)")

    async def begin_and_forget() -> None:
        async with pool.connection() as connection:
            await connection.execute("BEGIN")
            await connection.execute("INSERT INTO t VALUES (1)")

    with pytest.raises(psycopg.errors.ActiveSqlTransaction):
        await begin_and_forget()
    async with pool.connection() as connection:
        row = await (await connection.execute("SELECT count(*) FROM t")).fetchone()
        assert row == (0,)
    await until(lambda: pool.stats().lent == 0, 5)
    assert pool.stats().retired == {}


async def test_who_gets_no_connection_because_all_are_lent_is_told_busy(pool):
    async with AsyncExitStack() as lent:
        for _ in range(4):
            await lent.enter_async_context(pool.connection())
        began = time.monotonic()
        with pytest.raises(DatabaseBusy, match=r"within 1\.5 s"):
            await answer(pool)
        assert 1.4 < time.monotonic() - began < 2
    assert await answer(pool) == 42


async def test_a_queue_over_its_bound_is_refused_at_once(database, open_pool):
    pool = await open_pool(
        database, PoolOptions(min_size=1, max_size=1, max_waiting=1, acquire_timeout_s=5)
    )
    async with pool.connection():
        waiting = asyncio.create_task(answer(pool))
        await until(lambda: pool.stats().waiting == 1, 2)
        began = time.monotonic()
        with pytest.raises(DatabaseBusy, match="1 callers wait"):
            await answer(pool)
        assert time.monotonic() - began < 0.5
    assert await waiting == 42


async def test_a_caller_that_gives_up_waiting_leaks_no_connection(pool):
    async with AsyncExitStack() as lent:
        for _ in range(4):
            await lent.enter_async_context(pool.connection())
        for _ in range(20):
            task = asyncio.create_task(answer(pool))
            await asyncio.sleep(0.01)
            task.cancel()
    assert [await answer(pool) for _ in range(20)] == [42] * 20
    async with AsyncExitStack() as lent:
        for _ in range(4):
            await lent.enter_async_context(pool.connection())


async def test_opening_waits_for_no_database_and_says_down(server, open_pool):
    target = server.target("main")
    await server.stop()
    began = time.monotonic()
    pool = await open_pool(target, SMALL)
    assert time.monotonic() - began < 0.2
    with pytest.raises(DatabaseDown):
        await answer(pool)
    assert time.monotonic() - began < 3.5


async def test_a_wrong_password_is_told_as_a_refusal(database, open_pool):
    pool = await open_pool(database.with_parameters(password="wrong"), SMALL)
    with pytest.raises(DatabaseRefused, match="password authentication failed"):
        await answer(pool)


async def test_it_is_back_within_two_seconds_of_the_databases_return_after_a_long_outage(
    home, server, open_pool, start_server
):
    target = server.target("main")
    pool = await open_pool(target, SMALL)
    assert await answer(pool) == 42
    await server.stop()
    for _ in range(4):  # long enough for psycopg's own retries to have given up
        with pytest.raises((DatabaseDown, psycopg.Error)):
            await answer(pool)
    with pytest.raises(DatabaseDown):
        await answer(pool)
    await start_server(home, OPTIONS)
    back_at = time.monotonic()
    await until(lambda: pool.stats().idle >= 2, 2.0)
    assert await answer(pool) == 42
    assert time.monotonic() - back_at < 2.0


async def test_a_caller_that_waits_is_served_when_the_database_comes_back(
    home, server, open_pool, start_server
):
    pool = await open_pool(
        server.target("main"), PoolOptions(min_size=0, max_size=2, acquire_timeout_s=30)
    )
    await server.stop()
    waiting = [asyncio.create_task(answer(pool)) for _ in range(3)]
    await asyncio.sleep(5)
    await start_server(home, OPTIONS)
    back_at = time.monotonic()
    assert await asyncio.gather(*waiting) == [42] * 3
    assert time.monotonic() - back_at < 2.0


async def test_one_broken_connection_empties_the_pool_of_its_dead_neighbours(
    home, server, open_pool
):
    pool = await open_pool(server.target("main"), PoolOptions(min_size=4, max_size=4))
    await until(lambda: pool.stats().idle == 4, 5)
    postmaster = read_postmaster_file(home / "postgres" / "data")
    assert postmaster is not None
    os.kill(postmaster.pid, signal.SIGKILL)
    await until(lambda: server.restarts == 1, 20)
    failures = 0
    for _ in range(8):
        try:
            assert await answer(pool) == 42
        except psycopg.Error:
            failures += 1
    assert failures <= 1
    assert pool.stats().size == 4


def restarted(server: EmbeddedServer, times: int) -> bool:
    return server.restarts == times


async def test_after_many_outages_it_has_neither_more_nor_fewer_connections_than_it_may(
    home, server, open_pool
):
    pool = await open_pool(server.target("main"), SMALL)
    for round_ in range(1, 4):
        postmaster = read_postmaster_file(home / "postgres" / "data")
        assert postmaster is not None
        os.kill(postmaster.pid, signal.SIGKILL)
        await asyncio.gather(*(answer(pool) for _ in range(12)), return_exceptions=True)
        await until(partial(restarted, server, round_), 30)
    await until(lambda: pool.stats().idle >= 2, 3)
    await asyncio.sleep(1.5)
    assert 2 <= pool.stats().size <= 4
    with psycopg.connect(server.target("main").conninfo) as connection:
        row = connection.execute(
            "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'stewardd'"
        ).fetchone()
    assert row == (pool.stats().size,)
