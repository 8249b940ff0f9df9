"""The round trip through a spreadsheet, and the exports that importing services go on with."""

import csv
import io
import json
import tarfile

import grpc
import pytest
from steward.v1 import quarantine_pb2 as q
from steward.v1 import validation_pb2 as v

from tests.acceptance.conftest import LANGUAGE, refused, rows
from tests.support.calls import upload, validate
from tests.support.quarantine import OPEN, RESOLVED, quarantine

CSV = q.ExportQuarantineRequest.FORMAT_CSV
JSON = q.ExportQuarantineRequest.FORMAT_JSON
KEEP = v.ValidateOptions(keep_valid_rows=True)


@pytest.fixture
def service(daemon):
    with quarantine(daemon.address) as opened:
        yield opened


def batch_of(daemon, body, **fields):
    return validate(daemon.address, upload(body, **fields)).name


def read(sheet):
    return list(csv.DictReader(io.StringIO(sheet.decode("utf-8-sig"), newline="")))


def written(table, *, delimiter=",", end="\r\n", encoding="utf-8", quoting=csv.QUOTE_MINIMAL):
    text = io.StringIO()
    writer = csv.DictWriter(
        text, list(table[0]), delimiter=delimiter, lineterminator=end, quoting=quoting
    )
    writer.writeheader()
    writer.writerows(table)
    return text.getvalue().encode(encoding)


def edited(table, **cells):
    return [{**row, **cells} for row in table]


def test_an_edited_sheet_resolves_what_is_valid_and_keeps_the_others_open(daemon, service):
    name = batch_of(daemon, LANGUAGE + rows(50, bad_every=10))
    table = read(service.sheet(name))
    assert [row["Row Number"] for row in table] == ["10", "20", "30", "40", "50"]
    assert table[0]["Batch"] == name
    assert "must be at most 1.00" in table[0]["Errors"]
    table[0]["rating"] = "1.0"
    table[1]["rating"] = "2"
    table[2]["participant_email"] = "nobody"
    answer = service.resubmit(written(table), actor="mia")
    assert (answer.total_rows, answer.resolved_rows, answer.invalid_rows) == (5, 1, 2)
    assert (answer.unchanged_rows, answer.conflicting_rows) == (2, 0)
    assert (answer.batch.open_rows, answer.batch.resolved_rows) == (4, 1)
    assert [(row.row_number, row.attempt) for row in service.rows(name)] == [
        (10, 1),
        (20, 1),
        (30, 1),
        (40, 0),
        (50, 0),
    ]
    (event,) = service.row(name, 30).history
    assert (event.action, event.actor) == (q.RowEvent.ACTION_RESUBMIT, "mia")
    assert [each.field for each in event.violations] == ["participant_email", "rating"]


def test_a_field_or_a_rule_that_the_batch_cannot_have_is_refused_with_those_that_it_has(
    daemon, service
):
    name = batch_of(daemon, LANGUAGE + rows(10, bad_every=5))
    for wanted, known in (
        ({"field": "nosuch"}, "participant_email"),
        ({"keyword": "nosuch"}, "maximum"),
    ):
        for ask in (service.rows, service.sheet):
            with pytest.raises(grpc.RpcError) as caught:
                ask(name, **wanted)
            assert "nosuch" in (caught.value.details() or "")
            assert known in (caught.value.details() or "")
    assert service.rows(name, field="feedback_text") == []
    assert service.rows(name, keyword="minLength") == []


def test_a_cursor_is_told_that_the_valid_rows_were_not_kept(daemon, service):
    name = batch_of(daemon, LANGUAGE + rows(10, bad_every=5))
    with pytest.raises(grpc.RpcError) as caught:
        service.stub.CreateExport(q.CreateExportRequest(parent=name, cursor="importer"))
    assert "did not keep the 8 rows that were valid" in (caught.value.details() or "")


NAMED = b"session_id,participant_email,volunteer_email,scheduled_at,rating,feedback_text\n"


def damaged_sheet(service, name):
    """The sheet of four rows whose ratings are put right; two of them come back with other cells changed."""
    table = edited(read(service.sheet(name)), rating="0.5")
    table[0]["session_id"] = table[0]["session_id"].lstrip("0")
    table[1]["feedback_text"] = (
        table[1]["feedback_text"].encode("cp1252", "replace").decode("cp1252")
    )
    table[1]["scheduled_at"] = "01.07.2025"
    return written(table, delimiter=";")


def damaged_batch(daemon):
    rest = "ana@example.org,bo@example.org,2025-07-01,1.5"
    lines = [
        f"00734,{rest},Fine",
        f"S-2,{rest},Çok güzeldi şimdi",
        f"S-3,{rest},Good",
        f"S-4,{rest}, ",
    ]
    return batch_of(daemon, NAMED + "\n".join(lines).encode() + b"\n")


def test_cells_that_a_spreadsheet_damaged_are_named_and_their_rows_are_not_taken(daemon, service):
    name = damaged_batch(daemon)
    sheet = damaged_sheet(service, name)
    for dry_run in (True, False):
        answer = service.resubmit(sheet, dry_run=dry_run)
        assert (answer.total_rows, answer.resolved_rows, answer.damaged_rows) == (4, 2, 2)
        assert [
            (c.row_number, c.line_number, c.column, c.damage) for c in answer.damaged_cells
        ] == [
            (1, 2, "session_id", "leading zeros are lost"),
            (2, 3, "scheduled_at", "the date or time is written in another way"),
            (2, 3, "feedback_text", "letters are replaced by others"),
        ]
    assert [row.row_number for row in service.rows(name, state=OPEN)] == [1, 2]
    meant = service.resubmit(sheet, accept_damaged_cells=True)
    assert (meant.resolved_rows, meant.invalid_rows, meant.damaged_rows) == (1, 1, 0), (
        "01.07.2025 is no date to the schema"
    )


def test_a_cell_that_had_something_wrong_may_look_damaged_and_is_taken(daemon, service):
    """It is the one that was to be put right: who takes a blank off or turns a date does what was asked."""
    body = NAMED + b"S-1,ana@example.org,bo@example.org,02.01.2025, 0.5,Fine\n"
    name = batch_of(daemon, body)
    table = edited(read(service.sheet(name)), scheduled_at="2025-01-02", rating="0.5")
    answer = service.resubmit(written(table))
    assert (answer.resolved_rows, answer.damaged_rows) == (1, 0)


def test_an_error_of_the_spreadsheet_is_no_correction(daemon, service):
    name = batch_of(daemon, NAMED + b"S-1,ana@example.org,bo@example.org,2025-01-02,1.5,Fine\n")
    answer = service.resubmit(written(edited(read(service.sheet(name)), rating="#VALUE!")))
    assert [(c.column, c.line_number) for c in answer.damaged_cells] == [("rating", 2)]
    assert service.row(name, 1).attempt == 0


def test_a_sheet_applied_twice_changes_nothing(daemon, service):
    name = batch_of(daemon, LANGUAGE + rows(30, bad_every=10))
    table = read(service.sheet(name))
    table[0]["rating"], table[1]["rating"] = "0.1", "7"
    first = service.resubmit(written(table))
    before = service.rows(name)
    again = service.resubmit(written(table))
    assert (first.commit, again.commit) == (1, 0)
    assert (again.unchanged_rows, again.conflicting_rows) == (3, 0)
    assert service.rows(name) == before


@pytest.mark.parametrize(
    "how",
    [
        {"delimiter": ";"},
        {"delimiter": "\t", "end": "\n"},
        {"end": "\r"},
        {"encoding": "utf-16"},
        {"encoding": "utf-8-sig"},
        {"quoting": csv.QUOTE_ALL},
    ],
    ids=str,
)
def test_what_a_spreadsheet_does_to_a_file_does_not_matter(daemon, service, how):
    name = batch_of(daemon, LANGUAGE + rows(20, bad_every=10))
    table = edited(read(service.sheet(name)), rating="0.25")
    mine = [{"note": "ours", **dict(reversed(row.items()))} for row in reversed(table)]
    empty = how.get("delimiter", ",").encode() * 3 + b"\r\n"
    answer = service.resubmit(written(mine, **how) + empty * ("encoding" not in how))
    assert (answer.total_rows, answer.resolved_rows) == (2, 2)


def test_no_cell_of_a_sheet_is_a_formula_and_all_come_back_as_they_were(daemon, service):
    cells = ["=1+1", "+1", "-1", "@x", "\tx", "'=x", "''", "'", "plain", 'a "quoted", cell', "é\n2"]
    header = LANGUAGE.replace(b"rating", b"feedback_text,rating")
    quoted = [cell.replace('"', '""').encode() for cell in cells]
    body = header + b"".join(
        b'S,a@example.org,b@example.org,2025-03-01,"%s",1.7\n' % cell for cell in quoted
    )
    name = batch_of(daemon, body)
    table = read(service.sheet(name))
    assert not any(cell[:1] in "=+-@\t\r" for row in table for cell in row.values() if cell)
    assert service.resubmit(written(table)).unchanged_rows == len(cells)
    assert service.resubmit(written(edited(table, rating="1"))).resolved_rows == len(cells)
    kept = [
        {cell.column: cell.value for cell in row.corrected_cells}["feedback_text"]
        for row in service.rows(name)
    ]
    assert kept == cells


def test_rows_that_are_broken_come_with_their_bytes_and_are_correctable(daemon, service):
    body = (
        LANGUAGE
        + b'1,"x"y@example.org,b@example.org,2025-03-01,\n2,\xff,b,c,d\nshort\na,b,c,d,e,f\n'
    )
    name = batch_of(daemon, body)
    table = read(service.sheet(name))
    assert '1,"x"y@example.org' in table[0]["Raw Row"]
    assert service.resubmit(written(table), include_unchanged=True).resolved_rows == 0
    table = edited(
        read(service.sheet(name)),
        session_id="1",
        participant_email="a@example.org",
        volunteer_email="b@example.org",
        scheduled_at="2025-03-01",
        rating="",
    )
    assert service.resubmit(written(table)).resolved_rows == 4


def test_a_row_that_changed_since_the_export_is_not_taken_and_named(daemon, service):
    name = batch_of(daemon, LANGUAGE + rows(30, bad_every=10))
    table = edited(read(service.sheet(name)), rating="0.5")
    service.correct(name, 20, rating="0.6")
    service.correct(name, 30, rating="5")
    answer = service.resubmit(written(table))
    assert (answer.resolved_rows, answer.conflicting_rows) == (1, 2)
    assert list(answer.conflicts) == [20, 30]


def test_no_row_is_corrected_by_the_line_of_another_although_their_cells_are_the_same(
    daemon, service
):
    line = b"S,a@example.org,b@example.org,2025-03-01,1.7\n"
    name = batch_of(daemon, LANGUAGE + line * 3)
    table = read(service.sheet(name))
    assert len({row["Etag"] for row in table}) == 3
    del table[1:]
    table[0].update({"Row Number": "3", "rating": "0.5"})
    answer = service.resubmit(written(table))
    assert (answer.resolved_rows, list(answer.conflicts)) == (0, [3])
    assert service.batch(name).open_rows == 3


def test_a_file_with_columns_called_as_the_leading_ones_are_makes_the_round_trip(daemon, service):
    header = LANGUAGE.replace(b"rating", b"rating,Errors,Batch")
    name = batch_of(daemon, header + b"S,a@example.org,b@example.org,2025-03-01,1.7,none,mine\n")
    (row,) = read(service.sheet(name))
    assert (row["Steward Batch"], row["Batch"], row["Errors"]) == (name, "mine", "none")
    assert "must be at most 1.00" in row["Steward Errors"]
    row["rating"] = "1.0"
    moved = dict(reversed(row.items()))
    assert service.resubmit(written([moved])).resolved_rows == 1
    (found,) = service.rows(name)
    cells = {cell.column: cell.value for cell in found.corrected_cells}
    assert (cells["Errors"], cells["Batch"]) == ("none", "mine")


def test_a_quote_that_never_closes_corrects_no_row(daemon, service):
    name = batch_of(daemon, LANGUAGE + rows(30, bad_every=10))
    body = written(edited(read(service.sheet(name)), rating="0.5"))
    with refused() as found:
        service.resubmit(body.replace(b",0.5", b',"0.5', 1))
    assert (found[0].reason, service.batch(name).open_rows) == ("INPUT_REFUSED", 3)


def test_a_dry_run_says_what_would_be(daemon, service):
    name = batch_of(daemon, LANGUAGE + rows(20, bad_every=10))
    answer = service.resubmit(written(edited(read(service.sheet(name)), rating="0")), dry_run=True)
    assert (answer.resolved_rows, answer.commit, answer.batch.open_rows) == (2, 0, 2)


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (lambda *_: b"", "INPUT_REFUSED"),
        (lambda *_: b"a,b\n1,2\n", "INPUT_REFUSED"),
        (lambda body, _: body.replace(b"rating", b"ratings"), "INPUT_REFUSED"),
        (lambda body, _: body.replace(b",10,", b",ten,"), "INPUT_REFUSED"),
        (lambda body, _: body.replace(b",10,", b",11,"), "ROW_NOT_FOUND"),
        (lambda body, _: body.replace(b",10,", b",20,"), "INPUT_REFUSED"),
        (lambda body, _: body.replace(b"ana10", b"\xe9"), "INPUT_REFUSED"),
        (lambda body, name: body.replace(name.encode(), b"batches/none", 1), "BATCH_NOT_FOUND"),
    ],
)
def test_what_is_no_sheet_is_refused_by_name_and_changes_nothing(daemon, service, change, reason):
    name = batch_of(daemon, LANGUAGE + rows(20, bad_every=10))
    body = written(edited(read(service.sheet(name)), rating="0"))
    with refused() as found:
        service.resubmit(change(body, name))
    assert found[0].reason == reason
    assert service.batch(name).open_rows == 2


def test_rows_of_another_batch_are_refused_as_such_whether_the_batch_has_their_numbers_or_not(
    daemon, service
):
    name = batch_of(daemon, LANGUAGE + rows(20, bad_every=10))
    other = batch_of(daemon, LANGUAGE + rows(50, bad_every=25))
    mine, others = (edited(read(service.sheet(each)), rating="0") for each in (name, other))
    for batch, table in ((None, mine + others), (name, others), (other, others + mine)):
        with refused() as found:
            service.resubmit(written(table), parent=batch)
        assert found[0].reason == "INPUT_REFUSED"
        assert "belongs to another batch" in found[0].message
    assert (service.batch(name).open_rows, service.batch(other).open_rows) == (2, 2)


def test_a_row_that_stands_twice_is_named_with_its_lines(daemon, service):
    name = batch_of(daemon, LANGUAGE + rows(20, bad_every=10))
    first, second = read(service.sheet(name))
    with refused() as found:
        service.resubmit(written([second, first, {**first, "rating": "0"}]))
    assert found[0].reason == "INPUT_REFUSED"
    assert "row 10 stands in the sheet twice, in lines 3 and 4" in found[0].message
    assert "leave one" in found[0].hint


def test_a_sheet_without_rows_says_so_and_one_without_batches_asks_for_one(daemon, service):
    name = batch_of(daemon, LANGUAGE + rows(20, bad_every=10))
    sheet = service.sheet(name)
    head = sheet[: sheet.index(b"\n") + 1]
    with refused() as found:
        service.resubmit(head)
    assert (found[0].reason, "has no rows" in found[0].message) == ("INPUT_REFUSED", True)
    assert service.resubmit(head, parent=name).total_rows == 0
    table = edited(read(sheet), Batch="", rating="0")
    with refused() as found:
        service.resubmit(written(table))
    assert (found[0].reason, "names no batch" in found[0].message) == ("INVALID_REQUEST", True)
    assert service.resubmit(written(table), parent=name).resolved_rows == 2


def test_a_sheet_that_was_cut_changes_nothing(daemon, service):
    name = batch_of(daemon, LANGUAGE + rows(20, bad_every=10))
    messages = [
        q.ResubmitSheetRequest(open=q.ResubmitSheetRequest.Open(parent=name)),
        q.ResubmitSheetRequest(chunk=q.ResubmitSheetRequest.Chunk(data=service.sheet(name))),
    ]
    with refused() as found:
        service.stub.ResubmitSheet(iter(messages), timeout=30)
    assert (found[0].code, found[0].reason) == (grpc.StatusCode.ABORTED, "UPLOAD_INCOMPLETE")


def test_a_large_sheet_moves_in_one_commit(daemon, service):
    name = batch_of(daemon, LANGUAGE + rows(20_000, bad_every=2))
    table = edited(read(service.sheet(name)), rating="0.25")
    for row in table[::100]:
        row["rating"] = "no number"
    answer = service.resubmit(written(table))
    assert (answer.resolved_rows, answer.invalid_rows, answer.commit) == (9_900, 100, 1)
    assert [row.row_number for row in service.rows(name, 1000, state=OPEN, keyword="type")] == [
        *range(2, 20_001, 200)
    ]
    assert service.row(name, 10_000).state == RESOLVED
    table = read(service.sheet(name))
    assert len(table) == 100
    assert service.resubmit(written(edited(table, rating="1"))).resolved_rows == 100
    assert service.batch(name).resolved_rows == 10_000
    good = service.export(name, CSV)
    assert good.count(b"\n") == 10_001


def test_the_whole_file_comes_back_in_its_order_with_its_delimiter_and_line_ends(daemon, service):
    body = (LANGUAGE + rows(25, bad_every=5)).replace(b",", b";").replace(b"\n", b"\r\n")
    name = batch_of(daemon, body, options=v.ValidateOptions(keep_valid_rows=True))
    for number in range(5, 26, 5):
        service.correct(name, number, rating="0.5")
    assert service.export(name, CSV, include_valid=True, original_order=True) == body.replace(
        b"1.7", b"0.5"
    )


def test_a_cell_with_a_carriage_return_is_quoted_in_a_file_with_line_feeds(daemon, service):
    header = LANGUAGE.replace(b"rating", b"rating,note")
    line = b'S,a@example.org,b@example.org,2025-03-01,1.7,"bad\rthere"\n'
    name = batch_of(daemon, header + line.replace(b"1.7", b"0.1") + line, options=KEEP)
    service.correct(name, 2, rating="0.5")
    assert service.export(name, CSV) == header + line.replace(b"1.7", b"0.5")


def test_the_rows_of_a_file_whose_lines_end_with_a_carriage_return_are_told_apart(daemon, service):
    body = (LANGUAGE + rows(20, bad_every=10)).replace(b"\n", b"\r")
    name = batch_of(daemon, body, options=KEEP)
    service.correct(name, 10, rating="0.5")
    service.correct(name, 20, rating="0.5")

    def sessions(**how):
        text = io.StringIO(service.export(name, CSV, **how).decode(), newline="")
        return [row["session_id"] for row in csv.DictReader(text)]

    assert sessions() == ["S10", "S20"]
    assert sessions(include_valid=True, original_order=True) == [f"S{n}" for n in range(1, 21)]


def test_rows_come_as_a_file_each(daemon, service):
    name = batch_of(daemon, LANGUAGE + rows(30, bad_every=10))
    service.correct(name, 10, rating="0.5")
    body = service.export(name, JSON)
    with tarfile.open(fileobj=io.BytesIO(body)) as tar:
        assert tar.getnames() == ["20.json", "30.json"]
        file = tar.extractfile("20.json")
        assert file is not None
        found = json.loads(file.read())
    assert (found["rowNumber"], found["rawData"]["session_id"]) == (20, "S20")
