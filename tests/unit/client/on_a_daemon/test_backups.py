"""Backups through both clients, and the operations that make them: waited for, watched, cancelled."""

import threading
import time

import pytest
from steward.v1 import backup_pb2 as pb
from steward_client import BackupPhase, errors

from tests.support.call_proxy import RESPONSE, failing
from tests.unit.client.on_a_daemon.noted import NotedProxy


@pytest.fixture
def server(databases: NotedProxy) -> NotedProxy:
    return databases


def test_a_backup_is_made_and_found(both, server):
    operation = both.create_backup("main", description="first")
    backup = operation.result(timeout_s=60)
    said = pb.Backup()
    assert server.responses[-1].response.Unpack(said)
    assert (backup.database, backup.description) == ("main", "first")
    assert backup.server_version == said.server_version
    assert backup.server_version.startswith("18.")
    assert backup.elapsed_s == pytest.approx(said.elapsed.ToNanoseconds() / 1e9, abs=1e-6)
    assert backup.elapsed_s > 0
    assert [(each.size_bytes, each.sha256) for each in backup.segments] == [
        (each.size_bytes, each.sha256) for each in said.segments
    ]
    assert backup.stored_size_bytes == backup.segments[0].size_bytes > 0
    assert both.get_backup(backup.name) == backup
    assert next(iter(both.list_backups())) == backup
    assert [each.name for each in both.list_backups(id_prefix=backup.name[8:])] == [backup.name]
    assert server.operations == [operation.name]
    assert operation.refresh().done


def test_a_watch_tells_each_change_and_ends_when_it_is_done(both, server, lock):
    seen = []
    for operation in both.create_backup("main").watch(timeout_s=60):
        seen.append(operation)
        if operation.progress.database_size_bytes and not operation.done:
            lock.release()
    assert [each.done for each in seen] == [False] * (len(seen) - 1) + [True]
    assert seen[0].progress.phase is BackupPhase.QUEUED
    (dumping, *_) = [each.progress for each in seen if each.progress.database_size_bytes]
    assert (dumping.phase, dumping.dumped_bytes) == (BackupPhase.DUMPING, 0)
    assert seen[-1].progress.dumped_bytes == seen[-1].state.response.dump_size_bytes > 0


def test_a_watch_that_breaks_is_taken_up_again(both, server, other_is_busy):
    server.fail("WatchOperation", failing("UNAVAILABLE", "UNAVAILABLE", "restarting"), at=RESPONSE)
    operation = both.create_backup("other")
    threading.Timer(0.3, server.client.cancel_operation, [operation.name]).start()
    assert list(operation.watch(timeout_s=60))[-1].done
    assert server.calls["WatchOperation"] == 2


def test_a_wait_that_ends_too_early_leaves_the_operation_going(both, server, other_is_busy):
    operation = both.create_backup("other")
    began = time.monotonic()
    with pytest.raises(errors.DeadlineExceeded):
        operation.wait(timeout_s=0.3)
    assert time.monotonic() - began > 0.25
    assert not operation.refresh().done
    operation.cancel()
    assert operation.wait(timeout_s=60).done


def test_a_cancelled_operation_raises_cancelled(both, other_is_busy):
    operation = both.create_backup("other")
    operation.cancel()
    with pytest.raises(errors.Cancelled):
        operation.result(timeout_s=60)
