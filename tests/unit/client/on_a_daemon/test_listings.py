"""Listings, schemas and health through both clients."""

import itertools
import json
from datetime import UTC, datetime

import pytest
from steward.v1 import system_pb2
from steward_client import HealthState, errors

from tests.unit.client.on_a_daemon.noted import NOTE


def test_listings_fetch_pages_as_they_are_read(both, server):
    names = [both.validate_file(b"id\n1\n").name for _ in range(5)]
    # The daemon has those of other tests, too: only as many pages are fetched as are read.
    listed = list(itertools.islice(both.list_batches(page_size=2), 5))
    assert [batch.name for batch in listed] == names[::-1]
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
    [schema] = [each for each in both.list_schemas() if "/note/" in each.name]
    assert (schema.name, schema.document, schema.effective_date) == (
        "schemas/note/versions/1.0",
        "",
        "2025-01-01",
    )
    assert [(column.name, column.required, column.pii) for column in schema.columns] == [
        ("id", True, False),
        ("rating", False, True),
    ]
    assert json.loads(both.get_schema("note").document) == NOTE
    assert both.get_schema("note", "1.0").name == "schemas/note/versions/1.0"
    assert both.detect_schema(["id", "x"]).unknown_columns == ("x",)
    with pytest.raises(errors.NotFound):
        both.get_schema("note", "9.0")


def test_health_has_every_fact_and_tells_what_it_does_not_know(both, server):
    def tell(health):
        health.Clear()
        health.state, health.version = system_pb2.HealthResponse.STATE_HEALTHY, "9.9"
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
        return health

    server.changes["Health"] = tell
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
