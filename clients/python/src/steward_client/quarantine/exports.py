"""Exports: the rows that a cursor has had, the kinds of files, and the file that was written."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import TypedDict

from steward.v1 import quarantine_pb2 as pb

from steward_client import protobuf_values
from steward_client.validation.row_state import RowState, state_number


class ExportFormat(StrEnum):
    """The kind of a file."""

    SHEET = "sheet"
    """rows.csv, to be edited in a spreadsheet and resubmitted."""
    CSV = "csv"
    """The good rows, in the columns of the original file."""
    JSON = "json"
    """A tar of one JSON file a row."""


_FORMATS = {
    ExportFormat.SHEET: pb.ExportQuarantineRequest.FORMAT_SHEET,
    ExportFormat.CSV: pb.ExportQuarantineRequest.FORMAT_CSV,
    ExportFormat.JSON: pb.ExportQuarantineRequest.FORMAT_JSON,
}


class ExportOptions(TypedDict, total=False):
    """Which rows a file has; every key may be left out."""

    format: ExportFormat | str | None
    """Left out: a sheet of a batch, the CSV of an export."""
    state: RowState | str | None
    """For a sheet and for JSON, left out: open. A CSV always has the resolved rows."""
    field: str | None
    """Rows with a violation in this field."""
    keyword: str | None
    """Rows with a violation of this keyword."""
    include_valid: bool
    """For the CSV of a batch: the rows that were valid from the start as well; the batch must have kept them."""
    original_order: bool
    """For a CSV: in the order of the original file, instead of the valid rows first and then the resolved."""


def export_request(name: str, options: ExportOptions) -> pb.ExportQuarantineRequest:
    """Returns the steward.v1 ExportQuarantineRequest for a batch or an export."""
    name = protobuf_values.resource("batches", name)
    kind = options.get("format") or (
        ExportFormat.CSV if "/exports/" in name else ExportFormat.SHEET
    )
    return pb.ExportQuarantineRequest(
        name=name,
        format=_FORMATS[ExportFormat(kind)],
        state=state_number(options.get("state")),
        field=options.get("field") or "",
        keyword=options.get("keyword") or "",
        include_valid=options.get("include_valid", False),
        original_order=options.get("original_order", False),
    )


@dataclass(frozen=True, slots=True)
class Export:
    """A set of good rows, fixed once and for all; each row is in exactly one of the exports of a cursor."""

    name: str
    """`batches/{batch}/exports/{export}`."""
    cursor: str
    create_time: datetime
    after_commit: int
    """It has the rows that were resolved after this commit of the batch's log,"""
    commit: int
    """up to this one."""
    resolved_rows: int
    valid_rows: int
    """Rows in it that were valid from the start."""
    actor: str

    @property
    def rows(self) -> int:
        """How many rows it has."""
        return self.resolved_rows + self.valid_rows

    @classmethod
    def from_proto(cls, message: pb.Export) -> Export:
        """Reads a steward.v1 Export."""
        return cls(
            name=message.name,
            cursor=message.cursor,
            create_time=protobuf_values.time(message.create_time),
            after_commit=message.after_commit,
            commit=message.commit,
            resolved_rows=message.resolved_rows,
            valid_rows=message.valid_rows,
            actor=message.actor,
        )


@dataclass(frozen=True, slots=True)
class ExportedFile:
    """A file that was written, whole and checked."""

    path: str
    file_name: str
    """What the daemon calls it."""
    size_bytes: int
    crc32c: int
    rows: int
    export: Export | None = None
    """The export that it is, where export_next made one."""
