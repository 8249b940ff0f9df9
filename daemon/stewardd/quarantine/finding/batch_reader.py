"""Reading a batch that another daemon may rewrite meanwhile: work that finds its objects gone is done anew.

All who read records, files or changes of a batch do it here. Log and files are always of the same state: the files of a
batch are those that its last rewriting commit names.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TypeVar

from stewardd.batches.catalog import BatchCatalog
from stewardd.batches.manifest import BatchManifest
from stewardd.quarantine.files.blocking_store import BlockingStore
from stewardd.quarantine.files.worker_threads import WorkerThreads
from stewardd.quarantine.finding.rows import BatchRows
from stewardd.quarantine.log.batch_logs import BatchLogs
from stewardd.repository.rereading import reread

T = TypeVar("T")


class BatchReader:
    """Reads the rows of batches on worker threads."""

    def __init__(self, catalog: BatchCatalog, logs: BatchLogs, threads: WorkerThreads) -> None:
        self._catalog = catalog
        self._logs = logs
        self.threads = threads

    async def do_work(
        self,
        batch_id: str,
        work: Callable[[BatchRows], Awaitable[T]],
        batch: BatchManifest | None = None,
    ) -> T:
        """Does work on the rows of a batch, and does it anew where the batch was rewritten meanwhile.

        `batch` is the manifest, where the caller has it; it may be of any time.

        Raises: BatchNotFound; Corrupt where an object is missing; BatchRewritten where other writers rewrite the batch
        at every attempt; what the work raises.
        """
        known = batch or await self._catalog.get(batch_id)
        return await reread(lambda: self._rows(known), lambda rows: rows.state.rewritten, work)

    async def read(
        self, batch_id: str, work: Callable[[BatchRows], T], batch: BatchManifest | None = None
    ) -> T:
        """Does blocking work on worker threads; else as `do_work`."""
        return await self.do_work(
            batch_id, lambda rows: self.threads.run(lambda: work(rows)), batch
        )

    async def _rows(self, batch: BatchManifest) -> BatchRows:
        state = await self._logs.state(batch.folder)
        return BatchRows(BlockingStore(self._logs.store), batch.as_of(state.summary), state)
