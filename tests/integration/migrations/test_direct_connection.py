"""Migrations go over a direct connection to a primary, and are refused by name on any other."""

from __future__ import annotations

import asyncio

import psycopg
import pytest
from stewardd.errors import DatabaseStandby, DirectConnectionNeeded

from tests.integration.postgres.conftest import by_port
from tests.support.pgbouncer import PROGRAM, PgBouncer
from tests.support.standby import Standby
from tests.support.waiting import until


@pytest.mark.skipif(PROGRAM is None, reason="PgBouncer is not installed")
async def test_a_transaction_pooler_is_refused_and_strands_no_lock(make, files, database, folder):
    files.add("0001_a", "CREATE TABLE t ();")
    own = make()
    with PgBouncer(database, folder) as bouncer:
        pooled = make(target=by_port(database, bouncer.port))
        with pytest.raises(
            DirectConnectionNeeded, match="reached through a connection pooler"
        ) as caught:
            await pooled.up()
        assert "direct_url" in caught.value.hint
        assert own.query("SELECT count(*) FROM pg_locks WHERE locktype = 'advisory'") == [(0,)]
        assert (await pooled.status()).version == 0  # looking needs no session of its own
        assert (await own.up()).version == 1


@pytest.fixture(scope="module")
def standby(embedded_server, session_folder):
    folder = session_folder / "migrations-standby"
    folder.mkdir(mode=0o711)
    made = Standby(embedded_server, folder)
    made.start()
    yield made
    made.stop()


async def test_a_standby_is_refused(make, files, standby):
    files.add("0001_a", "CREATE TABLE t ();")
    database = make(target=standby.target())
    with pytest.raises(DatabaseStandby, match="is a standby, which cannot be migrated"):
        await database.up()
    assert (await database.status()).version == 0


async def test_a_backfill_pauses_while_a_replica_replays_nothing(
    make, files, standby, embedded_server
):
    with psycopg.connect(embedded_server.target("admin").conninfo, autocommit=True) as admin:
        admin.execute("CREATE DATABASE lagging")
        files.add(
            "0001_a",
            "CREATE TABLE t (id int PRIMARY KEY, a int); INSERT INTO t SELECT generate_series(1, 200);",
        )
        files.add(
            "0002_b",
            "-- steward: batch\nUPDATE t SET a = 1 WHERE id IN (SELECT id FROM t WHERE a IS NULL LIMIT 1);",
        )
        database = make(target=embedded_server.target("main", "lagging"), max_replica_lag_s=0.02)
        await database.up(1)
        with psycopg.connect(standby.target().conninfo, autocommit=True) as replica:
            replica.execute("SELECT pg_wal_replay_pause()")
            await until(
                lambda: (
                    replica.execute("SELECT pg_get_wal_replay_pause_state()").fetchall()
                    == [("paused",)]
                )
            )
            moving = asyncio.create_task(database.up())
            # One batch a pause, which lasts a second: of 200 batches without a pause none would take so long.
            pausing = (
                "SELECT count(*) FROM pg_stat_activity WHERE datname = 'lagging' AND query LIKE 'COMMIT%'"
                " AND state = 'idle' AND clock_timestamp() - state_change > interval '0.5 s'"
            )
            await until(lambda: admin.execute(pausing).fetchall() == [(1,)])
            ((filled,),) = database.query("SELECT count(a) FROM t")
            assert 0 < filled < 200
            assert not moving.done()
            replica.execute("SELECT pg_wal_replay_resume()")
        assert (await moving).steps[0].changed_rows == 200
        admin.execute("DROP DATABASE lagging WITH (FORCE)")
