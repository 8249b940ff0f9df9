"""Tells the daemon how far a dump is, twice a second, from what its parts know of themselves."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Sequence

from stewardd.backup.making.estimate import dumped_bytes, time_left_s, weights_of
from stewardd.backup.making.packing import Packer
from stewardd.backup.making.protocol import DumpProgress
from stewardd.backup.making.segments import Segmenter
from stewardd.backup.making.staging import StagedFiles
from stewardd.backup.making.storing import SegmentStorage
from stewardd.backup.making.watching import DumpWatcher
from stewardd.postgres.dump_catalog import DumpTable

_INTERVAL_S = 0.5


class ProgressReport:
    """The dump of these tables. `source` and `staged` are set by the dump, `count_proven` is called by the proof."""

    def __init__(
        self,
        tables: Sequence[DumpTable],
        storage: SegmentStorage,
        watcher: DumpWatcher,
        emit: Callable[[DumpProgress], None],
        *,
        proves: bool,
    ) -> None:
        self._weights = {each.oid: each for each in weights_of(tables)}
        self.total_bytes = sum(each.size_bytes for each in self._weights.values())
        self._storage = storage
        self._watcher = watcher
        self._emit = emit
        self._began_at_s = time.monotonic()
        self._proven_bytes: int | None = 0 if proves else None
        self.source: Segmenter | Packer | None = None
        self.staged: StagedFiles | None = None
        self.dumped = False

    def count_proven(self, table: DumpTable) -> None:
        """A table's proof has been read."""
        if self._proven_bytes is not None:
            self._proven_bytes += self._weights[table.oid].size_bytes

    async def run(self) -> None:
        """Tells it until it is cancelled."""
        while True:
            self.tell()
            await asyncio.sleep(_INTERVAL_S)

    def tell(self) -> None:
        """Tells it now."""
        source = self.source
        done_bytes = self.total_bytes if self.dumped else self._done_bytes()
        shares = [done_bytes / self.total_bytes] if self.total_bytes else []
        if (
            self._proven_bytes and self.total_bytes
        ):  # of a first large table nothing is known until it is read
            shares.append(self._proven_bytes / self.total_bytes)
        self._emit(
            DumpProgress(
                dumped_bytes=source.dumped_bytes if source is not None else 0,
                stored_bytes=self._storage.stored_bytes,
                dumped_tables=source.dumped_tables if isinstance(source, Packer) else 0,
                done_bytes=done_bytes,
                total_bytes=self.total_bytes,
                time_left_s=time_left_s(shares, time.monotonic() - self._began_at_s),
            )
        )

    def _done_bytes(self) -> int:
        """How much of the tables is dumped, and taken on from the folder where they are staged."""
        finished_count = self.staged.table_count if self.staged is not None else 0
        done_bytes = dumped_bytes(
            self._weights.values(),
            self._watcher.copied_rows,
            self._watcher.running,
            finished_count,
        )
        taken_bytes = self.source.dumped_bytes if self.source is not None else 0
        waiting_bytes = self.staged.size_bytes() if self.staged is not None else 0
        if isinstance(self.source, Packer):
            waiting_bytes = max(waiting_bytes - self.source.kept_bytes, 0)
        if not waiting_bytes:
            return done_bytes
        return round(done_bytes * taken_bytes / (taken_bytes + waiting_bytes))
