"""Whatever happens to a run, the database is as before or as after; real servers, real locks, real kills."""

from __future__ import annotations

import asyncio
import os
import random
import signal
import subprocess
import sys
import time

import psycopg
import pytest
from stewardd.errors import (
    DatabaseRefused,
    MigrationChanged,
    MigrationFailed,
    MigrationInProgress,
    MigrationLockTimeout,
    MigrationNotFound,
    MigrationNotVerified,
    MigrationUnfinished,
    MigrationUnproven,
    NotNow,
)
from stewardd.migrations.files import Direction
from stewardd.migrations.plan import StepState

from tests.support.campaigns import FULL
from tests.support.versions import both_majors
from tests.support.waiting import until

RUN = (
    "import asyncio, sys\n"
    "from pathlib import Path\n"
    "from stewardd.migrations.files import Direction\n"
    "from stewardd.migrations.migrations import Asked, MigratedDatabase, Migrations, MigrationsOptions\n"
    "from stewardd.postgres.target import DatabaseTarget\n"
    "async def no_backup(*_): return ''\n"
    "async def none_proven(*_): return frozenset()\n"
    "async def main():\n"
    "    database = MigratedDatabase(DatabaseTarget('main', sys.stdin.read()), Path(sys.argv[1]), False)\n"
    "    calls = {'back_up': no_backup, 'find_proven': none_proven}\n"
    "    migrations = Migrations({'main': database}, MigrationsOptions(), **calls)\n"
    "    print('running', flush=True)\n"
    "    to = int(sys.argv[3]) if sys.argv[3] else None\n"
    "    asked = Asked('child', back_up=False)\n"
    "    await migrations.move('main', Direction(sys.argv[2]), to, asked, lambda _: None)\n"
    "asyncio.run(main())\n"
)
RACES = 50 if FULL else 5
HELD_S = 10.0 if FULL else 0.0
ATTEMPTS = 4
TABLE = "CREATE TABLE t (id int PRIMARY KEY, a int);"


def start_child(
    database, files, direction: Direction = Direction.UP, to: int | None = None
) -> subprocess.Popen[bytes]:
    wanted = "" if to is None else str(to)
    child = subprocess.Popen(
        [sys.executable, "-c", RUN, str(files.folder), direction.value, wanted],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    assert child.stdin is not None
    assert child.stdout is not None
    child.stdin.write(database.target.conninfo.encode())
    child.stdin.close()
    assert child.stdout.readline() == b"running\n"
    return child


def kill(child: subprocess.Popen[bytes]) -> None:
    child.send_signal(signal.SIGKILL)
    child.wait()
    assert child.stdout is not None
    child.stdout.close()


def is_there(database, name: str) -> bool:
    found: bool = database.query(f"SELECT to_regclass('{name}') IS NOT NULL")[0][0]
    return found


async def test_what_was_done_is_recorded_with_who_and_how_long(make, files):
    files.add("0001_a", TABLE, "DROP TABLE t;")
    database = make()
    moved = await database.up()
    assert (moved.version, moved.backup) == (1, "backups/1")
    assert [each.phase for each in database.progress] == [
        "PLANNING",
        "BACKING_UP",
        "MIGRATING",
        "DONE",
    ]
    rows = database.query(
        "SELECT number, name, action, done_by, server_user, elapsed_ms >= 0, attempts, forced"
        " FROM steward.migration_history"
    )
    assert rows == [(1, "a", "apply", "tester", "postgres", True, 1, True)]
    assert (await database.up()).steps == ()
    assert len(database.backups) == 1  # nothing to do, nothing to back up
    await database.down(0, back_up=False)
    assert len(database.backups) == 1


@both_majors
async def test_a_failure_in_the_third_of_five_statements_leaves_the_database_as_before(
    make, files, major
):
    files.add("0001_a", TABLE)
    files.add(
        "0002_b",
        "CREATE TABLE u ();\nCREATE TABLE v ();\nALTER TABLE gone ADD x int;\nCREATE TABLE w ();\nSELECT 1;",
    )
    database = make()
    with pytest.raises(
        MigrationFailed,
        match=r'0002_b up failed in statement 3, 0002_b.up.sql line 3: relation "gone"',
    ) as caught:
        await database.up()
    assert caught.value.metadata == {
        "migration": "0002_b", "state": "before", "statement": "3", "sqlstate": "42P01"
    }  # fmt: skip
    assert (await database.status()).version == 1
    assert [is_there(database, name) for name in "tuvw"] == [True, False, False, False]


async def test_sql_that_does_not_parse_names_file_and_line(make, files):
    files.add("0001_a", "SELECT 1;\n\nCREATE TABEL t ();")
    with pytest.raises(MigrationFailed, match=r"0001_a\.up\.sql line 3: syntax error"):
        await make().up()


async def test_a_value_of_a_row_stands_in_no_error(make, files):
    files.add(
        "0001_a",
        "CREATE TABLE t (email text UNIQUE); INSERT INTO t VALUES ('ana@x.org'), ('ana@x.org');",
    )
    files.add("0002_b", "SELECT 1;")
    with pytest.raises(
        MigrationFailed, match=r"unique violation \(23505\) of constraint 't_email_key', table 't'"
    ) as caught:
        await make().up()
    assert "ana" not in str(caught.value)


async def test_a_query_that_does_not_hold_takes_its_migration_back(make, files):
    files.add(
        "0001_a",
        TABLE,
        verify="-- steward: after up\nSELECT count(*) = 1 AS one_row, true AS fine FROM t;",
    )
    database = make()
    with pytest.raises(MigrationNotVerified, match=r"one_row \(query 1\)$"):
        await database.up()
    assert not is_there(database, "t")


async def test_an_applied_file_must_not_change_but_a_comment_can_be_repaired(make, files):
    files.add("0001_a", TABLE, "DROP TABLE t;")
    database = make()
    await database.up()
    files.add("0001_a", "-- why\n" + TABLE, "DROP TABLE t;")
    with pytest.raises(MigrationChanged, match="0001_a was edited"):
        await database.up()
    assert (await database.status()).steps[0].state is StepState.CHANGED
    status = await database.migrations.repair("main", 1, "tester")
    assert status.steps[0].state is StepState.APPLIED
    files.add("0001_a", TABLE + " CREATE TABLE u ();", "DROP TABLE t;")
    with pytest.raises(MigrationChanged, match="no more those that were applied"):
        await database.migrations.repair("main", 1, "tester")
    with pytest.raises(MigrationNotFound):
        await database.migrations.repair("main", 2, "tester")


async def test_an_applied_migration_that_is_gone_from_the_set_is_named(make, files):
    files.add("0001_a", TABLE)
    files.add("0002_b", "SELECT 1;")
    database = make()
    await database.up()
    for path in files.folder.glob("0002*"):
        path.unlink()
    with pytest.raises(MigrationChanged, match="the database has migration 0002_b, and the set in"):
        await database.up()
    assert (await database.status()).steps[1].state is StepState.MISSING


async def test_production_refuses_what_is_not_proven_unless_it_is_forced_by_name(make, files):
    files.add("0001_a", TABLE)
    database = make(production=True)
    with pytest.raises(
        MigrationUnproven, match="not proven on PostgreSQL 18 as the files are now: 0001_a"
    ):
        await database.up()
    with pytest.raises(MigrationNotFound, match="0001_b is forced"):
        await database.up(forced=frozenset({"0001_b"}))
    await database.up(forced=frozenset({"0001_a"}))
    assert database.query("SELECT forced FROM steward.migration_history") == [(True,)]
    files.add("0002_b", "SELECT 1;")
    database.proven.add("0002_b")
    await database.up()
    assert database.query("SELECT forced FROM steward.migration_history WHERE number = 2") == [
        (False,)
    ]


async def test_a_lock_that_somebody_holds_makes_nobody_wait_behind_and_is_told(make, files, idle):
    files.add("0001_a", TABLE)
    database = make()
    await database.up()
    files.add("0002_b", "ALTER TABLE t ADD b int;")
    await idle.execute("SET application_name = 'report'")
    await idle.execute("SELECT count(*) FROM t")  # holds ACCESS SHARE until it commits
    moving = asyncio.create_task(database.up())
    transaction = "SELECT xact_start FROM pg_stat_activity WHERE query LIKE 'ALTER TABLE t ADD b%'"
    seen: set[object] = set()
    end = time.monotonic() + HELD_S
    async with await psycopg.AsyncConnection.connect(
        database.target.conninfo, autocommit=True
    ) as reader:
        # The lock is held until the reader got through between so many attempts: behind a plain ALTER it never would.
        await reader.execute("SET statement_timeout = '60s'")
        while len(seen) < ATTEMPTS or time.monotonic() < end:
            seen |= {row[0] for row in await (await reader.execute(transaction)).fetchall()}
            await reader.execute("SELECT count(*) FROM t")
            await asyncio.sleep(0.005)
        assert not moving.done()
        await idle.commit()
        step = (await moving).steps[0]
    assert step.attempts > ATTEMPTS
    assert step.lock_wait_s > 0
    assert "AccessExclusiveLock on t" in step.lock_waits[0]
    assert "held by report (process" in step.lock_waits[0]
    waited = (
        "SELECT attempts > 1, lock_wait_ms > 0, lock_waits->>0 LIKE 'AccessExclusiveLock on t,%'"
        " FROM steward.migration_history WHERE number = 2"
    )
    assert database.query(waited) == [(True, True, True)]


async def test_a_lock_that_is_never_given_is_an_error_that_says_who_holds_it(make, files, idle):
    files.add("0001_a", TABLE)
    await make().up()
    files.add("0002_b", "ALTER TABLE t ADD b int;")
    await idle.execute("SET application_name = 'report'")
    await idle.execute("SELECT count(*) FROM t")
    database = make(patience_s=1.0)
    with pytest.raises(
        MigrationLockTimeout, match=r"0002_b up got no lock for statement 1 .* held by report"
    ) as caught:
        await database.up()
    assert caught.value.metadata["state"] == "before"
    assert (await database.status()).version == 1


@pytest.mark.campaign
async def test_two_runners_at_once_do_each_migration_once(make, files):
    files.add("0001_a", "CREATE TABLE t (n int);", "DROP TABLE t;")
    for number in range(2, RACES + 2):
        files.add(f"{number:04}_row", f"INSERT INTO t VALUES ({number});", "DELETE FROM t;")
    database = make()
    await database.up(1)
    rng = random.Random(50)

    async def runner(to: int, after_s: float):
        await asyncio.sleep(after_s)
        return await make().up(to)

    for to in range(2, RACES + 2):
        runners = (runner(to, 0), runner(to, rng.uniform(0, 0.05)))
        done = await asyncio.gather(*runners, return_exceptions=True)
        others = [each for each in done if isinstance(each, BaseException)]
        assert all(isinstance(each, MigrationInProgress) for each in others), done
        steps = [each.steps for each in done if not isinstance(each, BaseException)]
        assert sum(map(len, steps)) == 1
        assert database.query("SELECT count(*), max(n) FROM t") == [(to - 1, to)]


async def test_a_second_runner_is_told_who_holds_the_lock(make, files):
    files.add("0001_a", "SELECT pg_sleep(12);")
    database = make()
    moving = asyncio.create_task(database.up())
    await until(
        lambda: (
            database.query(
                "SELECT count(*) FROM pg_stat_activity WHERE query LIKE '%pg_sleep(12)%'"
            )[0][0]
            > 1
        )
    )
    with pytest.raises(MigrationInProgress, match="'stewardd migrations', process"):
        await make().up()
    moving.cancel()
    with pytest.raises(asyncio.CancelledError):
        await moving
    assert (await database.status()).version == 0


@both_majors
async def test_kill_9_in_the_middle_leaves_the_database_as_before_and_the_lock_free(
    make, files, major
):
    files.add("0001_a", "CREATE TABLE t (); SELECT pg_sleep(60); CREATE TABLE u ();")
    database = make()
    child = start_child(database, files)
    sleeping = "SELECT count(*) FROM pg_stat_activity WHERE query LIKE '%pg_sleep(60)%' AND pid <> pg_backend_pid()"
    await until(lambda: database.query(sleeping)[0][0] == 1)
    kill(child)
    await until(
        lambda: (
            database.query("SELECT count(*) FROM pg_locks WHERE locktype = 'advisory'") == [(0,)]
        ),
        5,
    )
    assert not is_there(database, "t")
    assert (await database.status()).version == 0
    files.add("0001_a", "CREATE TABLE t (); CREATE TABLE u ();")
    assert (await database.up()).version == 1


CONCURRENT = "-- steward: no-transaction\nCREATE INDEX CONCURRENTLY t_a ON t (a);"
INDEXED = (
    "-- steward: after up\nSELECT indisvalid FROM pg_index WHERE indexrelid = to_regclass('t_a');"
)


@both_majors
async def test_an_index_is_built_outside_of_a_transaction(make, files, major):
    files.add("0001_a", TABLE)
    files.add(
        "0002_b", CONCURRENT, "-- steward: no-transaction\nDROP INDEX CONCURRENTLY t_a;", INDEXED
    )
    database = make()
    await database.up()
    assert is_there(database, "t_a")
    await database.down(1)
    assert not is_there(database, "t_a")


async def test_what_cannot_run_in_a_transaction_says_which_directive_it_needs(make, files):
    files.add("0001_a", TABLE)
    files.add("0002_b", CONCURRENT.partition("\n")[2])
    with pytest.raises(MigrationFailed) as caught:
        await make().up()
    assert "-- steward: no-transaction" in caught.value.hint


async def test_an_invalid_index_that_a_failed_build_left_is_dropped(make, files):
    files.add("0001_a", TABLE + " INSERT INTO t SELECT n, 1 FROM generate_series(1, 10) n;")
    files.add("0002_b", CONCURRENT.replace("CREATE INDEX", "CREATE UNIQUE INDEX"), verify=INDEXED)
    database = make()
    with pytest.raises(MigrationFailed, match="unique violation") as caught:
        await database.up()
    assert caught.value.metadata["state"] == "before"
    assert not is_there(database, "t_a")
    assert (await database.status()).steps[1].state is StepState.PENDING


async def test_an_index_that_a_killed_build_left_is_told_and_built_anew(make, files, idle):
    files.add("0001_a", TABLE)
    database = make()
    await database.up()
    files.add("0002_b", CONCURRENT, verify=INDEXED)
    await idle.execute("INSERT INTO t VALUES (1, 1)")  # an old transaction that the build waits for
    child = start_child(database, files)
    await until(lambda: is_there(database, "t_a"))
    kill(child)
    await until(
        lambda: (
            database.query("SELECT count(*) FROM pg_locks WHERE locktype = 'advisory'") == [(0,)]
        )
    )
    await idle.commit()
    status = await database.status()
    assert [index.name for index in status.invalid_indexes] == ["public.t_a"]
    assert status.steps[1].state is StepState.UNFINISHED
    with pytest.raises(MigrationUnfinished, match="0002_b stopped on its way up"):
        await database.down(0)
    await database.up()
    status = await database.status()
    assert (status.version, status.invalid_indexes) == (2, ())


async def test_a_baseline_takes_over_a_database_that_has_the_tables(make, files):
    files.add(
        "0001_a",
        TABLE,
        "DROP TABLE t;",
        "-- steward: after up\nSELECT to_regclass('t') IS NOT NULL AS t_is_there;",
    )
    files.add("0002_b", "ALTER TABLE t ADD b int;")
    database = make()
    with pytest.raises(NotNow, match="has no migration 0001_a: t_is_there"):
        await database.migrations.baseline("main", 1, "tester")
    with psycopg.connect(database.target.conninfo) as connection:
        connection.execute(TABLE)
    status = await database.migrations.baseline("main", 1, "tester")
    assert [step.state for step in status.steps] == [StepState.BASELINE, StepState.PENDING]
    with pytest.raises(NotNow, match="has migrations already"):
        await database.migrations.baseline("main", 1, "tester")
    assert (await database.up()).version == 2


async def test_a_user_without_rights_is_told_and_nothing_is_changed(make, files, database):
    files.add("0001_a", TABLE)
    name = f"poor_{os.getpid()}_{time.monotonic_ns()}"
    with psycopg.connect(database.conninfo, autocommit=True) as admin:
        admin.execute(f"CREATE ROLE {name} LOGIN PASSWORD 'x'")
        admin.execute(f"REVOKE CREATE ON DATABASE {admin.info.dbname} FROM PUBLIC")
    try:
        poor = make(target=database.with_parameters(user=name, password="x"))
        with pytest.raises(DatabaseRefused, match="permission denied") as caught:
            await poor.up()
        assert "needs CREATE" in caught.value.hint
        assert (await poor.status()).version == 0
    finally:
        with psycopg.connect(database.conninfo, autocommit=True) as admin:
            admin.execute(f"DROP ROLE {name}")


async def test_a_user_who_is_called_steward_makes_tables_where_everybody_does(
    make, files, database
):
    files.add("0001_a", TABLE)
    files.add("0002_b", "CREATE TABLE u ();")
    with psycopg.connect(database.conninfo, autocommit=True) as admin:
        admin.execute("CREATE ROLE steward LOGIN SUPERUSER PASSWORD 'x'")
    own = make(target=database.with_parameters(user="steward", password="x"))
    try:
        await own.up()
        assert (
            own.query("SELECT schemaname FROM pg_tables WHERE tablename IN ('t', 'u')")
            == [("public",)] * 2
        )
    finally:
        with psycopg.connect(database.conninfo, autocommit=True) as admin:
            admin.execute(
                "REASSIGN OWNED BY steward TO postgres; DROP OWNED BY steward; DROP ROLE steward"
            )
