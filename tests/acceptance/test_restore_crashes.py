"""Restores whose daemon, worker, pg_restore or server is killed at random moments: nothing is left, nothing is lost.

Moments are random but seeded; `make test` runs a sample, `make test-full` all of them.
"""

from __future__ import annotations

import os
import random
import signal
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

import grpc
import psycopg
import pytest
from google.longrunning import operations_pb2 as lro
from google.longrunning import operations_pb2_grpc
from steward.v1 import backup_pb2 as b
from steward.v1 import backup_pb2_grpc

from tests.acceptance.test_backup_crashes import MARK, ended, processes
from tests.support.calls import channel
from tests.support.campaigns import FULL
from tests.support.command import steward_json as steward
from tests.support.daemon import Daemon
from tests.support.waiting import wait_until

KILLS = 60 if FULL else 3
VICTIMS = ("daemon", "worker", "pg_restore", "server")
MODES = (b.RESTORE_MODE_NEW_DATABASE, b.RESTORE_MODE_SWAP, b.RESTORE_MODE_IN_PLACE)
FORMS = (b.BACKUP_FORM_CUSTOM, b.BACKUP_FORM_DIRECTORY)
WORKER = "stewardd.backup.restoring.worker"
LIVE = "steward"
TABLES, ROWS = 5, 4000
LONGEST_S = 1.5
# The live database has one row more than the backup: it tells whether anything was restored over it.
LATER = "INSERT INTO t0 VALUES (0, 'after the backup')"


class World:
    """A daemon on a database, with a backup of it in each form."""

    def __init__(self, daemon: Daemon) -> None:
        self.daemon = daemon
        self.backups: list[str] = []

    def connect(self, database: str = "postgres") -> psycopg.Connection:
        os.environ["PGSERVICEFILE"] = str(self.daemon.data_dir / "pg_service.conf")
        return psycopg.connect("service=steward", dbname=database, autocommit=True)

    def ask(self, query: str, *, database: str = "postgres") -> list[tuple[Any, ...]]:
        with self.connect(database) as connection:
            return connection.execute(query).fetchall()

    def run(self, statement: str, database: str = "postgres") -> None:
        with self.connect(database) as connection:
            connection.execute(statement)

    def databases(self) -> set[str]:
        return {name for (name,) in self.ask("SELECT datname FROM pg_database")}

    def rows(self, database: str) -> list[int]:
        """The numbers of rows of the tables, in their order."""
        counts = " UNION ALL ".join(f"SELECT {n}, count(*) FROM t{n}" for n in range(TABLES))
        return [int(rows) for _, rows in sorted(self.ask(counts, database=database))]

    def start(self, mode: b.RestoreMode.ValueType, backup: str) -> str:
        """Starts a restore; returns the name of its operation."""
        spec = b.RestoreSpec(backup=backup, mode=mode, end_sessions=True)
        confirm = "" if mode == b.RESTORE_MODE_NEW_DATABASE else LIVE
        with channel(self.daemon.address) as open_channel:
            stub = backup_pb2_grpc.BackupServiceStub(open_channel)
            request = b.RestoreBackupRequest(restore=spec, confirm=confirm)
            return str(stub.RestoreBackup(request, timeout=30).name)

    def ended(self, operation: str) -> Any:
        with channel(self.daemon.address) as open_channel:
            return ended(open_channel, operation)

    def is_done(self, operation: str) -> bool:
        with channel(self.daemon.address) as open_channel:
            stub = operations_pb2_grpc.OperationsStub(open_channel)
            request = lro.GetOperationRequest(name=operation)
            return bool(stub.GetOperation(request, timeout=30).done)

    def victims(self, kind: str) -> list[int]:
        if kind == "daemon":
            assert self.daemon.process is not None
            return [self.daemon.process.pid]
        folder = self.daemon.data_dir
        if kind == "server":
            return [int((folder / "postgres" / "data" / "postmaster.pid").read_text().split()[0])]
        found: list[int] = processes(folder, WORKER if kind == "worker" else "bin/pg_restore")
        return found

    def assert_nothing_is_left(self) -> None:
        folder = self.daemon.data_dir
        wait_until(lambda: not processes(folder, WORKER))
        wait_until(lambda: not processes(folder, "bin/pg_restore"))
        wait_until(lambda: not list((folder / "scratch").glob("restore-*")))
        sessions = (
            "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'stewardd restore'"
        )
        wait_until(lambda: self.ask(sessions) == [(0,)])
        records = folder / "repository" / "unfinished-restores"
        wait_until(lambda: not list(records.glob("*.json")))


@pytest.fixture(scope="module")
def world(session_folder: Path):
    folder = session_folder / "restore-crashes"
    folder.mkdir(mode=0o711)
    environment = {
        MARK: "1",
        "STEWARDD_BACKUP__SEGMENT_BYTES": str(1 << 20),
        "STEWARDD_BACKUP__COPIES__URL": str(folder / "second"),
        "STEWARDD_BACKUP__COPIES__INTERVAL_S": "1.0",
    }
    daemon = Daemon(folder / "data", environment=environment).start()
    try:
        made = World(daemon)
        for number in range(TABLES):
            made.run(
                f"CREATE TABLE t{number} AS SELECT n, (SELECT string_agg(md5(n::text || k), '')"
                f" FROM generate_series(1, 20) k) AS body FROM generate_series(1, {ROWS}) n;"
                f"CREATE INDEX ON t{number} (body)",
                LIVE,
            )
        with channel(daemon.address) as open_channel:
            stub = backup_pb2_grpc.BackupServiceStub(open_channel)
            for form in FORMS:
                started = stub.CreateBackup(b.CreateBackupRequest(form=form), timeout=30)
                backup = b.Backup()
                assert ended(open_channel, started.name).response.Unpack(backup)
                made.backups.append(backup.name)
        yield made
    finally:
        daemon.__exit__()


def test_a_database_that_a_killed_daemon_had_just_made_is_removed_by_the_next_one(world):
    """It is killed when the database is there, and before the server has taken the comment that marks it."""
    before = world.databases()
    with world.connect() as connection:
        with connection.transaction():
            connection.execute("LOCK TABLE pg_shdescription IN ACCESS EXCLUSIVE MODE")
            world.start(b.RESTORE_MODE_NEW_DATABASE, world.backups[0])
            waiting = "SELECT pid FROM pg_stat_activity WHERE query LIKE 'COMMENT%' AND wait_event_type = 'Lock'"
            ((pid,),) = wait_until(lambda: world.ask(waiting))
            world.daemon.kill()
            connection.execute("SELECT pg_terminate_backend(%s)", [pid])
            wait_until(lambda: not world.ask(waiting))
        assert len(world.databases() - before) == 1
    world.daemon.start()
    wait_until(lambda: world.databases() == before)
    world.assert_nothing_is_left()


def test_a_backup_that_the_first_repository_lost_comes_back_from_the_second(world, folder):
    name = world.backups[1]
    place = f"backups/*/{name.removeprefix('backups/')}"
    second = world.daemon.data_dir.parent / "second"
    wait_until(lambda: list(second.glob(f"{place}/manifest.json")))
    (first,) = (world.daemon.data_dir / "repository").glob(place)
    words = ("backup", "restore", name, "--new-database", "from_second")
    first.rename(folder / "lost")
    try:
        code, told = steward(world.daemon, *words)
        assert (code, told["error"]["reason"]) == (3, "BACKUP_NOT_FOUND")
        code, made = steward(world.daemon, *words, "--repository", "second")
        assert (code, made["target_database"]) == (0, "from_second"), made
        assert made["compared_tables"] == TABLES
        assert world.rows("from_second") == [ROWS] * TABLES
    finally:
        (folder / "lost").rename(first)
    world.run("DROP DATABASE from_second")


@pytest.mark.campaign
@pytest.mark.timeout(3600 if FULL else 600)
def test_whoever_is_killed_the_live_database_is_whole_and_the_operation_says_why(world):
    chance = random.Random(17)
    outcomes = {"restored": 0, "failed": 0}
    before = world.databases()
    world.run(LATER, LIVE)
    for attempt in range(KILLS):
        kind, mode = VICTIMS[attempt % len(VICTIMS)], MODES[attempt % len(MODES)]
        operation = world.start(mode, chance.choice(world.backups))
        kill(world, operation, kind, chance.uniform(0.0, LONGEST_S))
        if kind == "daemon":
            world.daemon.wait()
            world.daemon.start()
        done = world.ended(operation)
        if kind == "server":
            world.daemon.stop()
            world.daemon.start()
        told = (attempt, kind, b.RestoreMode.Name(mode), done)
        if done.HasField("error"):
            outcomes["failed"] += 1
            assert done.error.message, told
            assert done.error.code != grpc.StatusCode.UNKNOWN.value[0], told
        # A daemon may die when the restore is made, and before its operation says so.
        if done.HasField("response") or (kind == "daemon" and is_made(world, mode, before)):
            outcomes["restored"] += done.HasField("response")
            check_made(world, mode, before, told)
        else:
            wait_until(lambda: world.databases() == before)
            assert world.rows(LIVE) == [ROWS + 1, *[ROWS] * (TABLES - 1)], told
        world.assert_nothing_is_left()
    print(outcomes)
    assert outcomes["failed"] > KILLS // 4, outcomes


def kill(world: World, operation: str, kind: str, after_s: float) -> None:
    """Kills after a time, or as soon as there is such a process, unless the restore is over before."""
    time.sleep(after_s)
    while not (found := world.victims(kind)) and not world.is_done(operation):
        time.sleep(0.005)
    for pid in found:
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)


def is_made(world: World, mode: b.RestoreMode.ValueType, before: set[str]) -> bool:
    if mode != b.RESTORE_MODE_NEW_DATABASE:
        return world.rows(LIVE)[0] == ROWS
    comments = "SELECT datname FROM pg_database WHERE shobj_description(oid, 'pg_database') LIKE 'restored from %'"
    return bool({name for (name,) in world.ask(comments)} - before)


def check_made(
    world: World, mode: b.RestoreMode.ValueType, before: set[str], told: tuple[Any, ...]
) -> None:
    """The restored data are where they should be, and those of before too; leaves all as it was before."""
    more = sorted(world.databases() - before)
    assert len(more) == (mode != b.RESTORE_MODE_IN_PLACE), told
    restored, others = (LIVE, more) if mode != b.RESTORE_MODE_NEW_DATABASE else (more[0], [LIVE])
    assert world.rows(restored) == [ROWS] * TABLES, told
    for each in others:
        assert world.rows(each) == [ROWS + 1, *[ROWS] * (TABLES - 1)], told
    for each in more:
        world.run(f'DROP DATABASE "{each}" WITH (FORCE)')
    if restored == LIVE:
        world.run(LATER, LIVE)
