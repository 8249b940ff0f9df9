"""Which batches an operation goes through: one, or all that a filter leaves, the newest first."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing

from stewardd.batches.catalog import BatchCatalog
from stewardd.batches.filter import BatchFilter
from stewardd.batches.manifest import BatchManifest


class Scope:
    """Finds batches."""

    def __init__(self, batches: BatchCatalog) -> None:
        self._batches = batches

    async def get(self, batch_id: str) -> BatchManifest:
        """One of them. BatchNotFound, Corrupt."""
        return await self._batches.get(batch_id)

    def identifiers(self) -> AsyncGenerator[str, None]:
        """All that there are, by id: a listing leaves out what cannot be read."""
        return self._batches.identifiers()

    async def batches(
        self, batch_id: str | None, batch_filter: BatchFilter
    ) -> AsyncIterator[BatchManifest]:
        """Yields them, each as it is when it is come to. BatchNotFound for one that is not there."""
        if batch_id is not None:
            yield await self._batches.get(batch_id)
            return
        async with aclosing(self._batches.newest_first(batch_filter)) as found:
            async for _, batch in found:
                if batch is not None:
                    yield batch
