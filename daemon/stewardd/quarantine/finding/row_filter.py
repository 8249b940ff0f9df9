"""A filter of rows, and how it is applied to the rows of a batch without parsing more lines than it must."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from stewardd.batches.manifest import BatchManifest
from stewardd.batches.states import RowState, State
from stewardd.quarantine.files import pointers
from stewardd.quarantine.files.records import RowViolation
from stewardd.quarantine.finding.rows import BatchRows, Row
from stewardd.quarantine.log.events import EventsInRowOrder
from stewardd.schemas.kinds import SchemaKind

_PLAIN = re.compile(r"[A-Za-z0-9_ .-]+")


@dataclass(frozen=True, slots=True)
class RowFilter:
    """Which rows are wanted. None takes any."""

    state: State | None = None
    field: str | None = None
    keyword: str | None = None

    def takes(self, row: Row) -> bool:
        """Whether the filter takes a row."""
        return self.takes_state(row.state) and self._takes_violations(row.violations)

    def takes_state(self, state: RowState) -> bool:
        """Whether the filter takes rows in this state."""
        return self.state in (None, state.state)

    def may_match(self, batch: BatchManifest) -> bool:
        """Whether a batch can have rows that the filter takes, by the counts in its manifest."""
        if self.state is not None and not batch.rows_in(self.state):
            return False
        # A revalidation may have found other violations than the manifest counts: only of a batch without commits are
        # its counts complete.
        return batch.quarantined_rows > 0 and (
            batch.commits > 0
            or (self._may_concern(batch) and self.keyword in (None, *batch.errors_by_keyword))
        )

    def needles(self) -> list[bytes]:
        """Texts that must stand in a record's line as the engine writes it. None for a word that may be escaped."""
        found = []
        if self.keyword is not None and _PLAIN.fullmatch(self.keyword):
            found.append(f'"keyword":"{self.keyword}"'.encode())
        if self.field is not None and _PLAIN.fullmatch(self.field):
            found.append(f'{{"field":"{self.field}"'.encode())
        return found

    def _may_concern(self, batch: BatchManifest) -> bool:
        """Whether the batch counts violations in the field. Of a payload, lists count theirs for all elements."""
        counted = batch.errors_by_field
        if self.field is None or self.field in counted or pointers.OTHER in counted:
            return True
        return batch.kind is SchemaKind.PAYLOAD and any(
            pointers.matches(each, self.field) or pointers.matches(self.field, each)
            for each in counted
        )

    def _takes_field(self, field: str) -> bool:
        return self.field is None or pointers.matches(self.field, field)

    def _takes_violations(self, violations: tuple[RowViolation, ...]) -> bool:
        return (self.field is None and self.keyword is None) or any(
            self._takes_field(each.field) and self.keyword in (None, each.keyword)
            for each in violations
        )


class FilteredRows:
    """The rows of a batch that a filter takes, read in ascending order from one row on. For worker threads."""

    def __init__(self, rows: BatchRows, wanted: RowFilter, first: int = 1) -> None:
        self._rows = rows
        self._wanted = wanted
        self._needles = wanted.needles()
        self._events: EventsInRowOrder = rows.events.in_row_order(first)

    @property
    def line_needle(self) -> bytes | None:
        """A text by which lines can be skipped unparsed. None where lines do not show the rows' current violations."""
        if not self._needles or self._rows.state.states.any_retried():
            return None
        return self._needles[0]

    def row_of(self, number: int, line: bytes) -> Row | None:
        """The row of a line. None where the filter does not take it."""
        state = self._rows.state.states[number]
        if not self._wanted.takes_state(state):
            return None
        # The violations that a revalidation found are in the log and not in this line.
        revalidated = state.state is not State.RESOLVED and state.attempt > 0
        if not revalidated and not all(needle in line for needle in self._needles):
            return None
        events = self._events.at(number) if state != RowState() else []
        row = self._rows.row(self._rows.record(line), events)
        return row if self._wanted.takes(row) else None


def filtered_rows(rows: BatchRows, wanted: RowFilter, first: int = 1) -> Iterator[Row]:
    """Every row from `first` on that a filter takes, in ascending order. For worker threads."""
    filtered = FilteredRows(rows, wanted, first)
    begin = rows.lines.seek(first) if first > 1 else 0
    for _, line in rows.lines.read(begin, needle=filtered.line_needle):
        row = filtered.row_of(rows.lines.number_of(line), line)
        if row is not None:
            yield row
