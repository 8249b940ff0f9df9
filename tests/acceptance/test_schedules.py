"""Schedules as a client and the command see them, with a real daemon, a real pg_dump and real kills."""

from __future__ import annotations

import json
import time
from contextlib import suppress
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from steward_client import Client, OperationState
from steward_client.errors import Conflict, InvalidRequest, NotFound, NotNow
from stewardd.repository.claims import claim_folder

from tests.acceptance.conftest import NO_DATABASE
from tests.acceptance.test_retention import steward
from tests.support.daemon import Daemon
from tests.support.waiting import wait_until

until = partial(wait_until, timeout_s=120.0)


def attempts(daemon: Daemon, client: Client, due: int) -> list[OperationState[Any, Any]]:
    """The operations of a due moment, as the claims on their request_ids name them."""
    found = []
    moment = f"{datetime.fromtimestamp(due, UTC):%Y%m%dT%H%M%SZ}"
    for attempt in range(1, 10):
        folder = claim_folder("CreateBackup", f"schedule/often/{moment}/{attempt}")
        for claim in sorted((daemon.data_dir / "repository" / folder).glob("??????.json")):
            operation = json.loads(claim.read_text())["resource"]
            with suppress(NotFound):  # a claim whose daemon died before the operation was there
                found.append(client.get_operation(operation).state)
    return found


def test_a_schedule_makes_backups_over_kills_of_its_daemon(folder: Path) -> None:
    """One completed backup for each due moment, also where the daemon was killed in the middle of one."""
    daemon, began = Daemon(folder), int(time.time())
    try:
        daemon.start()
        with Client(daemon.address) as client:
            made = client.create_schedule("often", interval_s=5.0, actor="mia")
            assert made.next_run_time is not None
            until(lambda: client.get_schedule("often").last_run is not None)
        for _ in range(2):
            with Client(daemon.address) as client:
                before = len(list(client.list_backups()))
                while len(list(client.list_backups())) == before:
                    time.sleep(0.1)
            daemon.kill()
            daemon.start()
        with Client(daemon.address) as client:
            until(
                lambda: (run := client.get_schedule("often").last_run) is not None and run.succeeded
            )
            client.update_schedule("often", paused=True)
            until(lambda: not [each for each in client.list_operations() if not each.state.done])
            found = list(client.list_backups())
            assert {each.description for each in found} == {"schedule often"}
            # A daemon that is killed right after it published has no result: the backup is there, and counts.
            names = {each.name for each in found}
            completed = [
                sum(
                    getattr(each.progress, "backup", "") in names
                    for each in attempts(daemon, client, due)
                )
                for due in range(began, int(time.time()) + 1)
                if due % 5 == 0
            ]
            assert max(completed) == 1
            assert sum(completed) == len(found) >= 3
    finally:
        daemon.kill()


def test_schedules_are_made_shown_paused_and_deleted_by_the_command(folder: Path) -> None:
    settings = {
        "STEWARDD_BACKUP__SCHEDULES__NIGHTLY__CRON": "30 2 * * *",
        "STEWARDD_BACKUP__SCHEDULES__NIGHTLY__TIME_ZONE": "Europe/Berlin",
    }
    with Daemon(folder, environment={**NO_DATABASE, **settings}) as daemon:
        made = steward(daemon, "schedule", "create", "often", "--every", "6h", "--jitter", "10m")
        assert made.returncode == 0, made.stderr
        assert "every 6 h" in made.stdout
        listed = steward(daemon, "schedule", "list").stdout
        assert "30 2 * * * (Europe/Berlin)" in listed
        assert "often" in listed
        assert "paused" in steward(daemon, "schedule", "pause", "nightly").stdout
        assert "paused" not in steward(daemon, "schedule", "resume", "nightly").stdout
        with Client(daemon.address) as client:
            assert [each.name for each in client.list_schedules(page_size=1)] == [
                "schedules/nightly",
                "schedules/often",
            ]
            changed = client.update_schedule("often", cron="0 * * * *", interval_s=0, jitter_s=0)
            assert (changed.cron, changed.interval_s) == ("0 * * * *", 0.0)
            with pytest.raises(NotNow) as refused:
                client.delete_schedule("nightly")
            assert refused.value.reason == "SCHEDULE_CONFIGURED"
            with pytest.raises(Conflict) as taken:
                client.create_schedule("often", cron="1 * * * *")
            assert taken.value.reason == "SCHEDULE_EXISTS"
            with pytest.raises(InvalidRequest) as unknown:
                client.create_schedule("other", cron="1 * * * *", database="nowhere")
            assert unknown.value.reason == "DATABASE_UNKNOWN"
        never = steward(daemon, "schedule", "create", "never", "--cron", "0 0 30 2 *")
        assert never.returncode == 3
        assert "never comes" in never.stderr
        zone = steward(
            daemon, "schedule", "create", "x", "--cron", "0 0 * * *", "--time-zone", "Nowhere"
        )
        assert "no time zone" in zone.stderr
        assert "often is deleted" in steward(daemon, "schedule", "delete", "often").stdout
        with Client(daemon.address) as client, pytest.raises(NotFound):
            client.get_schedule("often")


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"CRON": "0 0 30 2 *"}, "backup.schedules.nightly: '0 0 30 2 *' never comes"),
        ({"CRON": "0 2 * * *", "TIME_ZONE": "Nowhere"}, "no time zone"),
        ({}, "a cron expression or an interval"),
        ({"CRON": "0 2 * * *", "DATABASE": "other"}, "backup.schedules.nightly.database"),
    ],
    ids=str,
)
def test_a_schedule_that_never_comes_stops_the_daemon_before_anything_is_made(
    folder: Path, settings: dict[str, str], words: str
) -> None:
    names = {f"STEWARDD_BACKUP__SCHEDULES__NIGHTLY__{key}": each for key, each in settings.items()}
    names.setdefault("STEWARDD_BACKUP__SCHEDULES__NIGHTLY__PAUSED", "false")
    daemon = Daemon(folder, environment={**NO_DATABASE, **names})
    daemon.start(wait=False)
    assert daemon.wait(60) != 0
    assert words in daemon.text
    assert not (daemon.data_dir / "repository").exists()
