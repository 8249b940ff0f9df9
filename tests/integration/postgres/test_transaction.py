"""Transactions: that they end in every case, what they set, and what is repeated."""

from __future__ import annotations

import asyncio

import psycopg
import pytest
from stewardd.postgres.pool import Pool, PoolOptions
from stewardd.postgres.transaction import (
    Isolation,
    TransactionOptions,
    run_transaction,
    savepoint,
    transaction,
)

from tests.support.waiting import until

READING = TransactionOptions(read_only=True)
IMPATIENT = TransactionOptions(lock_timeout_s=0.1)
BOUNDED = TransactionOptions(statement_timeout_s=0.2)


@pytest.fixture
async def pool(database, open_pool):
    made = await open_pool(database, PoolOptions(min_size=2, max_size=4))
    async with made.connection() as connection:
        await connection.execute("CREATE TABLE t (n int PRIMARY KEY, v int NOT NULL DEFAULT 0)")
        await connection.execute("INSERT INTO t VALUES (1), (2)")
    return made


async def show(connection, name: str) -> str:
    row = await (await connection.execute(f"SHOW {name}")).fetchone()
    return str(row[0])


async def numbers(pool: Pool) -> list[int]:
    async with pool.connection() as connection:
        cursor = await connection.execute("SELECT n FROM t ORDER BY n")
        return [row[0] for row in await cursor.fetchall()]


async def insert(connection, n: int) -> None:
    await connection.execute("INSERT INTO t VALUES (%s)", [n])


async def running(pool: Pool, text: str) -> int:
    """How many statements that hold this text the server is at."""
    async with pool.connection() as connection:
        cursor = await connection.execute(
            "SELECT count(*) FROM pg_stat_activity WHERE state = 'active' AND query LIKE %s"
            " AND pid <> pg_backend_pid()",
            [f"%{text}%"],
        )
        row = await cursor.fetchone()
        assert row is not None
        return int(row[0])


async def test_a_block_that_ends_commits(pool):
    async with pool.connection() as connection, transaction(connection):
        await insert(connection, 3)
    assert await numbers(pool) == [1, 2, 3]


async def test_a_block_that_raises_rolls_back_and_leaves_the_connection_fit(pool):
    with pytest.raises(ZeroDivisionError):
        async with pool.connection() as connection, transaction(connection):
            await insert(connection, 3)
            raise ZeroDivisionError
    assert await numbers(pool) == [1, 2]
    assert pool.stats().retired == {}


async def test_a_block_that_swallows_a_statements_error_does_not_seem_to_succeed(pool):
    with pytest.raises(psycopg.errors.InFailedSqlTransaction):
        async with pool.connection() as connection, transaction(connection):
            await insert(connection, 3)
            with pytest.raises(psycopg.errors.UniqueViolation):
                await insert(connection, 1)
    assert await numbers(pool) == [1, 2]


async def test_a_block_that_ends_the_transaction_by_itself_is_told(pool):
    with pytest.raises(psycopg.errors.NoActiveSqlTransaction):
        async with pool.connection() as connection, transaction(connection):
            await connection.execute("COMMIT")


@pytest.mark.parametrize("isolation", list(Isolation))
async def test_isolation_and_reading_only_are_as_asked(pool, isolation):
    options = TransactionOptions(isolation=isolation, read_only=True)
    async with pool.connection() as connection, transaction(connection, options):
        assert await show(connection, "transaction_isolation") == isolation.value.lower()
        assert await show(connection, "transaction_read_only") == "on"
        with pytest.raises(psycopg.errors.ReadOnlySqlTransaction):
            async with savepoint(connection):
                await insert(connection, 3)


async def test_a_write_that_was_promised_not_to_be_drains_no_pool(pool):
    with pytest.raises(psycopg.errors.ReadOnlySqlTransaction):
        async with pool.connection() as connection, transaction(connection, READING):
            await insert(connection, 3)
    await until(lambda: pool.stats().lent == 0, 10)
    assert (pool.stats().drains, pool.stats().retired) == ({}, {})


async def test_a_statement_ends_in_its_time_and_the_limit_with_the_transaction(pool):
    async with pool.connection() as connection:
        with pytest.raises(psycopg.errors.QueryCanceled):
            async with transaction(connection, BOUNDED):
                await connection.execute("SELECT pg_sleep(30)")
        assert await show(connection, "statement_timeout") == "0"


async def test_waiting_for_a_lock_ends_in_its_time(pool):
    async with pool.connection() as holder, transaction(holder):
        await holder.execute("UPDATE t SET v = 1 WHERE n = 1")
        with pytest.raises(psycopg.errors.LockNotAvailable):
            async with pool.connection() as connection, transaction(connection, IMPATIENT):
                await connection.execute("UPDATE t SET v = 2 WHERE n = 1")


async def test_a_limit_below_a_millisecond_is_not_none_at_all(pool):
    options = TransactionOptions(statement_timeout_s=0.0001)
    with pytest.raises(psycopg.errors.QueryCanceled):
        async with pool.connection() as connection, transaction(connection, options):
            await connection.execute("SELECT pg_sleep(30)")


async def test_savepoints_fail_alone_and_nest(pool):
    async with pool.connection() as connection, transaction(connection):
        await insert(connection, 3)
        async with savepoint(connection):
            await insert(connection, 4)
            with pytest.raises(psycopg.errors.UniqueViolation):
                async with savepoint(connection):
                    await insert(connection, 5)
                    await insert(connection, 1)
        await insert(connection, 6)
    assert await numbers(pool) == [1, 2, 3, 4, 6]


async def test_a_savepoint_stands_inside_a_transaction(pool):
    with pytest.raises(psycopg.errors.NoActiveSqlTransaction):
        async with pool.connection() as connection, savepoint(connection):
            pass


async def test_two_that_wait_for_each_other_are_both_done_where_the_work_may_be_repeated(pool):
    both_began = asyncio.Barrier(2)
    attempts = []

    async def work(connection, first: int, second: int) -> str:
        attempts.append(first)
        await connection.execute("UPDATE t SET v = v + 1 WHERE n = %s", [first])
        if len(attempts) <= 2:
            await both_began.wait()
        await connection.execute("UPDATE t SET v = v + 1 WHERE n = %s", [second])
        return "done"

    results = await asyncio.gather(
        run_transaction(pool.connection, lambda c: work(c, 1, 2), attempts=5),
        run_transaction(pool.connection, lambda c: work(c, 2, 1), attempts=5),
    )
    assert list(results) == ["done", "done"]
    assert len(attempts) == 3  # one of the two was the deadlock's victim
    async with pool.connection() as connection:
        cursor = await connection.execute("SELECT v FROM t ORDER BY n")
        assert await cursor.fetchall() == [(2,), (2,)]


async def write_skew(pool: Pool, attempts: int) -> list[BaseException | None]:
    """Two transactions, each of which reads what the other writes: one of them cannot be serialized."""
    both_read = asyncio.Barrier(2)
    begun = 0

    async def work(connection, n: int) -> None:
        nonlocal begun
        begun += 1
        await connection.execute("SELECT sum(v) FROM t")
        if begun <= 2:
            await both_read.wait()
        await connection.execute("UPDATE t SET v = v + 1 WHERE n = %s", [n])

    serializable = TransactionOptions(isolation=Isolation.SERIALIZABLE)
    results = await asyncio.gather(
        run_transaction(pool.connection, lambda c: work(c, 1), serializable, attempts=attempts),
        run_transaction(pool.connection, lambda c: work(c, 2), serializable, attempts=attempts),
        return_exceptions=True,
    )
    return list(results)


async def test_a_serialization_failure_is_repeated_where_the_caller_says_so(pool):
    assert await write_skew(pool, attempts=5) == [None, None]


async def test_a_serialization_failure_is_raised_where_the_caller_says_nothing(pool):
    results = await write_skew(pool, attempts=1)
    assert [type(each) for each in results if each] == [psycopg.errors.SerializationFailure]


async def test_no_other_error_is_repeated(pool):
    attempts = 0

    async def work(connection) -> None:
        nonlocal attempts
        attempts += 1
        await insert(connection, 1)

    with pytest.raises(psycopg.errors.UniqueViolation):
        await run_transaction(pool.connection, work, attempts=5)
    assert attempts == 1


async def test_a_lost_connection_is_not_repeated(pool):
    attempts = 0

    async def work(connection) -> None:
        nonlocal attempts
        attempts += 1
        await connection.execute("SELECT pg_terminate_backend(pg_backend_pid())")

    with pytest.raises(psycopg.OperationalError):
        await run_transaction(pool.connection, work, attempts=5)
    assert attempts == 1


@pytest.mark.parametrize("in_transaction", [False, True])
async def test_a_cancelled_caller_leaves_no_statement_behind_on_the_server(pool, in_transaction):
    async def sleep() -> None:
        async with pool.connection() as connection:
            if in_transaction:
                async with transaction(connection):
                    await insert(connection, 3)
                    await connection.execute("SELECT pg_sleep(300), 'cancel me'")
            await connection.execute("SELECT pg_sleep(300), 'cancel me'")

    caller = asyncio.create_task(sleep())
    for _ in range(200):
        if await running(pool, "cancel me"):
            break
        await asyncio.sleep(0.02)
    else:
        pytest.fail("the statement did not begin")
    caller.cancel()
    with pytest.raises(asyncio.CancelledError):
        await caller
    assert await running(pool, "cancel me") == 0
    assert await numbers(pool) == [1, 2]
    await until(lambda: pool.stats().lent == 0, 10)
    assert pool.stats().retired == {}  # the connection is fit to be lent again


async def test_a_caller_that_is_cancelled_twice_costs_its_own_connection_only(pool):
    async def sleep() -> None:
        async with pool.connection() as connection:
            await connection.execute("SELECT pg_sleep(300), 'cancel me twice'")

    caller = asyncio.create_task(sleep())
    for _ in range(200):
        if await running(pool, "cancel me twice"):
            break
        await asyncio.sleep(0.02)
    while not caller.done():
        caller.cancel()
        await asyncio.sleep(0)
    assert caller.cancelled()
    assert pool.stats().drains == {}
    assert await numbers(pool) == [1, 2]
