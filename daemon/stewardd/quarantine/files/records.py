"""records.jsonl: the records that did not pass, as the engine wrote them, in the order of their row numbers."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Annotated, Any

from pydantic import Field

from stewardd.errors import Corrupt
from stewardd.repository.document import Codec, Count, Moment

RECORDS = "records.jsonl"
RECORD_PREFIX = b'{"rowNumber":'
CUT_CHARACTERS = 64
_CUT_ITEMS = 4096
# Violations of the reader after which the cells are not what the sender wrote.
_DAMAGING = frozenset(
    {
        *("quoting", "encoding", "nul", "recordBytes", "recordLines", "fields", "fieldBytes"),
        "payloadBytes",
    }
)
# Violations after which it is not certain that the record is a row.
_DOUBTFUL = frozenset({"cells", "recovered"})


@dataclass(frozen=True, slots=True)
class RowViolation:
    """A rule that a field breaks."""

    field: str
    keyword: str
    message: str
    value: str | None

    def cut(self) -> RowViolation:
        """The violation with only the beginning of its value."""
        return replace(self, value=self.value and self.value[:CUT_CHARACTERS])


@dataclass(frozen=True, slots=True)
class Record:
    """A record that did not pass, as it came. `cells` are (column, value) in the order of the header."""

    row_number: int
    line_number: int
    byte_offset: int
    cells: tuple[tuple[str, str], ...]
    extra: tuple[str, ...]
    violations: tuple[RowViolation, ...]
    raw_row: bytes
    recovered: bool
    quarantine_time: datetime
    truncated: bool = False

    @property
    def damaged(self) -> bool:
        """Whether the cells cannot be what the sender wrote. A correction then begins without them."""
        return any(each.keyword in _DAMAGING for each in self.violations)

    @property
    def doubtful(self) -> bool:
        """Whether a person has to look at the record before it may count as a row."""
        return self.damaged or any(each.keyword in _DOUBTFUL for each in self.violations)

    def cut(self) -> Record:
        """The record with only the beginnings of its values, so that it fits on a page."""
        return replace(
            self,
            cells=cut_cells(self.cells),
            extra=tuple(value[:CUT_CHARACTERS] for value in self.extra[:_CUT_ITEMS]),
            violations=tuple(each.cut() for each in self.violations[:_CUT_ITEMS]),
            raw_row=self.raw_row[: 64 * 1024],
            truncated=True,
        )


def cut_cells(cells: Sequence[tuple[str, str]]) -> tuple[tuple[str, str], ...]:
    """Cells with only the beginnings of their values."""
    return tuple((column, value[:CUT_CHARACTERS]) for column, value in cells[:_CUT_ITEMS])


@dataclass(frozen=True, slots=True)
class _RecordDocument:
    """A line of records.jsonl, as the engine writes it."""

    row_number: Annotated[Count, Field(alias="rowNumber")]
    line_number: Annotated[Count, Field(alias="lineNumber")]
    byte_offset: Annotated[Count, Field(alias="byteOffset")]
    raw_data: Annotated[dict[str, str | list[str]], Field(alias="rawData")]
    errors: tuple[RowViolation, ...]
    quarantined_at: Annotated[Moment, Field(alias="quarantinedAt")]
    raw_row: Annotated[str | None, Field(alias="rawRow")] = None
    raw_row_base64: Annotated[str | None, Field(alias="rawRowBase64")] = None
    recovered: bool = False

    def __post_init__(self) -> None:
        if (self.raw_row is None) == (self.raw_row_base64 is None):
            raise ValueError("it has to have rawRow or rawRowBase64")


RECORD_CODEC = Codec(_RecordDocument)
_JSON_LINE: Codec[dict[str, Any]] = Codec(dict[str, Any])


def read_record(line: bytes) -> Record:
    """Reads a line of records.jsonl. Raises: Corrupt."""
    found = RECORD_CODEC.decode(line, "a quarantined record")
    # The cells without a column stand in the only list. Its key is `_extra` unless a column has that name.
    extra = [value for value in found.raw_data.values() if isinstance(value, list)]
    return Record(
        row_number=found.row_number,
        line_number=found.line_number,
        byte_offset=found.byte_offset,
        cells=tuple(
            (name, value) for name, value in found.raw_data.items() if isinstance(value, str)
        ),
        extra=tuple(extra[0]) if extra else (),
        violations=found.errors,
        raw_row=_raw_row(found),
        recovered=found.recovered,
        quarantine_time=found.quarantined_at,
    )


def read_json_line(line: bytes, what: str) -> dict[str, Any]:
    """Reads a line as a JSON object, whose members are altered before it is written anew. Raises: Corrupt."""
    return _JSON_LINE.decode(line, what)


def _raw_row(found: _RecordDocument) -> bytes:
    """The bytes of the row: as text, or in base64 where they are none."""
    if found.raw_row is not None:
        return found.raw_row.encode()
    try:
        return base64.b64decode(found.raw_row_base64 or "", validate=True)
    except ValueError:
        raise Corrupt("a quarantined record cannot be read: rawRowBase64 is no base64") from None
