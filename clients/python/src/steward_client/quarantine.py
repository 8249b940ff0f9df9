"""Quarantined rows as the SDK gives them.

Cells, values and raw bytes are left out of `repr`: rows hold personal data, and a repr ends up in logs.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from datetime import datetime

from steward.v1 import quarantine_pb2 as pb

from steward_client import wire


@dataclass(frozen=True, slots=True)
class Cell:
    """One cell under its column's name."""

    column: str
    value: str = dataclasses.field(repr=False)


@dataclass(frozen=True, slots=True)
class Violation:
    """One rule that one field breaks; `message` never holds the value."""

    field: str
    """The column, or `_row` for the row as a whole."""
    keyword: str
    message: str
    value: str | None = dataclasses.field(repr=False)

    @classmethod
    def from_proto(cls, message: pb.QuarantinedRow.Violation) -> Violation:
        """Reads a steward.v1 Violation."""
        value = message.value if message.HasField("value") else None
        return cls(message.field, message.keyword, message.message, value)


@dataclass(frozen=True, slots=True)
class QuarantinedRow:
    """A row that did not pass, as it came and with all that is wrong with it."""

    name: str
    """`batches/{batch}/rows/{row_number}`."""
    row_number: int
    """Data rows count from 1; the header is row 0."""
    line_number: int
    """The line on which the record begins; the header's is 1."""
    byte_offset: int
    cells: tuple[Cell, ...] = dataclasses.field(repr=False)
    violations: tuple[Violation, ...]
    raw_row: bytes = dataclasses.field(repr=False)
    recovered: bool
    """A broken quote had swallowed it."""
    quarantine_time: datetime

    @classmethod
    def from_proto(cls, message: pb.QuarantinedRow) -> QuarantinedRow:
        """Reads a steward.v1 QuarantinedRow."""
        return cls(
            name=message.name,
            row_number=message.row_number,
            line_number=message.line_number,
            byte_offset=message.byte_offset,
            cells=tuple(Cell(cell.column, cell.value) for cell in message.cells),
            violations=tuple(Violation.from_proto(each) for each in message.violations),
            raw_row=message.raw_row,
            recovered=message.recovered,
            quarantine_time=wire.time(message.quarantine_time),
        )
