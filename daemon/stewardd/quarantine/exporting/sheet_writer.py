"""Writes rows.csv and rows.jsonl, in which people correct rows and payloads; `changing` reads them back.

A cell that a spreadsheet would run as a formula gets an apostrophe before it, and so does a cell that begins with an
apostrophe. errors.csv does the same.
"""

from __future__ import annotations

from collections.abc import Sequence

from stewardd.quarantine.files import payload_sheet
from stewardd.quarantine.files.csv_records import csv_line, guarded
from stewardd.quarantine.files.payload_records import PAYLOAD
from stewardd.quarantine.files.sheet_layout import (
    BYTE_ORDER_MARK,
    CELL_CHARACTERS,
    leading_columns,
)
from stewardd.quarantine.finding.rows import Row


def sheet_header(columns: Sequence[str]) -> bytes:
    """The first line of a sheet."""
    names = [*leading_columns(columns), *(guarded(column) for column in columns)]
    return BYTE_ORDER_MARK + csv_line(names)


def sheet_line(row: Row, columns: Sequence[str]) -> bytes:
    """The line of a row. It holds the raw row where the cells may not be all of it."""
    cells = row.cells
    errors = "; ".join(f"{each.field}: {each.message}" for each in row.violations)
    raw = ""
    if row.corrected is None and any(each.field == "_row" for each in row.record.violations):
        raw = row.record.raw_row.decode(errors="replace")
    leading = [
        f"batches/{row.batch_id}",
        str(row.number),
        row.etag,
        guarded(errors)[:CELL_CHARACTERS],
        guarded(raw)[:CELL_CHARACTERS],
    ]
    return csv_line([*leading, *(guarded(cells.get(column, "")) for column in columns)])


def payload_line(row: Row) -> bytes:
    """The line of a payload."""
    return payload_sheet.sheet_line(
        f"batches/{row.batch_id}",
        row.number,
        row.etag,
        [f"{each.field}: {each.message}" for each in row.violations],
        None if row.damaged else row.cells.get(PAYLOAD),
        row.record.raw_row.decode(errors="replace"),
    )
