"""A quarantined row as it is now: what came, and what has happened to it since."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cached_property

from stewardd.batches.manifest import BatchManifest
from stewardd.batches.states import RowState
from stewardd.errors import RowNotFound, RowPurged
from stewardd.quarantine.blocking import BlockingStore
from stewardd.quarantine.commit import Event, digest_of
from stewardd.quarantine.events import Events, cells_after, judged
from stewardd.quarantine.fold import BatchState
from stewardd.quarantine.lines import SortedLines
from stewardd.quarantine.record import Record, RowViolation, record_of

RECORDS = "records.jsonl"
PREFIX = b'{"rowNumber":'
PAGE_BYTES = 1024 * 1024


@dataclass(frozen=True)
class Row:
    """One row; `events` is all that happened to it, oldest first, `version` the schema version that the batch had."""

    batch_id: str
    schema: str
    version: str
    record: Record
    state: RowState
    events: tuple[Event, ...]

    @property
    def number(self) -> int:
        """Its row number."""
        return self.record.row_number

    @cached_property
    def corrected(self) -> dict[str, str] | None:
        """The cells of its last correction; None where there was none."""
        return cells_after(list(self.events))

    @property
    def cells(self) -> dict[str, str]:
        """Its cells as they are now; those of a damaged record are what could be read of it."""
        return dict(self.record.cells) if self.corrected is None else self.corrected

    @property
    def damaged(self) -> bool:
        """Whether its cells are not what was sent, and nobody has put them right."""
        return self.corrected is None and self.record.damaged

    @property
    def violations(self) -> tuple[RowViolation, ...]:
        """What is wrong with it now; with a row that is closed, what was wrong with it when it came."""
        last = judged(list(self.events))
        if last is None or not last.change.violations:
            return self.record.violations
        return last.change.violations

    @property
    def judged_by(self) -> str:
        """The schema version that judged it last."""
        last = judged(list(self.events))
        return self.version if last is None else last.change.version

    @property
    def etag(self) -> str:
        """Stands for the row as it is now. It begins with a letter, so that no spreadsheet takes it for a number."""
        kind = "x" if self.damaged else "a"
        state = self.state
        return f"{kind}{state.attempt}s{int(state.state)}d{self.digest_of(self.cells)}"

    def digest_of(self, cells: Mapping[str, str]) -> str:
        """Stands for cells of this row. Those of another row have another digest, be they the same or not."""
        text = f"{self.batch_id}/{self.number}/{digest_of(cells)}"
        return hashlib.sha256(text.encode()).hexdigest()[:12]

    @property
    def size_bytes(self) -> int:
        """About what it takes on a page, without its history."""
        texts = (*self.cells.values(), *(value for _, value in self.record.cells))
        values = (each.value or "" for each in (*self.record.violations, *self.violations))
        return len(self.record.raw_row) + sum(map(len, texts)) + sum(map(len, values)) + 512

    def fitting(self) -> Row:
        """The row, or the beginnings of what it holds where it would not fit on a page."""
        return self if self.size_bytes <= PAGE_BYTES else replace(self, record=self.record.cut())


class Rows:
    """The rows of one batch, as of one state of it. For threads."""

    def __init__(self, store: BlockingStore, batch: BatchManifest, state: BatchState) -> None:
        self.store = store
        self.batch = batch
        self.state = state
        self.events = Events(store, batch.folder, state)
        file = batch.file(RECORDS)
        size_bytes = 0 if file is None else file.size_bytes
        key = "" if file is None else batch.key(file)
        self.lines = SortedLines(store, key, size_bytes, PREFIX)

    def get(self, number: int) -> Row:
        """One row with its history. RowNotFound, RowPurged."""
        return next(self.some([number]))

    def some(self, numbers: Iterable[int]) -> Iterator[Row]:
        """Some rows, in ascending order. RowNotFound, RowPurged where one is not there."""
        happened = None
        selection = self.lines.select()
        for number in numbers:
            line = selection.at(number)
            if line is None:
                raise self._missing(number)
            if happened is None:
                happened = self.events.joined(number)
            yield self.row(record_of(line), happened.at(number))

    def require(self, numbers: Iterable[int]) -> None:
        """Makes sure that rows, in ascending order, are there. RowNotFound, RowPurged."""
        selection = self.lines.select()
        for number in numbers:
            if selection.at(number) is None:
                raise self._missing(number)

    def all(self) -> Iterator[Row]:
        """Every row that is left, in order."""
        happened = self.events.joined()
        for _, line in self.lines.read():
            record = record_of(line)
            yield self.row(record, happened.at(record.row_number))

    def row(self, record: Record, events: list[Event]) -> Row:
        """A record with what happened to it."""
        return Row(
            self.batch.batch_id,
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
