"""Which batches an operation goes through: one, or all that a filter takes, the newest first."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable
from contextlib import aclosing

from stewardd.batches.catalog import BatchCatalog
from stewardd.batches.filter import BatchFilter
from stewardd.batches.manifest import BatchManifest

ReportProgress = Callable[[int, int], Awaitable[None]]
"""Takes the number of batches that are done and of rows that were changed; may raise Cancelled."""


class BatchSelection:
    """Finds the batches of an operation."""

    def __init__(self, catalog: BatchCatalog) -> None:
        self._catalog = catalog

    async def get(self, batch_id: str) -> BatchManifest:
        """One batch. Raises: BatchNotFound, Corrupt."""
        return await self._catalog.get(batch_id)

    def identifiers(self) -> AsyncGenerator[str, None]:
        """The ids of all batches, also of those that cannot be read; a listing would leave these out."""
        return self._catalog.identifiers()

    async def batches(
        self, batch_id: str | None, batch_filter: BatchFilter
    ) -> AsyncIterator[BatchManifest]:
        """Yields batches, each as it is at that moment. Raises: BatchNotFound for an id that no batch has."""
        if batch_id is not None:
            yield await self._catalog.get(batch_id)
            return
        async with aclosing(self._catalog.newest_first(batch_filter)) as found:
            async for _, batch in found:
                if batch is not None:
                    yield batch
