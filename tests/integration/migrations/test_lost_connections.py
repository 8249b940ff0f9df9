"""A connection that is lost at any moment: the runner finds out what was done, says so, and applies nothing twice.

A proxy cuts the runner's connection before an answer of the server is passed on, so that the server has done what the
runner did not hear of. `make test` cuts at a seeded sample of the answers, `make test-full` at each of them.
"""

from __future__ import annotations

import asyncio
import random

import psycopg
import pytest
from stewardd.errors import DatabaseDown, MigrationFailed, MigrationLockTimeout, StewardError
from stewardd.migrations.files import Direction
from stewardd.migrations.plan import StepState
from stewardd.postgres.control import end_at_once
from stewardd.postgres.scratch import ScratchServers

from tests.integration.migrations.test_runner import CONCURRENT, INDEXED, TABLE, kill, start_child
from tests.integration.postgres.conftest import by_port, socket_of
from tests.support.campaigns import FULL
from tests.support.proxy import Proxy
from tests.support.versions import NEWEST
from tests.support.waiting import until

CUTS = 8
ROWS = 30
COMMITTED = b"COMMIT\0"
BACKFILL = (
    "-- steward: batch\n"
    "UPDATE t SET a = id WHERE id IN (SELECT id FROM t WHERE a IS NULL ORDER BY id LIMIT 10);"
)
FILLED = (
    "-- steward: after up\nSELECT count(*) FILTER (WHERE a IS NULL) = 0 AS all_are_filled FROM t;"
)


class Cut:
    """Cuts the runner's own connection, the first one, before its answer of that number is passed on."""

    def __init__(self, at: int, *, sign: bytes = b"") -> None:
        self._at = at
        self._sign = sign
        self.seen = 0

    def __call__(self, number: int, data: bytes) -> bool:
        if number != 1 or self._sign not in data:
            return False
        self.seen += 1
        return self.seen == self._at


@pytest.fixture
def proxy(database):
    with Proxy(str(socket_of(database))) as running:
        yield running


@pytest.fixture
def far(make, database, proxy):
    """The database as it is reached through the proxy, by a runner of its own for each run."""

    def made(patience_s: float = 30.0):
        return make(target=by_port(database, proxy.port), patience_s=patience_s)

    return made


def write_set(files) -> None:
    """A migration of each mode; a row more would tell that one was applied twice."""
    rows = f" INSERT INTO t SELECT n FROM generate_series(1, {ROWS}) n;"
    files.add("0001_a", TABLE + rows + " CREATE TABLE u (); SELECT 1;", "DROP TABLE t, u;")
    files.add("0002_b", CONCURRENT, "DROP INDEX t_a;", INDEXED)
    files.add("0003_c", BACKFILL, verify=FILLED)


def done_of(near) -> tuple[int, ...]:
    """The migrations whose whole work is there, whatever is recorded of them."""
    ((table, other),) = near.query("SELECT to_regclass('t'), to_regclass('u')")
    assert (table is None) == (other is None), "0001_a is there by half"
    if table is None:
        return ()
    index = "SELECT count(*) FROM pg_index WHERE indexrelid = to_regclass('t_a') AND indisvalid"
    has_index = near.query(index) == [(1,)]
    ((rows, filled),) = near.query("SELECT count(*), count(a) FROM t")
    assert rows == ROWS
    return (1, *((2,) if has_index else ()), *((3,) if filled == ROWS else ()))


async def cut_at(far, near, proxy, at: int) -> bool:
    """Migrates with one cut; looks whether what is said of it is so, and goes on. Returns whether there was a cut."""
    proxy.connections = 0
    proxy.on_answered = cut = Cut(at)
    try:
        said = await far().up(back_up=False)
    except StewardError as error:
        said = error
    proxy.on_answered = lambda _number, _data: False
    status = await near.status()
    if isinstance(said, StewardError):
        metadata = said.metadata or {}
        state, label = metadata.get("state", "before"), metadata.get("migration", "0001_a")
        assert state in ("before", "between"), said
        step = next(each for each in status.steps if each.label == label)
        if state == "before":
            assert step.state is StepState.PENDING, said
            assert step.number not in done_of(near)
        else:  # a backfill, part of which is there
            assert (label, step.state) == ("0003_c", StepState.UNFINISHED), said
    else:
        assert (said.version, status.version, len(done_of(near))) == (3, 3, 3)
    await near.up(back_up=False)
    assert ((await near.status()).version, done_of(near)) == (3, (1, 2, 3))
    ((applied,),) = near.query(
        "SELECT count(*) FROM steward.migration_history WHERE action = 'apply'"
    )
    await near.down(0, back_up=False)
    ((taken_back,),) = near.query(
        "SELECT count(*) FROM steward.migration_history WHERE action = 'roll back'"
    )
    assert applied == taken_back
    return cut.seen >= at


@pytest.mark.campaign
async def test_a_connection_that_is_cut_at_any_answer_leaves_each_migration_whole_or_not_there(
    make, far, proxy, files
):
    write_set(files)
    near = make()
    await near.up(1, back_up=False)  # the tables of the record are there from now on
    await near.down(0, back_up=False)
    proxy.on_answered = counting = Cut(0)
    await far().up(back_up=False)
    await near.down(0, back_up=False)
    every = list(range(1, counting.seen + 1))
    chosen = every if FULL else sorted(random.Random(18).sample(every, CUTS))
    cuts = [await cut_at(far, near, proxy, at) for at in chosen]
    assert sum(cuts) >= len(cuts) - 2  # the last answers may come in one piece


@pytest.mark.parametrize("at", [1, 2])
async def test_a_commit_whose_answer_is_lost_counts_as_applied_and_the_run_goes_on(
    make, far, proxy, files, at
):
    files.add("0001_a", TABLE + " INSERT INTO t VALUES (1);", "DROP TABLE t;")
    files.add("0002_b", "INSERT INTO t VALUES (2);", "DELETE FROM t WHERE id = 2;")
    proxy.on_answered = cut = Cut(at, sign=COMMITTED)
    moved = await far().up()
    assert cut.seen == at
    assert [(step.number, step.attempts) for step in moved.steps] == [(1, 1), (2, 1)]
    near = make()
    assert near.query("SELECT array_agg(id ORDER BY id) FROM t") == [([1, 2],)]
    assert near.query("SELECT number, action FROM steward.migration_history ORDER BY number") == [
        (1, "apply"),
        (2, "apply"),
    ]
    proxy.connections = 0
    proxy.on_answered = Cut(1, sign=COMMITTED)
    back = await far().down(0)
    assert (back.version, len(back.steps), (await near.status()).version) == (0, 2, 0)


async def test_where_the_database_stays_away_the_state_is_unknown_and_the_next_run_finds_it(
    make, far, proxy, files
):
    files.add("0001_a", TABLE + " INSERT INTO t VALUES (1);")

    def cut_for_good(number: int, data: bytes) -> bool:
        if number == 1 and COMMITTED in data:
            proxy.refuse()
            return True
        return False

    proxy.on_answered = cut_for_good
    with pytest.raises(DatabaseDown, match="0001_a up: the connection was lost") as caught:
        await far(patience_s=1.0).up()
    assert caught.value.metadata == {"migration": "0001_a", "state": "unknown"}
    assert "steward migrate status" in caught.value.hint
    assert (await make().up()).steps == ()
    assert make().query("SELECT count(*) FROM t") == [(1,)]


async def test_a_server_that_dies_and_restarts_in_between_rolls_back_and_that_is_said(
    make, files, folder
):
    files.add("0001_a", "CREATE TABLE t (); SELECT pg_sleep(60);")
    async with ScratchServers(folder).start(NEWEST) as server:
        database = make(target=await server.create_database("work"))
        moving = asyncio.create_task(database.up())
        sleeping = "SELECT pid FROM pg_stat_activity WHERE query LIKE '%pg_sleep(60)%' AND pid <> pg_backend_pid()"
        await until(lambda: len(database.query(sleeping)) == 1)
        control = server._control
        await asyncio.to_thread(end_at_once, control.cluster)
        await asyncio.to_thread(control.launch)
        with pytest.raises(DatabaseDown, match="0001_a up: the connection was lost") as caught:
            await moving
        assert caught.value.metadata == {"migration": "0001_a", "state": "before"}
        assert database.query("SELECT to_regclass('t')") == [(None,)]
        files.add("0001_a", "CREATE TABLE t ();")
        assert (await database.up()).version == 1


async def test_a_dropping_of_an_index_that_never_began_is_not_taken_for_done(make, files, idle):
    """The verify file says nothing of it, and the runner is killed while the statement waits for its first lock."""
    files.add("0001_a", TABLE + " CREATE INDEX t_a ON t (a);")
    files.add("0002_b", "SELECT 1;", "-- steward: no-transaction\nDROP INDEX CONCURRENTLY t_a;")
    database = make()
    await database.up()
    await idle.execute("LOCK TABLE t IN SHARE UPDATE EXCLUSIVE MODE")
    child = start_child(database, files, Direction.DOWN, 1)
    waiting = "SELECT count(*) FROM pg_locks WHERE NOT granted AND relation = to_regclass('t')"
    await until(lambda: database.query(waiting) == [(1,)])
    kill(child)
    await until(lambda: database.query(waiting) == [(0,)])
    await idle.commit()
    assert (await database.status()).steps[1].state is StepState.UNFINISHED
    await database.down(1)
    assert database.query("SELECT to_regclass('t_a')") == [(None,)]
    assert (await database.status()).version == 1


async def test_a_build_that_waits_too_long_says_for_whom_and_is_ended_by_the_next_run(
    make, files, idle
):
    files.add("0001_a", TABLE)
    await make().up()
    files.add("0002_b", CONCURRENT, verify=INDEXED)
    await idle.execute("SET application_name = 'report'")
    await idle.execute("INSERT INTO t VALUES (1, 1)")
    database = make(patience_s=1.0)
    with pytest.raises(MigrationLockTimeout, match="held by report") as caught:
        await database.up()
    assert (
        caught.value.metadata["state"] == "between"
    )  # the index is there and cannot be dropped either
    status = await database.status()
    assert status.steps[1].state is StepState.UNFINISHED
    assert [index.name for index in status.invalid_indexes] == ["public.t_a"]
    await idle.commit()
    await database.up()
    status = await database.status()
    assert (status.version, status.invalid_indexes) == (2, ())


async def test_a_constraint_that_fails_at_the_end_leaves_the_database_as_before(make, files):
    files.add(
        "0001_a",
        "CREATE TABLE p (id int PRIMARY KEY); CREATE TABLE c (p int REFERENCES p DEFERRABLE INITIALLY DEFERRED);"
        "INSERT INTO c VALUES (1);",
    )
    database = make()
    with pytest.raises(
        MigrationFailed, match="when it was recorded and committed: foreign key violation"
    ) as caught:
        await database.up()
    assert caught.value.metadata == {
        "migration": "0001_a", "state": "before", "sqlstate": "23503"
    }  # fmt: skip
    assert database.query("SELECT to_regclass('p'), to_regclass('c')") == [(None, None)]
    assert (await database.status()).version == 0


async def test_rights_that_are_missing_for_one_statement_leave_the_database_as_before(
    make, files, database
):
    files.add("0001_a", "CREATE TABLE own (); ALTER TABLE another ADD COLUMN b int;")
    with psycopg.connect(database.conninfo, autocommit=True) as admin:
        name = f"poor_{admin.info.backend_pid}"
        admin.execute(f"CREATE ROLE {name} LOGIN PASSWORD 'x'")
        admin.execute(f"GRANT CREATE ON DATABASE {admin.info.dbname} TO {name}")
        admin.execute(f"GRANT CREATE ON SCHEMA public TO {name}")
        admin.execute("CREATE TABLE another ()")
        poor = make(target=database.with_parameters(user=name, password="x"))
        try:
            with pytest.raises(MigrationFailed, match="must be owner of table another") as caught:
                await poor.up()
            assert caught.value.metadata["state"] == "before"
            assert (await poor.status()).version == 0
            assert poor.query("SELECT to_regclass('own')") == [(None,)]
        finally:
            admin.execute(f"DROP OWNED BY {name} CASCADE; DROP ROLE {name}")


async def test_a_database_that_is_set_to_read_only_is_refused_by_name(make, files, database):
    files.add("0001_a", TABLE)
    await make().up()
    files.add("0002_b", "CREATE TABLE u ();")
    read_only = make(target=database.with_options({"default_transaction_read_only": "on"}))
    with pytest.raises(MigrationFailed, match="in a read-only transaction") as caught:
        await read_only.up()
    assert caught.value.metadata["state"] == "before"
    with psycopg.connect(database.conninfo) as admin:
        admin.execute("DROP TABLE t; DROP SCHEMA steward CASCADE")
    with pytest.raises(StewardError, match="refuses the record of its migrations") as refused:
        await read_only.up()
    assert "default_transaction_read_only" in (refused.value.hint or "")


async def test_the_record_that_an_older_daemon_made_is_read_and_brought_up_to_date(make, files):
    files.add("0001_a", TABLE)
    database = make()
    await database.up()
    with psycopg.connect(database.target.conninfo) as connection:
        connection.execute("ALTER TABLE steward.migration_progress DROP COLUMN queries_tell")
    files.add("0002_b", CONCURRENT, verify=INDEXED)
    assert (await database.status()).version == 1
    assert (await database.up()).version == 2
