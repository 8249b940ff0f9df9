"""The pool and its transactions through PgBouncer in transaction mode, where a session belongs to nobody."""

from __future__ import annotations

import asyncio

import psycopg
import pytest
from steward_client import Client
from stewardd.errors import ConfigurationError, DatabaseRefused
from stewardd.postgres.pool import Pool, PoolOptions
from stewardd.postgres.sqlstate import Verdict
from stewardd.postgres.transaction import TransactionOptions, savepoint, transaction

from tests.integration.postgres.conftest import Recorder, answer, by_port
from tests.support.daemon import Daemon
from tests.support.pgbouncer import PROGRAM, PgBouncer
from tests.support.waiting import until

pytestmark = pytest.mark.skipif(PROGRAM is None, reason="PgBouncer is not installed")
POOLED = PoolOptions(min_size=4, max_size=8, pooled=True)


@pytest.fixture
def bouncer(database, folder):
    with PgBouncer(database, folder) as made:
        yield made


@pytest.fixture
def behind(database, bouncer):
    return by_port(database, bouncer.port)


@pytest.fixture
async def pool(behind, open_pool):
    return await open_pool(behind, POOLED)


async def count_up(pool: Pool, times: int) -> list[int]:
    found = []
    for n in range(times):
        async with pool.connection() as connection:
            cursor = await connection.execute("SELECT %s::int + 1", [n])
            row = await cursor.fetchone()
            assert row is not None
            found.append(row[0])
    return found


async def test_many_callers_share_its_few_sessions(pool):
    results = await asyncio.gather(*(count_up(pool, 30) for _ in range(8)))
    assert list(results) == [list(range(1, 31))] * 8


async def test_prepared_statements_would_not_get_through(behind, open_pool):
    pool = await open_pool(behind, PoolOptions(min_size=4, max_size=8))
    with pytest.raises(psycopg.Error, match="prepared statement"):
        await asyncio.gather(*(count_up(pool, 100) for _ in range(8)))


async def test_options_at_start_up_would_not_get_through(behind, open_pool):
    pool = await open_pool(behind, PoolOptions(min_size=1, statement_timeout_s=5))
    with pytest.raises(DatabaseRefused, match="options"):
        await answer(pool)


async def test_options_of_the_environment_are_not_sent(behind, monkeypatch, open_pool):
    monkeypatch.setenv("PGOPTIONS", "-c search_path=nowhere")
    pool = await open_pool(behind, POOLED)
    assert await answer(pool) == 42


@pytest.mark.parametrize("of_url", [True, False])
def test_options_that_a_pooler_does_not_take_are_refused_by_name(behind, of_url):
    target = behind.with_options({"search_path": "a"}) if of_url else behind
    limit_s = None if of_url else 5.0
    with pytest.raises(ConfigurationError, match="does not take `options`"):
        Pool(target, PoolOptions(pooled=True, statement_timeout_s=limit_s))


async def test_transactions_hold_together_and_leave_nothing_to_the_next(pool):
    async with pool.connection() as connection:
        await connection.execute("CREATE TABLE t (n int PRIMARY KEY)")
    bounded = TransactionOptions(statement_timeout_s=60, lock_timeout_s=60)

    async def fill(first: int) -> None:
        async with pool.connection() as connection, transaction(connection, bounded):
            for n in range(first, first + 10):
                await connection.execute("INSERT INTO t VALUES (%s)", [n])
            with pytest.raises(psycopg.errors.UniqueViolation):
                async with savepoint(connection):
                    await connection.execute("INSERT INTO t VALUES (%s)", [first])

    await asyncio.gather(*(fill(100 * k) for k in range(12)))
    async with pool.connection() as connection:
        cursor = await connection.execute(
            "SELECT count(*), current_setting('statement_timeout') FROM t"
        )
        assert await cursor.fetchone() == (120, "0")


async def test_a_cancelled_caller_leaves_no_statement_behind_on_the_server(pool, database):
    async def sleep() -> None:
        async with pool.connection() as connection, transaction(connection):
            await connection.execute("SELECT pg_sleep(300), 'through the pooler'")

    def running() -> int:
        with psycopg.connect(database.conninfo) as connection:
            row = connection.execute(
                "SELECT count(*) FROM pg_stat_activity WHERE state = 'active'"
                " AND query LIKE '%through the pooler%' AND pid <> pg_backend_pid()"
            ).fetchone()
        assert row is not None
        return int(row[0])

    caller = asyncio.create_task(sleep())
    await until(lambda: running() == 1, 20)
    caller.cancel()
    with pytest.raises(asyncio.CancelledError):
        await caller
    assert running() == 0
    assert await answer(pool) == 42


def test_a_daemon_serves_through_it_and_backs_up_past_it(behind, database, folder):
    with psycopg.connect(database.conninfo) as connection:
        connection.execute("CREATE TABLE t AS SELECT n FROM generate_series(1, 1000) n")
    settings = {
        "STEWARDD_POSTGRES__DATABASES__MAIN__URL": behind.conninfo,
        "STEWARDD_POSTGRES__DATABASES__MAIN__POOLED": "true",
        "STEWARDD_POSTGRES__DATABASES__MAIN__DIRECT_URL": database.conninfo,
    }
    with (
        Daemon(folder / "daemon", environment=settings) as daemon,
        Client(daemon.address) as client,
    ):
        backup = client.create_backup().result(120)
        assert backup.database == "main"
        assert client.health().state.value == "healthy"


async def test_a_server_that_is_away_behind_it_is_away(database, folder, open_pool):
    """PgBouncer takes every connection by itself; that the server is away is in its answer to a statement."""
    seen = Recorder()
    nowhere = database.with_parameters(host=str(folder))
    with PgBouncer(nowhere, folder) as bouncer:
        pool = await open_pool(by_port(database, bouncer.port), POOLED, seen)
        with pytest.raises(Exception):  # noqa: B017 - which one depends on what came first, a loan or the look
            await answer(pool)
        await until(
            lambda: Verdict.AWAY in {*seen.releases, *(v for v, _ in seen.connect_failures)}, 20
        )
        assert seen.seen == 0


async def test_a_pooler_that_is_started_again_is_back(database, folder, open_pool):
    pool = None
    bouncer = PgBouncer(database, folder)
    with bouncer:
        pool = await open_pool(by_port(database, bouncer.port), POOLED)
        assert await answer(pool) == 42
    with pytest.raises(psycopg.Error):
        await answer(pool)
    with bouncer:
        await until(lambda: pool.stats().idle >= 4, 20)
        assert await answer(pool) == 42
