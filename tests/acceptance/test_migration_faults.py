"""Migrations under trouble, through a real daemon: two at once of everything, and kill -9 in the middle of each.

`make test` runs a seeded sample, `make test-full` all of it.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import psycopg
import pytest
from steward_client import Client
from steward_client.errors import StewardError
from steward_client.migrations.types import ProofOutcome

from tests.acceptance.test_backup_crashes import processes
from tests.support.campaigns import FULL
from tests.support.daemon import Daemon
from tests.support.waiting import wait_until

RACES = 50 if FULL else 3
KILLS = 6 if FULL else 1
DATABASE = "embedded"
VERIFY = "-- steward: after up\nSELECT to_regclass('{name}') IS NOT NULL AS it_is_there;\n"
SLOW = "SELECT pg_sleep(3600)"
SCRATCH = "scratch-server-"

STARTS: dict[str, Callable[[Client], Any]] = {
    "prove": lambda client: client.prove_migrations(DATABASE),
    "lint": lambda client: client.lint_migrations(DATABASE),
    "drift": lambda client: client.detect_drift(DATABASE),
    "dry run": lambda client: client.roll_back_migrations(DATABASE, 0, dry_run=True),
}
SAMPLED = ("prove", "lint")


def write(folder: Path, label: str, up: str, down: str, name: str) -> None:
    for part, text in (("up", up), ("down", down), ("verify", VERIFY.format(name=name))):
        (folder / f"{label}.{part}.sql").write_text(text)


@pytest.fixture(scope="module")
def own_set(session_folder: Path) -> Path:
    """A small set, all of which the database has at the beginning and at the end of each test."""
    folder = session_folder / "migration-faults-set"
    folder.mkdir()
    write(folder, "0001_t", "CREATE TABLE t (id bigint PRIMARY KEY);", "DROP TABLE t;", "t")
    write(folder, "0002_u", "CREATE TABLE u (id bigint PRIMARY KEY);", "DROP TABLE u;", "u")
    return folder


@pytest.fixture(scope="module")
def daemon(session_folder: Path, own_set: Path) -> Iterator[Daemon]:
    settings = {
        "STEWARDD_MIGRATIONS__DIR": str(own_set),
        "STEWARDD_MIGRATIONS__REQUIRE_PROOF": "false",
        "STEWARDD_OPERATIONS__LANES__MIGRATION": "4",
    }
    with Daemon(session_folder / "migration-faults", environment=settings) as running:
        with Client(running.address) as client:
            client.apply_migrations(DATABASE, skip_backup=True).result()
        yield running


def query(daemon: Daemon, statement: str) -> list[tuple[Any, ...]]:
    text = (daemon.data_dir / "pg_service.conf").read_text()
    parts = [line for line in text.splitlines() if "=" in line]
    with psycopg.connect(" ".join(parts), autocommit=True) as connection:
        return connection.execute(statement).fetchall()


def left_of(daemon: Daemon) -> list[str]:
    """What trials leave while they run: servers with their folders, copies of files, programs."""
    folders = [path.name for path in daemon.data_dir.glob(f"{SCRATCH}*")]
    copies = [path.name for path in (daemon.data_dir / "scratch").glob("lint-*")]
    return folders + copies + [str(pid) for pid in processes(daemon.data_dir, SCRATCH)]


def begun(daemon: Daemon, operation: Any) -> bool:
    """Whether a trial has something that a kill could leave, or is over."""
    return bool(left_of(daemon)) or operation.refresh().done


def check_results(found: dict[str, list[Any]]) -> None:
    for proved in found.get("prove", ()):
        assert [each.outcome for each in proved.proofs] == [ProofOutcome.PROVEN] * 2
    for linted in found.get("lint", ()):
        assert (linted.tried_count, linted.finding_count) == (2, 0)
    for drift in found.get("drift", ()):
        assert (drift.version, drift.differences) == (2, ())
    for tried in found.get("dry run", ()):
        assert (tried.dry_run, tried.version, len(tried.steps)) == (True, 2, 2)


def test_two_at_once_of_every_trial_do_not_disturb_one_another(daemon):
    kinds = [*STARTS, *STARTS] if FULL else [*STARTS]
    with Client(daemon.address) as client:
        started = [(kind, STARTS[kind](client)) for kind in kinds]
        found: dict[str, list[Any]] = {}
        for kind, operation in started:
            found.setdefault(kind, []).append(operation.result())
    check_results(found)
    wait_until(lambda: not left_of(daemon))


@pytest.mark.campaign
def test_two_applies_at_once_do_each_migration_once(daemon):
    with Client(daemon.address) as client:
        for _ in range(RACES):
            client.roll_back_migrations(DATABASE, 0, skip_backup=True).result()
            both = [client.apply_migrations(DATABASE, skip_backup=True) for _ in range(2)]
            steps, refusals = 0, []
            for operation in both:
                try:
                    steps += len(operation.result().steps)
                except StewardError as error:
                    refusals.append(error.reason)
            assert (steps, set(refusals)) in ((2, set()), (2, {"MIGRATION_IN_PROGRESS"}))
            assert client.get_migration_status(DATABASE).version == 2


def abandoned(daemon: Daemon, operation: str) -> None:
    """Looks how the new daemon tells of an operation that the old one did not end."""
    with Client(daemon.address) as client:
        found = client.get_operation(operation).wait()
        if found.state.error is not None:
            assert found.state.error.reason == "OPERATION_ABANDONED"


@pytest.mark.campaign
@pytest.mark.parametrize("kind", STARTS if FULL else SAMPLED)
def test_kill_9_in_the_middle_of_a_trial_leaves_nothing_running_and_no_folder(daemon, kind):
    rng = random.Random(kind)
    for _ in range(KILLS):
        with Client(daemon.address) as client:
            operation = STARTS[kind](client)
            wait_until(partial(begun, daemon, operation))
            time.sleep(rng.uniform(0, 1.5))
            daemon.kill()
        daemon.start()
        wait_until(lambda: not left_of(daemon))
        abandoned(daemon, operation.name)
        with Client(daemon.address) as client:
            assert client.get_migration_status(DATABASE).version == 2
    assert query(daemon, "SELECT to_regclass('t'), to_regclass('u')") == [("t", "u")]


@pytest.mark.campaign
def test_kill_9_of_a_daemon_that_applies_leaves_the_database_as_before(daemon, own_set):
    slow = (
        f"CREATE TABLE v (id bigint PRIMARY KEY); {SLOW}; CREATE TABLE w (id bigint PRIMARY KEY);"
    )
    write(own_set, "0003_v", slow, "DROP TABLE v, w;", "v")
    sleeping = f"SELECT count(*) FROM pg_stat_activity WHERE query LIKE '{SLOW}%'"
    try:
        for _ in range(KILLS):
            with Client(daemon.address) as client:
                operation = client.apply_migrations(DATABASE, skip_backup=True)
                wait_until(lambda: query(daemon, sleeping) == [(1,)])
                daemon.kill()
            daemon.start()
            wait_until(lambda: query(daemon, sleeping) == [(0,)])
            abandoned(daemon, operation.name)
            assert query(daemon, "SELECT to_regclass('v'), to_regclass('w')") == [(None, None)]
        write(own_set, "0003_v", slow.replace(SLOW, "SELECT 1"), "DROP TABLE v, w;", "v")
        with Client(daemon.address) as client:
            assert client.apply_migrations(DATABASE, skip_backup=True).result().version == 3
            assert client.roll_back_migrations(DATABASE, 2, skip_backup=True).result().version == 2
    finally:
        for path in own_set.glob("0003*"):
            path.unlink()
