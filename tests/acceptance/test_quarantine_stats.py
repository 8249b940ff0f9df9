"""Counts of the quarantine: first those of a batch's report, and beside them what happened since."""

import json

import pytest
from steward.v1 import quarantine_pb2 as q
from steward.v1 import validation_pb2 as v

from tests.acceptance.conftest import LANGUAGE, NO_DATABASE, rows
from tests.support.calls import download, upload, validate
from tests.support.daemon import Daemon
from tests.support.quarantine import quarantine


@pytest.fixture
def service(daemon):
    with quarantine(daemon.address) as opened:
        yield opened


def stats_of(service, parent, top_values=0, **wanted):
    request = q.GetQuarantineStatsRequest(
        parent=parent, top_values=top_values, batches=v.BatchFilter(**wanted)
    )
    return service.stub.GetQuarantineStats(request, timeout=30)


def test_the_first_counts_of_a_batch_are_those_of_its_report_whatever_happens_later(
    daemon, service, examples
):
    body = (examples / "language_session_1.1.csv").read_bytes()
    name = validate(daemon.address, upload(body)).name
    report = json.loads(download(daemon.address, name, "report.json"))

    def first(stats):
        return {
            "totalRows": stats.total_rows,
            "validRows": stats.valid_rows,
            "quarantinedRows": stats.quarantined_rows,
            "errorsByField": dict(stats.errors_by_field),
            "errorsByRule": dict(stats.errors_by_keyword),
            "errorsByCsvType": dict(stats.errors_by_schema),
        }

    before = stats_of(service, name)
    assert first(before) == {key: report[key] for key in first(before)}
    assert (before.open_rows, before.resolved_rows) == (report["quarantinedRows"], 0)
    service.discard(name, *(row.row_number for row in service.rows(name)[:3]))
    after = stats_of(service, name)
    assert first(after) == first(before)
    assert (after.open_rows, after.discarded_rows) == (before.open_rows - 3, 3)
    assert dict(after.errors_by_version) == {
        "schemas/language_session/versions/1.1": report["totalErrors"]
    }


def test_the_commonest_invalid_values_are_told_and_personal_ones_masked(daemon, service):
    body = LANGUAGE + b"".join(
        b"S,%s,b@example.org,2025-03-01,%s\n" % (email, rating)
        for email, rating in [(b"secret-1", b"7"), (b"secret-2", b"7"), (b"a@b.org", b"8")]
    )
    name = validate(daemon.address, upload(body)).name
    found = stats_of(service, name, top_values=10)
    assert [(each.field, each.keyword, each.value, each.count) for each in found.top_values] == [
        ("participant_email", "format", "***", 2),
        ("rating", "maximum", "7", 2),
        ("rating", "maximum", "8", 1),
    ]
    assert not found.top_values_approximate
    assert "secret" not in str(found)


def test_a_period_sums_its_batches_day_by_day_and_says_when_it_is_partial(folder):
    settings = {
        **NO_DATABASE,
        "STEWARDD_QUARANTINE__STATS_MAX_BATCHES": "3",
        "STEWARDD_QUARANTINE__STATS_SCAN_BYTES": "1000",
    }
    with (
        Daemon(folder / "data", environment=settings) as daemon,
        quarantine(daemon.address) as service,
    ):
        made = [
            validate(daemon.address, upload(LANGUAGE + rows(10 * n, bad_every=10), source_file="p"))
            for n in (1, 2, 3)
        ]
        service.correct(made[1].name, 10, rating="1")
        stats = stats_of(service, "batches/-", source_file="p")
        assert (stats.batches, stats.total_rows, stats.quarantined_rows) == (3, 60, 6)
        assert (stats.resolved_rows, stats.open_rows, stats.partial) == (1, 5, False)
        assert sum(day.open_rows for day in stats.days) == 5
        assert stats_of(service, "batches/-", top_values=5).top_values_approximate
        after = made[1].create_time
        assert stats_of(service, "batches/-", create_after=after).batches == 2
        assert stats_of(service, "batches/-", create_before=after).batches == 1
        validate(daemon.address, upload(LANGUAGE + rows(1)))
        stats = stats_of(service, "batches/-")
        assert (stats.batches, stats.partial) == (3, True)
