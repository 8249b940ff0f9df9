"""Disks that fill up in the middle of a restore or of a trial: the disk is named, and no backup is condemned."""

from __future__ import annotations

import asyncio
import os
import subprocess
import tempfile
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path

import pytest
from stewardd.backup.manifest.backup import DumpForm
from stewardd.backup.proof import BackupProof, ProofState
from stewardd.backup.restoring.request import RestoreMode
from stewardd.backup.restoring.unfinished import UnfinishedRestores
from stewardd.backup.verifying.trial import BackupTrials, TrialOptions
from stewardd.errors import StorageFull
from stewardd.postgres.scratch import ScratchServer, ScratchServers
from stewardd.repository.backend.all import open_store

from tests.integration.backup.conftest import processes
from tests.integration.backup.test_verifying import OneServer
from tests.support.failing_restores import (
    PAUSE_S,
    PG_RESTORE,
    WORKER,
    Far,
    count,
    daemon,
    request_of,
    restored,
    sampled,
)
from tests.support.sql import databases, run
from tests.support.versions import NEWEST
from tests.support.waiting import until

_DISK_BYTES, _LEFT_BYTES = 256 << 20, 1 << 20


class SmallDisk:
    """A file system in memory that can be made so small that it is full."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._resize("mount", "-t", "tmpfs", "-o", f"mode=0711,size={_DISK_BYTES}", "tmpfs")

    def fill(self) -> None:
        """Leaves it a mebibyte: without any, the server itself would end."""
        said = os.statvfs(self.path)
        used_bytes = (said.f_blocks - said.f_bfree) * said.f_frsize
        self._resize("mount", "-o", f"remount,size={used_bytes + _LEFT_BYTES}")

    def make_room(self) -> None:
        """Gives it its first size again."""
        self._resize("mount", "-o", f"remount,size={_DISK_BYTES}")

    def remove(self) -> None:
        """Removes it."""
        self._resize("umount", "-l")

    def _resize(self, *command: str) -> None:
        subprocess.run([*command, str(self.path)], check=True, capture_output=True)


@pytest.fixture(scope="module")
def disk(session_folder: Path) -> Iterator[SmallDisk]:
    if os.geteuid() != 0:
        pytest.skip("only root can mount a small disk")
    path = Path(tempfile.mkdtemp(dir=session_folder))
    try:
        made = SmallDisk(path)
    except subprocess.CalledProcessError:
        pytest.skip("no file system may be mounted here")
    yield made
    made.remove()


@pytest.fixture(scope="module")
def cramped(disk: SmallDisk) -> Iterator[ScratchServer]:
    """A server on that disk."""
    with asyncio.Runner() as runner:
        running = ScratchServers(disk.path).start(NEWEST, room_bytes=0)
        try:
            yield runner.run(running.__aenter__())
        finally:
            disk.make_room()
            runner.run(running.__aexit__(None, None, None))


@pytest.fixture
def filling(disk: SmallDisk) -> Iterator[SmallDisk]:
    yield disk
    disk.make_room()


@pytest.mark.parametrize("mode", sampled([RestoreMode.NEW_DATABASE, RestoreMode.IN_PLACE]), ids=str)
async def test_a_disk_of_the_server_that_fills_up_is_named_and_the_live_database_is_whole(
    far, s3, proxy, folder, filling, cramped, mode
):
    live = await cramped.create_database(f"live_{mode.value.lower()}")
    run(live, "CREATE TABLE t0 (n int, body text)", "INSERT INTO t0 VALUES (0, 'x')")
    before = databases(live)
    reached = s3.through(f"http://{proxy.address}")
    async with daemon(far, reached, live, folder) as here:
        with pytest.raises(StorageFull, match="No space left on device") as refused:
            await restored(here, request_of(far, DumpForm.CUSTOM, mode), live, filling.fill)
        assert "the database's server" in refused.value.hint
        here.assert_nothing_is_left()
        assert count(live) == 1
        filling.make_room()
        await here.restores.clear()
        assert databases(live) == before
        assert await UnfinishedRestores(here.store).all() == {}


async def test_a_scratch_folder_whose_disk_fills_up_is_named(far, s3, proxy, live, filling):
    reached, before = s3.through(f"http://{proxy.address}"), databases(live)
    async with daemon(far, reached, live, filling.path) as here:
        proxy.pause_s = PAUSE_S[DumpForm.DIRECTORY]
        with pytest.raises(StorageFull, match="no room to unpack"):
            await restored(here, request_of(far, DumpForm.DIRECTORY), live, filling.fill)
        here.assert_nothing_is_left()
    assert databases(live) == before


@pytest.mark.parametrize("form", sampled(list(DumpForm)), ids=str)
async def test_a_trial_whose_disk_fills_up_condemns_nothing(far, s3, proxy, filling, cramped, form):
    reached = s3.through(f"http://{proxy.address}")
    proxy.pause_s = PAUSE_S[form]
    proof = await tried(far, reached, filling.path, cramped, form, filling.fill)
    assert proof.outcome is ProofState.COULD_NOT_RUN
    assert proof.reason in ("STORAGE_FULL", "SCRATCH_FAILED"), proof.detail
    filling.make_room()
    proxy.pause_s = 0.0
    proof = await tried(far, reached, filling.path, cramped, form, lambda: None)
    assert proof.outcome is ProofState.VERIFIED


async def test_a_trial_whose_store_goes_away_condemns_nothing(far, s3, proxy, disk, cramped):
    def leave() -> None:
        proxy.refuse()
        proxy.reset()

    reached = s3.through(f"http://{proxy.address}") | {"max_retries": "1"}
    proof = await tried(far, reached, disk.path, cramped, DumpForm.CUSTOM, leave)
    assert (proof.outcome, proof.reason) == (ProofState.COULD_NOT_RUN, "REPOSITORY_DOWN")


async def tried(
    far: Far,
    options: Mapping[str, str],
    folder: Path,
    server: ScratchServer,
    form: DumpForm,
    then: Callable[[], object],
) -> BackupProof:
    """The proof of a trial in which something happens when pg_restore, or the reading for it, has begun."""
    settings = TrialOptions(far.url, options, folder / "staging", reserve_bytes=0)
    trials = BackupTrials(
        open_store(far.url, options),
        OneServer(folder, server),
        far.keyring,
        settings,
        lambda: datetime.now(UTC),
    )
    trial = asyncio.create_task(trials.run(far.backups[form], lambda _: None))
    await until(
        lambda: (
            trial.done() or processes(PG_RESTORE) or [*folder.glob("staging/restore-*/dump/*.dat")]
        )
    )
    then()
    proof = await trial
    assert processes(WORKER) == []
    assert list((folder / "staging").iterdir()) == []
    return proof
