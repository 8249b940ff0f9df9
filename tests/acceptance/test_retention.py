"""Deleting, pinning and pruning of backups, as a client and the command see them."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from steward.v1 import backup_pb2, backup_pb2_grpc
from steward_client import BackupProof, BackupState, Client
from steward_client.errors import InvalidRequest, NotFound, NotNow
from stewardd.repository.backend.folder.store import FolderStore

from tests.acceptance.conftest import NO_DATABASE, refused
from tests.support.backups import Keeper
from tests.support.calls import channel
from tests.support.command import steward_of
from tests.support.daemon import Daemon
from tests.support.waiting import wait_until

UNKNOWN = "01900000-0000-7000-8000-000000000000"


@pytest.fixture
def kept(folder: Path) -> Iterator[Callable[..., Daemon]]:
    """Starts a daemon that counts complete backups."""
    with ExitStack() as stack:

        def start(**settings: str) -> Daemon:
            chosen = {"counting": "complete", **settings}
            names = {f"STEWARDD_BACKUP__RETENTION__{key.upper()}": chosen[key] for key in chosen}
            return stack.enter_context(Daemon(folder, environment={**NO_DATABASE, **names}))

        yield start


async def store_daily(daemon: Daemon, days: int) -> list[str]:
    keeper = Keeper(FolderStore(daemon.data_dir / "repository"))
    now = datetime.now(UTC)
    return [await keeper.store_backup(now - timedelta(days=day, hours=1)) for day in range(days)]


def steward(daemon: Daemon, *words: str) -> subprocess.CompletedProcess[str]:
    return steward_of(daemon, *words, NO_COLOR="1")


async def test_a_backup_is_pinned_deleted_and_had_back(kept) -> None:
    daemon = kept()
    ids = await store_daily(daemon, 3)
    with Client(daemon.address) as client:
        pinned = client.pin_backup(ids[1], note="before the move", actor="mia")
        assert (pinned.pinned, pinned.pin_note) == (True, "before the move")
        with pytest.raises(NotNow) as refused:
            client.delete_backup(ids[1])
        assert refused.value.reason == "BACKUP_PINNED"
        assert not client.unpin_backup(ids[1]).pinned
        deleted = client.delete_backup(ids[1], actor="mia")
        assert deleted.state is BackupState.DELETED
        assert deleted.purge_time is not None
        assert deleted.delete_time is not None
        assert deleted.purge_time - deleted.delete_time == timedelta(days=1)
        assert client.delete_backup(ids[1]) == deleted
        assert [each.name[8:] for each in client.list_backups()] == [ids[0], ids[2]]
        assert list(client.list_backups(state=BackupState.DELETED)) == [deleted]
        assert list(client.list_backups(database="other")) == []
        assert len(list(client.list_backups(database="main", page_size=1))) == 2
        assert client.undelete_backup(ids[1]).state is BackupState.COMPLETE
        for each in ids[1:]:
            client.delete_backup(each)
        with pytest.raises(NotNow) as refused:
            client.delete_backup(ids[0])
        assert refused.value.reason == "LAST_BACKUP"
        assert client.get_backup(ids[0]).proof is BackupProof.PENDING
        for call in (client.delete_backup, client.undelete_backup, client.pin_backup):
            with pytest.raises(NotFound):
                call(UNKNOWN)


async def test_a_plan_gives_a_reason_for_each_backup_and_a_pruning_does_what_it_says(kept) -> None:
    daemon = kept(keep_weekly="2")
    ids = await store_daily(daemon, 12)
    with Client(daemon.address) as client:
        plan = client.get_retention_plan()
        assert plan.database == "main"
        assert [each.backup[8:] for each in plan.verdicts] == ids
        assert {each.reason for each in plan.verdicts if each.keep} >= {"YOUNG"}
        assert {each.reason for each in plan.going} == {"EXPIRED"}
        going = [each.backup for each in plan.going]
        assert 3 <= len(going) <= 5
        done = client.prune_backups(actor="mia", request_id="once").result()
        assert done.backups == tuple(going)
        assert client.prune_backups(actor="mia", request_id="once").result() == done
        assert client.prune_backups().result().deleted == 0
        assert not client.get_retention_plan().going
        with pytest.raises(InvalidRequest) as refused:
            client.get_retention_plan("other")
        assert refused.value.reason == "DATABASE_UNKNOWN"


def count(repository: Path, pattern: str) -> int:
    """How many files there are, while the daemon removes folders: a walk that meets one that is gone begins anew."""
    while True:
        with suppress(FileNotFoundError):
            return len(list(repository.glob(pattern)))


async def test_the_daemon_prunes_and_purges_by_itself(kept) -> None:
    daemon = kept(interval_s="0.2", grace_s="0")
    ids = await store_daily(daemon, 12)
    with Client(daemon.address) as client:
        wait_until(lambda: len(list(client.list_backups())) == 7)
        repository = daemon.data_dir / "repository"
        wait_until(lambda: count(repository, "backups/*/*/manifest.json") == 7)
        assert [each.name[8:] for each in client.list_backups()] == ids[:7]
        wait_until(lambda: count(repository, "backup-states/*/*/*") == 0)


async def test_the_command_prunes_only_when_it_is_told(kept) -> None:
    daemon = kept()
    ids = await store_daily(daemon, 9)
    planned = steward(daemon, "backup", "prune")
    assert planned.returncode == 0, planned.stderr
    assert "it is younger than 7 days" in planned.stdout
    assert "with --apply" in planned.stdout
    assert (
        len(json.loads(steward(daemon, "backup", "list", "--output", "json").stdout)["backups"])
        == 9
    )
    done = json.loads(steward(daemon, "backup", "prune", "--apply", "--output", "json").stdout)
    assert done["done"]["backups"] == [f"backups/{each}" for each in ids[7:]]
    assert (
        "kept until"
        in steward(daemon, "backup", "list", "--state", "deleted").stdout
        + steward(daemon, "backup", "show", ids[8]).stdout
    )
    assert steward(daemon, "backup", "undelete", ids[8]).returncode == 0
    assert "is pinned" in steward(daemon, "backup", "pin", ids[8], "--note", "the oldest").stdout
    refused = steward(daemon, "backup", "delete", ids[8])
    assert refused.returncode != 0
    assert "is pinned" in refused.stderr
    assert "is not pinned" in steward(daemon, "backup", "pin", "--off", ids[8]).stdout


def variable(setting: str) -> str:
    """The variable of a setting of the retention, or of that of the copies."""
    section, _, name = setting.rpartition("__")
    return "__".join(["STEWARDD_BACKUP", *filter(None, [section]), "RETENTION", name])


@pytest.mark.parametrize(
    ("setting", "value", "words"),
    [
        ("MIN_KEEP", "0", "min_keep"),
        ("WINDOW_S", "0", "window_s"),
        ("COUNTING", "some", "counting"),
        ("TIME_ZONE", "Europe/Atlantis", "no time zone"),
        ("KEEP_DAILY", "-1", "keep_daily"),
        ("COPIES__MIN_KEEP", "0", "min_keep"),
    ],
)
def test_a_retention_that_would_keep_nothing_stops_the_daemon(
    folder: Path, setting: str, value: str, words: str
) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "stewardd.main", "--data-dir", str(folder / "data")],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
        env={**os.environ, variable(setting): value},
    )
    assert done.returncode != 0
    assert words in done.stdout + done.stderr
    assert not (folder / "data").exists()


async def test_the_pages_of_a_plan_are_of_one_plan(kept) -> None:
    """A backup that comes between two pages neither shifts nor doubles a verdict."""
    daemon = kept()
    ids = await store_daily(daemon, 9)
    with channel(daemon.address) as open_channel:
        stub = backup_pb2_grpc.BackupServiceStub(open_channel)
        first = stub.GetRetentionPlan(backup_pb2.GetRetentionPlanRequest(page_size=5), timeout=20)
        assert first.next_page_token
        await Keeper(FolderStore(daemon.data_dir / "repository")).store_backup(datetime.now(UTC))
        request = backup_pb2.GetRetentionPlanRequest(page_size=5, page_token=first.next_page_token)
        second = stub.GetRetentionPlan(request, timeout=20)
        found = [each.backup[8:] for each in (*first.verdicts, *second.verdicts)]
        assert found == ids
        assert not second.next_page_token
        with refused() as wrong:
            stub.GetRetentionPlan(
                backup_pb2.GetRetentionPlanRequest(page_token="bm9uZQ=="), timeout=20
            )
        assert wrong[0].reason == "INVALID_REQUEST"
