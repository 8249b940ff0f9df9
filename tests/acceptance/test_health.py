"""Health: what it says of each component, and that a database that is gone takes nothing else with it."""

import json
import os
import signal
import threading
from pathlib import Path

import grpc
import pytest
from google.longrunning import operations_pb2, operations_pb2_grpc
from grpc_health.v1 import health_pb2, health_pb2_grpc
from steward.v1 import backup_pb2, backup_pb2_grpc, system_pb2, system_pb2_grpc

from tests.acceptance.conftest import LANGUAGE, refused, rows
from tests.support.calls import channel, upload, validate
from tests.support.daemon import Daemon
from tests.support.waiting import wait_until

Serving = health_pb2.HealthCheckResponse
State = system_pb2.HealthResponse
SERVICES = {
    "steward.v1.ValidationService",
    "steward.v1.QuarantineService",
    "steward.v1.BackupService",
    "steward.v1.ScheduleService",
    "steward.v1.DatabaseService",
    "steward.v1.MigrationService",
    "steward.v1.OperationService",
    "steward.v1.SystemService",
    "google.longrunning.Operations",
    "grpc.health.v1.Health",
}


def health(address):
    with channel(address) as open_channel:
        return system_pb2_grpc.SystemServiceStub(open_channel).Health(
            system_pb2.HealthRequest(), timeout=5
        )


def component(address, name):
    return next(one for one in health(address).components if one.name == name)


def check(address, name):
    with channel(address) as open_channel:
        stub = health_pb2_grpc.HealthStub(open_channel)
        return stub.Check(health_pb2.HealthCheckRequest(service=name), timeout=5).status


def test_every_component_says_how_it_is(daemon):
    said = health(daemon.address)
    assert said.version
    assert said.uptime.ToTimedelta().total_seconds() > 0
    by_name = {one.name: one for one in said.components}
    assert set(by_name) == {"database", "repository", "backup"}
    database = by_name["database"]
    assert database.state == State.STATE_HEALTHY
    assert database.database.embedded
    assert database.database.server_version.startswith("18.")
    assert 0 < database.database.latency.ToTimedelta().total_seconds() < 2
    assert (database.database.pool.min_size, database.database.pool.max_size) == (5, 20)
    assert by_name["repository"].repository.writable
    assert by_name["repository"].repository.free_bytes > 0


def test_the_health_protocol_answers_for_every_component_and_service(daemon):
    with channel(daemon.address) as open_channel:
        stub = health_pb2_grpc.HealthStub(open_channel)
        listed = stub.List(health_pb2.HealthListRequest(), timeout=5).statuses
        assert set(listed) == SERVICES | {"", "database", "repository", "backup"}
        for name in listed:
            assert (
                stub.Check(health_pb2.HealthCheckRequest(service=name), timeout=5) == listed[name]
            )
        with pytest.raises(grpc.RpcError) as caught:
            stub.Check(health_pb2.HealthCheckRequest(service="nothing"), timeout=5)
        assert caught.value.code() is grpc.StatusCode.NOT_FOUND
        watch = stub.Watch(health_pb2.HealthCheckRequest(service="nothing"), timeout=5)
        assert next(iter(watch)).status == Serving.SERVICE_UNKNOWN
        watch.cancel()


def test_with_postgresql_stopped_the_daemon_stays_up_and_says_so(folder):
    with Daemon(folder / "data") as daemon, channel(daemon.address) as open_channel:
        seen = []
        watch = health_pb2_grpc.HealthStub(open_channel).Watch(
            health_pb2.HealthCheckRequest(service="database"), timeout=120
        )
        watcher = threading.Thread(target=lambda: seen.extend(_statuses(watch)))
        watcher.start()
        with _StoppedPostgres(daemon):
            wait_until(lambda: component(daemon.address, "database").state == State.STATE_DOWN)
            assert health(daemon.address).state == State.STATE_DEGRADED
            assert check(daemon.address, "") == Serving.SERVING
            assert check(daemon.address, "steward.v1.ValidationService") == Serving.SERVING
            assert check(daemon.address, "repository") == Serving.SERVING
            assert check(daemon.address, "database") == Serving.NOT_SERVING
            assert component(daemon.address, "database").detail
            assert validate(daemon.address, upload(LANGUAGE + rows(10))).total_rows == 10
            operation = _failed_backup(open_channel)
            assert json.dumps(operation.error.message)
        wait_until(lambda: component(daemon.address, "database").state == State.STATE_HEALTHY)
        watch.cancel()
        watcher.join(10)
        assert seen[:3] == [Serving.SERVING, Serving.NOT_SERVING, Serving.SERVING]


def test_an_external_database_that_is_away_does_not_keep_the_daemon_from_serving(folder):
    url = "postgresql://ana:hunter2@127.0.0.1:1/nothing"
    environment = {"STEWARDD_POSTGRES__DATABASES__MAIN__URL": url}
    with Daemon(folder / "data", environment=environment) as daemon:
        assert component(daemon.address, "database").state == State.STATE_DOWN
        assert validate(daemon.address, upload(LANGUAGE + rows(3))).total_rows == 3
        with refused() as found, channel(daemon.address) as open_channel:
            stub = backup_pb2_grpc.BackupServiceStub(open_channel)
            stub.CreateBackup(backup_pb2.CreateBackupRequest(database="other"), timeout=5)
        assert found[0].reason == "DATABASE_UNKNOWN"
    assert "hunter2" not in daemon.text


def test_sigterm_drains_and_a_second_one_stops(folder):
    daemon = Daemon(folder / "data").start()
    with channel(daemon.address) as open_channel:
        watch = health_pb2_grpc.HealthStub(open_channel).Watch(
            health_pb2.HealthCheckRequest(), timeout=60
        )
        answers = iter(watch)
        assert next(answers).status == Serving.SERVING
        daemon.signal(signal.SIGTERM)
        assert next(answers).status == Serving.NOT_SERVING
    assert daemon.wait() == 0
    assert [entry["event"] for entry in daemon.log][-1] == "stopped"


def _statuses(watch):
    try:
        for answer in watch:
            yield answer.status
    except grpc.RpcError as error:
        assert error.code() is grpc.StatusCode.CANCELLED


class _StoppedPostgres:
    """Freezes the embedded server: it neither answers nor is gone, so that nobody starts it again."""

    def __init__(self, daemon):
        self.pid = int(
            (daemon.data_dir / "postgres" / "data" / "postmaster.pid").read_text().split()[0]
        )

    def __enter__(self):
        for pid in self._family():
            os.kill(pid, signal.SIGSTOP)

    def __exit__(self, *error):
        for pid in self._family():
            os.kill(pid, signal.SIGCONT)

    def _family(self):
        yield self.pid
        for status in Path("/proc").glob("[0-9]*/stat"):
            try:
                parent = int(status.read_text().rpartition(")")[2].split()[1])
            except (OSError, IndexError):
                continue
            if parent == self.pid:
                yield int(status.parent.name)


def _failed_backup(open_channel):
    operation = backup_pb2_grpc.BackupServiceStub(open_channel).CreateBackup(
        backup_pb2.CreateBackupRequest(), timeout=10
    )
    waiter = operations_pb2_grpc.OperationsStub(open_channel)
    request = operations_pb2.WaitOperationRequest(name=operation.name)
    request.timeout.seconds = 60
    done = waiter.WaitOperation(request, timeout=70)
    assert done.done
    assert done.HasField("error")
    return done
