"""What a cursor hands out: each good row once, those that were valid from the start among them."""

import csv
import io

import pytest
from steward.v1 import quarantine_pb2 as q
from steward.v1 import validation_pb2 as v

from tests.acceptance.conftest import LANGUAGE, refused, rows
from tests.support.calls import upload, validate
from tests.support.quarantine import quarantine

CSV = q.ExportQuarantineRequest.FORMAT_CSV
KEEP = v.ValidateOptions(keep_valid_rows=True)


@pytest.fixture
def service(daemon):
    with quarantine(daemon.address) as opened:
        yield opened


def batch_of(daemon, body, **fields):
    return validate(daemon.address, upload(body, **fields)).name


def test_each_good_row_is_in_one_export_of_a_cursor(daemon, service):
    name = batch_of(
        daemon, LANGUAGE + rows(100, bad_every=10), options=v.ValidateOptions(keep_valid_rows=True)
    )
    service.correct(name, 10, rating="0.1")

    def create(cursor="importer", **fields):
        return service.stub.CreateExport(
            q.CreateExportRequest(parent=name, cursor=cursor, **fields), timeout=30
        )

    first = create(include_valid=True, request_id="one")
    assert (first.valid_rows, first.resolved_rows) == (90, 1)
    assert create(include_valid=True, request_id="one") == first
    with refused() as found:
        create()
    assert found[0].reason == "NOTHING_TO_EXPORT"
    service.correct(name, 20, rating="0.2")
    service.discard(name, 30)
    service.correct(name, 40, rating="0.4")
    second = create(include_valid=True)
    assert (second.valid_rows, second.resolved_rows, second.after_commit) == (0, 2, first.commit)
    other = create("auditor", include_valid=False)
    assert (other.valid_rows, other.resolved_rows, other.after_commit) == (0, 3, 0)
    late = create("auditor", include_valid=True)
    assert (late.valid_rows, late.resolved_rows, late.after_commit) == (90, 0, other.commit)
    assert service.export(late.name, CSV).count(b"\n") == 1 + 90
    with refused() as found:
        create("auditor", include_valid=True)
    assert found[0].reason == "NOTHING_TO_EXPORT"

    def sessions(export, **how):
        body = service.export(export.name, CSV, **how).decode()
        return [row["session_id"] for row in csv.DictReader(io.StringIO(body))]

    assert sessions(first, original_order=True) == [
        f"S{n}" for n in range(1, 101) if n % 10 or n == 10
    ]
    assert sessions(first)[-1] == "S10"
    assert sessions(second) == ["S20", "S40"]
    assert sessions(first) == sessions(first), "a download that was cut is repeated"
    listed = service.stub.ListExports(q.ListExportsRequest(parent=name, page_size=2))
    assert [each.name for each in listed.exports] == [first.name, second.name]
    request = q.ListExportsRequest(parent=name, page_token=listed.next_page_token)
    assert [each.name for each in service.stub.ListExports(request).exports] == [
        other.name,
        late.name,
    ]
    with refused() as found:
        create("importer", request_id="one") and create("someone", request_id="one")
    assert found[0].reason == "REQUEST_ID_REUSED"
    with refused() as found:
        create("importer", request_id="one", include_valid=False)
    assert found[0].reason == "REQUEST_ID_REUSED"


def test_the_first_export_of_a_cursor_has_the_valid_rows_unless_the_request_leaves_them_out(
    daemon, service
):
    name = batch_of(daemon, LANGUAGE + rows(20, bad_every=10), options=KEEP)

    def create(cursor, **fields):
        request = q.CreateExportRequest(parent=name, cursor=cursor, **fields)
        return service.stub.CreateExport(request, timeout=30)

    # Without a single correction: what was valid from the start is all that there is.
    first = create("importer")
    assert (first.valid_rows, first.resolved_rows) == (18, 0)
    assert service.export(first.name, CSV).count(b"\n") == 1 + 18
    service.correct(name, 10, rating="0.1")
    second = create("importer")
    assert (second.valid_rows, second.resolved_rows) == (0, 1)
    with refused() as found:
        create("importer")
    assert "has had all good rows" in found[0].message
    without = create("auditor", include_valid=False)
    assert (without.valid_rows, without.resolved_rows) == (0, 1)
    with refused() as found:
        create("auditor", include_valid=False)
    assert "has not had the 18 rows" in found[0].message
    later = create("auditor")
    assert (later.valid_rows, later.resolved_rows) == (18, 0)


def test_valid_rows_that_were_not_kept_cannot_be_exported(daemon, service):
    name = batch_of(daemon, LANGUAGE + rows(10, bad_every=10))
    with refused() as found:
        service.export(name, CSV, include_valid=True)
    assert found[0].reason == "VALID_ROWS_NOT_KEPT"
    request = q.CreateExportRequest(parent=name, cursor="importer", include_valid=True)
    with refused() as found:
        service.stub.CreateExport(request, timeout=30)
    assert found[0].reason == "VALID_ROWS_NOT_KEPT"
    # Nothing is asked for that the batch did not keep: the resolved rows come alone.
    with refused() as found:
        service.stub.CreateExport(q.CreateExportRequest(parent=name, cursor="importer"), timeout=30)
    assert "did not keep the 9 rows" in found[0].message
    service.correct(name, 10, rating="0.1")
    made = service.stub.CreateExport(
        q.CreateExportRequest(parent=name, cursor="importer"), timeout=30
    )
    assert (made.valid_rows, made.resolved_rows) == (0, 1)
