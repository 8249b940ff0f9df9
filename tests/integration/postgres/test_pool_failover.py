"""A primary and its standby, both real: fail-over by a URL of several hosts, and an address that leads to a standby."""

from __future__ import annotations

import asyncio
import os
import signal
import time
from contextlib import suppress
from pathlib import Path

import psycopg
import pytest
from stewardd.errors import DatabaseStandby, StewardError
from stewardd.postgres.embedded import EmbeddedOptions, EmbeddedServer
from stewardd.postgres.observer import DrainReason
from stewardd.postgres.pool import Pool, PoolOptions, RetireReason
from stewardd.postgres.postmaster import read_postmaster_file
from stewardd.postgres.sqlstate import Verdict

from tests.integration.postgres.conftest import Recorder, StartServer, answer, by_port, socket_of
from tests.support.proxy import Proxy
from tests.support.standby import Standby
from tests.support.waiting import until

OPTIONS = EmbeddedOptions(settings={"shared_buffers": "32MB", "fsync": "off"})
SMALL = PoolOptions(min_size=2, max_size=4, acquire_timeout_s=2)
RETURN_S = 10.0


@pytest.fixture
async def primary(folder: Path, start_server: StartServer) -> EmbeddedServer:
    (folder / "primary").mkdir(mode=0o711)
    made = await start_server(folder / "primary", OPTIONS)
    with psycopg.connect(made.target("main").conninfo) as connection:
        connection.execute("CREATE TABLE t (n int)")
    return made


@pytest.fixture
def standby(primary: EmbeddedServer, folder: Path):
    (folder / "standby").mkdir(mode=0o711)
    made = Standby(primary, folder / "standby")
    made.start()
    yield made
    made.stop()


async def write(pool: Pool) -> None:
    async with pool.connection() as connection:
        await connection.execute("INSERT INTO t VALUES (1)")


async def write_in_the_end(pool: Pool, timeout_s: float) -> list[Exception]:
    """Writes again and again until it succeeds; returns what went wrong before."""
    errors: list[Exception] = []
    deadline = time.monotonic() + timeout_s
    while True:
        try:
            await write(pool)
            return errors
        except (psycopg.Error, StewardError) as error:
            errors.append(error)
            assert time.monotonic() < deadline, errors[-3:]
            await asyncio.sleep(0.05)


async def test_a_url_of_several_hosts_finds_the_new_primary(primary, standby, folder, open_pool):
    seen = Recorder()
    pool = await open_pool(standby.either(target_session_attrs="read-write"), SMALL, seen)
    await write(pool)
    supervisor = primary._supervisor
    assert supervisor is not None
    supervisor.cancel()  # it stays dead
    with suppress(asyncio.CancelledError):
        await supervisor
    postmaster = read_postmaster_file(folder / "primary" / "postgres" / "data")
    assert postmaster is not None
    os.kill(postmaster.pid, signal.SIGKILL)
    with pytest.raises(DatabaseStandby, match="no primary"):  # the standby answers, and is none yet
        while True:
            with suppress(
                psycopg.Error
            ):  # the server's processes outlive their postmaster for a moment
                await write(pool)
    standby.promote()
    await write_in_the_end(pool, RETURN_S)
    assert await answer(pool) == 42
    assert Verdict.AWAY not in {verdict for verdict, _ in seen.connect_failures}


async def test_an_address_that_leads_to_a_standby_drains_the_pool_and_trips_nothing(
    primary, standby, open_pool
):
    seen = Recorder()
    with Proxy(str(socket_of(primary.target("main")))) as address:
        pool = await open_pool(by_port(primary.target("main"), address.port), SMALL, seen)
        await write(pool)
        address.lead_to(str(standby.socket))
        pool.drain()
        await until(lambda: pool.stats().idle == 2, 20)  # sessions on the standby now
        with pytest.raises(psycopg.errors.ReadOnlySqlTransaction):
            await write(pool)
        await until(lambda: DrainReason.STANDBY in pool.stats().drains, 20)
        address.lead_to(str(socket_of(primary.target("main"))))
        errors = await write_in_the_end(pool, RETURN_S)
        assert {type(each) for each in errors} <= {psycopg.errors.ReadOnlySqlTransaction}
        assert seen.connect_failures == []
        assert Verdict.AWAY not in seen.releases


async def test_a_resting_connection_that_came_to_be_on_a_standby_is_not_lent_to_a_writer(
    primary, standby, open_pool
):
    """As behind a pooler, which keeps the client's connection and changes the server."""
    seen = Recorder()
    pool = await open_pool(
        primary.target("main").with_parameters(target_session_attrs="read-write"), SMALL, seen
    )
    await until(lambda: pool.stats().idle == 2, 20)
    lost = await psycopg.AsyncConnection.connect(standby.target().conninfo, autocommit=True)
    for connection in pool._stock._idle:
        connection.rested_since -= 10
    resting = pool._stock._idle[-1]
    resting.pgconn, lost.pgconn = lost.pgconn, resting.pgconn
    await write(pool)
    assert pool.stats().retired[RetireReason.STANDBY] == 1
    assert seen.drains == [DrainReason.STANDBY]
    assert (seen.connect_failures, seen.releases) == ([], [None])
    await lost.close()


async def test_a_standby_that_was_meant_to_be_read_is_left_alone(standby, open_pool):
    seen = Recorder()
    pool = await open_pool(standby.target(), SMALL, seen)
    with pytest.raises(psycopg.errors.ReadOnlySqlTransaction):
        await write(pool)
    await until(lambda: pool.stats().lent == 0, 10)
    assert await answer(pool) == 42
    assert (seen.drains, pool.stats().retired) == ([], {})
