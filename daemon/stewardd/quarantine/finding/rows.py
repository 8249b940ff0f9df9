"""Quarantined rows as they are now: the record that came, and the events that changed it since."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cached_property

from stewardd.batches.manifest import BatchManifest
from stewardd.batches.states import RowState
from stewardd.errors import RowNotFound, RowPurged
from stewardd.quarantine.files.blocking_store import BlockingStore
from stewardd.quarantine.files.payload_records import canonical_cells
from stewardd.quarantine.files.record_files import record_of
from stewardd.quarantine.files.records import (
    RECORD_PREFIX,
    RECORDS,
    Record,
    RowViolation,
)
from stewardd.quarantine.files.sorted_lines import SortedLines
from stewardd.quarantine.log.batch_state import BatchState
from stewardd.quarantine.log.changes import RowEvent, digest_of
from stewardd.quarantine.log.events import BatchEvents, cells_after, last_validation
from stewardd.schemas.kinds import SchemaKind

PAGE_BYTES = 1024 * 1024


@dataclass(frozen=True)
class Row:
    """A row. `events` are all its events, oldest first. `version` is the schema version of the batch."""

    batch_id: str
    kind: SchemaKind
    schema: str
    version: str
    record: Record
    state: RowState
    events: tuple[RowEvent, ...]

    @property
    def number(self) -> int:
        """The row number."""
        return self.record.row_number

    @cached_property
    def corrected(self) -> dict[str, str] | None:
        """The cells of the last correction. None where there was none."""
        return cells_after(self.events)

    @property
    def cells(self) -> dict[str, str]:
        """The cells as they are now. Of a damaged record they are what could be read of it."""
        return dict(self.record.cells) if self.corrected is None else self.corrected

    @property
    def damaged(self) -> bool:
        """Whether the cells are not what was sent, and nobody has corrected them."""
        return self.corrected is None and self.record.damaged

    @property
    def violations(self) -> tuple[RowViolation, ...]:
        """The violations that the row has now. Of a closed row: those that it had when it came."""
        last = last_validation(self.events)
        if last is None or not last.change.violations:
            return self.record.violations
        return last.change.violations

    @property
    def validated_by(self) -> str:
        """The schema version that validated the row last."""
        last = last_validation(self.events)
        return self.version if last is None else last.change.version

    @property
    def etag(self) -> str:
        """Changes whenever the row does. It begins with a letter, so that no spreadsheet takes it for a number."""
        kind = "x" if self.damaged else "a"
        state = self.state
        return f"{kind}{state.attempt}s{int(state.state)}d{self.digest_of(self.cells)}"

    def digest_of(self, cells: Mapping[str, str]) -> str:
        """A hash of cells of this row. Equal cells of another row have another hash."""
        return row_digest(self.batch_id, self.number, cells)

    @property
    def size_bytes(self) -> int:
        """The approximate size of the row on a page, without its history."""
        texts = (*self.cells.values(), *(value for _, value in self.record.cells))
        values = (each.value or "" for each in (*self.record.violations, *self.violations))
        return len(self.record.raw_row) + sum(map(len, texts)) + sum(map(len, values)) + 512

    def fitting(self) -> Row:
        """The row. Where it would not fit on a page: with only the beginnings of its values."""
        return self if self.size_bytes <= PAGE_BYTES else replace(self, record=self.record.cut())


def row_digest(batch_id: str, number: int, cells: Mapping[str, str]) -> str:
    """A hash of cells of one row of a batch. Equal cells of another row have another hash."""
    text = f"{batch_id}/{number}/{digest_of(canonical_cells(cells))}"
    return hashlib.sha256(text.encode()).hexdigest()[:12]


class BatchRows:
    """The rows of one batch, in one state of it. For worker threads."""

    def __init__(self, store: BlockingStore, batch: BatchManifest, state: BatchState) -> None:
        self.store = store
        self.batch = batch
        self.state = state
        self.events = BatchEvents(store, batch.folder, state)
        file = batch.file(RECORDS)
        size_bytes = 0 if file is None else file.size_bytes
        key = "" if file is None else batch.key(file)
        self.lines = SortedLines(store, key, size_bytes, RECORD_PREFIX)

    def get(self, number: int) -> Row:
        """One row with its history. Raises: RowNotFound, RowPurged."""
        return next(self.by_number([number]))

    def by_number(self, numbers: Iterable[int]) -> Iterator[Row]:
        """The rows of some numbers, which must ascend. Raises: RowNotFound, RowPurged."""
        events = None
        lookup = self.lines.ascending_lookup()
        for number in numbers:
            line = lookup.at(number)
            if line is None:
                raise self._missing(number)
            if events is None:
                events = self.events.in_row_order(number)
            yield self.row(self.record(line), events.at(number))

    def is_purged(self, number: int) -> bool:
        """Whether a row was purged; its cells are gone then."""
        return self.state.states[number].purged

    def require(self, numbers: Iterable[int]) -> None:
        """Makes sure that rows exist. Their numbers must ascend. Raises: RowNotFound, RowPurged."""
        lookup = self.lines.ascending_lookup()
        for number in numbers:
            if lookup.at(number) is None:
                raise self._missing(number)

    def record(self, line: bytes) -> Record:
        """The record of a line of records.jsonl. Raises: Corrupt."""
        return record_of(self.batch, line)

    def row(self, record: Record, events: list[RowEvent]) -> Row:
        """The row of a record and its events."""
        return Row(
            self.batch.batch_id,
            self.batch.kind,
            self.batch.schema,
            self.batch.schema_version,
            record,
            self.state.states[record.row_number],
            tuple(events),
        )

    def _missing(self, number: int) -> RowNotFound | RowPurged:
        batch_id = self.batch.batch_id
        if self.state.states[number].purged:
            return RowPurged(f"what row {number} of batch {batch_id} held was removed")
        return RowNotFound(f"batch {batch_id} has no quarantined row {number}")
