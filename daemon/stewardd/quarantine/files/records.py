"""records.jsonl: the records that did not pass, as the engine wrote them, in the order of their row numbers."""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from stewardd.errors import Corrupt

RECORDS = "records.jsonl"
RECORD_PREFIX = b'{"rowNumber":'
CUT_CHARACTERS = 64
_CUT_ITEMS = 4096
# Violations of the CSV reader after which the cells are not what the sender wrote.
_DAMAGING = frozenset(
    {"quoting", "encoding", "nul", "recordBytes", "recordLines", "fields", "fieldBytes"}
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

    def to_document(self) -> dict[str, str | None]:
        """The violation as records.jsonl and the log store it."""
        return {
            "field": self.field,
            "message": self.message,
            "value": self.value,
            "keyword": self.keyword,
        }

    @classmethod
    def from_document(cls, found: Mapping[str, Any]) -> RowViolation:
        """Reads a violation that `to_document` or the engine wrote."""
        return cls(found["field"], found["keyword"], found["message"], found["value"])

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


def read_record(line: bytes) -> Record:
    """Reads a line of records.jsonl. Raises: Corrupt."""
    try:
        found: dict[str, Any] = json.loads(line)
        raw = found.get("rawRow")
        # The cells without a column stand in the only list. Its key is `_extra` unless a column has that name.
        raw_data = found["rawData"]
        extra = [value for value in raw_data.values() if isinstance(value, list)]
        return Record(
            row_number=found["rowNumber"],
            line_number=found["lineNumber"],
            byte_offset=found["byteOffset"],
            cells=tuple(
                (name, value) for name, value in raw_data.items() if isinstance(value, str)
            ),
            extra=tuple(extra[0]) if extra else (),
            violations=tuple(RowViolation.from_document(each) for each in found["errors"]),
            raw_row=raw.encode() if raw is not None else base64.b64decode(found["rawRowBase64"]),
            recovered=bool(found.get("recovered", False)),
            quarantine_time=datetime.fromisoformat(found["quarantinedAt"]),
        )
    except (ValueError, KeyError, TypeError) as error:
        raise Corrupt("a quarantined record cannot be read") from error
