"""Reading a batch that somebody may rewrite meanwhile: what an old state named is gone, so it is begun anew.

Whoever reads records, files or changes does it here, on rows that are all of one state: the files of a batch are those
of the last commit that rewrote it, so that rows and log cannot be of two different rewritings.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TypeVar

from stewardd.batches.catalog import BatchCatalog
from stewardd.batches.manifest import BatchManifest
from stewardd.quarantine.blocking import BlockingStore, Threads
from stewardd.quarantine.ledger import Ledger
from stewardd.quarantine.rows import Rows
from stewardd.repository.rereading import reread

T = TypeVar("T")


class Reader:
    """Reads rows of batches."""

    def __init__(self, batches: BatchCatalog, ledger: Ledger, threads: Threads) -> None:
        self._batches = batches
        self._ledger = ledger
        self._threads = threads

    async def rows(self, batch_id: str, batch: BatchManifest | None = None) -> Rows:
        """The rows of a batch as they are now; `batch` is it, as it was at any time, where known.

        Raises: BatchNotFound, Corrupt, BatchRewritten.
        """
        found = batch or await self._batches.get(batch_id)
        state = await self._ledger.state(found.folder)
        return Rows(BlockingStore(self._ledger.store), found.as_of(state.summary), state)

    async def work(
        self,
        batch_id: str,
        work: Callable[[Rows], Awaitable[T]],
        batch: BatchManifest | None = None,
    ) -> T:
        """Does work on the rows of a batch, anew where it was rewritten meanwhile.

        Raises: BatchNotFound, Corrupt where an object is missing, BatchRewritten where others rewrite it all the time.
        """
        known = batch or await self._batches.get(batch_id)
        return await reread(
            lambda: self.rows(batch_id, known), lambda rows: rows.state.rewritten, work
        )

    async def read(
        self, batch_id: str, work: Callable[[Rows], T], batch: BatchManifest | None = None
    ) -> T:
        """As `work`, for blocking work, which is done on threads."""
        return await self.work(batch_id, lambda rows: self._threads.run(lambda: work(rows)), batch)
