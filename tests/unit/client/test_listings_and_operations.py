"""Listings, schemas, health, backups and the operations that make them."""

import itertools
import threading
import time
from datetime import UTC, datetime

import pytest
from steward.v1 import system_pb2
from steward_client import BackupPhase, HealthState, errors

from tests.unit.client.contract_state import failing, status

AWAY = failing("UNAVAILABLE", "REPOSITORY_DOWN", "away")


def test_listings_fetch_pages_as_they_are_read(both, server):
    names = [both.validate_file(b"id\n1\n").name for _ in range(5)]
    assert [batch.name for batch in both.list_batches(page_size=2)] == names[::-1]
    assert server.calls["ListBatches"] == 3
    first = list(itertools.islice(both.list_batches(page_size=2), 2))
    assert len(first) == 2
    assert server.calls["ListBatches"] == 4


def test_quarantined_rows_come_in_order_with_what_is_wrong(both):
    batch = both.validate_file(b"id,rating\n" + b"x,7\n" * 120)
    rows = list(both.quarantined_rows(batch.name, page_size=50))
    assert [row.row_number for row in rows] == list(range(1, 121))
    row = rows[0]
    assert (row.line_number, row.raw_row, row.recovered) == (2, b"x,7", False)
    assert [(cell.column, cell.value) for cell in row.cells] == [("id", "x"), ("rating", "7")]
    assert (row.violations[0].field, row.violations[0].keyword, row.violations[0].value) == (
        "rating",
        "maximum",
        "7",
    )


def test_a_row_does_not_show_its_values_in_a_log_line(both):
    batch = both.validate_file(b"id,rating\nsecret@example.org,77777\n")
    (row,) = both.quarantined_rows(batch.name)
    assert "secret" not in repr(row)
    assert "77777" not in repr(row)


def test_a_bare_id_names_a_resource_too(both):
    name = both.validate_file(b"id\n1\n").name
    assert both.get_batch(name.removeprefix("batches/")) == both.get_batch(name)


def test_schemas_are_listed_shown_and_detected(both):
    (schema,) = both.list_schemas()
    assert (schema.name, schema.document, schema.effective_date) == (
        "schemas/note/versions/1.0",
        "",
        "2025-01-01",
    )
    assert [(column.name, column.required, column.pii) for column in schema.columns] == [
        ("id", True, False),
        ("rating", False, True),
    ]
    assert both.get_schema("note").document == '{"type": "object"}'
    assert both.get_schema("note", "1.0").name == "schemas/note/versions/1.0"
    assert both.detect_schema(["id", "x"]).unknown_columns == ("x",)
    with pytest.raises(errors.InvalidRequest):
        both.get_schema("note", "9")


def test_health_has_every_fact_and_tells_what_it_does_not_know(both, server):
    health = server.health
    health.uptime.FromSeconds(90)
    database = health.components.add(
        name="database", state=system_pb2.HealthResponse.STATE_DEGRADED, detail="slow"
    )
    database.database.server_version = "18.1"
    database.database.latency.FromMilliseconds(12)
    database.database.pool.size = 5
    health.components.add(name="repository").repository.url = "file:///r"
    facts = health.components.add(name="backup").backup
    facts.running, facts.failures = 1, 3
    facts.last_failed_operation, facts.last_failure_reason = "operations/7", "TOOL_MISSING"
    facts.last_failure_time.FromSeconds(90)
    health.components.add(name="backup/never").backup.running = 0
    health.components.add(name="new", state=77)
    seen = both.health()
    assert (seen.state, seen.version, seen.uptime_s) == (HealthState.HEALTHY, "9.9", 90)
    first, repository, backup, never, unknown = seen.components
    without_failure = never.backup
    assert (first.state, first.detail, first.observe_time) == (HealthState.DEGRADED, "slow", None)
    assert first.database is not None
    assert (first.database.latency_s, first.database.pool.size) == (0.012, 5)
    assert repository.repository is not None
    assert repository.repository.free_bytes is None
    assert backup.backup is not None
    assert backup.backup.last_backup_age_s is None
    assert (backup.backup.failures, backup.backup.last_failed_operation) == (3, "operations/7")
    assert backup.backup.last_failure_reason == "TOOL_MISSING"
    assert backup.backup.last_failure_time == datetime(1970, 1, 1, 0, 1, 30, tzinfo=UTC)
    assert without_failure is not None
    assert without_failure.last_failure_time is None
    assert unknown.state is HealthState.UNKNOWN


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


def test_a_download_writes_over_no_file_where_it_is_told_not_to(both, tmp_path):
    name = both.validate_file(b"id\n1\n", keep_valid_rows=True).file("valid.csv").name
    path = tmp_path / "valid.csv"
    both.download_batch_file(name, path, overwrite=False)
    path.write_text("mine")
    with pytest.raises(FileExistsError):
        both.download_batch_file(name, path, overwrite=False)
    assert path.read_text() == "mine"
    both.download_batch_file(name, tmp_path)
    assert path.read_bytes() == b"id\n1\n"
