"""Quarantined rows, with their violations and their history.

Cells, values and raw bytes are left out of `repr`: rows hold personal data, and a repr ends up in logs.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from steward.v1 import quarantine_pb2 as pb

from steward_client import protobuf_values
from steward_client.validation.row_state import RowState
from steward_client.validation.schemas import SchemaKind

PAYLOAD = ""
"""The column of the one cell of a payload, whose value is the payload's JSON text. No column of a CSV has this name."""


@dataclass(frozen=True, slots=True)
class Cell:
    """One cell under its column's name."""

    column: str
    value: str = dataclasses.field(repr=False)


@dataclass(frozen=True, slots=True)
class Violation:
    """One rule that one field breaks; `message` never holds the value."""

    field: str
    """The column, or of a payload the JSON Pointer of a member; `_row` for the row or payload as a whole."""
    keyword: str
    message: str
    value: str | None = dataclasses.field(repr=False)

    @classmethod
    def from_proto(cls, message: pb.QuarantinedRow.Violation) -> Violation:
        """Reads a steward.v1 Violation."""
        value = message.value if message.HasField("value") else None
        return cls(message.field, message.keyword, message.message, value)


class RowAction(StrEnum):
    """How a row was changed. One that only a newer daemon knows is UNKNOWN."""

    UNKNOWN = "unknown"
    CORRECT = "correct"
    RESUBMIT = "resubmit"
    RETRY = "retry"
    DISCARD = "discard"


_ACTIONS: dict[int, RowAction] = {
    pb.RowEvent.ACTION_CORRECT: RowAction.CORRECT,
    pb.RowEvent.ACTION_RESUBMIT: RowAction.RESUBMIT,
    pb.RowEvent.ACTION_RETRY: RowAction.RETRY,
    pb.RowEvent.ACTION_DISCARD: RowAction.DISCARD,
}


@dataclass(frozen=True, slots=True)
class RowEvent:
    """Something that happened to a row."""

    commit: int
    """The number of the commit in the batch's log."""
    event_time: datetime
    actor: str
    """Who, as the request said."""
    action: RowAction
    state_before: RowState
    state_after: RowState
    attempt: int
    """The attempt that this was; 0 where the row was not judged."""
    schema: str
    """`schemas/{schema}/versions/{version}` that judged it; empty where it was not judged."""
    cells_before: tuple[Cell, ...] = dataclasses.field(repr=False)
    cells_after: tuple[Cell, ...] = dataclasses.field(repr=False)
    """Empty where they were not changed."""
    violations: tuple[Violation, ...]
    reason: str
    """Why, in the caller's words."""

    @property
    def changes(self) -> tuple[tuple[str, str | None, str | None], ...]:
        """What it changed: column, text before, text after; None where there was no such cell."""
        if not self.cells_after:
            return ()
        before = {cell.column: cell.value for cell in self.cells_before}
        after = {cell.column: cell.value for cell in self.cells_after}
        return tuple(
            (column, before.get(column), after.get(column))
            for column in {**after, **before}
            if before.get(column) != after.get(column)
        )

    @classmethod
    def from_proto(cls, message: pb.RowEvent) -> RowEvent:
        """Reads a steward.v1 RowEvent."""
        return cls(
            commit=message.commit,
            event_time=protobuf_values.time(message.event_time),
            actor=message.actor,
            action=_ACTIONS.get(message.action, RowAction.UNKNOWN),
            state_before=RowState.from_proto(message.state_before),
            state_after=RowState.from_proto(message.state_after),
            attempt=message.attempt,
            schema=message.schema,
            cells_before=_cells(message.cells_before),
            cells_after=_cells(message.cells_after),
            violations=_violations(message.violations),
            reason=message.reason,
        )


@dataclass(frozen=True, slots=True)
class QuarantinedRow:
    """A row that did not pass: as it came, and as it is now."""

    name: str
    """`batches/{batch}/rows/{row_number}`."""
    row_number: int
    """Data rows count from 1; the header is row 0."""
    line_number: int
    """The line on which the record begins; the header's is 1."""
    byte_offset: int
    cells: tuple[Cell, ...] = dataclasses.field(repr=False)
    """As they came; those of the last correction are `corrected_cells`."""
    violations: tuple[Violation, ...]
    """All that was wrong with it when it came."""
    raw_row: bytes = dataclasses.field(repr=False)
    recovered: bool
    """A broken quote had swallowed it."""
    quarantine_time: datetime
    truncated: bool
    """It is too large for a page: cells, values and raw_row are cut. The batch's records.jsonl has the whole."""
    state: RowState
    attempt: int
    """How often it was judged again."""
    etag: str
    """Stands for the row as it is now: give it to correct_row, to be told when somebody else was faster."""
    corrected_cells: tuple[Cell, ...] = dataclasses.field(repr=False)
    """Those of the last correction; empty where there was none."""
    current_violations: tuple[Violation, ...]
    """What the last attempt found wrong; empty where there was none, or nothing wrong."""
    update_time: datetime | None
    """When it last changed; None where it never did."""
    history: tuple[RowEvent, ...]
    """What happened to it, oldest first; of more than 1000 events the newest. Listings leave it out."""
    schema: str
    """`schemas/{schema}/versions/{version}`: what it was last judged by."""
    kind: SchemaKind = SchemaKind.CSV

    @property
    def is_payload(self) -> bool:
        """Whether it is a payload: a row with one cell, whose column is PAYLOAD."""
        return self.kind is SchemaKind.PAYLOAD

    @property
    def current_cells(self) -> tuple[Cell, ...]:
        """The cells as they are now."""
        return self.corrected_cells or self.cells

    @property
    def wrong(self) -> tuple[Violation, ...]:
        """What is wrong with it now: nothing with a resolved row; with a discarded one, what was when it came."""
        if self.state is RowState.RESOLVED:
            return ()
        return self.current_violations or self.violations

    @classmethod
    def from_proto(cls, message: pb.QuarantinedRow) -> QuarantinedRow:
        """Reads a steward.v1 QuarantinedRow."""
        return cls(
            name=message.name,
            row_number=message.row_number,
            line_number=message.line_number,
            byte_offset=message.byte_offset,
            cells=_cells(message.cells),
            violations=_violations(message.violations),
            raw_row=message.raw_row,
            recovered=message.recovered,
            quarantine_time=protobuf_values.time(message.quarantine_time),
            truncated=message.truncated,
            state=RowState.from_proto(message.state),
            attempt=message.attempt,
            etag=message.etag,
            corrected_cells=_cells(message.corrected_cells),
            current_violations=_violations(message.current_violations),
            update_time=protobuf_values.time(message.update_time)
            if message.HasField("update_time")
            else None,
            history=tuple(RowEvent.from_proto(each) for each in message.history),
            schema=message.schema,
            kind=SchemaKind.from_proto(message.kind),
        )


def _cells(messages: Iterable[pb.QuarantinedRow.Cell]) -> tuple[Cell, ...]:
    return tuple(Cell(each.column, each.value) for each in messages)


def _violations(messages: Iterable[pb.QuarantinedRow.Violation]) -> tuple[Violation, ...]:
    return tuple(Violation.from_proto(each) for each in messages)
