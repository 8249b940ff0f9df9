"""Services read and write on while the platform's migrations, an ADD COLUMN and a backfill are applied.

How long the longest query took is told here, and asked of `make bench-migrations`: a busy machine can make any query
long. Here each session must get through again and again while the ADD COLUMN waits for a lock that somebody holds.
"""

from __future__ import annotations

import asyncio
import shutil

import psycopg
import pytest
from stewardd.migrations.migrations import PLATFORM

from tests.support.campaigns import FULL
from tests.support.query_stream import (
    ADD_COLUMN,
    BACKFILL,
    DROP_COLUMN,
    FILLED,
    TABLE,
    QueryStream,
)
from tests.support.waiting import until

ROWS = 1_000_000 if FULL else 10_000
BATCH = 5_000 if FULL else 1_000
MORE_QUERIES = 20


@pytest.mark.campaign
async def test_no_query_waits_for_the_end_of_a_lock_that_a_migration_waits_for(
    make, files, idle, record_property
):
    for path in PLATFORM.glob("*.sql"):
        shutil.copy(path, files.folder)
    files.add("0006_score", ADD_COLUMN, DROP_COLUMN)
    files.add("0007_fill", BACKFILL.format(batch=BATCH), verify=FILLED)
    database = make()
    with psycopg.connect(database.target.conninfo) as connection:
        connection.execute(TABLE.format(rows=ROWS).encode())
    attempt = "SELECT xact_start FROM pg_stat_activity WHERE query LIKE 'ALTER TABLE visits ADD%'"
    with QueryStream(database.target.conninfo, ROWS) as stream:
        await until(lambda: stream.errors or min(stream.counts) >= MORE_QUERIES)
        assert stream.errors == []
        stream.forget()
        await idle.execute("SELECT count(*) FROM visits")  # a report, which holds its lock
        moving = asyncio.create_task(database.up(back_up=False))
        seen: set[object] = set()

        def attempts() -> int:
            seen.update(database.query(attempt))
            return len(seen)

        await until(lambda: attempts() >= 2)
        before = stream.counts
        await until(
            lambda: all(
                now >= then + MORE_QUERIES for now, then in zip(stream.counts, before, strict=True)
            )
        )
        assert not moving.done()
        await idle.commit()
        moved = await moving
        record_property("longest_query_s", round(stream.longest_s, 3))
    assert stream.errors == []
    assert [step.number for step in moved.steps] == list(range(1, 8))
    assert moved.steps[5].attempts > 1
    assert moved.steps[6].changed_rows >= ROWS  # and what came before the new column
    assert database.query("SELECT count(*) FROM visits WHERE score IS NULL") == [(0,)]
    if FULL:
        print(f"the longest of {sum(stream.counts)} queries took {stream.longest_s:.3f} s")
