"""Listing ten thousand signed backups of a folder, and planning their retention: time, and listings of the store.

    python -m benchmarks.backup.retention [--backups N]

Cold is the first look of a new daemon, which reads every manifest and checks its signature; restarted is the first look
of a daemon that has checked them before; warm is every later look. CPU seconds stand beside the wall: they are worth
something also while others work. The goal holds for the wall.
"""

from __future__ import annotations

import argparse
import asyncio
import sys
import tempfile
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

from stewardd.backup.catalog import KIND, BackupCatalog
from stewardd.backup.inventory import BackupInventory
from stewardd.backup.manifest.backup import Segment
from stewardd.backup.manifest.checked import CheckedManifests
from stewardd.backup.manifest.codec import SIGNED_MANIFEST
from stewardd.backup.retention.plan import plan
from stewardd.backup.retention.policy import Counting, RetentionPolicy
from stewardd.backup.states import ROOT, STATE_CODEC, BackupState, BackupStates
from stewardd.repository.backend.folder.store import FolderStore
from stewardd.repository.backend.store import ObjectMeta
from stewardd.repository.identifiers import folder_of, uuid7
from stewardd.repository.publication import MANIFEST

from tests.support.backup_manifests import SHA, SIGNING_KEY, backup

COUNT = 10_000
GOAL_S = 2.0
NOW = datetime(2026, 11, 30, 12, 0, tzinfo=UTC)
BETWEEN = timedelta(hours=1)
POLICY = RetentionPolicy(counting=Counting.COMPLETE, daily=14, weekly=8, monthly=24, yearly=5)
SEGMENTS = 4
ONE_IN = 50
"""One backup in so many is pinned."""


class CountingStore(FolderStore):
    """A folder that counts how often it is listed."""

    listings = 0

    def list(self, prefix: str, *, start_after: str | None = None) -> AsyncIterator[ObjectMeta]:
        """Counts, and lists."""
        self.listings += 1
        return super().list(prefix, start_after=start_after)


@dataclass(frozen=True, slots=True)
class Look:
    """One look: the wall and the CPU time of the process, in seconds, and listings of the store."""

    wall_s: float
    cpu_s: float
    listings: int

    def __str__(self) -> str:
        return f"{self.wall_s:.2f} s ({self.cpu_s:.2f} s of CPU, {self.listings} listings)"


@dataclass(frozen=True, slots=True)
class Planned:
    """The looks of a new daemon, of one that was started again, and every later one."""

    cold: Look
    restarted: Look
    warm: Look


def plan_many(count: int = COUNT) -> Planned:
    """Make so many backups in a folder, plan their retention, and remove them."""
    with tempfile.TemporaryDirectory(prefix="steward-bench-") as folder:
        root = Path(folder) / "repository"
        store_backups(root, count)
        return asyncio.run(measure(root, count))


def store_backups(root: Path, count: int) -> None:
    """Write signed manifests as they are in a repository; not by the store, which would sync each of them."""
    segments = tuple(Segment(f"segment-{n:06}", 32 << 20, SHA) for n in range(SEGMENTS))
    model = replace(backup(), segments=segments, stored_size_bytes=SEGMENTS * (32 << 20))
    for number in range(count):
        when = NOW - number * BETWEEN
        made = replace(model, backup_id=uuid7(when.timestamp), snapshot_time=when, create_time=when)
        manifest = SIGNED_MANIFEST.encode(made, SIGNING_KEY)
        _write(root / folder_of(KIND, made.backup_id) / MANIFEST, manifest)
        if number % ONE_IN == 0:
            state = STATE_CODEC.encode(BackupState(when, "mia", pinned=True, pin_note="a month"))
            _write(root / folder_of(ROOT, made.backup_id) / "000001.json", state)


async def measure(root: Path, count: int) -> Planned:
    """List and plan as each of the daemons does it."""
    cold = await _look(_daemon(root), count)
    restarted = _daemon(root)
    return Planned(cold, await _look(restarted, count), await _look(restarted, count))


def _daemon(root: Path) -> tuple[CountingStore, BackupInventory]:
    store = CountingStore(root)
    catalog = BackupCatalog(store, CheckedManifests(root.parent / "checked-manifests"))
    return store, BackupInventory(catalog, BackupStates(store))


async def _look(daemon: tuple[CountingStore, BackupInventory], count: int) -> Look:
    store, inventory = daemon
    store.listings = 0
    wall_s, cpu_s = time.perf_counter(), time.process_time()
    found = plan((each.candidate for each in await inventory.read()), POLICY, NOW)
    look = Look(time.perf_counter() - wall_s, time.process_time() - cpu_s, store.listings)
    if len(found.verdicts) != count or not found.going:
        raise ValueError(f"{len(found.verdicts)} of {count} backups were found")
    return look


def _write(path: Path, body: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(body)


def main() -> int:
    """Print the figures; end with 1 when the goal is missed."""
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--backups", type=int, default=COUNT)
    found = plan_many(arguments.parse_args().backups)
    print(f"cold: every signature is checked: {found.cold}")
    print(f"restarted: no signature is checked: {found.restarted}")
    print(f"warm: nothing is new: {found.warm}")
    return 1 if found.cold.wall_s > GOAL_S else 0


if __name__ == "__main__":
    sys.exit(main())
