"""While a dump goes on: who waits behind its locks is told, how far it is, how much it may store, and what ends it."""

from __future__ import annotations

import asyncio
import os
import secrets
import signal
import threading
import time
from collections.abc import Iterator
from dataclasses import replace

import psycopg
import pytest
from psycopg import sql
from stewardd.backup.asked import BackupAsked
from stewardd.backup.backups import Backups
from stewardd.backup.manifest.backup import Compression, CompressionMethod, DumpForm, ProofMode
from stewardd.errors import DatabaseDown, StewardError
from stewardd.postgres.sessions import DUMP_SESSION, SNAPSHOT_SESSION, WATCH_SESSION
from stewardd.postgres.target import DatabaseTarget

from tests.integration.backup.conftest import ROWS, Handle, objects, processes
from tests.support.waiting import until

WORKER, PG_DUMP = "stewardd.backup.making.worker", "pg_dump --format"
SLOW = Compression(CompressionMethod.GZIP, 9)  # by one thread, which holds pg_dump up


def pg_dump_stops_in_the_middle(handle: Handle) -> None:
    def freeze() -> None:
        os.kill(processes(PG_DUMP)[0], signal.SIGSTOP)

    handle.at(lambda progress: progress["stored_bytes"] != 0, freeze)


async def in_the_middle(making: asyncio.Task[object], handle: Handle) -> None:
    await until(
        lambda: making.done() or (handle.told[-1:] != [] and handle.told[-1]["stored_bytes"] != 0)
    )
    assert not making.done()


def warnings(handle: Handle) -> list[str]:
    found = handle.told[-1].get("warnings", [])
    assert isinstance(found, list)
    return found


def go_on() -> None:
    os.kill(processes(PG_DUMP)[0], signal.SIGCONT)


def waiting_tools(admin: psycopg.Connection) -> int:
    query = (
        "SELECT count(*) FROM pg_locks l JOIN pg_stat_activity a USING (pid)"
        " WHERE NOT l.granted AND a.application_name = %s AND a.datname = current_database()"
    )
    row = admin.execute(query, [DUMP_SESSION]).fetchone()
    assert row is not None
    return int(row[0])


@pytest.fixture
def ordinary(filled: DatabaseTarget) -> Iterator[DatabaseTarget]:
    """The same database as a role that may read its tables, and sees little of other roles' sessions."""
    role = f"reader_{secrets.token_hex(4)}"
    name = sql.Identifier(role)
    with psycopg.connect(filled.conninfo, autocommit=True) as admin:
        admin.execute(sql.SQL("CREATE ROLE {} LOGIN PASSWORD 'pass-word'").format(name))
        admin.execute(sql.SQL("GRANT pg_read_all_data TO {}").format(name))
        yield filled.with_parameters(user=role, password="pass-word")
        admin.execute(sql.SQL("DROP ROLE {}").format(name))


async def test_a_session_behind_the_locks_of_a_dump_is_told_once_and_gets_its_lock_afterwards(
    store, lease, options, keyring, filled, ordinary
):
    handle = Handle()
    counted: list[str] = []
    backups = Backups(store, lease, {"main": ordinary}, keyring, replace(options, compression=SLOW))
    backups.on_lock_waiter(counted.append)
    pg_dump_stops_in_the_middle(handle)
    making = asyncio.create_task(backups.create("main", "", handle))
    await in_the_middle(making, handle)

    def alter() -> None:
        with psycopg.connect(filled.conninfo, application_name="mia's console") as session:
            session.execute("ALTER TABLE notes ADD COLUMN later int")

    altering = threading.Thread(target=alter)
    altering.start()
    await until(lambda: warnings(handle))
    await asyncio.sleep(2.5)  # more looks at the same waiter
    (warning,) = warnings(handle)
    assert 'waits for AccessExclusiveLock on "public"."notes"' in warning
    assert filled.user in warning
    go_on()
    manifest = await making
    assert manifest.contents is not None
    assert manifest.contents.tables == 3
    assert counted == ["main"]
    assert warnings(handle) == [warning]
    await asyncio.to_thread(altering.join, 20)
    assert not altering.is_alive()


async def test_a_watch_that_is_ended_ends_no_dump(with_options, handle, filled):
    backups = with_options(compression=SLOW)
    pg_dump_stops_in_the_middle(handle)
    making = asyncio.create_task(backups.create("main", "", handle))
    await in_the_middle(making, handle)
    with psycopg.connect(filled.conninfo, autocommit=True) as admin:
        ended = admin.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = %s"
            " AND datname = current_database()",
            [WATCH_SESSION],
        ).fetchall()
    assert ended == [(True,)]
    await asyncio.sleep(1.5)
    go_on()
    assert (await making).contents.tables == 3


@pytest.mark.parametrize("form", DumpForm)
async def test_progress_goes_up_to_the_size_of_the_tables(with_options, handle, filled, form):
    with psycopg.connect(filled.conninfo, autocommit=True) as admin:
        admin.execute("ANALYZE")
        size = admin.execute(
            "SELECT sum(pg_table_size(oid)) FROM pg_class WHERE relname IN ('people', 'notes')"
        ).fetchone()
    backups = with_options(form=form, compression=SLOW)
    if form is DumpForm.CUSTOM:
        pg_dump_stops_in_the_middle(handle)
    making = asyncio.create_task(backups.create("main", "", handle))
    if form is DumpForm.CUSTOM:
        await in_the_middle(making, handle)
        await until(lambda: 0 < handle.told[-1]["done_bytes"] < handle.told[-1]["total_bytes"])
        await until(lambda: handle.told[-1].get("time_left_s") is not None)
        go_on()
    await making
    last = handle.told[-1]
    assert last["done_bytes"] == last["total_bytes"]
    assert size is not None
    assert abs(last["total_bytes"] - size[0]) < 200_000  # without maps of free space
    assert "time_left_s" not in last
    assert last["total_tables"] == 3


async def test_a_proof_that_fails_ends_the_dump_at_once(with_options, handle, filled, locked):
    """pg_dump waits for a lock that nobody gives back: only the failure of the proof can end this."""
    making = asyncio.create_task(with_options(lock_timeout_s=600.0).create("main", "", handle))
    await until(lambda: processes(PG_DUMP) != [])
    with psycopg.connect(filled.conninfo, autocommit=True) as admin:
        admin.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = %s"
            " AND datname = current_database()",
            [SNAPSHOT_SESSION],
        )
    with pytest.raises(DatabaseDown):
        await making
    assert processes(PG_DUMP) == []


async def test_a_table_that_is_dropped_meanwhile_fails_the_backup_by_its_name(
    with_options, handle, filled, locked, store
):
    """The dump has seen the table, and waits for its lock; then it is gone."""
    making = asyncio.create_task(with_options().create("main", "", handle))
    locked.execute("DROP TABLE notes")
    with psycopg.connect(filled.conninfo, autocommit=True) as admin:
        await until(lambda: waiting_tools(admin) != 0)
    locked.commit()
    with pytest.raises(StewardError, match=r"notes|relation"):
        await making
    assert objects(store) == []
    manifest = await with_options().create("main", "", Handle())
    assert manifest.contents.tables == 2


@pytest.mark.parametrize("form", DumpForm)
async def test_what_changes_after_the_snapshot_is_not_in_the_backup(
    with_options, handle, filled, form
):
    def change() -> None:
        with psycopg.connect(filled.conninfo, autocommit=True) as session:
            session.execute("CREATE TABLE later AS SELECT 1 AS n")
            session.execute(
                "INSERT INTO people SELECT n, 'late' FROM generate_series(2001, 2100) n"
            )
            session.execute("DELETE FROM notes WHERE id < 100")

    handle.at(lambda progress: progress["total_tables"] != 0, change)
    manifest = await with_options(form=form).create("main", "", handle)
    assert (manifest.contents.tables, manifest.contents.rows) == (3, 1000 + ROWS)


async def test_what_pg_dump_said_is_kept_line_by_line(with_options, handle, locked):
    with pytest.raises(StewardError):
        await with_options(lock_timeout_s=0.3, proof=ProofMode.NONE).create("main", "", handle)
    said = str(handle.told[-1]["tool_output"]).splitlines()
    assert said[0].startswith("pg_dump: error: query failed: ERROR:  canceling statement")
    assert said[-1].startswith("pg_dump: detail: Query was: LOCK TABLE public.")


async def test_a_backup_stores_no_more_in_a_second_than_it_may(backups, handle):
    """The bytes of the last second may be saved up; the time can only be longer on a busy machine."""
    rate = 2 << 20
    plain = BackupAsked(
        compression=CompressionMethod.NONE, proof=ProofMode.NONE, max_bytes_per_second=rate
    )
    began = time.monotonic()
    manifest = await backups.create("main", "", handle, asked=plain)
    assert manifest.stored_size_bytes > 4 * rate
    assert time.monotonic() - began >= (manifest.stored_size_bytes - rate) / rate


async def test_the_worker_and_pg_dump_stand_back_as_far_as_is_configured(
    with_options, handle, locked
):
    making = asyncio.create_task(with_options(niceness=11).create("main", "", handle))
    await until(lambda: processes(PG_DUMP) != [])
    for (pid,) in (processes(WORKER), processes(PG_DUMP)):
        assert os.getpriority(os.PRIO_PROCESS, pid) == 11
    making.cancel()
    with pytest.raises(asyncio.CancelledError):
        await making
