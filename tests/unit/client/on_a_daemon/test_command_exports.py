"""`steward quarantine export`, `exports` and `resubmit`, as somebody runs them."""

import json
import signal
import subprocess
import sys
import threading

import pytest
from steward.v1 import quarantine_pb2 as q

from tests.support.call_proxy import RESPONSE
from tests.support.waiting import wait_until
from tests.unit.client.on_a_daemon.sheets import edited, sheet_of


@pytest.fixture
def batch(server, word):
    return server.client.validate_file(b"id,rating\na,7\nb,8\nc,0.5\n", source_file=word)


def document(ended):
    return json.loads(ended.stdout)


def test_a_sheet_is_exported_never_over_another_and_resubmitted(steward, server, batch, tmp_path):
    ended = steward("quarantine", "export", batch.name, "--to", "rows.csv", "--field", "rating")
    assert (ended.returncode, server.requests[-1].field) == (0, "rating")
    assert "steward quarantine resubmit rows.csv" in ended.stdout
    path = tmp_path / "rows.csv"
    sheet = path.read_bytes()
    path.write_bytes(edited(sheet, {1: "0.5", 2: "9"}))
    refused = steward("quarantine", "export", batch.name, "--to", "rows.csv")
    assert refused.returncode == 3
    assert (
        "[FILE_EXISTS]\n  next: name another place, or write over it with --force" in refused.stderr
    )
    tried = steward("quarantine", "resubmit", "rows.csv", "--dry-run")
    assert (tried.returncode, "nothing is changed; of 2 rows" in tried.stdout) == (1, True)
    sent = steward("quarantine", "resubmit", "rows.csv", "--output", "json")
    assert sent.returncode == 1
    assert (document(sent)["resolved_rows"], document(sent)["dry_run"]) == (1, False)
    with (tmp_path / "rest.csv").open("w+b") as file:
        # The row was judged again: the sheet from before would not be taken.
        file.write(edited(sheet_of(server.client, batch.name, tmp_path), {2: "0.1"}))
        file.seek(0)
        last = steward("quarantine", "resubmit", "-", stdin=file)
    assert last.returncode == 0, last.stderr
    path.write_bytes(edited(sheet, {1: "0.25", 2: "9"}))
    taken = steward("quarantine", "resubmit", "rows.csv")
    assert taken.returncode == 1
    assert (
        "not taken, for they are closed, or were changed or purged meanwhile: rows 1-2"
        in taken.stdout
    )
    words = ("quarantine", "export", batch.name, "--to", "rows.csv")
    assert steward(*words, "--state", "resolved", "--force").returncode == 0
    last_export = server.responses[-3:]
    assert path.read_bytes() == b"".join(each.chunk.data for each in last_export)
    assert last_export[-1].end.rows == 2


def test_a_cursor_hands_each_row_out_once(steward, server, batch, client, tmp_path):
    client.correct_row(f"{batch.name}/rows/1", {"rating": "0"})
    words = ("quarantine", "export", batch.name, "--cursor", "importer", "--to", "new.csv")
    first = document(steward(*words, "--output", "json"))
    assert (first["export"]["resolved_rows"], first["path"]) == (1, "new.csv")
    again = steward(*words)
    assert (again.returncode, "[FILE_EXISTS]" in again.stderr) == (3, True)
    (tmp_path / "new.csv").unlink()
    nothing = steward(*words)
    assert (nothing.returncode, (tmp_path / "new.csv").exists()) == (0, False)
    assert nothing.stdout == (
        "nothing is new for importer; no file was written\n"
        "the batch did not keep what was valid from the start (1 row): "
        "to export that too, validate the file again with --valid-out PATH\n"
    )
    assert document(steward(*words, "--output", "json"))["export"] is None
    listed = steward("quarantine", "exports", batch.name)
    name = first["export"]["name"]
    assert f"steward quarantine export {name} --to FILE" in listed.stdout
    assert steward("quarantine", "export", name, "--to", "again.csv").returncode == 0


def test_an_export_that_was_killed_is_gone_on_with_by_the_same_command(
    environment, steward, server, batch, client, tmp_path
):
    client.correct_row(f"{batch.name}/rows/1", {"rating": "0"})
    killed = threading.Event()
    server.fail(
        "ExportQuarantine",
        lambda call: killed.wait(60) if call.received_bytes else None,
        at=RESPONSE,
    )
    words = ("quarantine", "export", batch.name, "--cursor", "importer", "--to", "new.csv")
    process = subprocess.Popen(
        [sys.executable, "-m", "steward_client.command", *words], env=environment, cwd=tmp_path
    )
    wait_until(lambda: server.of(q.ExportQuarantineRequest))
    process.send_signal(signal.SIGKILL)
    process.wait(60)
    killed.set()
    client.correct_row(f"{batch.name}/rows/2", {"rating": "0"})
    names, rows = [], []
    for _ in range(2):
        names.append(document(steward(*words, "--output", "json"))["export"]["name"])
        rows += (tmp_path / "new.csv").read_text().splitlines()[1:]
        (tmp_path / "new.csv").unlink()
    assert rows == ["a,0", "b,0"]
    assert [each.name for each in client.list_exports(batch.name)] == names
    assert list(tmp_path.iterdir()) == []
