"""The quarantine through both clients: what is asked, what comes back, what is sent again, and what is never lost."""

import fcntl
import os
from datetime import UTC, datetime

import pytest
from steward.v1 import validation_pb2 as v
from steward_client import (
    BatchFilter,
    ExportFormat,
    QuarantineProgress,
    RowAction,
    RowState,
    errors,
)

from tests.unit.client.contract_state import Call, Fault, failing

AWAY = failing("UNAVAILABLE", "REPOSITORY_DOWN", "away")


@pytest.fixture
def batch(client):
    return client.validate_file(b"id,rating\na,7\nb,8\nc,0.5\n", source_file="n.csv")


def cut_after(size_bytes: int) -> Fault:
    def fault(call: Call) -> None:
        if call.received_bytes >= size_bytes:
            AWAY(call)

    return fault


def test_every_filter_of_batches_reaches_the_daemon(both, server):
    when = datetime(2025, 11, 13, 10, tzinfo=UTC)
    wanted = BatchFilter(
        schema="note", schema_version="1.0", source_file="n.csv", create_after=when, create_before=when,
        field="rating", keyword="maximum", state="open",
    )  # fmt: skip
    list(both.list_batches(batches=wanted))
    sent = server.requests[-1].filter
    assert (sent.schema, sent.schema_version, sent.source_file) == ("schemas/note", "1.0", "n.csv")
    assert (sent.field, sent.keyword, sent.state) == ("rating", "maximum", v.ROW_STATE_OPEN)
    assert sent.create_after == sent.create_before
    assert sent.create_after.ToJsonString() == "2025-11-13T10:00:00Z"
    list(both.list_batches())
    assert not server.requests[-1].HasField("filter")


def test_a_state_that_there_is_not_is_a_valueerror_and_nothing_is_sent(both, server):
    for word in ("closed", "unknown"):
        with pytest.raises(ValueError):
            list(both.list_batches(batches=BatchFilter(state=word)))
    assert server.calls["ListBatches"] == 0


def test_rows_of_one_batch_and_of_all_are_paged_under_their_filters(both, server, batch):
    other = both.validate_file(b"id,rating\nx,9\n")
    rows = list(
        both.quarantined_rows(batch.name, state=RowState.OPEN, field="rating", keyword="maximum", page_size=1)
    )  # fmt: skip
    assert [row.row_number for row in rows] == [1, 2]
    assert [request.page_token for request in server.requests[-2:]] == ["", "1"]
    assert {(r.field, r.keyword, r.state) for r in server.requests[-2:]} == {
        ("rating", "maximum", v.ROW_STATE_OPEN)
    }
    everything = list(both.quarantined_rows(batches=BatchFilter(schema="note")))
    assert [row.name.partition("/rows/")[0] for row in everything] == [
        other.name,
        batch.name,
        batch.name,
    ]
    assert server.requests[-1].parent == "batches/-"
    assert server.requests[-1].batches.schema == "schemas/note"


def test_a_row_is_corrected_and_keeps_what_happened_to_it(both, batch):
    name = f"{batch.name}/rows/1"
    row = both.get_quarantined_row(name)
    assert (row.state, row.attempt, row.history, row.update_time) == (RowState.OPEN, 0, (), None)
    assert row.current_cells == row.cells
    assert row.wrong == row.violations
    still = both.correct_row(name, {"rating": "5"}, etag=row.etag, actor="mia")
    assert (still.state, still.attempt, still.wrong[0].value) == (RowState.OPEN, 1, "5")
    done = both.correct_row(name, {"rating": "0.5"}, schema_version="1.0")
    assert done.state == RowState.RESOLVED
    first, _ = done.history
    assert (first.actor, first.action, first.state_after) == ("mia", RowAction.CORRECT, "open")
    assert first.changes == (("rating", "7", "5"),)
    assert "7" not in repr(first)
    with pytest.raises(errors.Conflict) as caught:
        both.correct_row(name, {"rating": "0"}, etag="a0")
    assert (caught.value.reason, caught.value.hint) == ("ROW_CHANGED", "read it again")


def test_rows_are_discarded_with_a_reason(both, server, batch):
    found = both.discard_rows(batch.name, [1, 2], reason="sent twice", actor="ben")
    assert (found.discarded_rows, found.unchanged_rows, found.batch.discarded_rows) == (2, 0, 2)
    assert (server.requests[-1].reason, server.requests[-1].actor) == ("sent twice", "ben")
    assert both.discard_rows(batch.name, [1], reason="x").unchanged_rows == 1
    with pytest.raises(errors.NotFound):
        both.discard_rows(batch.name, [9], reason="x")


def test_stats_have_every_count(both, server, batch):
    stats = server.stats
    stats.batches, stats.total_rows, stats.valid_rows, stats.open_rows = 1, 3, 1, 2
    stats.errors_by_version["schemas/note/versions/1.0"] = 2
    stats.top_values.add(field="rating", keyword="maximum", value="7", count=1)
    stats.days.add(day="2026-01-02", batches=1, total_rows=3, quarantined_rows=2, open_rows=2)
    stats.partial = True
    found = both.quarantine_stats(batch.name, top_values=5)
    assert (found.batches, found.total_rows, found.open_rows, found.partial) == (1, 3, 2, True)
    assert found.errors_by_version == {"schemas/note/versions/1.0": 2}
    assert (found.top_values[0].value, found.days[0].quarantined_rows) == ("7", 2)
    assert server.requests[-1].top_values == 5
    both.quarantine_stats()
    assert server.requests[-1].parent == "batches/-"


def test_a_sheet_goes_back_and_says_what_came_of_it(both, server, batch, tmp_path):
    path = tmp_path / "rows.csv"
    path.write_bytes(b"1,0.5\n2,9\n")
    steps: list[int] = []
    tried = both.resubmit_sheet(path, dry_run=True, include_unchanged=True, schema_version="1.1")
    assert (tried.resolved_rows, tried.batch.open_rows) == (1, 2)
    opened = server.requests[-1]
    assert (opened.dry_run, opened.include_unchanged, opened.schema_version) == (True, True, "1.1")
    found = both.resubmit_sheet(path, batch=batch.name, actor="mia", progress=steps.append)
    assert (found.total_rows, found.resolved_rows, found.invalid_rows) == (2, 1, 1)
    assert (found.batch.open_rows, found.batch.resolved_rows, found.commit) == (1, 1, 1)
    assert (server.requests[-1].parent, server.requests[-1].actor) == (batch.name, "mia")
    assert steps == [len(path.read_bytes())]
    again = both.resubmit_sheet(path)
    assert (again.conflicting_rows, again.conflicts) == (1, (1,))


def test_a_sheet_is_sent_again_when_the_connection_breaks_but_a_pipe_is_not(both, server, batch):
    server.faults["ResubmitSheet"].extend([AWAY, AWAY])
    assert both.resubmit_sheet(b"1,0.5\n").resolved_rows == 1
    assert server.calls["ResubmitSheet"] == 3
    server.faults["ResubmitSheet"].append(AWAY)
    reading, writing = os.pipe()
    os.write(writing, b"2,0.5\n")
    os.close(writing)
    with os.fdopen(reading, "rb", buffering=0) as pipe, pytest.raises(errors.Unavailable):
        both.resubmit_sheet(pipe)
    assert server.calls["ResubmitSheet"] == 4


def test_a_sheet_that_is_not_there_is_an_oserror_and_nothing_is_sent(both, server, tmp_path):
    with pytest.raises(FileNotFoundError):
        both.resubmit_sheet(tmp_path / "nothing.csv")
    assert server.calls["ResubmitSheet"] == 0


def test_an_export_is_written_whole_with_every_option(both, server, batch, tmp_path):
    path = tmp_path / "rows.tar"
    steps: list[int] = []
    file = both.export_quarantine(
        batch.name, path, format="json", state="discarded", field="rating", keyword="maximum",
        include_valid=True, original_order=True, progress=steps.append,
    )  # fmt: skip
    assert path.read_bytes() == server.export_body
    assert (file.path, file.file_name, file.rows) == (str(path), "rows.csv", 1000)
    assert steps[-1] == file.size_bytes == len(server.export_body)
    sent = server.requests[-1]
    assert (sent.format, sent.state, sent.field, sent.keyword) == (3, 3, "rating", "maximum")
    assert sent.include_valid
    assert sent.original_order
    assert list(tmp_path.iterdir()) == [path]


def test_the_format_is_a_sheet_of_a_batch_and_csv_of_an_export(both, server, batch, tmp_path):
    both.export_quarantine(batch.name, tmp_path)
    assert (tmp_path / "rows.csv").exists()
    both.export_quarantine(f"{batch.name}/exports/0", tmp_path)
    both.export_quarantine(batch.name, tmp_path, format=ExportFormat.CSV)
    assert [request.format for request in server.requests[-3:]] == [1, 2, 2]


def test_an_export_that_is_cut_begins_again(both, server, batch, tmp_path):
    server.faults["exporting"].extend([cut_after(2000), cut_after(4000)])
    both.export_quarantine(batch.name, tmp_path / "rows.csv")
    assert (tmp_path / "rows.csv").read_bytes() == server.export_body
    assert server.calls["ExportQuarantine"] == 3


@pytest.mark.parametrize("claims", [(1, 2), None])
def test_an_export_that_is_not_what_its_end_says_is_never_published(
    both, server, batch, tmp_path, claims
):
    server.export_claims, server.export_has_end = claims, claims is not None
    path = tmp_path / "rows.csv"
    path.write_text("old")
    with pytest.raises(errors.Corrupt):
        both.export_quarantine(batch.name, path)
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("name", ["../../evil.csv", "/etc/evil.csv", "..\\evil.csv", "..", ""])
def test_a_name_of_the_daemon_stays_in_the_folder(both, server, batch, tmp_path, name):
    server.export_name = name
    folder = tmp_path / "in" / "here"
    folder.mkdir(parents=True)
    both.export_quarantine(batch.name, folder)
    assert [path.name for path in folder.iterdir()] in (["evil.csv"], ["export"])
    assert list(tmp_path.iterdir()) == [tmp_path / "in"]


def test_a_file_that_is_there_may_be_kept(both, batch, tmp_path):
    path = tmp_path / "rows.csv"
    path.write_text("edited by somebody")
    for target in (path, tmp_path):
        with pytest.raises(FileExistsError):
            both.export_quarantine(batch.name, target, overwrite=False)
    assert path.read_text() == "edited by somebody"
    assert list(tmp_path.iterdir()) == [path]


def test_two_exports_to_one_path_are_kept_apart(client, batch, tmp_path):
    with (tmp_path / ".rows.csv.export.part").open("ab") as other:
        fcntl.flock(other, fcntl.LOCK_EX)
        with pytest.raises(errors.Conflict):
            client.export_quarantine(batch.name, tmp_path / "rows.csv")
    client.export_quarantine(batch.name, tmp_path / "rows.csv")


def test_a_cursor_gives_each_row_once(both, server, batch, tmp_path):
    path = tmp_path / "new.csv"
    with pytest.raises(errors.NotNow) as caught:
        both.export_next(batch.name, "importer", path)
    assert caught.value.reason == "NOTHING_TO_EXPORT"
    assert list(tmp_path.iterdir()) == []
    both.correct_row(f"{batch.name}/rows/1", {"rating": "0.5"})
    file = both.export_next(batch.name, "importer", path, actor="mia", original_order=True)
    assert (file.export.resolved_rows, file.export.actor) == (1, "mia")
    assert server.requests[-1].name == file.export.name
    assert list(tmp_path.iterdir()) == [path]
    with pytest.raises(FileExistsError):
        both.export_next(batch.name, "importer", path)
    path.unlink()
    with pytest.raises(errors.NotNow):
        both.export_next(batch.name, "importer", path)
    assert [each.cursor for each in both.list_exports(batch.name, page_size=1)] == ["importer"]
    assert list(both.list_exports(batch.name, cursor="other")) == []


def test_a_file_that_was_not_fetched_is_asked_for_again_and_no_row_is_passed_over(
    both, server, batch, tmp_path
):
    both.correct_row(f"{batch.name}/rows/1", {"rating": "0.5"})
    path = tmp_path / "new.csv"
    server.export_claims = (0, 0)
    with pytest.raises(errors.Corrupt):
        both.export_next(batch.name, "importer", path)
    server.export_claims = None
    both.correct_row(f"{batch.name}/rows/2", {"rating": "0.5"})
    first = both.export_next(batch.name, "importer", path)
    assert (first.export.name, first.export.resolved_rows) == (f"{batch.name}/exports/0", 1)
    path.unlink()
    second = both.export_next(batch.name, "importer", path)
    assert (second.export.name, second.export.after_commit) == (f"{batch.name}/exports/1", 1)


def test_two_processes_at_one_cursor_and_target_are_kept_apart(client, batch, tmp_path):
    client.correct_row(f"{batch.name}/rows/1", {"rating": "0.5"})
    ticket = tmp_path / f".new.csv.{batch.name.split('/')[1]}.importer.ticket"
    with ticket.open("ab") as other:
        fcntl.flock(other, fcntl.LOCK_EX)
        with pytest.raises(errors.Conflict):
            client.export_next(batch.name, "importer", tmp_path / "new.csv")


def test_what_changes_many_rows_is_an_operation_with_its_own_progress_and_result(both, server):
    before = datetime(2025, 1, 1, tzinfo=UTC)
    retried = both.retry_quarantine(
        keyword="enum", batches=BatchFilter(state="open"), schema_version="1.1", dry_run=True
    )
    assert isinstance(retried.progress, QuarantineProgress)
    assert (retried.result().judged_rows, retried.result().dry_run) == (5, True)
    assert (server.requests[-1].keyword, server.requests[-1].schema_version) == ("enum", "1.1")
    purged = both.purge_quarantine("b", before=before, states=["open"], archive=True, dry_run=False)
    assert purged.result().purged_by_state == {"resolved": 3}
    sent = server.requests[-1]
    assert (sent.parent, list(sent.states), sent.archive) == ("batches/b", [v.ROW_STATE_OPEN], True)
    assert sent.before.ToJsonString() == "2025-01-01T00:00:00Z"
    erased = both.erase_subject("ana@example.org", dry_run=True, request_id="mine").result()
    assert (erased.found, erased.subject_hash) == (4, "ab" * 32)
    assert server.requests[-1].request_id == "mine"
    assert len({each.name for each in both.list_operations()}) == 3
