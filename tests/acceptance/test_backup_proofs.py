"""A daemon proves its backups by itself and on demand, says which is corrupt, and holds drills, also over kill -9."""

from __future__ import annotations

import configparser
import os
import signal
import time
import urllib.request
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any

import psycopg
import pytest

from tests.acceptance.test_backup_crashes import MARK, processes
from tests.support.campaigns import FULL
from tests.support.command import steward_json as steward
from tests.support.daemon import Daemon
from tests.support.waiting import wait_until
from tests.support.web import WEB

AUTOMATIC = {"STEWARDD_BACKUP__VERIFICATION__AUTOMATIC": "true"}
WORKER = "stewardd.backup.restoring.worker"
PLACES = {"worker": WORKER, "pg_restore": "pg_restore", "scratch": "scratch-server"}

until = partial(wait_until, timeout_s=120.0)


@pytest.fixture(scope="module")
def proving(session_folder: Path):
    folder = session_folder / "proving"
    folder.mkdir(mode=0o711)
    with Daemon(folder / "data", environment=AUTOMATIC | WEB) as daemon:
        yield daemon


def shown(daemon: Daemon, backup: str) -> dict[str, Any]:
    code, found = steward(daemon, "backup", "show", backup)
    assert code == 0, found
    return dict(found)


def component(daemon: Daemon) -> dict[str, Any]:
    _, health = steward(daemon, "health")
    return next(each for each in health["components"] if each["name"] == "backup")


def test_each_backup_is_proven_by_itself_and_a_drill_measures_the_restore(proving):
    _, made = steward(proving, "backup", "create")
    assert made["proof"] == "pending"
    found = until(lambda: (each := shown(proving, made["name"]))["proof"] != "pending" and each)
    assert (found["proof"], found["verification"]["detail"]) == ("verified", "")
    assert found["verification"]["restore_elapsed_s"] > 0
    _, listed = steward(proving, "backup", "list")
    assert [each["proof"] for each in listed["backups"]] == ["verified"]
    code, drill = steward(proving, "backup", "drill")
    assert (code, drill["backup"]) == (0, made["name"])
    assert drill["verification"]["outcome"] == "verified"
    _, trend = steward(proving, "backup", "drill", "--list")
    assert [each["name"] for each in trend["drills"]] == [drill["name"]]


def test_a_corrupt_backup_is_named_by_everything_that_tells_of_backups(proving, monkeypatch):
    _, made = steward(proving, "backup", "create")
    until(lambda: shown(proving, made["name"])["proof"] == "verified")
    (segment,) = proving.data_dir.glob(
        f"repository/backups/*/{made['name'].removeprefix('backups/')}/segment-000000"
    )
    whole = segment.read_bytes()
    segment.write_bytes(whole[:-1] + bytes([whole[-1] ^ 1]))
    code, found = steward(proving, "backup", "verify", "--amcheck", made["name"])
    assert (code, found["verification"]["outcome"]) == (1, "corrupt")
    source = found["source_check"]
    assert (source["outcome"], source["reason"]) == ("could_not_run", "AMCHECK_MISSING")
    assert "its checksum differs" in found["verification"]["detail"]
    until(lambda: "is corrupt" in component(proving)["detail"])
    assert component(proving)["state"] == "degraded"
    text = urllib.request.urlopen(f"http://{proving.web_addresses[0]}/metrics", timeout=30).read()
    assert b'steward_backup_proofs{database="embedded",proof="corrupt"} 1' in text
    segment.write_bytes(whole)
    monkeypatch.setenv("PGSERVICEFILE", str(proving.data_dir / "pg_service.conf"))
    with psycopg.connect("service=steward", autocommit=True) as connection:
        connection.execute("CREATE EXTENSION amcheck")
    code, found = steward(proving, "backup", "verify", "--amcheck", made["name"])
    assert (code, found["verification"]["outcome"]) == (0, "verified")
    assert found["source_check"]["outcome"] == "sound"
    until(lambda: component(proving)["state"] == "healthy")


@pytest.fixture(scope="module")
def crashing(session_folder: Path):
    """A daemon with a backup that is verified."""
    folder = session_folder / "crashing-trials"
    folder.mkdir(mode=0o711)
    with Daemon(folder / "data", environment=AUTOMATIC | {MARK: "1"}) as daemon:
        make_restores_slow(daemon)
        _, made = steward(daemon, "backup", "create")
        until(lambda: shown(daemon, made["name"])["proof"] == "verified")
        yield daemon, made["name"]


@pytest.mark.campaign
@pytest.mark.timeout(3600 if FULL else 300)
@pytest.mark.parametrize("victim", ["daemon", *PLACES])
def test_whatever_is_killed_during_a_trial_nothing_is_left_and_no_proof_is_taken_back(
    crashing, victim
):
    daemon, backup = crashing
    for attempt in range(15 if FULL else 1):
        begun = None
        while begun is None:
            begun = killed_trial(daemon, backup, victim, after_s=0.5 + 0.2 * attempt)
        ended = ending(daemon, begun["name"])
        if ended["error"]:
            assert (victim, ended["error"]["reason"]) == ("daemon", "OPERATION_ABANDONED")
        else:
            outcome = ended["response"]["verification"]["outcome"]
            assert outcome in ("could_not_run", "verified")
        until(lambda: not processes(daemon.data_dir, WORKER))
        until(lambda: not processes(daemon.data_dir, "pg_restore"))
        until(lambda: not list(daemon.data_dir.glob("scratch-server-*")))
        until(lambda: not list((daemon.data_dir / "scratch").glob("restore-*")))
        # What a trial that did not run says is no reason to take the proof back.
        assert shown(daemon, backup)["proof"] == "verified"


def make_restores_slow(daemon: Daemon) -> None:
    """Adds a table whose one row takes a second to be written, so that each process of a restore is seen."""
    service = configparser.ConfigParser()
    service.read(daemon.data_dir / "pg_service.conf")
    with psycopg.connect(**service["steward"]) as connection:  # type: ignore[arg-type]
        connection.execute(
            "CREATE FUNCTION slow(integer) RETURNS boolean LANGUAGE sql"
            " AS 'SELECT pg_catalog.pg_sleep(1) IS NOT NULL'"
        )
        connection.execute("CREATE TABLE slow (n integer CHECK (public.slow(n)))")
        connection.execute("INSERT INTO slow VALUES (1)")


def killed_trial(daemon: Daemon, backup: str, victim: str, after_s: float) -> Any:
    """The operation of a trial in which the daemon was killed and started again, or one of the trial's processes.

    None where that process was gone before it was seen.
    """
    with ThreadPoolExecutor(1) as pool:
        asking = pool.submit(steward, daemon, "backup", "verify", backup, "--no-wait")
        if victim == "daemon":
            _, begun = asking.result()
            time.sleep(after_s)
            daemon.kill()
            daemon.start()
            return begun
        is_killed = False
        deadline = time.monotonic() + 15
        while not is_killed and time.monotonic() < deadline:
            for pid in processes(daemon.data_dir, PLACES[victim])[:1]:
                with suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
                    is_killed = True
            time.sleep(0.02)
        _, begun = asking.result()
        if not is_killed:
            ending(daemon, begun["name"])
            return None
        return begun


def ending(daemon: Daemon, operation: str) -> dict[str, Any]:
    """The operation once it is done."""

    def done() -> dict[str, Any]:
        _, found = steward(daemon, "operation", "show", operation)
        return dict(found) if found["done"] else {}

    return until(done)
