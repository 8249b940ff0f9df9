"""The pool in outages of real servers, and of the network before them, under load.

Times are bounds that a busy machine keeps too; psycopg's own pool, whose pauses double, passes each of them by far.
"""

from __future__ import annotations

import asyncio
import os
import signal
import time
from collections.abc import Iterator
from contextlib import AsyncExitStack, ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self

import psycopg
import pytest
from psycopg import sql
from stewardd.errors import DatabaseDown, DatabaseFull, DatabaseRefused, StewardError
from stewardd.postgres.embedded import EmbeddedOptions
from stewardd.postgres.observer import DrainReason
from stewardd.postgres.pool import Pool, PoolOptions
from stewardd.postgres.postmaster import read_postmaster_file
from stewardd.postgres.sqlstate import Verdict
from stewardd.postgres.target import DatabaseTarget

from tests.integration.postgres.conftest import OpenPool, Recorder, answer, by_port, socket_of
from tests.support.proxy import Proxy
from tests.support.waiting import until

RETURN_S = 4.0  # two are promised, on a machine that does nothing else
MAX_CONNECTIONS = 12
OPTIONS = EmbeddedOptions(
    settings={"shared_buffers": "32MB", "max_connections": str(MAX_CONNECTIONS)}
)
SMALL = PoolOptions(min_size=3, max_size=6, acquire_timeout_s=1.5)
PATIENT = PoolOptions(min_size=3, max_size=6, acquire_timeout_s=60)


@pytest.fixture(scope="module")
def home(session_folder: Path) -> Path:
    """A data folder whose cluster is made once, and serves one test after the other."""
    path = session_folder / "outages"
    path.mkdir(mode=0o711)
    return path


@pytest.fixture
async def server(home: Path, start_server):
    return await start_server(home, OPTIONS)


@dataclass
class Failed:
    """A call that failed: when it was made, when it was told, and how."""

    begun_at: float
    ended_at: float
    error: Exception


@dataclass
class Load:
    """Callers that ask one after the other, without a pause but for a breath."""

    pool: Pool
    callers: int = 12
    errors: list[Failed] = field(default_factory=list)
    answers: list[float] = field(default_factory=list)

    async def __aenter__(self) -> Self:
        self._calls = [asyncio.create_task(self._call()) for _ in range(self.callers)]
        await until(lambda: len(self.answers) > 50, 30)
        return self

    async def __aexit__(self, *error: object) -> None:
        for call in self._calls:
            call.cancel()
        await asyncio.gather(*self._calls, return_exceptions=True)

    def answers_after(self, moment: float) -> list[float]:
        return [each for each in self.answers if each > moment]

    def errors_after(self, moment: float) -> list[Exception]:
        return [each.error for each in self.errors if each.ended_at > moment]

    def errors_of_calls_after(self, moment: float) -> list[Exception]:
        return [each.error for each in self.errors if each.begun_at > moment]

    async def _call(self) -> None:
        while True:
            begun_at = time.monotonic()
            try:
                assert await answer(self.pool) == 42
                self.answers.append(time.monotonic())
            except (psycopg.Error, StewardError) as error:
                self.errors.append(Failed(begun_at, time.monotonic(), error))
            await asyncio.sleep(0.005)


@pytest.fixture
def open_full(open_pool: OpenPool) -> OpenPool:
    """Opens a pool, and waits until it has its minimum."""

    async def opened(target: DatabaseTarget, options: PoolOptions, **more) -> Pool:
        pool = await open_pool(target, options, **more)
        await until(lambda: pool.stats().idle >= options.min_size, 30)
        return pool

    return opened


def sessions_of(target: DatabaseTarget) -> int:
    with psycopg.connect(target.conninfo, application_name="looking") as connection:
        row = connection.execute(
            "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'stewardd'"
        ).fetchone()
    assert row is not None
    return int(row[0])


async def test_stopped_for_long_under_load_it_is_back_soon_and_fails_nobody_after_that(
    home, server, open_full, start_server
):
    seen = Recorder()
    target = server.target("main")
    pool = await open_full(target, SMALL, observer=seen)
    async with Load(pool) as load:
        await server.stop()
        stopped_at = time.monotonic()
        await asyncio.sleep(8)
        assert load.answers_after(stopped_at) == []
        assert {type(error) for error in load.errors_after(stopped_at)} == {DatabaseDown}
        await start_server(home, OPTIONS)
        back_at = time.monotonic()
        await until(lambda: bool(load.answers_after(back_at)), RETURN_S)
        first_at = load.answers_after(back_at)[0]
        await asyncio.sleep(2)
        assert load.errors_of_calls_after(first_at) == []
    assert seen.seen >= 1
    await until(lambda: pool.stats().lent == 0 and pool.stats().connecting == 0, 10)
    assert 3 <= pool.stats().size <= 6
    assert sessions_of(target) == pool.stats().size


async def test_failures_of_connects_are_told_quickly_enough_to_trip_a_breaker(server, open_full):
    seen = Recorder()
    pool = await open_full(
        server.target("main"), PoolOptions(min_size=1, max_size=4), observer=seen
    )
    await server.stop()
    failed = asyncio.create_task(answer(pool))
    await until(lambda: len(seen.connect_failures) + len(seen.releases) >= 5, 6)
    assert {verdict for verdict, _ in seen.connect_failures} == {Verdict.AWAY}
    with pytest.raises((DatabaseDown, psycopg.Error)):
        await failed


async def test_restarted_under_load_each_connection_costs_one_error_at_most(
    home, server, open_full, start_server
):
    pool = await open_full(server.target("main"), PATIENT)
    async with Load(pool) as load:
        await server.stop()
        await start_server(home, OPTIONS)
        back_at = time.monotonic()
        await until(lambda: len(load.answers_after(back_at)) > 100, 30)
    assert len(load.errors) <= PATIENT.max_size, load.errors


async def test_killed_under_load_each_connection_costs_one_error_at_most(home, server, open_full):
    pool = await open_full(server.target("main"), PATIENT)
    async with Load(pool) as load:
        postmaster = read_postmaster_file(home / "postgres" / "data")
        assert postmaster is not None
        os.kill(postmaster.pid, signal.SIGKILL)
        await until(lambda: server.restarts == 1, 60)
        back_at = time.monotonic()
        await until(lambda: len(load.answers_after(back_at)) > 100, 30)
    assert len(load.errors) <= PATIENT.max_size, load.errors
    assert pool.stats().drains == {DrainReason.BROKEN: 1} or pool.stats().size >= 3


@pytest.fixture
def network(database: DatabaseTarget) -> Iterator[Proxy]:
    with Proxy(str(socket_of(database))) as made:
        yield made


async def test_connections_that_are_reset_cost_one_error_each_at_most(database, network, open_full):
    pool = await open_full(by_port(database, network.port), PATIENT)
    async with Load(pool) as load:
        network.reset()
        reset_at = time.monotonic()
        await until(lambda: len(load.answers_after(reset_at)) > 100, 30)
    assert 1 <= len(load.errors) <= PATIENT.max_size, load.errors


async def test_resting_connections_that_were_reset_fail_no_caller(database, network, open_full):
    pool = await open_full(by_port(database, network.port), PATIENT)
    network.reset()
    pool._stock._idle[0].rested_since -= 10  # as if they had rested for long
    for connection in pool._stock._idle:
        connection.rested_since -= 10
    assert [await answer(pool) for _ in range(6)] == [42] * 6
    assert pool.stats().drains == {DrainReason.BROKEN: 1}


async def test_a_network_that_refuses_is_down_and_back(database, network, open_full):
    pool = await open_full(by_port(database, network.port), SMALL)
    network.refuse()
    network.reset()
    with pytest.raises(psycopg.Error):
        await answer(pool)
    with pytest.raises(DatabaseDown):
        await answer(pool)
    network.accept()
    back_at = time.monotonic()
    await until(lambda: pool.stats().idle >= 3, RETURN_S)
    assert await answer(pool) == 42
    assert time.monotonic() - back_at < RETURN_S


async def test_a_network_that_swallows_everything_is_told_as_down_to_who_waits(
    database, network, open_full
):
    options = PoolOptions(min_size=6, max_size=6, acquire_timeout_s=1.5)
    pool = await open_full(by_port(database, network.port), options)
    network.stall()
    stuck = [asyncio.create_task(answer(pool)) for _ in range(6)]
    await until(lambda: pool.stats().lent == 6, 10)
    with pytest.raises(DatabaseDown):  # not busy, though no connection is free
        await asyncio.wait_for(answer(pool), 20)
    network.flow(forget=True)
    for call in stuck:
        call.cancel()  # the server cannot be told any more; that is tried for a bounded time
    await asyncio.gather(*stuck, return_exceptions=True)
    await until(lambda: pool.stats().idle == 6, 30)
    assert await answer(pool) == 42


async def test_what_rested_through_a_stall_is_not_lent_after_it(database, network, open_full):
    pool = await open_full(by_port(database, network.port), SMALL)
    network.stall()
    for connection in pool._stock._idle:
        connection.rested_since -= 10  # as if they had rested for long
    with pytest.raises(DatabaseDown):
        await answer(pool)
    network.flow(forget=True)
    back_at = time.monotonic()
    await until(lambda: pool.stats().idle >= 3, RETURN_S)
    assert await answer(pool) == 42
    assert time.monotonic() - back_at < RETURN_S
    assert all(reason is not DrainReason.ASKED for reason in pool.stats().drains)


async def test_a_slow_network_is_neither_down_nor_busy(database, network, open_full):
    pool = await open_full(by_port(database, network.port), SMALL)
    network.pause_s = 0.05
    assert await asyncio.gather(*(answer(pool) for _ in range(12))) == [42] * 12
    assert pool.stats().drains == {}


async def test_a_server_whose_connections_are_all_taken_is_full_and_serves_by_what_it_gave(
    server, open_pool
):
    target = server.target("main")
    seen = Recorder()
    with ExitStack() as others:
        for _ in range(MAX_CONNECTIONS - 2):
            others.enter_context(psycopg.connect(target.conninfo, autocommit=True))
        pool = await open_pool(
            target, PoolOptions(min_size=4, max_size=4, acquire_timeout_s=1.5), seen
        )
        # The connection by which the start was seen may leave later than the server is ready.
        await until(lambda: pool.stats().idle == 2 and bool(seen.connect_failures), 20)
        assert await answer(pool) == 42
        async with AsyncExitStack() as lent:
            for _ in range(2):
                await lent.enter_async_context(pool.connection())
            with pytest.raises(DatabaseFull, match="no connection left"):
                await answer(pool)
    await until(lambda: pool.stats().idle == 4, RETURN_S)


@pytest.fixture
def role(database: DatabaseTarget) -> Iterator[str]:
    name = f"rotating_{os.urandom(4).hex()}"
    with psycopg.connect(database.conninfo, autocommit=True) as admin:
        admin.execute(sql.SQL("CREATE ROLE {} LOGIN PASSWORD 'old'").format(sql.Identifier(name)))
        yield name
        admin.execute(sql.SQL("DROP ROLE {}").format(sql.Identifier(name)))


def rotate(database: DatabaseTarget, role: str) -> None:
    """Changes the password, and ends the sessions of before."""
    with psycopg.connect(database.conninfo, autocommit=True) as admin:
        admin.execute(sql.SQL("ALTER ROLE {} PASSWORD 'new'").format(sql.Identifier(role)))
        admin.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = %s", [role]
        )


async def test_a_password_that_is_rotated_in_its_file_is_taken_from_there(
    database, role, folder, open_full
):
    file = folder / "url"

    def source() -> DatabaseTarget:
        return DatabaseTarget("main", file.read_text())

    file.write_text(database.with_parameters(user=role, password="old").conninfo)
    pool = await open_full(source(), SMALL, source=source)
    rotate(database, role)
    with pytest.raises(psycopg.Error):  # the one loan on a session that was ended
        await answer(pool)
    with pytest.raises(DatabaseRefused, match="password authentication failed"):
        await answer(pool)
    began = time.monotonic()
    with pytest.raises(DatabaseRefused):  # known by now, and so told at once
        await answer(pool)
    assert time.monotonic() - began < SMALL.acquire_timeout_s
    file.write_text(database.with_parameters(user=role, password="new").conninfo)
    await until(lambda: pool.stats().idle >= 3, RETURN_S)
    assert await answer(pool) == 42


async def test_a_password_that_is_rotated_in_a_passfile_needs_no_source(
    database, role, folder, open_full
):
    passfile = folder / "pgpass"

    def write(password: str) -> None:
        passfile.write_text(f"*:*:*:{role}:{password}\n")
        passfile.chmod(0o600)

    write("old")
    parts = psycopg.conninfo.conninfo_to_dict(database.conninfo)
    del parts["password"]
    parts |= {"user": role, "passfile": str(passfile)}
    pool = await open_full(
        DatabaseTarget("main", psycopg.conninfo.make_conninfo("", **parts)), SMALL
    )
    rotate(database, role)
    with pytest.raises(psycopg.Error):
        await answer(pool)
    write("new")
    await until(lambda: pool.stats().idle >= 3, RETURN_S)
    assert await answer(pool) == 42
