"""Quarantined rows, read from a batch's records.jsonl a page at a time.

A page token is the byte at which the next record begins, so a page costs what it returns however long the file is,
and pages stay stable for good: a batch never changes. One record is held at a time; one that is larger than a page
is cut, and says so.
"""

from __future__ import annotations

import base64
import json
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from stewardd.errors import Corrupt, InvalidRequest
from stewardd.repository.store import Store

PAGE_BYTES = 1024 * 1024
READ_BYTES = 256 * 1024
# A record line cannot be longer: the engine bounds the record, and JSON escapes a byte by at most six.
LINE_BYTES = 256 * 1024 * 1024
CUT_CHARACTERS = 64


@dataclass(frozen=True, slots=True)
class RowViolation:
    """One rule that one field breaks."""

    field: str
    keyword: str
    message: str
    value: str | None


@dataclass(frozen=True, slots=True)
class QuarantinedRow:
    """A row that did not pass. `cells` are (column, value) in the order of the header."""

    row_number: int
    line_number: int
    byte_offset: int
    cells: tuple[tuple[str, str], ...]
    violations: tuple[RowViolation, ...]
    raw_row: bytes
    recovered: bool
    quarantine_time: datetime
    truncated: bool


@dataclass(frozen=True, slots=True)
class RowPage:
    """Some rows, and where the next page begins; an empty token on the last."""

    rows: tuple[QuarantinedRow, ...]
    next_page_token: str


async def read_page(
    store: Store, key: str, size_bytes: int, page_size: int, page_token: str
) -> RowPage:
    """Returns the rows from the token on: at most page_size, at most about PAGE_BYTES of them, at least one.

    `key` is that of a records.jsonl of `size_bytes`. Raises InvalidRequest for a token that is none of this file's.
    """
    offset = _offset_of(page_token, size_bytes)
    if offset:
        before = await store.get_range(key, offset - 1, 1)
        if before != b"\n":
            raise InvalidRequest("page_token is none of this batch's", field="page_token")
    rows: list[QuarantinedRow] = []
    first = offset
    async for line in _lines(store, key, offset):
        if rows and (len(rows) >= page_size or offset + len(line) - first > PAGE_BYTES):
            break
        rows.append(_row(line))
        offset += len(line)
    return RowPage(tuple(rows), _token(offset) if offset < size_bytes else "")


async def _lines(store: Store, key: str, offset: int) -> AsyncIterator[bytes]:
    held = bytearray()
    async for data in store.read(key, offset=offset, chunk_bytes=READ_BYTES):
        held += data
        begin = 0
        while (end := held.find(b"\n", begin)) >= 0:
            yield bytes(held[begin : end + 1])
            begin = end + 1
        del held[:begin]
        if len(held) > LINE_BYTES:
            raise Corrupt("a quarantined record has no end")
    if held:
        raise Corrupt("the quarantine of a batch ends in the middle of a record")


def _row(line: bytes) -> QuarantinedRow:
    try:
        record: dict[str, Any] = json.loads(line)
        raw = record.get("rawRow")
        row = QuarantinedRow(
            row_number=record["rowNumber"],
            line_number=record["lineNumber"],
            byte_offset=record["byteOffset"],
            cells=tuple(_cells(record["rawData"])),
            violations=tuple(
                RowViolation(error["field"], error["keyword"], error["message"], error["value"])
                for error in record["errors"]
            ),
            raw_row=raw.encode() if raw is not None else base64.b64decode(record["rawRowBase64"]),
            recovered=bool(record.get("recovered", False)),
            quarantine_time=datetime.fromisoformat(record["quarantinedAt"]),
            truncated=False,
        )
    except (ValueError, KeyError, TypeError) as error:
        raise Corrupt("a quarantined record cannot be read") from error
    return row if len(line) <= PAGE_BYTES else _cut(row)


def _cells(raw_data: dict[str, Any]) -> list[tuple[str, str]]:
    extra = raw_data.pop("_extra", [])
    return [*raw_data.items(), *(("_extra", value) for value in extra)]


def _cut(row: QuarantinedRow) -> QuarantinedRow:
    return QuarantinedRow(
        row_number=row.row_number,
        line_number=row.line_number,
        byte_offset=row.byte_offset,
        cells=tuple((column, value[:CUT_CHARACTERS]) for column, value in row.cells[:4096]),
        violations=tuple(
            RowViolation(
                one.field,
                one.keyword,
                one.message,
                None if one.value is None else one.value[:CUT_CHARACTERS],
            )
            for one in row.violations[:4096]
        ),
        raw_row=row.raw_row[: 64 * 1024],
        recovered=row.recovered,
        quarantine_time=row.quarantine_time,
        truncated=True,
    )


def _offset_of(page_token: str, size_bytes: int) -> int:
    if not page_token:
        return 0
    try:
        offset = int(base64.urlsafe_b64decode(page_token.encode()))
    except ValueError:
        offset = -1
    if not 0 < offset < size_bytes:
        raise InvalidRequest("page_token is none of this batch's", field="page_token")
    return offset


def _token(offset: int) -> str:
    return base64.urlsafe_b64encode(str(offset).encode()).decode()
