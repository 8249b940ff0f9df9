"""Reading a batch that somebody may rewrite meanwhile: what an old state named is gone, so it is begun anew."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TypeVar

from stewardd.batches.catalog import BatchCatalog
from stewardd.batches.manifest import BatchManifest
from stewardd.errors import ObjectNotFound
from stewardd.quarantine.blocking import BlockingStore, Threads
from stewardd.quarantine.ledger import Ledger
from stewardd.quarantine.rows import Rows

T = TypeVar("T")
_ATTEMPTS = 4


class Reader:
    """Reads rows of batches on threads."""

    def __init__(self, batches: BatchCatalog, ledger: Ledger, threads: Threads) -> None:
        self._batches = batches
        self._ledger = ledger
        self._threads = threads

    async def read(
        self, batch_id: str, work: Callable[[Rows], T], batch: BatchManifest | None = None
    ) -> T:
        """Does blocking work on the rows of a batch as they are now; `batch` is it, where known. BatchNotFound."""

        async def once(known: BatchManifest | None) -> T:
            found = known or await self._batches.get(batch_id)
            state = await self._ledger.state(found.folder)
            rows = Rows(BlockingStore(self._ledger.store), found, state)
            return await self._threads.run(lambda: work(rows))

        return await again(once, batch)


async def again(
    work: Callable[[BatchManifest | None], Awaitable[T]], batch: BatchManifest | None = None
) -> T:
    """Does work that reads a batch; once more, and without the batch that was known, where it finds something gone."""
    for _ in range(_ATTEMPTS - 1):
        try:
            return await work(batch)
        except ObjectNotFound:
            batch = None
    return await work(None)
