"""How many rows are open in the newest batches, counted again and again at little cost.

What was read of a batch is kept: its manifest never changes, and a row that is closed stays closed. So a count reads
the ids, the batches that are new, and the logs of those that had open rows the last time.
"""

from __future__ import annotations

from collections import Counter
from contextlib import aclosing
from dataclasses import dataclass

from stewardd.batches.catalog import BatchCatalog
from stewardd.errors import BatchNotFound, Corrupt


@dataclass(frozen=True, slots=True)
class OpenRows:
    """Open rows by the name of their schema, over so many batches."""

    by_schema: Counter[str]
    batches: int


class OpenRowCount:
    """Counts over the newest `max_batches`."""

    def __init__(self, batches: BatchCatalog, max_batches: int) -> None:
        self._batches = batches
        self._max_batches = max_batches
        self._known: dict[str, tuple[str, int]] = {}

    async def count(self) -> OpenRows:
        """Counts. A batch that cannot be read is left out. Raises RepositoryDown."""
        known: dict[str, tuple[str, int]] = {}
        async with aclosing(self._batches.identifiers()) as found:
            async for batch_id in found:
                schema, open_rows = self._known.get(batch_id, ("", -1))
                if open_rows != 0:
                    try:
                        batch = await self._batches.get(batch_id)
                    except (BatchNotFound, Corrupt):
                        continue
                    schema, open_rows = batch.schema, batch.open_rows
                known[batch_id] = (schema, open_rows)
                if len(known) >= self._max_batches:
                    break
        self._known = known
        counts: Counter[str] = Counter()
        for schema, open_rows in known.values():
            counts[schema] += open_rows
        return OpenRows(counts, len(known))
