"""The quarantine through both clients: rows are found, counted, corrected, discarded, and changed by the thousand."""

import itertools
import os
import uuid
from datetime import UTC, datetime, timedelta

import pytest
from steward.v1 import quarantine_pb2 as q
from steward.v1 import validation_pb2 as v
from steward_client import BatchFilter, QuarantineProgress, RowAction, RowState, errors

from tests.support.call_proxy import failing
from tests.unit.client.on_a_daemon.messages import counts, number
from tests.unit.client.on_a_daemon.sheets import edited, sheet_of

AWAY = failing("UNAVAILABLE", "REPOSITORY_DOWN", "away")


@pytest.fixture
def batch(server, word):
    return server.client.validate_file(b"id,rating\na,7\nb,8\nc,0.5\n", source_file=word)


@pytest.fixture
def sheet(server, batch, tmp_path):
    """The sheet of both open rows."""
    return sheet_of(server.client, batch.name, tmp_path)


def test_every_filter_of_batches_reaches_the_daemon(both, server, batch, word):
    when = datetime(2025, 11, 13, 10, tzinfo=UTC)
    fitting = BatchFilter(
        schema="note", schema_version="1.0", source_file=word, field="rating", keyword="maximum", state="open",
        create_after=when,
    )  # fmt: skip
    assert [each.name for each in both.list_batches(batches=fitting)] == [batch.name]
    earlier = BatchFilter(source_file=word, create_after=when, create_before=when)
    assert list(both.list_batches(batches=earlier)) == []
    next(iter(both.list_batches()))
    first, second, third = server.of(v.ListBatchesRequest)
    sent = first.filter
    assert (sent.schema, sent.schema_version, sent.source_file) == ("schemas/note", "1.0", word)
    assert (sent.field, sent.keyword, sent.state) == ("rating", "maximum", v.ROW_STATE_OPEN)
    assert second.filter.create_after == second.filter.create_before == sent.create_after
    assert sent.create_after.ToJsonString() == "2025-11-13T10:00:00Z"
    assert not third.HasField("filter")


def test_a_state_that_there_is_not_is_a_valueerror_and_nothing_is_sent(both, server):
    for state in ("closed", "unknown"):
        with pytest.raises(ValueError):
            list(both.list_batches(batches=BatchFilter(state=state)))
    assert server.calls["ListBatches"] == 0


def test_rows_of_one_batch_and_of_all_are_paged_under_their_filters(both, server, batch, word):
    other = both.validate_file(b"id,rating\nx,9\n", source_file=word)
    rows = list(
        both.quarantined_rows(batch.name, state=RowState.OPEN, field="rating", keyword="maximum", page_size=1)
    )  # fmt: skip
    assert [row.row_number for row in rows] == [1, 2]
    pages = server.of(q.ListQuarantinedRowsRequest)
    answers = [each for each in server.responses if isinstance(each, q.ListQuarantinedRowsResponse)]
    assert len(pages) >= 2
    assert [page.page_token for page in pages] == [
        "",
        *(each.next_page_token for each in answers[:-1]),
    ]
    assert {(r.field, r.keyword, r.state) for r in pages} == {
        ("rating", "maximum", v.ROW_STATE_OPEN)
    }
    everything = list(both.quarantined_rows(batches=BatchFilter(schema="note", source_file=word)))
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
    value = "55555.25"  # stands in no time, attempt or message of a row
    still = both.correct_row(name, {"rating": value}, etag=row.etag, actor="mia")
    assert (still.state, still.attempt, still.wrong[0].value) == (RowState.OPEN, 1, value)
    with pytest.raises(errors.Conflict) as caught:
        both.correct_row(name, {"rating": "0"}, etag=row.etag)
    assert caught.value.reason == "ROW_CHANGED"
    assert caught.value.hint
    done = both.correct_row(name, {"rating": "0.5"}, schema_version="1.0")
    assert done.state == RowState.RESOLVED
    first, second = done.history
    assert (first.actor, first.action, first.state_after) == ("mia", RowAction.CORRECT, "open")
    assert first.changes == (("rating", "7", value),)
    assert second.changes == (("rating", value, "0.5"),)
    assert value not in repr(first) + repr(second)
    with pytest.raises(errors.NotNow) as closed:
        both.correct_row(name, {"rating": "0"})
    assert closed.value.reason == "ROW_CLOSED"


def test_rows_are_discarded_with_a_reason(both, server, batch):
    found = both.discard_rows(batch.name, [1, 2], reason="sent twice", actor="ben")
    assert (found.discarded_rows, found.unchanged_rows, found.batch.discarded_rows) == (2, 0, 2)
    assert (server.requests[-1].reason, server.requests[-1].actor) == ("sent twice", "ben")
    assert both.discard_rows(batch.name, [1], reason="x").unchanged_rows == 1
    with pytest.raises(errors.NotFound):
        both.discard_rows(batch.name, [9], reason="x")


def test_stats_are_those_of_a_batch_or_of_all(both, server, batch):
    found = both.quarantine_stats(batch.name, top_values=5)
    assert (found.batches, found.total_rows, found.open_rows, found.partial) == (1, 3, 2, False)
    assert found.errors_by_version == {"schemas/note/versions/1.0": 2}
    # A rating is personal data.
    assert (found.top_values[0].value, found.top_values[0].count) == ("***", 2)
    assert [day.quarantined_rows for day in found.days] == [2]
    assert server.requests[-1].top_values == 5
    both.quarantine_stats()
    assert server.requests[-1].parent == "batches/-"


def test_stats_have_every_count(both, server, batch):
    def change(stats: q.QuarantineStats) -> q.QuarantineStats:
        numbers = itertools.count(1)
        for part in (stats, *stats.days, *stats.top_values):
            number(part, numbers)
        stats.partial = stats.top_values_approximate = True
        return stats

    server.changes["GetQuarantineStats"] = change
    found = both.quarantine_stats(batch.name, top_values=5)
    (said,) = server.responses
    for part, raw in (
        (found, said),
        (found.days[0], said.days[0]),
        (found.top_values[0], said.top_values[0]),
    ):
        assert {name: getattr(part, name) for name in counts(raw)} == counts(raw) != {}
    assert found.errors_by_field == dict(said.errors_by_field)
    assert found.errors_by_keyword == dict(said.errors_by_keyword)
    assert found.errors_by_schema == dict(said.errors_by_schema)
    assert found.days[0].day == said.days[0].day
    assert (found.partial, found.top_values_approximate) == (True, True)


def test_a_sheet_goes_back_and_says_what_came_of_it(both, server, batch, sheet, tmp_path):
    path = tmp_path / "rows.csv"
    path.write_bytes(edited(sheet, {1: "0.5", 2: "9"}))
    steps: list[int] = []
    tried = both.resubmit_sheet(path, dry_run=True, include_unchanged=True, schema_version="1.0")
    assert (tried.resolved_rows, tried.batch.open_rows) == (1, 2)
    opened = server.requests[-1].open
    assert (opened.dry_run, opened.include_unchanged, opened.schema_version) == (True, True, "1.0")
    found = both.resubmit_sheet(path, batch=batch.name, actor="mia", progress=steps.append)
    assert (found.total_rows, found.resolved_rows, found.invalid_rows) == (2, 1, 1)
    assert (found.batch.open_rows, found.batch.resolved_rows, found.commit) == (1, 1, 1)
    opened = server.requests[-1].open
    assert (opened.parent, opened.actor) == (batch.name, "mia")
    assert steps == [len(path.read_bytes())]
    again = both.resubmit_sheet(edited(sheet, {1: "0.25", 2: "9"}))
    assert (again.conflicting_rows, again.conflicts, again.unchanged_rows) == (1, (1,), 1)


def test_a_sheet_is_sent_again_when_the_connection_breaks_but_a_pipe_is_not(both, server, sheet):
    server.fail("ResubmitSheet", AWAY, AWAY)
    assert both.resubmit_sheet(edited(sheet, {1: "0.5"})).resolved_rows == 1
    assert server.calls["ResubmitSheet"] == 3
    server.fail("ResubmitSheet", AWAY)
    reading, writing = os.pipe()
    os.write(writing, edited(sheet, {2: "0.5"}))
    os.close(writing)
    with os.fdopen(reading, "rb", buffering=0) as pipe, pytest.raises(errors.Unavailable):
        both.resubmit_sheet(pipe)
    assert server.calls["ResubmitSheet"] == 4


def test_a_sheet_that_is_not_there_is_an_oserror_and_nothing_is_sent(both, server, tmp_path):
    with pytest.raises(FileNotFoundError):
        both.resubmit_sheet(tmp_path / "nothing.csv")
    assert server.calls["ResubmitSheet"] == 0


def test_what_changes_many_rows_is_an_operation_with_its_own_progress_and_result(
    both, server, word
):
    memos = b"key,score\nana@%s,7\nb,2\nc,3\n" % word.encode()
    batch = both.validate_file(memos, schema="memo", schema_version="1.0", source_file=word)
    mine = BatchFilter(state="open", source_file=word)
    retried = both.retry_quarantine(
        keyword="maximum", batches=mine, schema_version="1.1", dry_run=True
    )
    assert isinstance(retried.progress, QuarantineProgress)
    outcome = retried.result(timeout_s=60)
    assert (outcome.judged_rows, outcome.resolved_rows, outcome.dry_run) == (3, 2, True)
    (sent,) = server.of(q.RetryQuarantineRequest)
    assert (sent.keyword, sent.schema_version) == ("maximum", "1.1")

    name = str(uuid.uuid4())
    erased = both.erase_subject(f"ana@{word}", dry_run=True, request_id=name)
    found = erased.result(timeout_s=60)
    assert (found.found, found.quarantined_rows, len(found.subject_hash)) == (1, 1, 64)
    assert server.of(q.EraseSubjectRequest)[0].request_id == name

    soon = datetime.now(UTC).replace(microsecond=0) + timedelta(minutes=1)
    identifier = batch.name.removeprefix("batches/")
    purged = both.purge_quarantine(
        identifier, before=soon, states=["open"], archive=True, dry_run=False
    )
    done = purged.result(timeout_s=60)
    assert (done.purged_by_state, done.archived_bytes > 0) == ({"open": 3}, True)
    (sent,) = server.of(q.PurgeQuarantineRequest)
    assert (sent.parent, list(sent.states), sent.archive) == (batch.name, [v.ROW_STATE_OPEN], True)
    assert sent.before.ToJsonString() == soon.strftime("%Y-%m-%dT%H:%M:%SZ")
    assert server.operations == [retried.name, erased.name, purged.name]
    listed = [each.name for each in itertools.islice(both.list_operations(), 3)]
    assert listed == [purged.name, erased.name, retried.name]
