"""What an edited sheet asks for each row: validate it, leave it alone, or refuse it. Pure, but for the sheet's file.

A row that nobody edited is left alone, and so is one that already has these cells: a sheet may be sent twice. A row
that somebody else changed or purged since the export is a conflict. A row is damaged where a spreadsheet has changed a
cell that nobody was asked to edit, which is a cell without a violation.
"""

from __future__ import annotations

import json
from array import array
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from enum import Enum
from itertools import pairwise
from pathlib import Path

from stewardd.batches.states import State
from stewardd.errors import InputRefused
from stewardd.quarantine.changing.damage import Damage, damage
from stewardd.quarantine.changing.payload_sheet import PayloadSheet
from stewardd.quarantine.changing.sheet import Sheet, SheetRow
from stewardd.quarantine.files.payload_records import PAYLOAD
from stewardd.quarantine.finding.rows import BatchRows, Row, row_digest


class RowDecision(Enum):
    """What to do with a row of a sheet."""

    VALIDATE = "validate"
    UNCHANGED = "unchanged"
    CONFLICT = "conflict"


@dataclass(frozen=True, slots=True)
class DamagedCell:
    """A cell that a spreadsheet has damaged. `line` counts as the spreadsheet does: the header is line 1."""

    row: int
    line: int
    column: str
    damage: Damage


def decide_row(came: SheetRow, row: Row, version: str, *, include_unchanged: bool) -> RowDecision:
    """What to do with a row that came in a sheet. `version` is the schema version that would validate it."""
    if row.corrected is not None and row.digest_of(came.cells) == row.digest_of(row.corrected):
        edited, repeated = False, version == row.validated_by
    else:
        exported = came.exported_digest or row.digest_of(row.cells)
        edited, repeated = row.digest_of(came.cells) != exported, False
    if not edited and (row.state.state is not State.OPEN or row.damaged):
        return RowDecision.UNCHANGED
    if row.state.state is not State.OPEN:
        return RowDecision.CONFLICT
    if edited:
        return RowDecision.VALIDATE if came.etag in ("", row.etag) else RowDecision.CONFLICT
    # A record that may be no row, or only a part of one, is validated unedited only where the caller asks for it.
    doubtful = row.corrected is None and row.record.doubtful
    again = include_unchanged or (version != row.validated_by and not doubtful)
    if not again or (repeated and not include_unchanged):
        return RowDecision.UNCHANGED
    return RowDecision.VALIDATE if came.etag in ("", row.etag) else RowDecision.UNCHANGED


def decide_purged_row(came: SheetRow, batch_id: str) -> RowDecision:
    """What to do with a row that came in a sheet and was purged meanwhile: nothing is left to compare it with."""
    edited = row_digest(batch_id, came.number, came.cells) != came.exported_digest
    return RowDecision.CONFLICT if edited else RowDecision.UNCHANGED


def damaged_cells(came: SheetRow, row: Row) -> list[DamagedCell]:
    """The cells that a spreadsheet has damaged, of those that nobody was asked to edit.

    A cell with a violation was to be edited, so what looks like damage there may be the correction: a removed blank, a
    corrected date. Only an error value of the spreadsheet is damage there too. Every cell is to be edited in a row that
    could not be read.
    """
    to_edit = {each.field for each in row.violations}
    # No spreadsheet has had a payload.
    if row.damaged or "_row" in to_edit or PAYLOAD in came.cells:
        return []
    before = row.cells
    found = (
        (column, damage(before.get(column, ""), value)) for column, value in came.cells.items()
    )
    return [
        DamagedCell(row.number, came.line, column, kind)
        for column, kind in found
        if kind is Damage.ERROR or (kind is not None and column not in to_edit)
    ]


def sheet_and_batch_rows(
    sheet: Sheet | PayloadSheet, rows: BatchRows, folder: Path
) -> Iterator[tuple[SheetRow, Row | None]]:
    """The rows of a sheet in ascending order, each with the row that it corrects; None where that was purged.

    For worker threads. Raises: InputRefused for a row of another batch and for a row that stands twice; RowNotFound.
    """
    ordered = _in_row_order(sheet, folder)
    numbers = array("Q")
    before = None
    for came in ordered():
        if came.batch not in ("", rows.batch.batch_id):
            raise InputRefused(
                f"line {came.line} of the sheet belongs to another batch",
                hint="send the rows of each batch as a sheet of their own",
            )
        if before is not None and before.number == came.number:
            raise InputRefused(
                f"row {came.number} stands in the sheet twice, in lines {before.line} and {came.line}",
                hint="leave one of the two in the sheet",
            )
        if not rows.is_purged(came.number):
            numbers.append(came.number)
        before = came
    there = rows.by_number(numbers)
    for came in ordered():
        yield came, None if rows.is_purged(came.number) else next(there)


def _in_row_order(sheet: Sheet | PayloadSheet, folder: Path) -> Callable[[], Iterator[SheetRow]]:
    """The rows of a sheet by ascending number, each time it is called. People sort sheets by other columns."""
    numbers = array("Q", (each.number for each in sheet.rows()))
    if all(before <= after for before, after in pairwise(numbers)):
        return sheet.rows
    path = folder / "sheet.jsonl"
    offsets = array("Q")
    with path.open("wb") as file:
        for each in sheet.rows():
            offsets.append(file.tell())
            found = [each.line, each.batch, each.number, each.etag, each.cells]
            file.write(json.dumps(found).encode() + b"\n")
    order = sorted(range(len(numbers)), key=numbers.__getitem__)

    def rows() -> Iterator[SheetRow]:
        with path.open("rb") as file:
            for place in order:
                file.seek(offsets[place])
                yield SheetRow(*json.loads(file.readline()))

    return rows
