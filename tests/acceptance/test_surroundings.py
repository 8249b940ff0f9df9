"""What the environment says of other databases does not reach the embedded one, and secrets reach no message."""

from __future__ import annotations

import pytest
from google.longrunning import operations_pb2, operations_pb2_grpc
from steward.v1 import backup_pb2, backup_pb2_grpc, system_pb2, system_pb2_grpc

from tests.support.calls import channel
from tests.support.daemon import Daemon, DaemonDied
from tests.support.waiting import wait_until

State = system_pb2.HealthResponse


def backup(address: str) -> operations_pb2.Operation:
    """Makes a backup, and waits for how it ends."""
    with channel(address) as opened:
        stub = backup_pb2_grpc.BackupServiceStub(opened)
        started = stub.CreateBackup(backup_pb2.CreateBackupRequest(), timeout=30)
        request = operations_pb2.WaitOperationRequest(name=started.name)
        return operations_pb2_grpc.OperationsStub(opened).WaitOperation(request, timeout=90)


def component(address: str, name: str) -> system_pb2.HealthResponse.Component:
    return next(one for one in health(address).components if one.name == name)


def health(address: str) -> system_pb2.HealthResponse:
    with channel(address) as opened:
        stub = system_pb2_grpc.SystemServiceStub(opened)
        return stub.Health(system_pb2.HealthRequest(), timeout=10)


def test_no_variable_of_libpq_reaches_the_embedded_server_or_its_tools(folder):
    environment = {
        "PGHOST": "nowhere.invalid",
        "PGHOSTADDR": "127.0.0.9",
        "PGPORT": "nonsense",
        "PGUSER": "somebody",
        "PGPASSWORD": "hunter2-and-more",
        "PGDATABASE": "elsewhere",
        "PGSERVICE": "nobody-made-it",
        "PGSERVICEFILE": "/nonexistent",
        "PGSSLMODE": "verify-full",
        "PGCHANNELBINDING": "require",
        "PGREQUIREAUTH": "gss",
        "PGGSSENCMODE": "require",
        "PGTARGETSESSIONATTRS": "standby",
        "PGLOADBALANCEHOSTS": "nonsense",
        "PGOPTIONS": "-c nonsense=1",
        "PGCLIENTENCODING": "NONSENSE",
        "PGTZ": "Nowhere/Nonsense",
        "PGDATESTYLE": "nonsense",
        "PGMINPROTOCOLVERSION": "9.9",
        "PGSYSCONFDIR": "/nonexistent",
        "PG_OF_A_LATER_VERSION": "nonsense",
    }
    with Daemon(folder / "data", environment=environment) as daemon:
        assert component(daemon.address, "database").state == State.STATE_HEALTHY
        assert not backup(daemon.address).HasField("error")
        (forgotten,) = daemon.events("variables of libpq not used: the embedded server has none")
        assert set(environment) <= set(forgotten["names"])
    assert "hunter2" not in daemon.text


@pytest.mark.parametrize(
    "url",
    [
        "postgresql://loader:rote@kirsche@127.0.0.1:1/depot",
        "postgresql://loader:rote/kirsche@127.0.0.1:1/depot",
        "postgresql://loader:kirsche@127.0.0.1:1/depot?schema=public",
        "postgresql+psycopg2://loader:kirsche@127.0.0.1:1/depot",
        "host=127.0.0.1 port=1 user=loader password=rote kirsche=1",
    ],
)
def test_a_url_that_would_be_misread_starts_no_daemon_and_is_not_quoted(folder, url):
    daemon = Daemon(folder / "data", environment={"STEWARDD_POSTGRES__DATABASES__MAIN__URL": url})
    with pytest.raises(DaemonDied) as died:
        daemon.start()
    assert daemon.process is not None
    assert daemon.process.returncode == 3
    assert "the connection string of database 'main'" in str(died.value).replace('"main"', "'main'")
    assert "kirsche" not in daemon.text
    assert "rote" not in daemon.text


def test_failed_backups_degrade_health_until_one_succeeds_also_over_a_restart(folder):
    tools = folder / "tools"
    tools.mkdir()
    for name in ("pg_dump", "pg_restore"):
        (tools / name).write_text(f"#!/bin/sh\necho '{name} (PostgreSQL) 15.14'\n")
        (tools / name).chmod(0o755)
    old_tools = {"STEWARDD_POSTGRES__TOOLS_DIR": str(tools)}
    with Daemon(folder / "data", environment=old_tools) as daemon:
        fresh = component(daemon.address, "backup")
        assert health(daemon.address).state == State.STATE_HEALTHY
        assert (fresh.state, fresh.backup.failures) == (State.STATE_HEALTHY, 0)
        assert "no backup yet" in fresh.detail
        for count in (1, 2, 3):
            failed = backup(daemon.address)
            assert failed.HasField("error")
            _until_failures(daemon.address, count)
        seen = component(daemon.address, "backup")
        assert seen.state == State.STATE_DEGRADED
        assert seen.backup.last_failure_reason == "TOOL_MISSING"
        assert seen.backup.last_failed_operation == failed.name
        assert seen.backup.HasField("last_failure_time")
        assert "3 backups" in seen.detail
        assert "15.14" in seen.detail
        assert health(daemon.address).state == State.STATE_DEGRADED
    with Daemon(folder / "data") as daemon:
        assert component(daemon.address, "backup").backup.failures == 3
        made = backup(daemon.address)
        assert not made.HasField("error")
        _until_failures(daemon.address, 0)
        seen = component(daemon.address, "backup")
        assert (seen.state, seen.detail) == (State.STATE_HEALTHY, "")
        assert seen.backup.last_backup.startswith("backups/")
        assert health(daemon.address).state == State.STATE_HEALTHY


def _until_failures(address: str, count: int) -> None:
    """Health hears of an operation's end right after who waits for it."""
    wait_until(lambda: component(address, "backup").backup.failures == count)
