"""A filter of batches: a pure predicate over manifests. Page tokens are bound to it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from stewardd.batches.manifest import BatchManifest
from stewardd.batches.states import State


@dataclass(frozen=True, slots=True)
class BatchFilter:
    """Which batches are wanted. None takes any."""

    schema: str | None = None
    schema_version: str | None = None
    source_file: str | None = None
    create_after: datetime | None = None
    create_before: datetime | None = None
    field: str | None = None
    keyword: str | None = None
    state: State | None = None

    def __bool__(self) -> bool:
        return self != BatchFilter()

    def takes(self, batch: BatchManifest) -> bool:
        """Whether the filter takes a batch."""
        return (
            self.schema in (None, batch.schema)
            and self.schema_version in (None, batch.schema_version)
            and self.source_file in (None, batch.source_file)
            and (self.create_after is None or batch.create_time >= self.create_after)
            and (self.create_before is None or batch.create_time < self.create_before)
            and (self.field is None or self.field in batch.errors_by_field)
            and (self.keyword is None or self.keyword in batch.errors_by_keyword)
            and (self.state is None or batch.rows_in(self.state) > 0)
        )
