"""Counts over one batch or a period: what the batches' reports said first, and beside it what has become of the rows.

The first come from manifests, to the row; the second from their logs. No row is read for them, only for the commonest
invalid values, of which a bounded part is looked at.
"""

from __future__ import annotations

from collections import Counter
from contextlib import aclosing
from dataclasses import dataclass, field

from stewardd.batches.catalog import BatchCatalog
from stewardd.batches.filter import BatchFilter
from stewardd.batches.manifest import BatchManifest
from stewardd.errors import SchemaNotFound
from stewardd.quarantine.blocking import Threads
from stewardd.quarantine.ledger import Ledger
from stewardd.quarantine.record import record_of
from stewardd.quarantine.rereading import Reader
from stewardd.quarantine.rows import RECORDS, Rows
from stewardd.quarantine.top_values import TopValue, TopValues
from stewardd.schemas.registry import Registry


@dataclass(slots=True)
class Counts:
    """BatchCatalog and their rows. quarantined_rows = resolved_rows + discarded_rows + open_rows, always."""

    batches: int = 0
    total_rows: int = 0
    valid_rows: int = 0
    quarantined_rows: int = 0
    resolved_rows: int = 0
    discarded_rows: int = 0
    open_rows: int = 0

    def add(self, batch: BatchManifest) -> None:
        """Counts a batch in."""
        self.batches += 1
        self.total_rows += batch.total_rows
        self.valid_rows += batch.valid_rows
        self.quarantined_rows += batch.quarantined_rows
        self.resolved_rows += batch.resolved_rows
        self.discarded_rows += batch.discarded_rows
        self.open_rows += batch.open_rows


@dataclass(slots=True)
class Stats:
    """All counts. `by_version` is by schema and version, `days` by YYYY-MM-DD in UTC."""

    all: Counts = field(default_factory=Counts)
    errors_by_field: Counter[str] = field(default_factory=Counter)
    errors_by_keyword: Counter[str] = field(default_factory=Counter)
    errors_by_schema: Counter[str] = field(default_factory=Counter)
    errors_by_version: Counter[tuple[str, str]] = field(default_factory=Counter)
    days: dict[str, Counts] = field(default_factory=dict)
    top_values: list[TopValue] = field(default_factory=list)
    top_values_approximate: bool = False
    partial: bool = False

    def add(self, batch: BatchManifest) -> None:
        """Counts a batch in."""
        self.all.add(batch)
        self.days.setdefault(batch.create_time.date().isoformat(), Counts()).add(batch)
        self.errors_by_field.update(batch.errors_by_field)
        self.errors_by_keyword.update(batch.errors_by_keyword)
        errors = sum(batch.errors_by_field.values())
        if errors:
            self.errors_by_schema[batch.schema] += errors
            self.errors_by_version[batch.schema, batch.schema_version] += errors


@dataclass(frozen=True, slots=True)
class StatsBounds:
    """How much is counted at once: so many batches, and of rows so many bytes."""

    max_batches: int
    scan_bytes: int


class Statistics:
    """Counts."""

    def __init__(
        self,
        batches: BatchCatalog,
        ledger: Ledger,
        registry: Registry,
        threads: Threads,
        bounds: StatsBounds,
    ) -> None:
        self._batches = batches
        self._reader = Reader(batches, ledger, threads)
        self._registry = registry
        self._bounds = bounds

    async def of_batch(self, batch_id: str, top_values: int) -> Stats:
        """Counts one batch. BatchNotFound."""
        stats, values = Stats(), TopValues()
        await self._add(stats, values, await self._batches.get(batch_id), self._left(top_values))
        return _with_values(stats, values, top_values)

    async def of_all(self, batch_filter: BatchFilter, top_values: int) -> Stats:
        """Counts the newest of the batches that a filter leaves, as many as are counted at once."""
        stats, values = Stats(), TopValues()
        left = self._left(top_values)
        looked_at = 0
        async with aclosing(self._batches.newest_first(batch_filter)) as found:
            async for _, batch in found:
                if looked_at >= self._bounds.max_batches:
                    stats.partial = True
                    break
                looked_at += 1
                if batch is not None:
                    left = await self._add(stats, values, batch, left)
        return _with_values(stats, values, top_values)

    def _left(self, top_values: int) -> int:
        return self._bounds.scan_bytes if top_values else 0

    async def _add(self, stats: Stats, values: TopValues, batch: BatchManifest, left: int) -> int:
        """Counts a batch in; returns how many bytes of rows may still be looked at."""
        stats.add(batch)
        records = batch.file(RECORDS)
        if records is None or not records.size_bytes:
            return left
        if left <= 0:
            values.approximate = True
            return left
        masked = self._masked(batch)

        def look(rows: Rows) -> tuple[int, TopValues]:
            rest, counted = (
                left,
                values.copy(),
            )  # what was counted of a batch that went meanwhile is not counted
            for _, line in rows.lines.read():
                if rest <= 0:
                    counted.approximate = True
                    break
                rest -= len(line)
                counted.add(record_of(line).violations, masked=masked)
            return rest, counted

        rest, counted = await self._reader.read(batch.batch_id, look, batch)
        values.become(counted)
        return rest

    def _masked(self, batch: BatchManifest) -> frozenset[str] | None:
        """The fields that hold personal data; None, which is all, where the schema is not known any more."""
        try:
            schema = self._registry.get(batch.schema, batch.schema_version)
        except SchemaNotFound:
            return None
        return frozenset(column.name for column in schema.columns if column.pii)


def _with_values(stats: Stats, values: TopValues, number: int) -> Stats:
    if number:
        stats.top_values = values.most_common(number)
        stats.top_values_approximate = values.approximate
    return stats
