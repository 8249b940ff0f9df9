"""Exports through both clients: a file arrives whole or not at all, and a cursor gives each row once."""

import fcntl
import json
import tarfile

import pytest
from steward.v1 import quarantine_pb2 as q
from steward_client import Client, ExportFormat, errors

from tests.support.call_proxy import RESPONSE, Fault, ProxiedCall, failing

HEADER = b"id,rating\n"
ROWS = b"".join(b"%d %s,7\n" % (number, b"x" * 900) for number in range(1500))


@pytest.fixture
def batch(server, word):
    """Two invalid rows, then a valid one."""
    return server.client.validate_file(
        HEADER + b"a,7\nb,8\nc,0.5\n", source_file=word, keep_valid_rows=True
    )


@pytest.fixture
def bare(server, word):
    """The same, of a batch that did not keep its valid row."""
    return server.client.validate_file(HEADER + b"a,7\nb,8\nc,0.5\n", source_file=word)


@pytest.fixture(scope="module")
def long(noted):
    """A batch whose sheet has several messages."""
    with Client(noted.address) as client:
        return client.validate_file(HEADER + ROWS)


def passed_on(server) -> tuple[str, bytes]:
    """The name and the bytes of the last export that went through the proxy."""
    messages = [each for each in server.responses if isinstance(each, q.ExportQuarantineResponse)]
    start = max(at for at, each in enumerate(messages) if each.HasField("begin"))
    return messages[start].begin.file_name, b"".join(each.chunk.data for each in messages[start:])


def cut_after(size_bytes: int) -> Fault:
    def fault(call: ProxiedCall) -> None:
        if call.received_bytes >= size_bytes:
            failing("UNAVAILABLE", "REPOSITORY_DOWN", "cut")(call)

    return fault


def claim(size_bytes: int, crc32c: int):
    """Changes what the end of an export says of it."""

    def change(message):
        if message.HasField("end"):
            message.end.size_bytes, message.end.crc32c = size_bytes, crc32c
        return message

    return change


def without_end(message):
    return None if message.HasField("end") else message


def test_an_export_is_written_whole_with_every_option(both, server, batch, tmp_path):
    both.discard_rows(batch.name, [1], reason="no use")
    path = tmp_path / "rows.tar"
    steps: list[int] = []
    file = both.export_quarantine(
        batch.name, path, format="json", state="discarded", field="rating", keyword="maximum",
        progress=steps.append,
    )  # fmt: skip
    assert (file.file_name, path.read_bytes()) == passed_on(server)
    assert (file.path, file.rows) == (str(path), 1)
    assert steps[-1] == file.size_bytes == path.stat().st_size
    with tarfile.open(path) as archive:
        (entry,) = archive.getmembers()
        body = archive.extractfile(entry)
        assert body is not None
        row = json.load(body)
    assert (row["rowNumber"], row["state"]) == (1, "discarded")
    sent = server.requests[-1]
    assert sent.format == q.ExportQuarantineRequest.FORMAT_JSON
    assert (sent.state, sent.field, sent.keyword) == (3, "rating", "maximum")
    assert list(tmp_path.iterdir()) == [path]
    path = tmp_path / "good.csv"
    both.correct_row(f"{batch.name}/rows/2", {"rating": "0.25"})
    both.export_quarantine(batch.name, path, format="csv", include_valid=True, original_order=True)
    assert path.read_text().splitlines() == ["id,rating", "b,0.25", "c,0.5"]
    sent = server.requests[-1]
    assert (sent.include_valid, sent.original_order) == (True, True)


def test_the_format_is_a_sheet_of_a_batch_and_csv_of_an_export(both, server, batch, tmp_path):
    export = server.client.create_export(batch.name, "importer")
    sheet = both.export_quarantine(batch.name, tmp_path)
    assert (tmp_path / sheet.file_name).exists()
    both.export_quarantine(export.name, tmp_path)
    both.export_quarantine(batch.name, tmp_path, format=ExportFormat.CSV)
    assert [request.format for request in server.of(q.ExportQuarantineRequest)] == [1, 2, 2]


def test_an_export_that_is_cut_begins_again(both, server, long, tmp_path):
    server.fail("ExportQuarantine", cut_after(1), cut_after(1_000_000), at=RESPONSE)
    file = both.export_quarantine(long.name, tmp_path / "rows.csv")
    assert (file.file_name, (tmp_path / "rows.csv").read_bytes()) == passed_on(server)
    assert file.rows == 1500
    assert server.calls["ExportQuarantine"] == 3


@pytest.mark.parametrize(
    "change",
    [pytest.param(claim(1, 2), id="another end"), pytest.param(without_end, id="no end")],
)
def test_an_export_that_is_not_what_its_end_says_is_never_published(
    both, server, batch, tmp_path, change
):
    server.changes["ExportQuarantine"] = change
    path = tmp_path / "rows.csv"
    path.write_text("old")
    with pytest.raises(errors.Corrupt):
        both.export_quarantine(batch.name, path)
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("name", ["../../evil.csv", "/etc/evil.csv", "..\\evil.csv", "..", ""])
def test_a_name_of_the_daemon_stays_in_the_folder(both, server, batch, tmp_path, name):
    def rename(message):
        if message.HasField("begin"):
            message.begin.file_name = name
        return message

    server.changes["ExportQuarantine"] = rename
    folder = tmp_path / "in" / "here"
    folder.mkdir(parents=True)
    both.export_quarantine(batch.name, folder)
    assert [path.name for path in folder.iterdir()] in (["evil.csv"], ["export"])
    assert list(tmp_path.iterdir()) == [tmp_path / "in"]


def test_a_file_that_is_there_may_be_kept(both, server, batch, tmp_path):
    name = server.client.export_quarantine(batch.name, tmp_path).file_name
    path = tmp_path / name
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


def test_a_cursor_gives_each_row_once(both, server, bare, tmp_path):
    path = tmp_path / "new.csv"
    with pytest.raises(errors.NotNow) as caught:
        both.export_next(bare.name, "importer", path)
    assert caught.value.reason == "NOTHING_TO_EXPORT"
    assert list(tmp_path.iterdir()) == []
    both.correct_row(f"{bare.name}/rows/1", {"rating": "0.5"})
    file = both.export_next(bare.name, "importer", path, actor="mia", original_order=True)
    assert (file.export.resolved_rows, file.export.actor) == (1, "mia")
    assert server.requests[-1].name == file.export.name
    assert list(tmp_path.iterdir()) == [path]
    with pytest.raises(FileExistsError):
        both.export_next(bare.name, "importer", path)
    path.unlink()
    with pytest.raises(errors.NotNow):
        both.export_next(bare.name, "importer", path)
    assert [each.cursor for each in both.list_exports(bare.name, page_size=1)] == ["importer"]
    assert list(both.list_exports(bare.name, cursor="other")) == []


def test_a_file_that_was_not_fetched_is_asked_for_again_and_no_row_is_passed_over(
    both, server, bare, tmp_path
):
    both.correct_row(f"{bare.name}/rows/1", {"rating": "0.5"})
    path = tmp_path / "new.csv"
    server.changes["ExportQuarantine"] = claim(0, 0)
    with pytest.raises(errors.Corrupt):
        both.export_next(bare.name, "importer", path)
    del server.changes["ExportQuarantine"]
    both.correct_row(f"{bare.name}/rows/2", {"rating": "0.5"})
    files = []
    for row in ("a,0.5", "b,0.5"):
        files.append(both.export_next(bare.name, "importer", path))
        assert path.read_text().splitlines() == ["id,rating", row]
        path.unlink()
    first, second = (each.export for each in files)
    assert (first.resolved_rows, second.resolved_rows) == (1, 1)
    assert [each.name for each in both.list_exports(bare.name)] == [first.name, second.name]
    assert second.after_commit == first.commit


def test_two_processes_at_one_cursor_and_target_are_kept_apart(client, bare, tmp_path):
    client.correct_row(f"{bare.name}/rows/1", {"rating": "0.5"})
    ticket = tmp_path / f".new.csv.{bare.name.split('/')[1]}.importer.ticket"
    with ticket.open("ab") as other:
        fcntl.flock(other, fcntl.LOCK_EX)
        with pytest.raises(errors.Conflict):
            client.export_next(bare.name, "importer", tmp_path / "new.csv")
