"""Listing ten thousand backups of a folder, and planning their retention: time, and listings of the store."""

import asyncio
import shutil
import tempfile
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from pathlib import Path

from stewardd.backup.catalog import KIND, BackupCatalog
from stewardd.backup.deletion import BackupDeletion
from stewardd.backup.inventory import BackupInventory
from stewardd.backup.manifest.backup import Segment
from stewardd.backup.manifest.first_version import FIRST_MANIFEST, FirstBackupManifest
from stewardd.backup.pruning import Pruning
from stewardd.backup.retention.policy import Counting, RetentionPolicy
from stewardd.backup.states import BackupStates
from stewardd.repository.backend.folder.store import FolderStore
from stewardd.repository.backend.store import ObjectMeta
from stewardd.repository.identifiers import uuid7
from stewardd.repository.publication import manifest_key

COUNT = 10_000
_SEGMENTS = 8


class CountingStore(FolderStore):
    """A folder that counts how often it is listed."""

    listings = 0

    def list(self, prefix: str, *, start_after: str | None = None) -> AsyncIterator[ObjectMeta]:
        """Counts, and lists."""
        self.listings += 1
        return super().list(prefix, start_after=start_after)


@dataclass(frozen=True, slots=True)
class Planned:
    """How long a plan takes: of a daemon that has just started, and of one that knows the manifests."""

    first_s: float
    next_s: float
    listings: int


def plan_many(count: int = COUNT) -> Planned:
    """Make so many backups in a folder, plan their retention twice, and remove them."""
    folder = Path(tempfile.mkdtemp(prefix="steward-bench-"))
    try:
        return asyncio.run(_plan(folder, count))
    finally:
        shutil.rmtree(folder)


async def _plan(folder: Path, count: int) -> Planned:
    store = CountingStore(folder)
    now = datetime.now(UTC)
    for number in range(count):
        _write(folder, now - timedelta(minutes=10 * number + 1))
    catalog, states = BackupCatalog(store), BackupStates(store)
    inventory = BackupInventory(catalog, states)
    policy = RetentionPolicy(counting=Counting.COMPLETE, daily=30, weekly=10)
    deletion = BackupDeletion(store, catalog, states, inventory, lambda _: policy, lambda: now)
    pruning = Pruning(inventory, deletion, lambda _: policy, lambda: now, lambda name: name)
    began_s = time.monotonic()
    made = await pruning.plan("main")
    first_s = time.monotonic() - began_s
    if len(made.backups) != count:
        raise ValueError(f"{len(made.backups)} of {count} backups were found")
    store.listings = 0
    began_s = time.monotonic()
    await pruning.plan("main")
    return Planned(first_s, time.monotonic() - began_s, store.listings)


def _write(folder: Path, moment: datetime) -> None:
    """Write a manifest where the store has it; not by the store, which would sync each of them."""
    digest = sha256(b"").hexdigest()
    manifest = FirstBackupManifest(
        backup_id=uuid7(moment.timestamp),
        database="main",
        description="",
        snapshot_time=moment,
        create_time=moment,
        elapsed_s=3.0,
        database_size_bytes=1000,
        dump_size_bytes=500,
        dump_sha256=digest,
        server_version="18.1",
        tool_version="18.1",
        segments=tuple(Segment(f"segment-{n:06d}", 1, digest) for n in range(_SEGMENTS)),
        stored_size_bytes=_SEGMENTS,
    )
    path = folder / manifest_key(KIND, manifest.backup_id)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(FIRST_MANIFEST.encode(manifest))
