"""CreateBackup and its operation, as any gRPC client sees them; the dump itself is tested in integration/backup."""

import hashlib
import os
import signal
import subprocess
import time

import grpc
import psycopg
import pytest
from google.longrunning import operations_pb2 as lro
from google.longrunning import operations_pb2_grpc
from steward.v1 import backup_pb2 as b
from steward.v1 import backup_pb2_grpc, operation_pb2, operation_pb2_grpc

from tests.acceptance.conftest import refused
from tests.support.calls import channel
from tests.support.daemon import Daemon
from tests.support.waiting import wait_until

UNKNOWN = "01900000-0000-7000-8000-000000000000"


class Client:
    def __init__(self, open_channel):
        self.backups = backup_pb2_grpc.BackupServiceStub(open_channel)
        self.operations = operations_pb2_grpc.OperationsStub(open_channel)
        self.watcher = operation_pb2_grpc.OperationServiceStub(open_channel)

    def create(self, **fields):
        return self.backups.CreateBackup(b.CreateBackupRequest(**fields), timeout=30)

    def wait(self, name, seconds=60):
        request = lro.WaitOperationRequest(name=name)
        request.timeout.seconds = seconds
        return self.operations.WaitOperation(request, timeout=seconds + 10)

    def get(self, name):
        return self.operations.GetOperation(lro.GetOperationRequest(name=name), timeout=10)

    def cancel(self, name):
        self.operations.CancelOperation(lro.CancelOperationRequest(name=name), timeout=10)


@pytest.fixture
def client(daemon):
    with channel(daemon.address) as open_channel:
        yield Client(open_channel)


def unpacked(operation, kind):
    message = kind()
    packed = operation.response if kind is b.Backup else operation.metadata
    assert packed.Unpack(message), operation
    return message


def test_a_backup_is_an_operation_that_ends_in_a_backup(client, daemon):
    started = client.create(description="before the move")
    metadata = unpacked(started, b.CreateBackupMetadata)
    done = client.wait(started.name)
    assert done.done, done
    backup = unpacked(done, b.Backup)
    assert backup.name == metadata.backup
    assert backup.description == "before the move"
    assert backup.stored_size_bytes == sum(segment.size_bytes for segment in backup.segments) > 0
    assert backup.server_version.startswith("18.")
    assert client.backups.GetBackup(b.GetBackupRequest(name=backup.name), timeout=10) == backup
    listed = client.backups.ListBackups(b.ListBackupsRequest(), timeout=10).backups
    assert listed[0] == backup
    stored = sorted(
        (daemon.data_dir / "repository" / "backups").rglob(f"*{backup.name[8:]}*/segment-*")
    )
    assert [hashlib.sha256(path.read_bytes()).hexdigest() for path in stored] == [
        segment.sha256 for segment in backup.segments
    ]


def test_the_same_request_id_gets_the_same_operation(client):
    first = client.create(request_id="nightly")
    assert client.create(request_id="nightly").name == first.name
    assert unpacked(client.wait(first.name), b.Backup)
    assert client.create(request_id="nightly") == client.get(first.name)
    with refused() as found:
        client.create(request_id="nightly", description="other")
    assert (found[0].code, found[0].reason) == (
        grpc.StatusCode.INVALID_ARGUMENT,
        "REQUEST_ID_REUSED",
    )


def test_an_operation_can_be_watched_to_its_end(client):
    started = client.create()
    seen = list(
        client.watcher.WatchOperation(
            operation_pb2.WatchOperationRequest(name=started.name), timeout=60
        )
    )
    assert [one.done for one in seen] == [False] * (len(seen) - 1) + [True]
    assert unpacked(seen[-1], b.Backup).name == unpacked(seen[0], b.CreateBackupMetadata).backup
    listed = client.operations.ListOperations(lro.ListOperationsRequest(), timeout=10).operations
    assert listed[0].name == started.name


def test_a_backup_that_is_cancelled_leaves_nothing(folder):
    with Daemon(folder / "data") as daemon, channel(daemon.address) as open_channel:
        client = Client(open_channel)
        os.environ["PGSERVICEFILE"] = str(daemon.data_dir / "pg_service.conf")
        with psycopg.connect("service=steward") as holder:
            holder.execute("CREATE TABLE held (n int)")
            holder.commit()
            holder.execute("LOCK TABLE held IN ACCESS EXCLUSIVE MODE")  # the dump waits for it
            started = client.create()
            wait_until(
                lambda: (
                    unpacked(client.get(started.name), b.CreateBackupMetadata).phase
                    == b.CreateBackupMetadata.PHASE_DUMPING
                )
            )
            client.cancel(started.name)
            done = client.wait(started.name)
        assert done.error.code == grpc.StatusCode.CANCELLED.value[0]
        assert not list(client.backups.ListBackups(b.ListBackupsRequest(), timeout=10).backups)
        assert not [
            p for p in (daemon.data_dir / "repository" / "backups").rglob("*") if p.is_file()
        ]
        wait_until(lambda: "pg_dump" not in _running(daemon))


def test_a_killed_daemon_ends_its_operation_and_leaves_no_half_backup(folder):
    daemon = Daemon(folder / "data").start()
    os.environ["PGSERVICEFILE"] = str(daemon.data_dir / "pg_service.conf")
    holder = psycopg.connect("service=steward", autocommit=True)
    holder.execute("CREATE TABLE held (n int)")
    try:
        with holder.transaction(), channel(daemon.address) as open_channel:
            holder.execute("LOCK TABLE held IN ACCESS EXCLUSIVE MODE")
            client = Client(open_channel)
            started = client.create(request_id="one")
            wait_until(lambda: "pg_dump" in _running(daemon))
            daemon.kill()
        wait_until(lambda: "pg_dump" not in _running(daemon))
        daemon.start()
        with channel(daemon.address) as open_channel:
            client = Client(open_channel)
            done = client.get(started.name)
            assert done.done
            assert "gone" in done.error.message
            assert not list(client.backups.ListBackups(b.ListBackupsRequest(), timeout=10).backups)
            assert client.create(request_id="one") == done
            assert client.wait(client.create(request_id="two").name).HasField("response")
    finally:
        holder.close()
        daemon.stop()


def test_who_watches_a_long_backup_does_not_hold_up_a_stop(folder):
    drain_s = 60.0
    environment = {"STEWARDD_SERVER__DRAIN_TIMEOUT_S": str(drain_s)}
    with Daemon(folder / "data", environment=environment) as daemon:
        os.environ["PGSERVICEFILE"] = str(daemon.data_dir / "pg_service.conf")
        with psycopg.connect("service=steward") as holder, channel(daemon.address) as open_channel:
            holder.execute("CREATE TABLE held (n int)")
            holder.commit()
            holder.execute("LOCK TABLE held IN ACCESS EXCLUSIVE MODE")  # the dump waits for it
            client = Client(open_channel)
            request = operation_pb2.WatchOperationRequest(name=client.create().name)
            watch = client.watcher.WatchOperation(request, timeout=120)
            assert not next(watch).done
            began = time.monotonic()
            daemon.signal(signal.SIGTERM)
            with refused() as found:
                list(watch)
            assert found[0].code is grpc.StatusCode.UNAVAILABLE
        assert daemon.wait() == 0
        assert time.monotonic() - began < drain_s / 2


def test_two_daemons_on_one_repository_see_each_others_operations(folder):
    shared = {"STEWARDD_REPOSITORY__URL": str(folder / "repository")}
    with (
        Daemon(folder / "one", environment=shared) as one,
        Daemon(folder / "two", environment=shared) as two,
        channel(one.address) as first,
        channel(two.address) as second,
    ):
        started = Client(first).create()
        done = Client(second).wait(started.name)
        assert unpacked(done, b.Backup).name == unpacked(started, b.CreateBackupMetadata).backup
        assert Client(first).get(started.name).response == done.response


@pytest.mark.parametrize(
    ("call", "reason"),
    [
        (lambda c: c.get(f"operations/{UNKNOWN}"), "OPERATION_NOT_FOUND"),
        (lambda c: c.cancel(f"operations/{UNKNOWN}"), "OPERATION_NOT_FOUND"),
        (lambda c: c.get("operations/1"), "INVALID_REQUEST"),
        (
            lambda c: c.backups.GetBackup(b.GetBackupRequest(name=f"backups/{UNKNOWN}")),
            "BACKUP_NOT_FOUND",
        ),
        (lambda c: c.backups.ListBackups(b.ListBackupsRequest(page_token="x")), "INVALID_REQUEST"),
        (lambda c: c.backups.ListBackups(b.ListBackupsRequest(page_size=-1)), "INVALID_REQUEST"),
        (lambda c: c.create(database="nothing"), "DATABASE_UNKNOWN"),
        (lambda c: c.create(request_id="x" * 200), "INVALID_REQUEST"),
    ],
)
def test_what_is_not_there_or_not_right_is_refused(client, call, reason):
    with refused() as found:
        call(client)
    assert found[0].reason == reason
    assert found[0].hint


def _running(daemon):
    """The command lines of what works below this daemon's folder."""
    listed = subprocess.run(
        ["ps", "-wweo", "args"], capture_output=True, text=True, check=True
    ).stdout
    socket = str(daemon.data_dir)
    return "\n".join(line for line in listed.splitlines() if "pg_dump" in line and socket in line)
