"""Backfills: a statement that is repeated, a transaction each, with progress and rests, and goes on after a kill."""

from __future__ import annotations

import asyncio

import psycopg
import pytest
from stewardd.errors import MigrationFailed

from tests.integration.migrations.test_runner import TABLE, kill, start_child
from tests.support.waiting import until

BACKFILL = (
    "-- steward: batch\n"
    "UPDATE t SET a = id WHERE id IN (SELECT id FROM t WHERE a IS NULL ORDER BY id LIMIT 100);"
)
FILLED = (
    "-- steward: after up\nSELECT count(*) FILTER (WHERE a IS NULL) = 0 AS all_are_filled FROM t;"
)


async def test_a_backfill_is_done_in_batches_and_tells_its_progress(make, files):
    files.add("0001_a", TABLE + " INSERT INTO t SELECT n FROM generate_series(1, 950) n;")
    files.add("0002_b", BACKFILL, verify=FILLED)
    database = make()
    moved = await database.up()
    assert moved.steps[1].changed_rows == 950
    assert [each.changed_rows for each in database.progress if each.changed_rows][:3] == [
        100,
        200,
        300,
    ]
    assert database.query(
        "SELECT changed_rows FROM steward.migration_history WHERE number = 2"
    ) == [(950,)]
    assert database.query("SELECT count(*) FROM steward.migration_progress") == [(0,)]


async def test_a_backfill_goes_on_after_a_kill(make, files):
    files.add("0001_a", TABLE + " INSERT INTO t SELECT n FROM generate_series(1, 20000) n;")
    files.add("0002_b", BACKFILL, verify=FILLED)
    database = make()
    await database.up(1)
    child = start_child(database, files)
    filled = "SELECT count(*) FROM t WHERE a IS NOT NULL"
    await until(lambda: database.query(filled)[0][0] >= 1000)
    kill(child)
    before = database.query(filled)[0][0]
    assert 1000 <= before < 20_000
    assert before % 100 == 0
    moved = await database.up()
    assert moved.steps[0].changed_rows == 20_000
    assert database.query("SELECT count(*) FROM t WHERE a IS DISTINCT FROM id") == [(0,)]


async def test_a_backfill_pauses_for_those_who_waited_behind_a_batch(make, files):
    files.add("0001_a", TABLE + " INSERT INTO t SELECT generate_series(1, 4);")
    slow = "UPDATE t SET a = 1 WHERE id = (SELECT min(id) FROM t WHERE a IS NULL) RETURNING pg_sleep(1)"
    files.add("0002_b", f"-- steward: batch\n{slow};")
    database = make()
    await database.up(1)
    moving = asyncio.create_task(database.up())
    async with await psycopg.AsyncConnection.connect(database.target.conninfo) as other:
        batch = (
            "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND query LIKE 'UPDATE t%'"
            " AND state = 'active' AND wait_event = 'PgSleep'"
        )
        await until(lambda: database.query(batch) == [(1,)])
        await other.execute("UPDATE t SET id = id WHERE id = 1")  # waits for the batch
        await other.commit()
        # The runner rests for as long as the batch took; without one who waits the next batch begins at once.
        resting = (
            "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND query LIKE 'COMMIT%'"
            " AND state = 'idle' AND application_name LIKE 'stewardd%'"
            " AND clock_timestamp() - state_change > interval '0.5 s'"
        )
        await until(lambda: database.query(resting) == [(1,)])
        assert not moving.done()
    assert (await moving).steps[0].changed_rows == 4


async def test_a_backfill_that_never_ends_is_stopped(make, files, monkeypatch):
    files.add("0001_a", TABLE + " INSERT INTO t VALUES (1);")
    files.add("0002_b", "-- steward: batch\nUPDATE t SET a = 1;")
    database = make(max_batches=20)
    with pytest.raises(MigrationFailed, match="still changes rows after 20 batches"):
        await database.up()
