"""A daemon with a second repository: a copy after each backup, also over kill -9, and the way back by an import."""

import asyncio
import json
import time
from datetime import UTC, datetime
from typing import cast

import grpc
import pytest
from steward.v1 import backup_pb2 as b
from stewardd.repository.backend.folder.store import FolderStore

from tests.acceptance.conftest import NO_DATABASE
from tests.acceptance.test_backup import Client, unpacked
from tests.acceptance.test_starts import refused_start
from tests.support.backups import Keeper
from tests.support.calls import channel
from tests.support.command import steward_json as steward
from tests.support.daemon import Daemon


@pytest.fixture
def settings(folder):
    file = folder / "steward.toml"
    file.write_text(
        f"""
        [backup.copies]
        url = "{folder}/second"
        interval_s = 1.0
        """
    )
    return file


def files(folder, backup):
    """The objects of a backup in a repository that is a folder."""
    (found,) = folder.glob(f"backups/*/{backup.removeprefix('backups/')}")
    return {each.name: each.read_bytes() for each in found.iterdir()}


def await_copy(folder, backup):
    (deadline, name) = (time.monotonic() + 60, backup.removeprefix("backups/"))
    while not list(folder.glob(f"backups/*/{name}/manifest.json")):
        assert time.monotonic() < deadline, "no copy was made"
        time.sleep(0.05)


def test_each_backup_is_copied_and_comes_back_by_an_import(folder, settings):
    with Daemon(folder / "data", "--config", str(settings)) as daemon:
        with channel(daemon.address) as open_channel:
            client = Client(open_channel)
            backup = unpacked(client.wait(client.create().name), b.Backup)
        await_copy(folder / "second", backup.name)
        first = folder / "data" / "repository"
        assert files(folder / "second", backup.name) == files(first, backup.name)
        code, copied = steward(daemon, "backup", "copy", backup.name)
        assert (code, copied["backup"]) == (0, backup.name)
        assert copied["repository"] == (folder / "second").as_uri()
        daemon.kill()  # whatever it was at, the copies of the next daemon are whole
        daemon.start()
        with channel(daemon.address) as open_channel:
            client = Client(open_channel)
            second = unpacked(client.wait(client.create().name), b.Backup)
        await_copy(folder / "second", second.name)
    # Another daemon with an empty repository, which trusts nobody yet, gets them from there.
    with Daemon(folder / "other", "--config", str(settings)) as daemon:
        code, there = steward(daemon, "backup", "list", "--repository", "second")
        assert (code, [each["name"] for each in there["backups"]]) == (
            0,
            [second.name, backup.name],
        )
        assert steward(daemon, "backup", "list") == (0, {"backups": []})
        code, refused = steward(daemon, "backup", "import", backup.name)
        assert code != 0
        assert "SIGNER_UNKNOWN" in json.dumps(refused)
        beginning = backup.name[: -len("-0000-0000-000000000000")]
        code, done = steward(daemon, "backup", "import", "--accept-unknown-signer", beginning)
        assert (code, done["response"]["name"]) == (0, backup.name)
        assert files(folder / "other" / "repository", backup.name) == files(
            folder / "second", backup.name
        )
        with channel(daemon.address) as open_channel:
            listed = Client(open_channel).backups.ListBackups(b.ListBackupsRequest(), timeout=30)
        assert [each.name for each in listed.backups] == [backup.name]


def test_without_a_second_repository_a_copy_is_refused_by_name(daemon):
    with channel(daemon.address) as open_channel, pytest.raises(grpc.RpcError) as caught:
        name = "backups/01900000-0000-7000-8000-000000000000"
        Client(open_channel).backups.CopyBackup(b.CopyBackupRequest(name=name), timeout=30)
    assert caught.value.code() is grpc.StatusCode.FAILED_PRECONDITION


def test_a_second_repository_that_cannot_serve_is_named_at_start(folder, settings, s3):
    data = ["--data-dir", str(folder / "data"), "--config", str(settings)]
    settings.write_text(f'[backup.copies]\nurl = "{folder}/data/repository"\n')
    assert "backup.copies.url is the repository itself" in refused_start(*data)
    options = "".join(f'{name} = "{value}"\n' for name, value in s3.wrong.items())
    settings.write_text(
        f'[backup.copies]\nurl = "{s3.make_bucket()}/x"\n[backup.copies.options]\n{options}'
    )
    said = refused_start(*data)
    assert "SignatureDoesNotMatch" in said
    assert "[CONFIGURATION]" in said


def test_the_second_repository_is_pruned_by_its_own_rules(folder, settings):
    settings.write_text(
        f"""
        [backup.retention]
        counting = "complete"

        [backup.copies]
        url = "{folder}/second"
        interval_s = 0.5

        [backup.copies.retention]
        counting = "complete"
        window_s = 259200
        """
    )
    with Daemon(folder / "data", "--config", str(settings), environment=NO_DATABASE) as daemon:
        asyncio.run(
            Keeper(FolderStore(folder / "data" / "repository")).store_daily(
                6, now=datetime.now(UTC)
            )
        )
        deadline = time.monotonic() + 60
        while len(list(folder.glob("second/backups/*/*/manifest.json"))) < 6:
            assert time.monotonic() < deadline, "no copies were made"
            time.sleep(0.05)
        code, first = steward(daemon, "backup", "prune")
        assert (code, first["planned"]["repository"]) == (0, "first")
        assert all(each["keep"] for each in first["planned"]["verdicts"])
        code, second = steward(daemon, "backup", "prune", "--repository", "second", "--apply")
        assert (code, second["planned"]["repository"]) == (0, "second")
        going = [each["backup"] for each in second["planned"]["verdicts"] if not each["keep"]]
        assert len(going) == 3
        assert second["done"]["backups"] == going
        _, again = steward(daemon, "backup", "prune", "--repository", "second")
        assert all(each["keep"] for each in again["planned"]["verdicts"])
        _, listed = steward(daemon, "backup", "list")
        assert len(listed["backups"]) == 6


def test_without_a_second_repository_its_retention_is_refused_by_name(daemon):
    code, refused = steward(daemon, "backup", "prune", "--repository", "second")
    assert code != 0
    assert "NO_SECOND_REPOSITORY" in json.dumps(refused)
    with channel(daemon.address) as open_channel, pytest.raises(grpc.RpcError) as caught:
        request = b.GetRetentionPlanRequest(repository=cast("b.BackupRepository.ValueType", 7))
        Client(open_channel).backups.GetRetentionPlan(request, timeout=30)
    assert caught.value.code() is grpc.StatusCode.INVALID_ARGUMENT
