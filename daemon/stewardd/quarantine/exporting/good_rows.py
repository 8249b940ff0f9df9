"""The good rows of a batch: those that were valid from the start, and those that were resolved later.

Services import this file. It is CSV with the columns and the delimiter of the original file, its cells not guarded
against spreadsheets, or of payloads JSON Lines. In the original order each resolved row goes back to its place: the
valid file holds, in order, just the rows whose numbers are not quarantined.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from heapq import merge
from itertools import chain

from stewardd.batches.states import State
from stewardd.errors import Corrupt
from stewardd.quarantine.files.csv_records import csv_line
from stewardd.quarantine.files.exact_json import one_line
from stewardd.quarantine.files.payload_records import PAYLOAD
from stewardd.quarantine.files.record_files import valid_name
from stewardd.quarantine.files.valid_records import columns_of_header, valid_records
from stewardd.quarantine.finding.rows import BatchRows
from stewardd.quarantine.log.changes import RowEvent
from stewardd.quarantine.log.events import cells_after
from stewardd.schemas.kinds import SchemaKind


@dataclass(frozen=True, slots=True)
class GoodRowSelection:
    """Which rows: those resolved after commit `after` and up to commit `through`, and with `valid` the valid ones."""

    after: int
    through: int
    valid: bool
    original_order: bool


def count_resolved(rows: BatchRows, wanted: GoodRowSelection) -> int:
    """How many of the selected resolved rows still exist."""
    return sum(1 for _ in _resolved_events(rows, wanted))


def good_rows(rows: BatchRows, columns: Sequence[str], wanted: GoodRowSelection) -> Iterator[bytes]:
    """Yields the header, which payloads do not have, then each record. Raises: Corrupt."""
    batch = rows.batch
    records = valid_records(rows.store, batch)
    end = "\n"
    if batch.kind is SchemaKind.CSV:
        header = next(records, None)
        if header is not None and columns_of_header(header, batch) != tuple(columns):
            raise Corrupt(f"valid.csv of batch {batch.batch_id} has other columns than the batch")
        end = "\r\n" if header is None or header.endswith(b"\r\n") else "\n"
        yield header or csv_line(columns, batch.delimiter, end)
    resolved = _resolved(rows, columns, wanted, end)
    if not wanted.valid:
        yield from (record for _, record in resolved)
    elif wanted.original_order:
        yield from (record for _, record in merge(_numbered(rows, records), resolved, key=_number))
    else:
        yield from chain(map(_with_line_end, records), (record for _, record in resolved))


def _number(numbered: tuple[int, bytes]) -> int:
    return numbered[0]


def _resolved(
    rows: BatchRows, columns: Sequence[str], wanted: GoodRowSelection, end: str
) -> Iterator[tuple[int, bytes]]:
    """The records of the selected resolved rows, each with its row number."""
    batch = rows.batch
    lookup = rows.lines.ascending_lookup()
    for number, events in _resolved_events(rows, wanted):
        cells = cells_after(events)
        if cells is None:  # a newer schema version takes the row as it came
            line = lookup.at(number)
            if line is None:
                raise Corrupt(f"row {number} was resolved, and is not in the quarantine")
            cells = dict(rows.record(line).cells)
        if batch.kind is SchemaKind.PAYLOAD:
            yield number, one_line(cells[PAYLOAD]).encode() + b"\n"
        else:
            ordered = [cells.get(column, "") for column in columns]
            yield number, csv_line(ordered, batch.delimiter, end)


def _resolved_events(
    rows: BatchRows, wanted: GoodRowSelection
) -> Iterator[tuple[int, list[RowEvent]]]:
    """The numbers of the selected resolved rows, each with the events of the row."""
    for number, events in rows.events.of_rows():
        last = events[-1]
        if last.change.state is State.RESOLVED and wanted.after < last.commit <= wanted.through:
            yield number, events


def _numbered(rows: BatchRows, records: Iterator[bytes]) -> Iterator[tuple[int, bytes]]:
    """The valid records, each with its row number."""
    quarantined = merge(
        (rows.lines.number_of(line) for _, line in rows.lines.read()),
        (number for number, state in rows.state.states if state.purged),
    )
    next_quarantined = next(quarantined, None)
    for number in range(1, rows.batch.total_rows + 1):
        if number == next_quarantined:
            next_quarantined = next(quarantined, None)
            continue
        record = next(records, None)
        if record is None:
            raise Corrupt(
                f"{valid_name(rows.batch)} of batch {rows.batch.batch_id} has too few rows"
            )
        yield number, _with_line_end(record)


def _with_line_end(record: bytes) -> bytes:
    """The last record of a file may have no line end."""
    return record if record.endswith(b"\n") else record + b"\n"
