"""What a probe makes of a database that is well, away, or refuses; against real servers and real sockets."""

from __future__ import annotations

import secrets
import socket
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import psycopg
import pytest
from psycopg import sql
from stewardd.errors import DatabaseDown, DatabaseFull, DatabaseRefused
from stewardd.health import probes
from stewardd.health.state import HealthState
from stewardd.postgres.database import Database
from stewardd.postgres.embedded import EmbeddedOptions
from stewardd.postgres.probe import probe
from stewardd.postgres.target import DatabaseTarget


async def test_a_database_that_is_well_tells_its_version_and_how_fast_it_answered(database):
    sight = await probe(database, 5)
    assert sight.server_version.startswith("18.")
    assert sight.major == 18
    assert not sight.in_recovery
    assert 0 < sight.latency_s < 5


async def test_a_port_that_nobody_listens_on_is_down():
    with closing(socket.socket()) as unused:
        unused.bind(("127.0.0.1", 0))
        target = DatabaseTarget(
            "main", f"host=127.0.0.1 port={unused.getsockname()[1]} dbname=x user=x"
        )
        with pytest.raises(DatabaseDown, match="'main' is away"):
            await probe(target, 5)


async def test_a_server_that_accepts_and_says_nothing_is_down_in_time():
    with closing(socket.create_server(("127.0.0.1", 0))) as mute:
        target = DatabaseTarget(
            "main", f"host=127.0.0.1 port={mute.getsockname()[1]} dbname=x user=x"
        )
        began = time.monotonic()
        with pytest.raises(DatabaseDown, match=r"within 0\.5 s"):
            await probe(target, 0.5)
        assert time.monotonic() - began < 2


async def test_a_wrong_password_is_an_answer_and_not_told_back(database):
    with pytest.raises(DatabaseRefused, match="password authentication failed") as raised:
        await probe(database.with_parameters(password="hunter2"), 5)
    assert "hunter2" not in str(raised.value)


async def test_a_database_that_does_not_exist_is_an_answer(database):
    with pytest.raises(DatabaseRefused, match='database "nowhere" does not exist'):
        await probe(database.with_parameters(dbname="nowhere"), 5)


@pytest.fixture
def crowded_role(database: DatabaseTarget) -> Iterator[DatabaseTarget]:
    name, password = f"role_{secrets.token_hex(4)}", secrets.token_hex(8)
    with psycopg.connect(database.conninfo, autocommit=True) as admin:
        statement = sql.SQL("CREATE ROLE {} LOGIN PASSWORD {} CONNECTION LIMIT 1")
        admin.execute(statement.format(sql.Identifier(name), sql.Literal(password)))
        target = database.with_parameters(user=name, password=password)
        with psycopg.connect(target.conninfo):
            yield target
        admin.execute(sql.SQL("DROP ROLE {}").format(sql.Identifier(name)))


async def test_a_server_without_a_free_slot_is_full_which_is_down_for_who_needs_one(crowded_role):
    with pytest.raises(
        DatabaseDown, match=r"has no connection left: .*too many connections"
    ) as raised:
        await probe(crowded_role, 5)
    assert type(raised.value) is DatabaseFull


async def test_health_says_of_a_full_database_that_it_is_full_and_not_that_it_is_away(crowded_role):
    finding = await probes.database(Database(crowded_role), timeout_s=5)()
    assert finding.state is HealthState.DEGRADED
    assert "has no connection left" in finding.detail


async def test_who_gets_no_connection_of_a_full_database_is_told_so(crowded_role, open_pool):
    pool = await open_pool(crowded_role)
    with pytest.raises(DatabaseFull):
        async with pool.connection(2):
            pass


async def test_a_stopped_server_is_down_and_up_again_after_its_start(folder: Path, start_server):
    options = EmbeddedOptions(settings={"shared_buffers": "32MB"})
    server = await start_server(folder, options)
    target = server.target("main")
    await probe(target, 5)
    await server.stop()
    with pytest.raises(DatabaseDown):
        await probe(target, 5)
    await start_server(folder, options)
    await probe(target, 5)
