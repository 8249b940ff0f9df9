"""Backups, and the operations that make them."""

import threading
import time

import pytest
from steward_client import BackupPhase, errors

from tests.unit.client.contract_state import failing, status

AWAY = failing("UNAVAILABLE", "REPOSITORY_DOWN", "away")


@pytest.mark.parametrize("method", ["Health", "ListBackups", "CreateBackup"])
def test_what_harms_nothing_is_sent_again_by_the_service_config(both, server, method):
    server.faults[method].extend([AWAY, AWAY])
    call = {
        "Health": both.health,
        "ListBackups": lambda: list(both.list_backups()),
        "CreateBackup": both.create_backup,
    }
    call[method]()
    assert server.calls[method] == 3
    assert len(server.operations) <= 1


def test_cancelling_is_not_sent_again_by_itself(both, server):
    operation = both.create_backup()
    server.faults["CancelOperation"].append(AWAY)
    with pytest.raises(errors.Unavailable):
        operation.cancel()
    assert server.calls["CancelOperation"] == 1


def test_a_backup_is_made_and_found(both):
    operation = both.create_backup("main", description="first")
    backup = operation.result(timeout_s=10)
    assert (backup.database, backup.description, backup.server_version) == ("main", "first", "18.1")
    assert backup.elapsed_s == 1.0
    assert backup.segments[0].size_bytes == 1000
    assert both.get_backup(backup.name) == backup
    assert list(both.list_backups()) == [backup]
    assert [each.name for each in both.list_operations()] == [operation.name]
    assert operation.refresh().done


def test_the_same_request_id_gets_the_same_operation(both, server):
    first = both.create_backup(request_id="r")
    assert both.create_backup(request_id="r").name == first.name
    assert both.create_backup().name != first.name


def test_a_watch_tells_each_change_and_ends_when_it_is_done(both, server):
    server.backup_hold.clear()
    seen = []
    for operation in both.create_backup().watch(timeout_s=20):
        seen.append(operation)
        if operation.progress is not None and operation.progress.dumped_bytes:
            server.backup_hold.set()
    assert seen[-1].done
    assert seen[-2].progress.phase is BackupPhase.DUMPING
    assert (seen[-2].progress.dumped_bytes, seen[-2].progress.database_size_bytes) == (2048, 4096)


def test_a_watch_that_breaks_is_taken_up_again(both, server):
    server.backup_hold.clear()
    server.faults["watching"].append(failing("UNAVAILABLE", "UNAVAILABLE", "restarting"))
    operation = both.create_backup()
    threading.Timer(0.3, server.backup_hold.set).start()
    assert list(operation.watch(timeout_s=20))[-1].done
    assert server.calls["WatchOperation"] == 2


def test_a_wait_that_ends_too_early_leaves_the_operation_going(both, server):
    server.backup_hold.clear()
    operation = both.create_backup()
    began = time.monotonic()
    with pytest.raises(errors.DeadlineExceeded):
        operation.wait(timeout_s=0.3)
    assert 0.25 < time.monotonic() - began < 3
    assert not operation.refresh().done
    server.backup_hold.set()
    assert operation.wait(timeout_s=10).done


def test_an_operation_that_failed_raises_its_own_error(both, server):
    server.backup_hold.clear()
    operation = both.create_backup()
    server.fail(
        operation.name, status("INTERNAL", "TOOL_FAILED", "pg_dump ended badly", "see the log")
    )
    with pytest.raises(errors.Failed) as caught:
        operation.result(timeout_s=5)
    assert (caught.value.reason, caught.value.hint) == ("TOOL_FAILED", "see the log")


def test_a_cancelled_operation_raises_cancelled(both, server):
    server.backup_hold.clear()
    operation = both.create_backup()
    operation.cancel()
    with pytest.raises(errors.Cancelled):
        operation.result(timeout_s=5)


def test_an_operation_of_an_unknown_kind_is_still_an_operation(both, server):
    from google.longrunning import operations_pb2

    strange = operations_pb2.Operation(name="operations/strange", done=True)
    strange.response.type_url = "type.googleapis.com/steward.v9.Unheard"
    server.operations[strange.name] = strange
    operation = both.get_operation("strange")
    assert operation.done
    assert operation.progress is None
    with pytest.raises(errors.Failed) as caught:
        operation.result()
    assert caught.value.reason == "RESPONSE_UNKNOWN"


def test_listings_take_the_beginning_of_an_id(both):
    for _ in range(2):
        both.validate_file(b"id\n1\n")
        both.create_backup().wait()
    names = [
        each.name for each in both.list_batches(id_prefix="00000000-0000-7000-8000-000000000001")
    ]
    assert names == ["batches/00000000-0000-7000-8000-000000000001"]
    assert len(list(both.list_batches(id_prefix="0000"))) == 2
    assert [each.name for each in both.list_backups(id_prefix="1")] == ["backups/1"]
    assert [each.name for each in both.list_operations(id_prefix="1")] == ["operations/1"]
    assert list(both.list_operations(id_prefix="9")) == []
