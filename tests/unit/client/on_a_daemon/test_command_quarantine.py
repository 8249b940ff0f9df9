"""`steward quarantine`, as somebody runs it: rows are listed, shown, counted, corrected and discarded."""

import json
from datetime import UTC, datetime

import pytest
from steward.v1 import validation_pb2 as v


@pytest.fixture
def batch(server, word):
    return server.client.validate_file(b"id,rating\na,7\nb,8\nc,0.5\n", source_file=word)


def document(ended):
    return json.loads(ended.stdout)


def test_batches_with_open_rows_are_listed_and_those_left_out_are_told(steward, server, client):
    began = datetime.now(UTC).isoformat()
    names = ("n.csv", "clean.csv", "other.csv")
    for name, row in zip(names, (b"a,7", b"b,1", b"c,9"), strict=True):
        client.validate_file(b"id,rating\n" + row + b"\n", source_file=name)
    ended = steward("quarantine", "list", "--type", "note", "--since", "2025-11-13", "--limit", 1)
    assert "other.csv" in ended.stdout
    assert "these are the newest 1; --limit shows more" in ended.stdout
    assert "n.csv" not in ended.stdout
    sent = server.of(v.ListBatchesRequest)[0].filter
    assert (sent.schema, sent.state) == ("schemas/note", v.ROW_STATE_OPEN)
    assert sent.create_after.ToJsonString() == "2025-11-13T00:00:00Z"
    words = ("quarantine", "list", "--state", "any", "--since", began, "--output", "json")
    found = document(steward(*words))
    assert [each["source_file"] for each in found["batches"]] == ["other.csv", "n.csv"]
    assert found["is_all"]
    assert server.requests[-1].filter.state == 0


def test_rows_of_all_batches_are_listed(steward, server, batch, word):
    ended = steward("quarantine", "list", "--rows", "--keyword", "maximum", "--file", word)
    assert f"{batch.name}/rows/1" in ended.stdout
    sent = server.requests[-1]
    assert (sent.parent, sent.keyword, sent.batches.source_file) == ("batches/-", "maximum", word)
    lines = steward("quarantine", "list", "--rows", "--output", "json").stdout.splitlines()
    newest = [json.loads(line)["name"] for line in lines[:2]]
    assert newest == [f"{batch.name}/rows/1", f"{batch.name}/rows/2"]


def test_an_empty_quarantine_says_so(steward, server):
    def empty(listed):
        listed.Clear()
        return listed

    ended = steward("quarantine", "list", "--rows", "--state", "any", "--field", "x")
    assert ended.stdout == "there are no quarantined rows that fit the filter\n"
    server.changes["ListBatches"] = empty
    assert steward("quarantine", "list").stdout == "there are no open rows\n"


def test_a_row_is_shown_with_its_cells_and_history_and_corrected(steward, batch):
    shown = steward("quarantine", "show", batch.name, 1)
    assert f"{batch.name}/rows/1 is open" in shown.stdout
    assert f"steward quarantine correct {batch.name} 1 rating=VALUE" in shown.stdout
    words = ("quarantine", "show", f"{batch.name}/rows/1", "--output", "json")
    first = document(steward(*words))["etag"]
    still = steward("quarantine", "correct", batch.name, 1, "rating=6", "--actor", "mia")
    assert still.returncode == 1
    assert "must be at most 1" in still.stdout
    late = steward("quarantine", "correct", batch.name, 1, "rating=0", "--etag", first)
    assert late.returncode == 3
    assert "[ROW_CHANGED]\n  next: " in late.stderr
    second = document(steward(*words))["etag"]
    done = steward("quarantine", "correct", f"{batch.name}/rows/1", "rating=0.5", "--etag", second)
    assert done.returncode == 0
    assert "is resolved" in done.stdout
    assert "rating: 7 → 6" in done.stdout
    assert document(steward(*words))["history"][0]["actor"] == "mia"


def test_cells_come_from_a_file_so_that_no_process_list_has_them(steward, server, batch):
    cells = '{"rating": "0.5", "id": "secret@example.org"}'
    ended = steward("quarantine", "correct", batch.name, 1, "--cells", "-", text=cells)
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
    def change(stats):
        stats.Clear()
        stats.batches, stats.total_rows, stats.valid_rows = 2, 1000, 900
        stats.quarantined_rows, stats.open_rows, stats.resolved_rows = 100, 99, 1
        stats.errors_by_field["rating"] = 100
        stats.top_values.add(field="rating", keyword="maximum", value="7", count=60)
        stats.top_values_approximate = True
        for day in range(1, 41):
            stats.days.add(day=f"2026-{1 + day // 29:02}-{1 + day % 28:02}", quarantined_rows=day)
        return stats

    server.changes["GetQuarantineStats"] = change
    shown = steward("quarantine", "stats", "--since", "30d", "--top", 3).stdout
    assert "open                       99     9.9 %   ██" in shown
    assert "At least" in shown
    assert "the newest 31 of 40 days; --output json has all" in shown
    environment["PYTHONIOENCODING"] = "ascii"
    assert "   9.9 %   ##" in steward("quarantine", "stats").stdout
    found = document(steward("quarantine", "stats", batch.name, "--output", "json"))
    assert (len(found["days"]), found["open_rows"]) == (40, 99)
