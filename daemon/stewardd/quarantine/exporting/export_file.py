"""The files of exports: what a caller asks for, and how rows become the bytes of a sheet or of a tar archive."""

from __future__ import annotations

import base64
import json
import tarfile
from collections.abc import AsyncGenerator, Iterator, Mapping
from dataclasses import dataclass
from enum import Enum

from stewardd.quarantine.files.payload_records import PAYLOAD
from stewardd.quarantine.files.records import RowViolation
from stewardd.quarantine.finding.row_filter import RowFilter
from stewardd.quarantine.finding.rows import Row
from stewardd.schemas.kinds import SchemaKind

CHUNK_BYTES = 1024 * 1024
TAR_END = b"\0" * tarfile.BLOCKSIZE * 2
Piece = tuple[bytes, int]
"""Bytes of a file, and how many rows end in them."""


class ExportFormat(Enum):
    """The kind of a file. CSV is the good rows in the form in which they came: of payloads they are JSON Lines."""

    SHEET = "sheet"
    CSV = "csv"
    JSON = "json"

    def suffix(self, kind: SchemaKind) -> str:
        """The suffix of the file for a batch of a kind."""
        if self is ExportFormat.JSON:
            return "tar"
        last = "csv" if kind is SchemaKind.CSV else "jsonl"
        return last if self is ExportFormat.SHEET else f"good.{last}"


@dataclass(frozen=True, slots=True)
class ExportRequest:
    """Which file: rows of a batch by a filter, or an export by its id."""

    batch_id: str
    export_id: str | None
    format: ExportFormat
    rows: RowFilter
    include_valid: bool
    original_order: bool


@dataclass(frozen=True, slots=True)
class FileTotals:
    """The size, checksum and rows of a file; they come after its last byte."""

    size_bytes: int
    crc32c: int
    rows: int


@dataclass(frozen=True, slots=True)
class ExportFile:
    """A file as a stream: its name, and its bytes followed by its totals."""

    name: str
    chunks: AsyncGenerator[bytes | FileTotals, None]


def in_chunks(pieces: Iterator[Piece]) -> Iterator[Piece]:
    """The same bytes in chunks of at most CHUNK_BYTES, each with how many rows end in it."""
    held = bytearray()
    rows = 0
    for piece, count in pieces:
        held += piece
        rows += count
        while len(held) >= CHUNK_BYTES:
            yield bytes(held[:CHUNK_BYTES]), rows
            del held[:CHUNK_BYTES]
            rows = 0
    if held:
        yield bytes(held), rows


def tar_entry(row: Row) -> bytes:
    """A row as a file of a tar archive: the record as it came, and the row as it is now."""
    record = row.record
    found = {
        "batch": row.batch_id,
        "rowNumber": row.number,
        "state": row.state.state.name.lower(),
        "attempt": row.state.attempt,
        "csvType": row.schema,
        "schemaVersion": row.validated_by,
        "quarantinedAt": record.quarantine_time.isoformat(),
        "rawData": _data_of(dict(record.cells)),
        "extra": list(record.extra),
        **_raw(record.raw_row),
        "correctedData": row.corrected and _data_of(row.corrected),
        "errors": [_error(each) for each in row.violations],
    }
    body = json.dumps(found, ensure_ascii=False, indent=2).encode(errors="replace") + b"\n"
    entry = tarfile.TarInfo(f"{row.number}.json")
    entry.size = len(body)
    entry.mtime = int(record.quarantine_time.timestamp())
    padding = -len(body) % tarfile.BLOCKSIZE
    return entry.tobuf() + body + b"\0" * padding


def _data_of(cells: Mapping[str, str]) -> object:
    """The cells by their columns; of a payload its JSON, or its text where it is none."""
    if PAYLOAD not in cells:
        return cells
    try:
        return json.loads(cells[PAYLOAD])
    except (ValueError, RecursionError):
        return cells[PAYLOAD]


def _raw(raw_row: bytes) -> dict[str, str]:
    """The bytes of the record, under the keys of records.jsonl."""
    try:
        return {"rawRow": raw_row.decode()}
    except UnicodeDecodeError:
        return {"rawRowBase64": base64.b64encode(raw_row).decode()}


def _error(violation: RowViolation) -> dict[str, str | None]:
    """A violation, as records.jsonl has it."""
    return {
        "field": violation.field,
        "message": violation.message,
        "value": violation.value,
        "keyword": violation.keyword,
    }
