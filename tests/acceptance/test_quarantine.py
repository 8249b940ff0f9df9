"""The life of a quarantined row, through a real daemon: found, corrected, discarded, and its history kept."""

import threading

import grpc
import pytest
from steward.v1 import quarantine_pb2 as q
from steward.v1 import validation_pb2 as v

from tests.acceptance.conftest import LANGUAGE, NO_DATABASE, refused, rows
from tests.support.calls import upload, validate
from tests.support.daemon import Daemon
from tests.support.quarantine import DISCARDED, OPEN, RESOLVED, quarantine


@pytest.fixture
def service(daemon):
    with quarantine(daemon.address) as opened:
        yield opened


def numbers(found):
    return [row.row_number for row in found]


def batch_of(daemon, body, **fields):
    return validate(daemon.address, upload(body, **fields)).name


def test_a_correction_that_is_valid_resolves_the_row_and_keeps_what_was_before(daemon, service):
    name = batch_of(daemon, LANGUAGE + rows(30, bad_every=10))
    before = service.row(name, 10)
    assert (before.state, before.attempt, list(before.history)) == (OPEN, 0, [])
    row = service.correct_by(name, 10, {"rating": "0.7"}, actor="mia", etag=before.etag)
    assert (row.state, row.attempt) == (RESOLVED, 1)
    assert {cell.column: cell.value for cell in row.corrected_cells}["rating"] == "0.7"
    (event,) = row.history
    assert (event.actor, event.action) == ("mia", q.RowEvent.ACTION_CORRECT)
    assert (event.state_before, event.state_after, event.attempt) == (OPEN, RESOLVED, 1)
    assert {c.column: c.value for c in event.cells_before}["rating"] == "1.7"
    assert {c.column: c.value for c in event.cells_after}["rating"] == "0.7"
    assert {c.column: c.value for c in row.cells}["rating"] == "1.7", "what came is not altered"
    batch = service.batch(name)
    assert (batch.open_rows, batch.resolved_rows, batch.discarded_rows) == (2, 1, 0)


def test_a_correction_that_is_still_invalid_stays_open_with_its_new_errors(daemon, service):
    name = batch_of(daemon, LANGUAGE + rows(10, bad_every=10))
    row = service.correct(name, 10, rating="0.5", participant_email="nobody")
    assert (row.state, row.attempt) == (OPEN, 1)
    assert [each.field for each in row.current_violations] == ["participant_email"]
    assert [each.field for each in row.violations] == ["rating"]
    assert numbers(service.rows(name, field="participant_email")) == [10]
    assert numbers(service.rows(name, field="rating")) == []
    again = service.correct(name, 10, participant_email="ana@example.org")
    assert (again.state, again.attempt, len(again.history)) == (RESOLVED, 2, 2)


def test_a_cell_over_the_bound_of_cells_is_refused_by_name(daemon, service):
    name = batch_of(daemon, LANGUAGE + rows(10, bad_every=10))
    with refused() as said:
        service.correct(name, 10, rating="x" * 262_145)
    assert (said[0].reason, said[0].fields) == ("INVALID_REQUEST", ("cells",))
    assert service.row(name, 10).attempt == 0


def test_the_same_correction_twice_changes_nothing(daemon, service):
    name = batch_of(daemon, LANGUAGE + rows(20, bad_every=10))
    for cells in ({"rating": "1.8"}, {"rating": "1.0"}):
        etag = service.row(name, 10).etag
        first = service.correct_by(name, 10, cells, etag=etag)
        assert service.correct_by(name, 10, cells, etag=etag) == first
    with refused() as found:
        service.correct(name, 10, rating="0.9")
    assert (found[0].code, found[0].reason) == (grpc.StatusCode.FAILED_PRECONDITION, "ROW_CLOSED")


def test_who_comes_second_with_an_old_etag_is_told(daemon, service):
    name = batch_of(daemon, LANGUAGE + rows(10, bad_every=10))
    etag = service.row(name, 10).etag
    service.correct_by(name, 10, {"rating": "1.9"}, etag=etag)
    with refused() as found:
        service.correct_by(name, 10, {"rating": "0.9"}, etag=etag)
    assert (found[0].code, found[0].reason) == (grpc.StatusCode.ABORTED, "ROW_CHANGED")


def test_discarding_needs_a_reason_takes_all_or_none_and_is_final(daemon, service):
    name = batch_of(daemon, LANGUAGE + rows(50, bad_every=10))
    service.correct(name, 10, rating="0.1")
    with refused() as found:
        service.discard(name, 20, reason=" ")
    assert found[0].fields == ("reason",)
    with refused() as found:
        service.discard(name, 10, 20)
    assert found[0].reason == "ROW_CLOSED"
    with refused() as found:
        service.discard(name, 20, 21)
    assert (found[0].code, found[0].reason) == (grpc.StatusCode.NOT_FOUND, "ROW_NOT_FOUND")
    assert service.batch(name).discarded_rows == 0
    answer = service.discard(name, 20, 30, reason="sent twice", actor="ben")
    assert (answer.discarded_rows, answer.unchanged_rows, answer.batch.discarded_rows) == (2, 0, 2)
    answer = service.discard(name, 30, 40)
    assert (answer.discarded_rows, answer.unchanged_rows) == (1, 1)
    (event,) = service.row(name, 30).history
    assert (event.reason, event.actor, event.state_after) == ("sent twice", "ben", DISCARDED)
    with refused() as found:
        service.correct(name, 20, rating="0.1")
    assert found[0].reason == "ROW_CLOSED"
    assert service.batch(name).open_rows == 1


def test_rows_are_listed_by_state_field_and_keyword_in_pages_that_stay_stable(daemon, service):
    body = LANGUAGE + rows(400, bad_every=4) + b"x,nobody,bo@example.org,2025-03-01,\n"
    name = batch_of(daemon, body)
    service.discard(name, 8, 12)
    service.correct(name, 400, rating="1")
    assert numbers(service.rows(name, 7)) == [*range(4, 401, 4), 401]
    assert numbers(service.rows(name, 7, state=DISCARDED)) == [8, 12]
    assert numbers(service.rows(name, 7, state=RESOLVED)) == [400]
    assert numbers(service.rows(name, 7, keyword="format")) == [401]
    assert numbers(service.rows(name, 7, keyword="maximum", field="rating", state=OPEN)) == [
        4,
        *range(16, 400, 4),
    ]
    request = q.ListQuarantinedRowsRequest(parent=name, page_size=5)
    first = service.stub.ListQuarantinedRows(request)
    service.correct(name, 24, rating="0")
    request.page_token = first.next_page_token
    assert numbers(service.stub.ListQuarantinedRows(request).rows) == [24, 28, 32, 36, 40]
    request.keyword = "maximum"
    with refused() as found:
        service.stub.ListQuarantinedRows(request)
    assert found[0].fields == ("page_token",)


def test_rows_of_all_batches_come_newest_batch_first(daemon, service):
    word = "across.csv"
    made = [
        batch_of(daemon, LANGUAGE + rows(n * 10, bad_every=10), source_file=word) for n in (1, 2, 3)
    ]
    found = service.rows("batches/-", 2, batches=v.BatchFilter(source_file=word))
    assert [row.name for row in found] == [
        f"{name}/rows/{number}"
        for name, count in zip(reversed(made), (3, 2, 1), strict=True)
        for number in range(10, count * 10 + 1, 10)
    ]
    service.discard(made[1], 10, 20)
    found = service.rows("batches/-", 1, batches=v.BatchFilter(source_file=word), state=OPEN)
    assert {row.name.rpartition("/rows/")[0] for row in found} == {made[0], made[2]}
    assert [b.name for b in service.batches(source_file=word, state=DISCARDED)] == [made[1]]
    assert [b.name for b in service.batches(source_file=word, keyword="format")] == []


def test_rows_whose_cells_could_not_be_read_are_corrected_from_nothing(daemon, service):
    body = LANGUAGE + b'1,"x"y@example.org,bo@example.org,2025-03-01,\n2,\xff,b,c,d\nshort\n'
    name = batch_of(daemon, body)
    assert numbers(service.rows(name)) == [1, 2, 3]
    row = service.correct(name, 2, session_id="2")
    assert {each.field for each in row.current_violations} == {
        "participant_email",
        "volunteer_email",
        "scheduled_at",
    }
    cells = {
        "session_id": "1",
        "participant_email": "xy@example.org",
        "volunteer_email": "bo@example.org",
        "scheduled_at": "2025-03-01",
    }
    for number in (1, 2, 3):
        assert service.correct_by(name, number, cells).state == RESOLVED
    with refused() as found:
        service.correct(name, 1, nonsense="x")
    assert found[0].fields == ("cells",)


def test_of_two_daemons_that_correct_one_row_one_wins_and_the_other_is_told(folder):
    repository = {**NO_DATABASE, "STEWARDD_REPOSITORY__URL": str(folder / "repository")}
    with (
        Daemon(folder / "a", environment=repository) as a,
        Daemon(folder / "b", environment=repository) as b,
        quarantine(a.address) as at_a,
        quarantine(b.address) as at_b,
    ):
        name = batch_of(a, LANGUAGE + rows(400, bad_every=10))
        barrier = threading.Barrier(2)
        outcomes: dict[int, list[str]] = {}

        def race(service, rating):
            for number in range(10, 401, 10):
                barrier.wait(30)
                try:
                    service.correct(name, number, rating=rating)
                    outcome = rating
                except grpc.RpcError as error:
                    assert error.code() in (
                        grpc.StatusCode.ABORTED,
                        grpc.StatusCode.FAILED_PRECONDITION,
                    )
                    outcome = "told"
                outcomes.setdefault(number, []).append(outcome)

        racers = [
            threading.Thread(target=race, args=each) for each in ((at_a, "0.1"), (at_b, "0.2"))
        ]
        for racer in racers:
            racer.start()
        for racer in racers:
            racer.join(120)
        for number, pair in outcomes.items():
            assert sorted(pair)[1] == "told", (number, pair)
            row = at_a.row(name, number)
            assert len(row.history) == 1
            assert {c.column: c.value for c in row.corrected_cells}["rating"] == min(pair)
        assert at_b.batch(name).resolved_rows == at_a.batch(name).resolved_rows == 40
