"""Stores the segments of one backup as they are made, in bounded memory, and remembers what was stored."""

from __future__ import annotations

import asyncio
import hashlib
import time
from collections.abc import Callable
from contextlib import suppress

from stewardd.backup.making.bandwidth import TokenBucket
from stewardd.backup.making.segments import CompressedSegment, PackedSegment, Sealing
from stewardd.backup.manifest.backup import Segment, StoredContents, StoredObject
from stewardd.backup.manifest.contents import BACKUP_CONTENTS, CONTENTS, BackupContents
from stewardd.errors import StewardError, StorageFull
from stewardd.repository.backend.store import Store

NextSegment = Callable[[], CompressedSegment | None]


class SegmentStorage:
    """The folder of one backup. `reserve_bytes` of its disk are left to others; 0 `bytes_per_s` are no bound."""

    def __init__(
        self, store: Store, folder: str, database: str, reserve_bytes: int, bytes_per_s: int = 0
    ) -> None:
        self._store = store
        self._folder = folder
        self._database = database
        self._reserve_bytes = reserve_bytes
        self._bandwidth = TokenBucket(bytes_per_s, time.monotonic()) if bytes_per_s else None
        self._segments: list[Segment] = []
        self.stored_bytes = 0

    @property
    def segments(self) -> tuple[Segment, ...]:
        """What was stored, in its order."""
        return tuple(self._segments)

    async def store_all(self, next_segment: NextSegment, on_failure: Callable[[], None]) -> None:
        """Encrypts and stores a segment while the next one is made: two are in memory at most.

        `next_segment` is called on a thread until it gives None. `on_failure` ends what it reads from, at once, so that
        a thread that waits for it comes to its end. Raises: StorageFull, RepositoryDown.
        """
        storing: asyncio.Task[None] | None = None

        def end_reading(done: asyncio.Task[None]) -> None:
            if not done.cancelled() and done.exception() is not None:
                on_failure()

        try:
            while (segment := await asyncio.to_thread(next_segment)) is not None:
                if storing is not None:
                    await storing
                storing = asyncio.create_task(self._seal_and_put(segment))
                storing.add_done_callback(end_reading)
            if storing is not None:
                await storing
        finally:
            if storing is not None and not storing.done():
                on_failure()
                storing.cancel()
                with suppress(asyncio.CancelledError, StewardError):
                    await storing

    async def put(self, segment: PackedSegment) -> None:
        """Stores one segment, durably. Raises: StorageFull, RepositoryDown."""
        name = f"segment-{segment.number:06d}"
        await self._put(name, segment.body)
        self._segments.append(Segment(name, len(segment.body), segment.sha256))
        self.stored_bytes += len(segment.body)

    async def put_object(self, name: str, data: bytes, sealing: Sealing) -> StoredObject:
        """Stores what stands beside the segments, sealed as these are. Raises: StorageFull, RepositoryDown."""
        body = await asyncio.to_thread(sealing.seal, data)
        await self._put(name, body)
        return StoredObject(len(body), hashlib.sha256(body).hexdigest())

    async def put_contents(self, contents: BackupContents, sealing: Sealing) -> StoredContents:
        """Stores what the backup holds. Raises: StorageFull, RepositoryDown."""
        stored = await self.put_object(CONTENTS, BACKUP_CONTENTS.encode(contents), sealing)
        return StoredContents(
            size_bytes=stored.size_bytes,
            sha256=stored.sha256,
            tables=len(contents.tables),
            rows=sum(each.rows for each in contents.tables),
            sequences=len(contents.sequences),
        )

    async def _seal_and_put(self, segment: CompressedSegment) -> None:
        await self.put(await asyncio.to_thread(segment.seal))

    async def _put(self, name: str, body: bytes) -> None:
        if self._bandwidth is not None:
            await asyncio.sleep(self._bandwidth.take(len(body), time.monotonic()))
        await self.check_room(len(body))
        await self._store.put(f"{self._folder}/{name}", body)

    async def check_room(self, wanted_bytes: int) -> None:
        """Leaves the reserve to others: a full disk stops validation too. Raises: StorageFull."""
        free_bytes = await self._store.free_bytes()
        if free_bytes is not None and free_bytes < wanted_bytes + self._reserve_bytes:
            raise StorageFull(
                f"the repository has {free_bytes} bytes free, and the backup of {self._database!r} needs at "
                f"least {wanted_bytes} and {self._reserve_bytes} in reserve"
            )
