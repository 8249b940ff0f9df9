"""The quarantine through both SDK clients, against a real daemon: the whole life of rows, and a daemon that dies."""

import csv
import threading
from datetime import UTC, datetime, timedelta

import pytest
from steward_client import BatchFilter, RetryPolicy, RowState, errors

from tests.acceptance.conftest import LANGUAGE, NO_DATABASE, rows
from tests.support.daemon import Daemon
from tests.support.shells import Shells


@pytest.fixture(params=["plain", "asyncio"])
def shells(request):
    made = Shells(request.param)
    yield made
    made.close()


@pytest.fixture
def client(shells, daemon):
    return shells(daemon.address)


def edit(path, change):
    """Writes a sheet back as a spreadsheet does, with its rows changed."""
    with path.open(encoding="utf-8-sig", newline="") as file:
        table = list(csv.DictReader(file))
    for row in table:
        change(row)
    with path.open("w", encoding="utf-16", newline="") as file:
        sheet = csv.DictWriter(file, list(table[0]), delimiter="\t")
        sheet.writeheader()
        sheet.writerows(table)


def numbers(found):
    return [row.row_number for row in found]


def test_rows_are_found_understood_put_right_and_handed_on_once(client, shells, tmp_path):
    word = f"life-{shells.kind}.csv"
    batch = client.validate_file(
        LANGUAGE + rows(60, bad_every=10), source_file=word, keep_valid_rows=True
    )
    mine = BatchFilter(source_file=word)
    assert [each.name for each in client.list_batches(batches=mine)] == [batch.name]
    found = list(client.quarantined_rows(batches=mine, field="rating", state=RowState.OPEN))
    assert numbers(found) == [10, 20, 30, 40, 50, 60]
    stats = client.quarantine_stats(batch.name, top_values=3)
    assert stats.errors_by_field == batch.errors_by_field
    assert (stats.open_rows, stats.top_values[0].value, stats.top_values[0].count) == (6, "1.7", 6)

    row = client.correct_row(found[0].name, {"rating": "0.7"}, etag=found[0].etag, actor="mia")
    assert (row.state, row.history[0].actor, row.history[0].changes) == (
        "resolved",
        "mia",
        (("rating", "1.7", "0.7"),),
    )
    with pytest.raises(errors.NotNow) as caught:
        client.correct_row(found[0].name, {"rating": "0.8"})
    assert caught.value.reason == "ROW_CLOSED"
    assert client.discard_rows(batch.name, [20], reason="no use").batch.open_rows == 4

    sheet = tmp_path / "rows.csv"
    assert client.export_quarantine(batch.name, sheet).rows == 4
    edit(sheet, lambda row: row.update(rating="9" if row["Row Number"] == "60" else "1.0"))
    tried = client.resubmit_sheet(sheet, dry_run=True)
    assert (tried.resolved_rows, tried.invalid_rows, tried.batch.open_rows) == (3, 1, 4)
    sent = client.resubmit_sheet(sheet, actor="mia")
    assert (sent.resolved_rows, sent.invalid_rows, sent.batch.open_rows) == (3, 1, 1)
    again = client.resubmit_sheet(sheet)
    assert (again.unchanged_rows, again.commit) == (4, 0)

    first = client.export_next(batch.name, "importer", tmp_path / "1.csv", original_order=True)
    with pytest.raises(errors.NotNow):
        client.export_next(batch.name, "importer", tmp_path / "2.csv")
    client.correct_row(f"{batch.name}/rows/60", {"rating": "0"})
    client.export_next(batch.name, "importer", tmp_path / "2.csv")
    handed = [
        line.split(",")[0]
        for name in ("1.csv", "2.csv")
        for line in (tmp_path / name).read_text().splitlines()[1:]
    ]
    assert handed == [f"S{n}" for n in range(1, 60) if n != 20] + ["S60"]
    assert first.export in list(client.list_exports(batch.name))
    json_file = client.export_quarantine(
        batch.name, tmp_path / "rows.tar", format="json", state="resolved"
    )
    assert json_file.rows == 5
    stats = client.quarantine_stats(batches=mine)
    assert stats.total_rows == 60
    assert (stats.valid_rows, stats.resolved_rows, stats.discarded_rows, stats.open_rows) == (
        54,
        5,
        1,
        0,
    )


def test_many_rows_are_retried_erased_and_purged_after_a_dry_run(client, shells, tmp_path):
    word = f"many-{shells.kind}.csv"
    person = f"ana20.{shells.kind}@example.org"
    body = (LANGUAGE + rows(40, bad_every=10)).replace(b"ana20@example.org", person.encode())
    batch = client.validate_file(body, source_file=word)
    client.discard_rows(batch.name, [10, 20], reason="no use")
    retried = client.retry_quarantine(batch.name, dry_run=True).result(timeout_s=60)
    assert retried.dry_run

    tried = client.erase_subject(person, dry_run=True).result(timeout_s=120)
    assert (tried.quarantined_rows, tried.dry_run) == (1, True)
    assert any(
        cell.value == person for cell in client.get_quarantined_row(f"{batch.name}/rows/20").cells
    )
    client.erase_subject(person, dry_run=False, actor="mia").result(timeout_s=120)
    assert not any(
        cell.value == person for cell in client.get_quarantined_row(f"{batch.name}/rows/20").cells
    )

    soon = datetime.now(UTC) + timedelta(minutes=1)
    mine = BatchFilter(source_file=word)
    tried = client.purge_quarantine(batches=mine, before=soon, dry_run=True).result(timeout_s=60)
    assert (tried.purged_rows, tried.purged_by_state) == (2, {"discarded": 2})
    assert client.get_quarantined_row(f"{batch.name}/rows/10").state == "discarded"
    done = client.purge_quarantine(batches=mine, before=soon, dry_run=False).result(timeout_s=60)
    assert done.purged_rows == 2
    with pytest.raises(errors.NotNow) as caught:
        client.get_quarantined_row(f"{batch.name}/rows/10")
    assert caught.value.reason == "ROW_PURGED"
    assert client.get_batch(batch.name).discarded_rows == 2


def test_a_daemon_that_is_killed_when_a_sheet_has_just_been_sent_moves_its_rows_once(
    shells, folder, tmp_path
):
    address = f"unix://{folder}/steward.sock"
    daemon = Daemon(folder / "data", "--listen", address, environment=NO_DATABASE).start()
    killing: list[threading.Thread] = []

    def kill() -> None:
        daemon.kill()
        daemon.start()

    def on_commit() -> None:
        if not killing:
            killing.append(threading.Thread(target=kill))
            killing[0].start()

    try:
        client = shells(
            address, retry=RetryPolicy(attempts=90, initial_delay_s=0.2, max_delay_s=1.0)
        )
        batch = client.validate_file(LANGUAGE + rows(20_000, bad_every=4))
        sheet = tmp_path / "rows.csv"
        client.export_quarantine(batch.name, sheet)
        edit(sheet, lambda row: row.update(rating="1.0"))
        sent = client.resubmit_sheet(sheet, on_commit=on_commit)
        assert killing, "the daemon was never killed"
        assert sent.resolved_rows + sent.unchanged_rows == 5000
        assert (sent.batch.resolved_rows, sent.batch.open_rows) == (5000, 0)
        row = client.get_quarantined_row(f"{batch.name}/rows/4")
        assert (row.attempt, len(row.history)) == (1, 1)
    finally:
        for thread in killing:
            thread.join(120)
        daemon.stop()


def test_an_export_that_was_purged_before_it_was_fetched_is_said_once_and_does_not_block_the_next(
    client, shells, tmp_path
):
    batch = client.validate_file(LANGUAGE + rows(40, bad_every=10))
    for number in (10, 20):
        client.correct_row(f"{batch.name}/rows/{number}", {"rating": "0.5"})
        client.create_export(batch.name, "importer", request_id=f"{number}-{shells.kind}")
    soon = datetime.now(UTC) + timedelta(minutes=1)
    done = client.purge_quarantine(batch.name, before=soon, dry_run=False).result(timeout_s=60)
    assert done.purged_rows == 1
    path = tmp_path / "new.csv"
    ticket = tmp_path / f".new.csv.{batch.name.split('/')[1]}.importer.ticket"
    ticket.write_text(f"10-{shells.kind}")
    with pytest.raises(errors.NotNow) as caught:
        client.export_next(batch.name, "importer", path)
    assert caught.value.reason == "EXPORT_PURGED"
    assert not path.exists()
    client.correct_row(f"{batch.name}/rows/30", {"rating": "0.5"})
    assert client.export_next(batch.name, "importer", path).rows == 1
    assert path.read_text().splitlines()[1].startswith("S30,")
