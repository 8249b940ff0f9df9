"""`steward quarantine`, as somebody runs it: what is asked, what is shown, and how it ends."""

import json
import signal
import subprocess
import sys
import time
from datetime import UTC, datetime

import pytest
from steward.v1 import validation_pb2 as v
from steward_client.command.moments import moment_of


@pytest.fixture
def batch(client):
    return client.validate_file(b"id,rating\na,7\nb,8\nc,0.5\n", source_file="n.csv")


def document(ended):
    return json.loads(ended.stdout)


def test_batches_with_open_rows_are_listed_and_those_left_out_are_told(
    steward, server, batch, client
):
    client.validate_file(b"id\n1\n", source_file="clean.csv")
    client.validate_file(b"id,rating\nz,9\n", source_file="other.csv")
    ended = steward("quarantine", "list", "--type", "note", "--since", "2025-11-13", "--limit", 1)
    assert "other.csv" in ended.stdout
    assert "these are the newest 1; --limit shows more" in ended.stdout
    assert "n.csv" not in ended.stdout
    sent = server.requests[0].filter
    assert (sent.schema, sent.state) == ("schemas/note", v.ROW_STATE_OPEN)
    assert sent.create_after.ToJsonString() == "2025-11-13T00:00:00Z"
    found = document(steward("quarantine", "list", "--state", "any", "--output", "json"))
    assert [each["source_file"] for each in found["batches"]] == ["other.csv", "n.csv"]
    assert found["is_all"]
    assert server.requests[-1].filter.state == 0


def test_rows_of_all_batches_are_listed(steward, server, batch):
    ended = steward("quarantine", "list", "--rows", "--keyword", "maximum", "--file", "n.csv")
    assert f"{batch.name}/rows/1" in ended.stdout
    sent = server.requests[-1]
    assert (sent.parent, sent.keyword, sent.batches.source_file) == (
        "batches/-",
        "maximum",
        "n.csv",
    )
    lines = steward("quarantine", "list", "--rows", "--output", "json").stdout.splitlines()
    assert [json.loads(line)["row_number"] for line in lines] == [1, 2]


def test_an_empty_quarantine_says_so(steward):
    assert steward("quarantine", "list").stdout == "there are no open rows\n"
    ended = steward("quarantine", "list", "--rows", "--state", "any", "--field", "x")
    assert ended.stdout == "there are no quarantined rows that fit the filter\n"


def test_a_row_is_shown_with_its_cells_and_history_and_corrected(steward, batch):
    shown = steward("quarantine", "show", batch.name, 1)
    assert f"{batch.name}/rows/1 is open" in shown.stdout
    assert f"steward quarantine correct {batch.name} 1 rating=VALUE" in shown.stdout
    still = steward("quarantine", "correct", batch.name, 1, "rating=6", "--actor", "mia")
    assert still.returncode == 1
    assert "is more than 1" in still.stdout
    done = steward("quarantine", "correct", f"{batch.name}/rows/1", "rating=0.5", "--etag", "a1")
    assert done.returncode == 0
    assert "is resolved" in done.stdout
    assert "rating: 7 → 6" in done.stdout
    found = document(steward("quarantine", "show", f"{batch.name}/rows/1", "--output", "json"))
    assert found["history"][0]["actor"] == "mia"
    late = steward("quarantine", "correct", batch.name, 1, "rating=0", "--etag", "a0")
    assert late.returncode == 3
    assert "[ROW_CHANGED]\n  next: " in late.stderr


def test_cells_come_from_a_file_so_that_no_process_list_has_them(steward, server, batch):
    cells = '{"rating": "0.5", "id": "secret@example.org"}'
    settings = {"input": cells, "stdin": None}
    ended = steward("quarantine", "correct", batch.name, 1, "--cells", "-", **settings)
    assert ended.returncode == 0
    sent = {cell.column: cell.value for cell in server.requests[-1].cells}
    assert sent == {"rating": "0.5", "id": "secret@example.org"}


@pytest.mark.parametrize(
    "words",
    [
        ["correct", "b", "1"],
        ["correct", "b", "x", "rating=1"],
        ["correct", "b", "1", "rating"],
        ["correct", "b", "1", "rating=1", "rating=2"],
        ["discard", "b", "1"],
        ["discard", "b", "1-", "--reason", "x"],
        ["discard", "b", "1-99999", "--reason", "x"],
        ["show", "b", "1", "--field", "x"],
        ["stats", "b", "--type", "note"],
        ["retry"],
        ["retry", "b", "--since", "7d"],
        ["purge"],
        ["purge", "--before", "yesterday"],
        ["export", "b", "--cursor", "c", "--field", "x"],
        ["erase"],
        ["list", "--state", "closed"],
    ],
)  # fmt: skip
def test_wrong_usage_exits_2_and_sends_nothing(steward, server, words):
    ended = steward("quarantine", *words)
    assert (ended.returncode, ended.stdout) == (2, "")
    assert "next: see `steward quarantine" in ended.stderr
    assert server.requests == []


def test_rows_are_discarded_by_numbers_and_ranges(steward, server, batch):
    ended = steward("quarantine", "discard", batch.name, "1-2", "--reason", "twice", "--actor", "b")
    assert (ended.returncode, list(server.requests[-1].row_numbers)) == (0, [1, 2])
    assert "2 rows discarded\n0 rows of" in ended.stdout
    again = document(
        steward("quarantine", "discard", batch.name, 1, "--reason", "x", "--output", "json")
    )
    assert (again["discarded_rows"], again["unchanged_rows"]) == (0, 1)


def test_stats_are_shown_with_bars(steward, server, batch, environment):
    stats = server.stats
    stats.batches, stats.total_rows, stats.valid_rows = 2, 1000, 900
    stats.quarantined_rows, stats.open_rows, stats.resolved_rows = 100, 99, 1
    stats.errors_by_field["rating"] = 100
    stats.top_values.add(field="rating", keyword="maximum", value="7", count=60)
    stats.top_values_approximate = True
    for day in range(1, 41):
        stats.days.add(day=f"2026-{1 + day // 29:02}-{1 + day % 28:02}", quarantined_rows=day)
    shown = steward("quarantine", "stats", "--since", "30d", "--top", 3).stdout
    assert "open                       99     9.9 %   ██" in shown
    assert "At least" in shown
    assert "the newest 31 of 40 days; --output json has all" in shown
    environment["PYTHONIOENCODING"] = "ascii"
    assert "   9.9 %   ##" in steward("quarantine", "stats").stdout
    found = document(steward("quarantine", "stats", batch.name, "--output", "json"))
    assert (len(found["days"]), found["open_rows"]) == (40, 99)


def test_a_sheet_is_exported_never_over_another_and_resubmitted(steward, server, batch, tmp_path):
    ended = steward("quarantine", "export", batch.name, "--to", "rows.csv", "--field", "rating")
    assert (ended.returncode, server.requests[-1].field) == (0, "rating")
    assert "steward quarantine resubmit rows.csv" in ended.stdout
    (tmp_path / "rows.csv").write_text("1,0.5\n2,9\n")
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
    with (tmp_path / "rest.csv").open("w+") as file:
        file.write("2,0.1\n")
        file.seek(0)
        last = steward("quarantine", "resubmit", "-", stdin=file)
    assert last.returncode == 0, last.stderr
    taken = steward("quarantine", "resubmit", "rows.csv")
    assert taken.returncode == 1
    assert (
        "not taken, for they are closed, or were changed or purged meanwhile: rows 1-2"
        in taken.stdout
    )
    assert (
        steward("quarantine", "export", batch.name, "--to", "rows.csv", "--force").returncode == 0
    )
    assert (tmp_path / "rows.csv").read_bytes() == server.export_body


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
    assert f"steward quarantine export {batch.name}/exports/0 --to FILE" in listed.stdout
    by_name = steward("quarantine", "export", f"{batch.name}/exports/0", "--to", "again.csv")
    assert by_name.returncode == 0


def test_an_export_that_was_killed_is_gone_on_with_by_the_same_command(
    environment, steward, server, batch, client, tmp_path
):
    client.correct_row(f"{batch.name}/rows/1", {"rating": "0"})
    server.faults["exporting"].append(lambda call: time.sleep(20) if call.received_bytes else None)
    words = ("quarantine", "export", batch.name, "--cursor", "importer", "--to", "new.csv")
    process = subprocess.Popen(
        [sys.executable, "-m", "steward_client.command", *words], env=environment, cwd=tmp_path
    )
    while not server.calls["ExportQuarantine"]:
        time.sleep(0.01)
    process.send_signal(signal.SIGKILL)
    process.wait(20)
    client.correct_row(f"{batch.name}/rows/2", {"rating": "0"})
    names = []
    for _ in range(2):
        names.append(document(steward(*words, "--output", "json"))["export"]["name"])
        (tmp_path / "new.csv").unlink()
    assert names == [f"{batch.name}/exports/0", f"{batch.name}/exports/1"]
    assert len(server.exports) == 2
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("words", "told", "code"),
    [
        (("retry", "--keyword", "enum"), "5 rows of 2 batches", 1),
        (("purge", "--before", "90d"), "3 rows of 1 batch", 0),
        (("erase", "--address-file", "address.txt"), "the address", 0),
    ],
)
def test_what_changes_many_rows_says_how_many_first_and_does_it_only_when_told_to(
    steward, server, tmp_path, words, told, code
):
    (tmp_path / "address.txt").write_text("ana@example.org\n")
    planned = steward("quarantine", *words)
    assert (planned.returncode, f"{told} would be" in planned.stdout) == (code, True)
    assert "with --apply does it" in planned.stdout
    assert [request.dry_run for request in server.requests] == [True]
    done = steward("quarantine", *words, "--apply")
    assert done.returncode == code
    was = "was" if words[0] == "erase" else "were"
    assert done.stdout.index(f"{told} would be") < done.stdout.index(f"{told} {was}")
    assert [request.dry_run for request in server.requests] == [True, True, False]
    said = document(steward("quarantine", *words, "--yes", "--output", "json"))
    assert (said["planned"]["dry_run"], said["done"]["dry_run"]) == (True, False)


def test_a_filter_that_follows_is_given_with_those_that_are_said(steward, server):
    steward("quarantine", "retry", "--keyword", "enum")
    sent = server.requests[-1]
    assert (sent.parent, sent.batches.state, sent.keyword) == ("batches/-", 1, "enum")
    steward("quarantine", "purge", "--before", "2025-01-01", "--until", "2025-06-01")
    assert server.requests[-1].batches.create_before.ToJsonString() == "2025-01-01T00:00:00Z"


def test_nothing_is_done_where_there_is_nothing_to_do(steward, server):
    server.purged_rows = 0
    ended = steward("quarantine", "purge", "--before", "90d", "--apply")
    assert (ended.returncode, "there is nothing to do" in ended.stdout) == (0, True)
    assert len(server.requests) == 1


def test_one_row_is_told_in_the_singular(steward, server, batch):
    server.purged_rows = 1
    done = steward("quarantine", "purge", "--before", "90d", "--apply")
    assert "1 row of 1 batch was removed for good" in done.stdout
    left = steward("quarantine", "discard", batch.name, 1, "--reason", "twice")
    assert left.stdout == f"1 row discarded\n1 row of {batch.name} is open\n"


def test_an_address_comes_by_stdin_and_is_told_nowhere(steward, server):
    ended = steward("quarantine", "erase", input="ana@example.org\n", stdin=None)
    assert (ended.returncode, server.requests[-1].email) == (0, "ana@example.org")
    assert "ana@" not in ended.stdout + ended.stderr


def test_ctrl_c_in_a_plan_cancels_it(environment, server):
    server.backup_hold.clear()
    process = subprocess.Popen(
        [sys.executable, "-m", "steward_client.command", "quarantine", "purge", "--before", "1d", "--apply"],
        env=environment,
        stderr=subprocess.PIPE,
        text=True,
    )  # fmt: skip
    while not server.calls["WatchOperation"]:
        time.sleep(0.01)
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=20)
    assert (process.returncode, "nothing was changed" in err) == (130, True)
    assert server.calls["CancelOperation"] == 1


def test_completion_offers_the_newest_batches(steward, environment, batch):
    environment.update(
        _STEWARD_COMPLETE="bash_complete",
        COMP_WORDS="steward quarantine show batches/",
        COMP_CWORD="3",
    )
    assert steward().stdout == f"plain,{batch.name}\n"
    environment["STEWARD_SERVER"] = "unix:/nowhere"
    assert (steward().stdout.strip(), steward().stderr) == ("", "")


@pytest.fixture
def offered(steward, environment):
    def ask(*words):
        command = " ".join(map(str, ("steward", "quarantine", *words)))
        environment.update(
            _STEWARD_COMPLETE="bash_complete",
            COMP_WORDS=command,
            COMP_CWORD=str(len(words) + 1 + (not words[-1])),
        )
        ended = steward()
        assert ended.stderr == ""
        return [line.partition(",")[2] for line in ended.stdout.split()]

    return ask


def test_completion_offers_rows_and_then_their_wrong_columns(offered, client, batch):
    assert offered("show", batch.name, "") == ["1", "2"]
    client.correct_row(f"{batch.name}/rows/1", {"rating": "0.5"})
    assert offered("show", batch.name, "") == ["1", "2"]
    assert offered("discard", "latest", "") == ["2"]
    assert offered("discard", "latest", "2", "") == []
    assert offered("correct", batch.name, "") == ["2"]
    assert offered("correct", batch.name, "2", "ra") == ["rating="]
    assert offered("correct", batch.name, "7", "") == []


def test_completion_offers_exports_and_cursors(offered, client, batch):
    assert offered("export", f"{batch.name}/exports/") == []
    client.correct_row(f"{batch.name}/rows/1", {"rating": "0.5"})
    client.create_export(batch.name, "importer")
    client.correct_row(f"{batch.name}/rows/2", {"rating": "0.5"})
    client.create_export(batch.name, "auditor")
    behind = f"{batch.name}/exports/"
    assert offered("export", behind) == [f"{behind}latest", f"{behind}1", f"{behind}0"]
    assert offered("export", "latest/exports/") == [
        f"latest/exports/{each}" for each in ("latest", "1", "0")
    ]
    assert offered("export", batch.name, "--cursor", "") == ["auditor", "importer"]
    assert offered("exports", batch.name, "--cursor", "i") == ["importer"]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2w", "2025-10-30T10:00:00+00:00"),
        ("12h", "2025-11-12T22:00:00+00:00"),
        ("30min", "2025-11-13T09:30:00+00:00"),
        ("2025-11-01T10:00:00+02:00", "2025-11-01T08:00:00+00:00"),
        ("2025-11-01 10:00", "2025-11-01T10:00:00+00:00"),
    ],
)
def test_a_time_is_a_day_a_timestamp_or_how_long_ago(text, expected):
    now = datetime(2025, 11, 13, 10, tzinfo=UTC)
    assert moment_of(text, now).isoformat() == expected


@pytest.mark.parametrize("text", ["", "7", "d", "999999w", "-7d", "1.5d", "2025-13-01", "soon"])
def test_what_is_no_time_is_refused(text):
    with pytest.raises(ValueError):
        moment_of(text, datetime(2025, 11, 13, tzinfo=UTC))
