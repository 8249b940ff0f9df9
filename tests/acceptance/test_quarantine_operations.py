"""What the quarantine does at length: retry by a newer version, purge with archives, erasure of a person."""

import csv
import io
import json
import time
from pathlib import Path

import pytest
import zstandard
from google.protobuf.timestamp_pb2 import Timestamp
from steward.v1 import quarantine_pb2 as q
from steward.v1 import validation_pb2 as v

from tests.acceptance.conftest import LANGUAGE, NO_DATABASE, refused, rows
from tests.support.calls import crc32c, download, upload, validate
from tests.support.daemon import Daemon
from tests.support.quarantine import DISCARDED, OPEN, RESOLVED, quarantine

SCHEMAS = Path(__file__).parents[2] / "schemas" / "csv" / "language_session"
CSV = q.ExportQuarantineRequest.FORMAT_CSV


@pytest.fixture(scope="module")
def relaxed(session_folder):
    """A daemon that also knows versions of its own: 2.0 allows a rating of 2, 3.0 requires a column more."""
    folder = session_folder / "schemas" / "csv" / "language_session"
    folder.mkdir(parents=True)
    document = json.loads((SCHEMAS / "1.0.json").read_text())
    document["properties"]["rating"]["maximum"] = 2
    (folder / "2.0.json").write_text(json.dumps(document))
    document["properties"]["region"] = {"type": "string"}
    document["required"].append("region")
    (folder / "3.0.json").write_text(json.dumps(document))
    settings = {**NO_DATABASE, "STEWARDD_VALIDATION__SCHEMA_DIRS": str(session_folder / "schemas")}
    with Daemon(session_folder / "relaxed", environment=settings) as daemon:
        yield daemon


@pytest.fixture
def service(relaxed):
    with quarantine(relaxed.address) as opened:
        yield opened


def batch_of(daemon, body, **fields):
    fields.setdefault("schema", "schemas/language_session")
    fields.setdefault("schema_version", "1.0")
    return validate(daemon.address, upload(body, **fields)).name


def now():
    moment = Timestamp()
    moment.GetCurrentTime()
    return moment


def retry(service, parent, **fields):
    operation = service.stub.RetryQuarantine(q.RetryQuarantineRequest(parent=parent, **fields))
    return service.operation(operation, q.RetryQuarantineResponse())


def purge(service, parent, **fields):
    fields.setdefault("before", now())
    operation = service.stub.PurgeQuarantine(q.PurgeQuarantineRequest(parent=parent, **fields))
    return service.operation(operation, q.PurgeQuarantineResponse())


def erase(service, email, **fields):
    operation = service.stub.EraseSubject(q.EraseSubjectRequest(email=email, **fields))
    return service.operation(operation, q.EraseSubjectResponse())


def test_a_relaxed_version_resolves_in_bulk_and_a_dry_run_says_so_first(relaxed, service):
    body = LANGUAGE + rows(60, bad_every=10) + b"x,nobody,b@example.org,2025-03-01,1.9\nshort\n"
    name = batch_of(relaxed, body)
    service.discard(name, 10)
    fields = {"keyword": "maximum", "schema_version": "2.0"}
    before = service.rows(name)
    would = retry(service, name, dry_run=True, **fields)
    assert (would.judged_rows, would.resolved_rows, would.invalid_rows) == (6, 5, 1)
    assert service.rows(name) == before
    did = retry(service, name, actor="mia", request_id="once", **fields)
    assert (did.batches, did.judged_rows, did.resolved_rows, did.invalid_rows) == (1, 6, 5, 1)
    assert retry(service, name, actor="mia", request_id="once", **fields) == did
    again = retry(service, name, **fields)
    assert (again.batches, again.judged_rows) == (0, 0)
    row = service.row(name, 20)
    assert (row.state, row.attempt, list(row.corrected_cells)) == (RESOLVED, 1, [])
    assert row.schema == "schemas/language_session/versions/2.0"
    assert (row.history[0].action, row.history[0].actor) == (q.RowEvent.ACTION_RETRY, "mia")
    row = service.row(name, 61)
    assert [each.keyword for each in row.current_violations] == ["format"]
    assert service.row(name, 62).attempt == 0, "a row that is not whole is for people"
    exported = service.export(name, CSV).decode()
    assert [row["rating"] for row in csv.DictReader(io.StringIO(exported))] == ["1.7"] * 5


def test_all_batches_are_retried_by_a_filter_and_those_that_do_not_fit_are_counted(
    relaxed, service
):
    word = "retry.csv"
    made = [batch_of(relaxed, LANGUAGE + rows(20, bad_every=10), source_file=word) for _ in "ab"]
    wanted = v.BatchFilter(source_file=word)
    with refused() as found:
        retry(service, "batches/-")
    assert found[0].fields == ("batches",)
    unfit = retry(service, "batches/-", batches=wanted)
    assert (unfit.unfit_batches, unfit.judged_rows) == (2, 0)
    did = retry(service, "batches/-", batches=wanted, schema_version="2.0")
    assert (did.batches, did.resolved_rows) == (2, 4)
    assert [service.batch(name).open_rows for name in made] == [0, 0]


def test_a_purge_takes_what_is_closed_keeps_the_counts_and_an_archive(relaxed, service):
    name = batch_of(relaxed, LANGUAGE + rows(60, bad_every=10), options=kept())
    service.correct(name, 10, rating="0.1")
    service.correct(name, 30, rating="9")
    service.discard(name, 20, reason="twice")
    would = purge(service, name, dry_run=True)
    assert (would.purged_rows, dict(would.purged_by_state)) == (2, {"resolved": 1, "discarded": 1})
    assert len(service.rows(name)) == 6
    did = purge(service, name, archive=True, actor="ben")
    assert (did.purged_rows, did.batches) == (2, 1)
    assert did.archived_bytes > 0
    batch = service.batch(name)
    assert (batch.open_rows, batch.resolved_rows, batch.discarded_rows) == (4, 1, 1)
    assert [row.row_number for row in service.rows(name)] == [30, 40, 50, 60]
    for file in batch.files:
        body = download(relaxed.address, name, file.name.rpartition("/")[2])
        assert (len(body), crc32c(body)) == (file.size_bytes, file.crc32c)
    assert b"\n10," not in download(relaxed.address, name, "errors.csv")
    with refused() as found:
        service.row(name, 10)
    assert found[0].reason == "ROW_PURGED"
    with refused() as found:
        service.correct(name, 20, rating="0.1")
    assert found[0].reason == "ROW_PURGED"
    assert len(service.row(name, 30).history) == 1, "what is left keeps its history"
    assert service.correct(name, 30, rating="0.3").attempt == 2
    (archive,) = objects(relaxed, name, "kept")
    lines = zstandard.ZstdDecompressor().stream_reader(io.BytesIO(archive.read_bytes())).read()
    assert [json.loads(line)["record"]["rowNumber"] for line in lines.splitlines()] == [10, 20]
    commits = [path for path in objects(relaxed, name, "log") if path.stat().st_size]
    assert len(commits) == 2, (
        "the commits before it are gone; empty objects keep their numbers taken"
    )
    # Once more: the archive of the first stays beside the second's.
    purge(service, name, archive=True)
    assert len(objects(relaxed, name, "kept")) == 2
    good = service.export(name, CSV, include_valid=True, original_order=True)
    assert good.count(b"\n") == 1 + 54


def test_a_sheet_with_a_row_that_was_purged_meanwhile_names_it_and_takes_the_others(
    relaxed, service
):
    name = batch_of(relaxed, LANGUAGE + rows(40, bad_every=10))
    sheet = service.sheet(name)
    service.discard(name, 20, 40)
    assert purge(service, name).purged_rows == 2
    # The row 40 comes back as it was sent: nobody meant anything by it.
    head, *lines, last = sheet.splitlines(keepends=True)
    edited = b"".join([head, *(line.replace(b",1.7", b",0.5") for line in lines), last])
    answer = service.resubmit(edited)
    assert (answer.total_rows, answer.resolved_rows, answer.unchanged_rows) == (4, 2, 1)
    assert (answer.conflicting_rows, list(answer.conflicts)) == (1, [20])
    assert [service.row(name, number).state for number in (10, 30)] == [RESOLVED, RESOLVED]
    # In another order, as people sort sheets.
    again = service.resubmit(b"".join([head, last, *lines[::-1]]))
    assert (again.total_rows, again.unchanged_rows, again.conflicting_rows) == (4, 4, 0)


def test_open_rows_go_only_where_they_are_named_and_count_as_discarded(relaxed, service):
    name = batch_of(relaxed, LANGUAGE + rows(30, bad_every=10))
    assert purge(service, name).purged_rows == 0
    early = Timestamp(seconds=1_000_000_000)
    assert purge(service, name, states=[OPEN], before=early).purged_rows == 0
    time.sleep(1.1)
    assert purge(service, name, states=[OPEN]).purged_rows == 3
    batch = service.batch(name)
    assert (batch.open_rows, batch.discarded_rows) == (0, 3)
    assert service.rows(name) == []
    with refused() as found:
        purge(service, "batches/-", states=[DISCARDED])
    assert found[0].fields == ("batches",)


def test_a_row_is_not_purged_before_a_cursor_has_asked_for_what_comes_after_it(relaxed, service):
    name = batch_of(relaxed, LANGUAGE + rows(40, bad_every=10))
    service.correct(name, 10, rating="0.1")
    request = q.CreateExportRequest(parent=name, cursor="importer")
    first = service.stub.CreateExport(request)
    service.correct(name, 20, rating="0.2")
    assert purge(service, name).purged_rows == 0, "nobody knows that the export arrived"
    assert b"S10," in service.export(first.name, CSV)
    second = service.stub.CreateExport(request)
    assert (second.resolved_rows, second.after_commit) == (1, first.commit)
    service.correct(name, 30, rating="0.3")
    assert purge(service, name).purged_rows == 1
    assert b"S20," in service.export(second.name, CSV)
    third = service.stub.CreateExport(request)
    assert (third.resolved_rows, third.after_commit) == (1, second.commit)
    with refused() as found:
        service.export(first.name, CSV)
    assert found[0].reason == "EXPORT_PURGED"


def test_a_cursor_that_comes_after_a_purge_is_promised_what_is_left(relaxed, service):
    name = batch_of(relaxed, LANGUAGE + rows(40, bad_every=10))
    service.correct(name, 10, rating="0.1")
    assert purge(service, name).purged_rows == 1
    request = q.CreateExportRequest(parent=name, cursor="importer")
    with refused() as found:
        service.stub.CreateExport(request)
    assert found[0].reason == "NOTHING_TO_EXPORT"
    for number, rows_before in ((20, 0), (30, 1)):
        service.correct(name, number, rating="0.2")
        export = service.stub.CreateExport(request)
        assert export.resolved_rows == 1, rows_before
        assert service.export(export.name, CSV).count(b"\n") == 1 + 1


def kept():
    return v.ValidateOptions(keep_valid_rows=True)


def objects(daemon, name, folder):
    root = daemon.data_dir / "repository" / "batches"
    (batch,) = root.glob(f"*/{name.removeprefix('batches/')}")
    return sorted(path for path in (batch / folder).rglob("*") if path.is_file())


def everything(daemon):
    return b"\n".join(
        zstandard.ZstdDecompressor().stream_reader(io.BytesIO(path.read_bytes())).read()
        if path.suffix == ".zst"
        else path.read_bytes()
        for path in sorted((daemon.data_dir / "repository").rglob("*"))
        if path.is_file()
    )


def test_a_person_is_erased_everywhere_and_nobody_else(folder):
    ana, other = b"ana@example.org", b"diana@example.org"
    header = LANGUAGE.replace(b"rating", b"feedback_text,rating")
    line = b"S%d,%s,%s,2025-03-01,%s,%s\n"
    body = header + b"".join(
        line % each
        for each in [
            (1, ana, other, b"i am ana", b"0.5"),  # valid
            (2, other, b"bo@example.org", b"mail ANA@Example.org now", b"0.5"),  # valid
            (3, other, b"bo@example.org", b"not about her", b"0.5"),  # valid
            (4, b"Ana@Example.org", other, b"her words", b"1.7"),
            (5, other, b"bo@example.org", b"his words", b"1.7"),
            (6, b"x" + ana, b"bo@example.org.uk", b"ok", b"1.7"),
            (7, b"nobody", b"bo@example.org", b"corrected later", b"0.5"),
            (8, ana, b"bo@example.org", b"purged", b"1.7"),
        ]
    )
    body += b'9,"x"y,ana@example.org\n10,\xff,ana@example.org,2025-03-01,t,1\n'
    with (
        Daemon(folder / "data", environment=NO_DATABASE) as daemon,
        quarantine(daemon.address) as service,
    ):
        name = validate(daemon.address, upload(body, options=kept())).name
        untouched = validate(daemon.address, upload(header + line % (1, other, other, b"x", b"9")))
        service.correct_by(name, 7, {"participant_email": ana.decode()}, actor="ana@example.org")
        service.discard(name, 8, reason="ana@example.org asked", actor="ben")
        purge(service, name, states=[DISCARDED], archive=True)
        service.discard(name, 5, reason="for ana@example.org", actor="ben")
        before = service.batch(name)
        would = erase(service, ana.decode(), dry_run=True)
        assert ana in everything(daemon)
        did = erase(service, "ANA@example.org", actor="dpo", request_id="e")
        would.dry_run = False
        assert did == would
        assert (did.scanned_batches, did.batches) == (2, 1)
        assert (did.quarantined_rows, did.valid_rows, did.archived_rows) == (4, 2, 1)
        left = everything(daemon)
        assert b"ana@example.org" not in left.lower().replace(other, b"").replace(b"x" + ana, b"")
        for gone in (b"i am ana", b"her words", b"corrected later"):
            assert gone not in left, gone
        for stays in (b"not about her", b"his words", b"x" + ana, other, b"x@example.org.uk"[1:]):
            assert stays in left, stays
        after = service.batch(name)
        for count in ("total_rows", "open_rows", "resolved_rows", "discarded_rows", "valid_rows"):
            assert getattr(after, count) == getattr(before, count)
        for file in after.files:
            held = download(daemon.address, name, file.name.rpartition("/")[2])
            assert (len(held), crc32c(held)) == (file.size_bytes, file.crc32c)
        assert service.batch(untouched.name) == untouched
        again = erase(service, "ana@example.org")
        assert (again.batches, again.subject_hash) == (0, did.subject_hash)
        row = service.row(name, 7)
        assert row.state == RESOLVED
        assert {c.column: c.value for c in row.corrected_cells}["participant_email"] == (
            "erased@erased.invalid"
        )
        assert service.row(name, 5).history[0].reason == "for erased@erased.invalid"
        assert b"S7," in service.export(name, CSV, include_valid=True, original_order=True)
        assert [row.row_number for row in service.rows(name, state=OPEN)] == [4, 6, 9, 10]
        assert "ana@" not in daemon.text
        with refused() as found:
            erase(service, "no address")
        assert found[0].fields == ("email",)


def test_a_person_is_erased_from_a_valid_row_with_a_cell_of_any_length(
    folder,
):
    long = b"x" * 200_000
    header = LANGUAGE.replace(b"rating", b"rating,note")
    lines = [
        b"S1,ana@example.org,b@example.org,2025-03-01,0.5," + long,
        b'S2,ana@example.org,b@example.org,2025-03-01,0.5,"bad\rthere"',
        b"S3,bo@example.org,b@example.org,2025-03-01,0.5,fine",
        b"S4,bo@example.org,b@example.org,2025-03-01,1.7,wrong",
    ]
    body = header + b"\n".join(lines) + b"\n"
    with Daemon(folder, environment=NO_DATABASE) as daemon, quarantine(daemon.address) as service:
        name = batch_of(daemon, body, options=v.ValidateOptions(keep_valid_rows=True))
        assert service.batch(name).valid_rows == 3
        erase(service, "ana@example.org")
        left = service.export(name, CSV, include_valid=True)
    assert b"ana@example.org" not in left
    assert left.count(b"\n") == 4
    assert lines[2] in left


def test_a_batch_that_cannot_be_rewritten_keeps_an_erasure_from_no_other(folder):
    body = LANGUAGE + "S1,'JÖSÉ@example.org,bo@example.org,2025-03-01,1.7\n".encode()
    with (
        Daemon(folder / "data", environment=NO_DATABASE) as daemon,
        quarantine(daemon.address) as service,
    ):
        names = [validate(daemon.address, upload(body)).name for _ in "abc"]
        broken = names[1].rpartition("/")[2]
        (records,) = (daemon.data_dir / "repository").rglob(f"{broken}/records.jsonl")
        records.write_bytes(records.read_bytes()[:-5])
        with pytest.raises(AssertionError) as found:
            erase(service, "JÖSÉ@example.org")
        for word in ("BATCHES_LEFT", "1 of 3 batches", broken):
            assert word in str(found.value)
        for name in (names[0], names[2]):
            assert "JÖSÉ".encode() not in download(daemon.address, name, "records.jsonl")
        (event,) = daemon.events("batch left by an erasure")
        assert event["batch"] == broken
        assert "JÖSÉ" not in daemon.text


def test_what_was_closed_long_ago_goes_by_itself_where_the_configuration_says_so(folder):
    settings = {
        **NO_DATABASE,
        "STEWARDD_REPOSITORY__SWEEP_INTERVAL_S": "0.2",
        "STEWARDD_QUARANTINE__KEEP_CLOSED_S": "86400",
    }
    with Daemon(folder / "data", environment=settings) as daemon:
        deadline = time.monotonic() + 30
        while not (found := daemon.events("operation done")):
            assert time.monotonic() < deadline
            time.sleep(0.05)
        assert (found[0]["kind"], found[0]["reason"]) == ("PurgeQuarantine", None)
