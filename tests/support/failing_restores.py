"""A daemon's restores of backups that lie in a bucket, with something that happens in their middle."""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from stewardd.backup.asked import BackupAsked
from stewardd.backup.backups import Backups
from stewardd.backup.keys.keyring import Keyring
from stewardd.backup.manifest.backup import BackupManifest, CompressionMethod, DumpForm
from stewardd.backup.options import BackupOptions
from stewardd.backup.restoring.documents import RestoreStanding
from stewardd.backup.restoring.found_backup import BackupFinder
from stewardd.backup.restoring.request import RestoreMode, RestoreRequest
from stewardd.backup.restoring.restores import Restores, RestoreSettings
from stewardd.backup.restoring.unfinished import UnfinishedRestores
from stewardd.postgres.target import DatabaseTarget
from stewardd.repository.backend.all import open_store
from stewardd.repository.backend.store import Store
from stewardd.repository.lease import WriterLease
from stewardd.repository.turns import Turns

from tests.integration.backup.conftest import processes
from tests.support.campaigns import FULL
from tests.support.sql import rows
from tests.support.waiting import until

T = TypeVar("T")
WORKER, PG_RESTORE = "stewardd.backup.restoring.worker", "pg_restore --verbose"
TABLES, ROWS = 3, 2000
PAUSE_S = {DumpForm.CUSTOM: 0.0, DumpForm.DIRECTORY: 0.03}
"""How long a proxy pauses before each piece of a backup, so that there is time to do something in the middle of it."""


@dataclass(frozen=True, slots=True)
class Far:
    """A bucket with a backup of a database in each form, of several segments that are not compressed."""

    url: str
    keyring: Keyring
    source: DatabaseTarget
    backups: Mapping[DumpForm, BackupManifest]


def sampled(each: Sequence[T]) -> Sequence[T]:
    """The parameters of a test: all of them in `make test-full`, and the first one in `make test`."""
    return each if FULL else each[:1]


async def back_up(
    far: Far, store_options: Mapping[str, str], folder: Path
) -> dict[DumpForm, BackupManifest]:
    store = open_store(far.url, store_options)
    lease = await WriterLease.acquire(store, folder)
    options = BackupOptions(
        store_url=far.url, store_options=store_options, segment_bytes=1 << 19, reserve_bytes=0
    )
    try:
        backups = Backups(store, lease, {"main": far.source}, far.keyring, options)
        return {
            form: await backups.create(
                "main",
                "",
                lambda _: None,
                asked=BackupAsked(form=form, compression=CompressionMethod.NONE),
            )
            for form in DumpForm
        }
    finally:
        await lease.close()


@dataclass(frozen=True, slots=True)
class Here:
    """A daemon's objects, on the bucket."""

    store: Store
    restores: Restores
    folder: Path

    def assert_nothing_is_left(self) -> None:
        assert processes(WORKER) == []
        assert processes(PG_RESTORE) == []
        assert list(self.folder.glob("restore-*")) == []


@asynccontextmanager
async def daemon(
    far: Far, options: Mapping[str, str], target: DatabaseTarget, folder: Path
) -> AsyncIterator[Here]:
    store = open_store(far.url, options)
    home = Path(tempfile.mkdtemp(dir=folder))
    lease = await WriterLease.acquire(store, home)
    finder = BackupFinder(store, far.url, options, far.keyring, None, folder)
    settings = RestoreSettings(staging_dir=folder, reserve_bytes=0)
    unfinished, turns = UnfinishedRestores(store), Turns(store, lease, "restores")
    try:
        yield Here(store, Restores({"main": target}, finder, unfinished, turns, settings), folder)
    finally:
        await lease.close()


def request_of(
    far: Far, form: DumpForm, mode: RestoreMode = RestoreMode.NEW_DATABASE
) -> RestoreRequest:
    return RestoreRequest(
        far.backups[form].backup_id, database="main", mode=mode, jobs=2, ends_sessions=True
    )


def no_report(_: RestoreStanding) -> None:
    """For a restore whose progress nobody asks for."""


def count(target: DatabaseTarget) -> object:
    return rows(target, "SELECT count(*) FROM t0")[0][0]


async def restored(
    here: Here,
    request: RestoreRequest,
    live: DatabaseTarget,
    then: Callable[[], object],
    program: str = PG_RESTORE,
) -> None:
    """Restores, and does something when a program has begun, or when the files for pg_restore are being read."""
    confirm = live.database if request.replaces_live else ""
    restoring = asyncio.create_task(here.restores.run(request, confirm, no_report))
    await until(
        lambda: (
            restoring.done() or processes(program) or [*here.folder.glob("restore-*/dump/*.dat")]
        )
    )
    done = then()
    if isinstance(done, Awaitable):
        await done
    await restoring
