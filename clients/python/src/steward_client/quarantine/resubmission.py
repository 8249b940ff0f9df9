"""Resubmitting an edited sheet: its options, its upload, and its result."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypedDict

from steward.v1 import quarantine_pb2 as pb

from steward_client import protobuf_values
from steward_client.quarantine.calls import SERVICE
from steward_client.transfer.source import Source
from steward_client.transfer.upload import Upload
from steward_client.validation.batches import Batch


class ResubmitOptions(TypedDict, total=False):
    """How a sheet is resubmitted; every key may be left out."""

    batch: str | None
    """Left out: the batch that the sheet itself names in its first column."""
    schema_version: str | None
    """A version of the batch's schema that is not older. Left out: for each row the one that judged it last."""
    include_unchanged: bool
    """Rows that nobody edited are judged again too."""
    accept_damaged: bool
    """Rows of which a spreadsheet has damaged a cell are taken as they are."""
    actor: str
    """Who resubmits it; kept in the history."""
    dry_run: bool
    """Nothing is changed; the result counts what would change."""
    progress: Callable[[int], None] | None
    """Called, in some thread, with the bytes that were sent so far."""
    on_commit: Callable[[], None] | None
    """Called, in some thread, just before Commit is sent: from then on rows may change, even if no answer comes."""


@dataclass(frozen=True, slots=True)
class DamagedCell:
    """A cell that came back as a spreadsheet changes cells by itself."""

    row_number: int
    line_number: int
    """The line of the sheet, as the spreadsheet counts them; the header is 1."""
    column: str
    damage: str
    """What happened to it, in words: `leading zeros are lost`."""

    @classmethod
    def from_proto(cls, message: pb.ResubmitSheetResponse.DamagedCell) -> DamagedCell:
        """Reads a steward.v1 ResubmitSheetResponse.DamagedCell."""
        return cls(message.row_number, message.line_number, message.column, message.damage)


@dataclass(frozen=True, slots=True)
class Resubmitted:
    """The result of resubmitting a sheet; `total_rows` is the sum of its five counts of rows."""

    total_rows: int
    resolved_rows: int
    invalid_rows: int
    """Judged again, and still invalid."""
    unchanged_rows: int
    """Not changed: nobody edited them, or they were corrected to the same cells before."""
    conflicting_rows: int
    """Not changed: closed, or changed by somebody else since the sheet was exported."""
    conflicts: tuple[int, ...]
    """The first of the conflicting rows, by number."""
    batch: Batch
    """The batch as it is now."""
    commit: int
    """The number of the commit in the batch's log; 0 where nothing was changed."""
    damaged_rows: int = 0
    """Not taken: a spreadsheet has damaged a cell of theirs that nobody was asked to edit."""
    damaged_cells: tuple[DamagedCell, ...] = ()
    """The first of these cells, by row."""

    @classmethod
    def from_proto(cls, message: pb.ResubmitSheetResponse) -> Resubmitted:
        """Reads a steward.v1 ResubmitSheetResponse."""
        return cls(
            total_rows=message.total_rows,
            resolved_rows=message.resolved_rows,
            invalid_rows=message.invalid_rows,
            unchanged_rows=message.unchanged_rows,
            conflicting_rows=message.conflicting_rows,
            conflicts=tuple(message.conflicts),
            batch=Batch.from_proto(message.batch),
            commit=message.commit,
            damaged_rows=message.damaged_rows,
            damaged_cells=tuple(map(DamagedCell.from_proto, message.damaged_cells)),
        )


class SheetUpload(Upload[Resubmitted]):
    """An upload to ResubmitSheet. It may be sent again whole, since a sheet that is applied twice changes nothing."""

    path = f"{SERVICE}/ResubmitSheet"
    request = pb.ResubmitSheetRequest
    answer = pb.ResubmitSheetResponse

    def __init__(self, source: Source, options: ResubmitOptions) -> None:
        opened = pb.ResubmitSheetRequest.Open(
            parent=protobuf_values.resource("batches", options.get("batch") or ""),
            schema_version=options.get("schema_version") or "",
            include_unchanged=options.get("include_unchanged", False),
            actor=options.get("actor", ""),
            dry_run=options.get("dry_run", False),
            accept_damaged_cells=options.get("accept_damaged", False),
        )
        self._progress = options.get("progress")
        super().__init__(source, opened, options.get("on_commit"))

    def sent(self, size_bytes: int) -> None:
        """Tells of the bytes that gRPC has taken."""
        if self._progress is not None:
            self._progress(size_bytes)

    def received(self, answer: pb.ResubmitSheetResponse) -> Resubmitted:
        """Takes the answer, of which there is one."""
        return Resubmitted.from_proto(answer)
