"""Backups whose daemon, worker, pg_dump or server is killed at random moments: what is left is whole, or is nothing.

Moments are random but seeded; `make test` runs a sample, `make test-full` all of them.
"""

import hashlib
import json
import os
import random
import signal
import time
from contextlib import suppress
from pathlib import Path

import grpc
import psycopg
import pytest
from google.longrunning import operations_pb2 as lro
from google.longrunning import operations_pb2_grpc
from steward.v1 import backup_pb2 as b
from steward.v1 import backup_pb2_grpc

from tests.support.calls import channel
from tests.support.campaigns import FULL
from tests.support.daemon import Daemon
from tests.support.waiting import wait_until

KILLS = 60 if FULL else 4
VICTIMS = ("daemon", "worker", "pg_dump", "server")
FORMS = (b.BACKUP_FORM_CUSTOM, b.BACKUP_FORM_DIRECTORY)
LONGEST_S = 2.5
TABLES = 6


def fill(daemon):
    os.environ["PGSERVICEFILE"] = str(daemon.data_dir / "pg_service.conf")
    with psycopg.connect("service=steward") as connection:
        for number in range(TABLES):
            connection.execute(
                f"CREATE TABLE t{number} AS SELECT n, (SELECT string_agg(md5(n::text || k), '')"
                " FROM generate_series(1, 20) k) AS body FROM generate_series(1, 5000) n"
            )


def processes(data_dir, program):
    """The processes of a program that work for this daemon: its folder stands in their arguments or their parents'."""
    found = []
    for path in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            arguments = (
                (path / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
            )
            environment = (path / "environ").read_bytes()
            is_ours = str(data_dir) in arguments or MARK.encode() in environment
            if program in arguments and is_ours:
                found.append(int(path.name))
    return sorted(found)


MARK = "STEWARD_TEST_BACKUP_CRASHES"


def victims(daemon, kind):
    if kind == "daemon":
        return [daemon.process.pid]
    if kind == "server":
        lines = (daemon.data_dir / "postgres" / "data" / "postmaster.pid").read_text().splitlines()
        return [int(lines[0])]
    program = "stewardd.backup.making.worker" if kind == "worker" else "bin/pg_dump"
    return processes(daemon.data_dir, program)


def check_whole(data_dir):
    """Every backup that exists has all of its objects, as its manifest names them; nothing else is there."""
    for folder in (data_dir / "repository" / "backups").glob("*/*"):
        names = {path.name for path in folder.iterdir()}
        if not names:
            continue
        body = (folder / "manifest.json").read_bytes()
        if body == b"":
            assert names == {"manifest.json"}, "a backup that was given up has data"
            continue
        manifest = json.loads(body)
        assert names == {
            "manifest.json",
            "contents",
            "globals",
            *(each["name"] for each in manifest["segments"]),
        }
        for segment in manifest["segments"]:
            stored = (folder / segment["name"]).read_bytes()
            assert hashlib.sha256(stored).hexdigest() == segment["sha256"]


def ended(open_channel, name):
    operations = operations_pb2_grpc.OperationsStub(open_channel)
    request = lro.WaitOperationRequest(name=name)
    request.timeout.seconds = 60
    done = operations.WaitOperation(request, timeout=90)
    assert done.done, done
    return done


@pytest.mark.campaign
@pytest.mark.timeout(3600 if FULL else 600)
def test_whoever_is_killed_a_backup_is_whole_or_is_not_there_and_its_operation_says_why(folder):
    rng = random.Random(16)
    environment = {MARK: "1", "STEWARDD_BACKUP__SEGMENT_BYTES": str(1 << 20)}
    daemon = Daemon(folder / "data", environment=environment).start()
    outcomes = {"made": 0, "failed": 0}
    try:
        fill(daemon)
        for attempt in range(KILLS):
            kind, form = VICTIMS[attempt % len(VICTIMS)], rng.choice(FORMS)
            with channel(daemon.address) as open_channel:
                stub = backup_pb2_grpc.BackupServiceStub(open_channel)
                started = stub.CreateBackup(b.CreateBackupRequest(form=form), timeout=30)
                deadline = time.monotonic() + rng.uniform(0.0, LONGEST_S)
                while time.monotonic() < deadline or not victims(daemon, kind):
                    time.sleep(0.02)
                    if time.monotonic() > deadline + 20:
                        break
                for pid in victims(daemon, kind):
                    with suppress(ProcessLookupError):
                        os.kill(pid, signal.SIGKILL)
                if kind not in ("daemon", "server"):
                    done = ended(open_channel, started.name)
            if kind == "daemon":
                daemon.wait()
                wait_until(lambda: not processes(daemon.data_dir, "bin/pg_dump"))
                daemon.start()
            if kind == "server":
                with channel(daemon.address) as open_channel:
                    done = ended(open_channel, started.name)
                daemon.stop()
                daemon.start()
            if kind == "daemon":
                with channel(daemon.address) as open_channel:
                    done = ended(open_channel, started.name)
            if done.HasField("error"):
                outcomes["failed"] += 1
                assert done.error.message, kind
                assert done.error.code != grpc.StatusCode.UNKNOWN.value[0], done
            else:
                outcomes["made"] += 1
            wait_until(lambda: not processes(daemon.data_dir, "bin/pg_dump"))
            wait_until(lambda: not processes(daemon.data_dir, "stewardd.backup.making.worker"))
            assert not list((daemon.data_dir / "scratch").glob("backup-*"))
            check_whole(daemon.data_dir)
        assert outcomes["failed"] > KILLS // 4, outcomes
        with channel(daemon.address) as open_channel:
            stub = backup_pb2_grpc.BackupServiceStub(open_channel)
            listed = stub.ListBackups(b.ListBackupsRequest(), timeout=30).backups
            assert len(listed) == outcomes["made"]
            last = stub.CreateBackup(b.CreateBackupRequest(), timeout=30)
            assert ended(open_channel, last.name).HasField("response")
    finally:
        daemon.__exit__()
