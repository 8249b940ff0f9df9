"""Backups that are made by hand, straight into a repository: for what happens to backups after they are made."""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime, timedelta

from stewardd.backup.catalog import KIND, BackupCatalog
from stewardd.backup.deletion import BackupDeletion
from stewardd.backup.inventory import BackupInventory
from stewardd.backup.listing import BackupListing
from stewardd.backup.manifest.backup import Segment
from stewardd.backup.manifest.first_version import FIRST_MANIFEST, FirstBackupManifest
from stewardd.backup.pruning import Pruning
from stewardd.backup.retention.policy import Counting, RetentionPolicy
from stewardd.backup.states import BackupStates
from stewardd.repository.backend.store import Store
from stewardd.repository.identifiers import folder_of, uuid7
from stewardd.repository.publication import manifest_key

SEGMENT = b"a part of a dump"
NOW = datetime(2026, 11, 30, 12, 0, tzinfo=UTC)


def manifest(time: datetime, database: str = "main", segments: int = 2) -> FirstBackupManifest:
    """The manifest of a backup whose data are of a time."""
    digest = hashlib.sha256(SEGMENT).hexdigest()
    parts = tuple(Segment(f"segment-{n:06d}", len(SEGMENT), digest) for n in range(segments))
    return FirstBackupManifest(
        backup_id=uuid7(time.timestamp),
        database=database,
        description="",
        snapshot_time=time,
        create_time=time + timedelta(seconds=3),
        elapsed_s=3.0,
        database_size_bytes=1000,
        dump_size_bytes=500,
        dump_sha256=digest,
        server_version="18.1",
        tool_version="18.1",
        segments=parts,
        stored_size_bytes=segments * len(SEGMENT),
    )


class Keeper:
    """What one daemon does with the backups of a repository, by a clock that a test sets."""

    def __init__(self, store: Store, policy: RetentionPolicy | None = None) -> None:
        self.store = store
        self.now = NOW
        self.policy = policy or RetentionPolicy(counting=Counting.COMPLETE)
        catalog, self.states = BackupCatalog(store), BackupStates(store)
        self.inventory = BackupInventory(catalog, self.states)
        self.deletion = BackupDeletion(
            store,
            catalog,
            self.states,
            self.inventory,
            lambda _: self.policy,
            lambda: self.now,
        )
        self.listing = BackupListing(catalog, self.states, self.deletion.purge_time)
        self.pruning = Pruning(
            self.inventory,
            self.deletion,
            lambda _: self.policy,
            lambda: self.now,
            lambda name: name or "main",
        )

    async def store_backup(self, time: datetime, database: str = "main") -> str:
        """Stores a backup whose data are of a time, and returns its id."""
        made = manifest(time, database)
        folder = folder_of(KIND, made.backup_id)
        for each in made.segments:
            await self.store.put(f"{folder}/{each.name}", SEGMENT)
        await self.store.put(manifest_key(KIND, made.backup_id), FIRST_MANIFEST.encode(made))
        return made.backup_id

    async def store_daily(
        self, days: int, database: str = "main", now: datetime = NOW
    ) -> list[str]:
        """Stores a backup for each of the last so many days, and returns their ids, newest first."""
        return [
            await self.store_backup(now - timedelta(days=day, hours=1), database)
            for day in range(days)
        ]

    async def keys(self, root: str = KIND) -> list[str]:
        """The keys of all objects of the backups."""
        return [meta.key async for meta in self.store.list(root)]
