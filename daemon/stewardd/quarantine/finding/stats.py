"""Counts over one batch or a period: the rows as their validation found them, and their states now.

The first come from manifests, the second from logs; no row is read for them. Rows are read only for the commonest
invalid values, and of these only so many bytes.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from contextlib import aclosing
from dataclasses import dataclass, field

from stewardd.batches.catalog import BatchCatalog
from stewardd.batches.filter import BatchFilter
from stewardd.batches.manifest import BatchManifest
from stewardd.errors import SchemaNotFound
from stewardd.quarantine.files.pointers import PersonalPointers
from stewardd.quarantine.files.records import RECORDS
from stewardd.quarantine.finding.batch_reader import BatchReader
from stewardd.quarantine.finding.rows import BatchRows
from stewardd.quarantine.finding.top_values import TopValue, TopValues
from stewardd.schemas.kinds import SchemaKind
from stewardd.schemas.registry import Registry


@dataclass(slots=True)
class RowCounts:
    """Batches and their rows. quarantined_rows = resolved_rows + discarded_rows + open_rows, always."""

    batches: int = 0
    total_rows: int = 0
    valid_rows: int = 0
    quarantined_rows: int = 0
    resolved_rows: int = 0
    discarded_rows: int = 0
    open_rows: int = 0

    def add(self, batch: BatchManifest) -> None:
        """Counts a batch."""
        self.batches += 1
        self.total_rows += batch.total_rows
        self.valid_rows += batch.valid_rows
        self.quarantined_rows += batch.quarantined_rows
        self.resolved_rows += batch.resolved_rows
        self.discarded_rows += batch.discarded_rows
        self.open_rows += batch.open_rows


@dataclass(slots=True)
class Stats:
    """All counts. `errors_by_version` is by schema and version, `days` by YYYY-MM-DD in UTC."""

    all: RowCounts = field(default_factory=RowCounts)
    errors_by_field: Counter[str] = field(default_factory=Counter)
    errors_by_keyword: Counter[str] = field(default_factory=Counter)
    errors_by_schema: Counter[str] = field(default_factory=Counter)
    errors_by_version: Counter[tuple[str, str]] = field(default_factory=Counter)
    days: dict[str, RowCounts] = field(default_factory=dict)
    top_values: list[TopValue] = field(default_factory=list)
    top_values_approximate: bool = False
    partial: bool = False

    def add(self, batch: BatchManifest) -> None:
        """Counts a batch."""
        self.all.add(batch)
        self.days.setdefault(batch.create_time.date().isoformat(), RowCounts()).add(batch)
        self.errors_by_field.update(batch.errors_by_field)
        self.errors_by_keyword.update(batch.errors_by_keyword)
        errors = sum(batch.errors_by_field.values())
        if errors:
            self.errors_by_schema[batch.schema] += errors
            self.errors_by_version[batch.schema, batch.schema_version] += errors


@dataclass(frozen=True, slots=True)
class StatsLimits:
    """The limits of one count: so many batches, and so many bytes of rows."""

    max_batches: int
    scan_bytes: int


class Statistics:
    """Counts batches, their rows and their violations."""

    def __init__(
        self,
        catalog: BatchCatalog,
        reader: BatchReader,
        registry: Registry,
        limits: StatsLimits,
    ) -> None:
        self._catalog = catalog
        self._reader = reader
        self._registry = registry
        self._limits = limits

    async def of_batch(self, batch_id: str, top_values: int) -> Stats:
        """Counts one batch. Raises: BatchNotFound."""
        stats, values = Stats(), TopValues()
        await self._add(stats, values, await self._catalog.get(batch_id), self._left(top_values))
        return _with_values(stats, values, top_values)

    async def of_all(self, batch_filter: BatchFilter, top_values: int) -> Stats:
        """Counts the newest of the batches that a filter takes, up to the limit."""
        stats, values = Stats(), TopValues()
        left = self._left(top_values)
        counted_batches = 0
        async with aclosing(self._catalog.newest_first(batch_filter)) as found:
            async for _, batch in found:
                if counted_batches >= self._limits.max_batches:
                    stats.partial = True
                    break
                counted_batches += 1
                if batch is not None:
                    left = await self._add(stats, values, batch, left)
        return _with_values(stats, values, top_values)

    def _left(self, top_values: int) -> int:
        return self._limits.scan_bytes if top_values else 0

    async def _add(self, stats: Stats, values: TopValues, batch: BatchManifest, left: int) -> int:
        """Counts a batch. Returns how many bytes of rows may still be read."""
        stats.add(batch)
        records = batch.file(RECORDS)
        if records is None or not records.size_bytes:
            return left
        if left <= 0:
            values.approximate = True
            return left
        is_masked = self._mask(batch)

        def look(rows: BatchRows) -> tuple[int, TopValues]:
            # A copy: this runs anew where the batch is rewritten meanwhile.
            rest, counted = left, values.copy()
            for _, line in rows.lines.read():
                if rest <= 0:
                    counted.approximate = True
                    break
                rest -= len(line)
                counted.add(rows.record(line).violations, is_masked=is_masked)
            return rest, counted

        rest, counted = await self._reader.read(batch.batch_id, look, batch)
        values.replace_with(counted)
        return rest

    def _mask(self, batch: BatchManifest) -> Callable[[str], bool]:
        """Says of a field whether it holds personal data; of any, where the schema is no longer known."""
        try:
            schema = self._registry.find(batch.schema, batch.schema_version)
        except SchemaNotFound:
            return lambda _: True
        personal = schema.personal_fields
        if schema.kind is SchemaKind.CSV:
            return personal.__contains__
        return PersonalPointers(personal).touches


def _with_values(stats: Stats, values: TopValues, number: int) -> Stats:
    if number:
        stats.top_values = values.most_common(number)
        stats.top_values_approximate = values.approximate
    return stats
