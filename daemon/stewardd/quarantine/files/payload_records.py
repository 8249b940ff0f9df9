"""records.jsonl of a batch of payloads: the payloads that did not pass, as the engine wrote them.

A payload is a row with one cell, which has no column name (no column of a CSV can have an empty name). The cell's text
is the payload's JSON. So whatever the quarantine does with the cells of a row it does with a payload.
"""

from __future__ import annotations

import base64
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any

from pydantic import Field

from stewardd.errors import Corrupt
from stewardd.quarantine.files.exact_json import canonical
from stewardd.quarantine.files.records import Record, RowViolation
from stewardd.repository.document import Codec, Count, Moment

PAYLOAD = ""
"""The column of a payload's cell."""
COLUMNS = (PAYLOAD,)
"""The columns of a batch of payloads."""


@dataclass(frozen=True, slots=True)
class _PayloadDocument:
    """A line of records.jsonl, as the engine writes it for a payload."""

    row_number: Annotated[Count, Field(alias="rowNumber")]
    line_number: Annotated[Count, Field(alias="lineNumber")]
    byte_offset: Annotated[Count, Field(alias="byteOffset")]
    raw_data: Annotated[Any, Field(alias="rawData")]
    errors: tuple[RowViolation, ...]
    quarantined_at: Annotated[Moment, Field(alias="quarantinedAt")]
    raw_row: Annotated[str | None, Field(alias="rawRow")] = None
    raw_row_base64: Annotated[str | None, Field(alias="rawRowBase64")] = None

    def __post_init__(self) -> None:
        if (self.raw_row is None) == (self.raw_row_base64 is None):
            raise ValueError("it has to have rawRow or rawRowBase64")


PAYLOAD_CODEC = Codec(_PayloadDocument)


def read_payload_record(line: bytes) -> Record:
    """Reads a line of records.jsonl. Raises: Corrupt."""
    found = PAYLOAD_CODEC.decode(line, "a quarantined payload")
    return Record(
        row_number=found.row_number,
        line_number=found.line_number,
        byte_offset=found.byte_offset,
        cells=() if found.raw_row is None else ((PAYLOAD, found.raw_row),),
        extra=(),
        violations=found.errors,
        raw_row=_raw_row(found),
        recovered=False,
        quarantine_time=found.quarantined_at,
    )


def canonical_cells(cells: Mapping[str, str]) -> Mapping[str, str]:
    """The cells as they are compared: blanks between the tokens of a payload do not count."""
    payload = cells.get(PAYLOAD)
    return cells if payload is None else {PAYLOAD: canonical(payload)}


def _raw_row(found: _PayloadDocument) -> bytes:
    if found.raw_row is not None:
        return found.raw_row.encode()
    try:
        return base64.b64decode(found.raw_row_base64 or "", validate=True)
    except ValueError:
        raise Corrupt("a quarantined payload cannot be read: rawRowBase64 is no base64") from None
