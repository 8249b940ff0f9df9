"""The good rows of a batch as CSV: those that were valid from the start, and those that were resolved later.

They are for the service that imports them, so cells stand in it as they are, in the columns of the original file, with
its delimiter. In the original order each resolved row goes back to its place: valid.csv holds, in order, just the rows
whose numbers are not quarantined.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from heapq import merge
from itertools import chain

import fastcsv
from stewardd.batches.manifest import BatchManifest
from stewardd.batches.states import State
from stewardd.errors import Corrupt, ValidRowsNotKept
from stewardd.quarantine.blocking import BlockingStore
from stewardd.quarantine.commit import Event
from stewardd.quarantine.csv_records import cells_of, csv_line, split
from stewardd.quarantine.events import cells_after
from stewardd.quarantine.record import record_of
from stewardd.quarantine.rows import Rows

VALID = "valid.csv"


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which rows: those that were resolved after one commit and up to another, and the valid ones, or not."""

    after: int
    through: int
    valid: bool
    original_order: bool


def require_valid(batch: BatchManifest) -> None:
    """Raises ValidRowsNotKept where a batch has valid rows and did not keep them."""
    if batch.valid_rows and batch.file(VALID) is None:
        raise ValidRowsNotKept(f"batch {batch.batch_id} did not keep its valid rows")


def file_columns(store: BlockingStore, batch: BatchManifest) -> tuple[str, ...] | None:
    """The columns as the header of valid.csv names them; None where there is no such file."""
    header = next(_valid_records(store, batch), None)
    return None if header is None else _names(header, batch)


def count_resolved(rows: Rows, wanted: Wanted) -> int:
    """How many of the resolved rows that are wanted are still there."""
    return sum(1 for _ in _resolved_events(rows, wanted))


def good_rows(rows: Rows, columns: Sequence[str], wanted: Wanted) -> Iterator[bytes]:
    """Yields the header, then each record."""
    batch = rows.batch
    records = _valid_records(rows.store, batch)
    header = next(records, None)
    if header is not None and _names(header, batch) != tuple(columns):
        raise Corrupt(f"{VALID} of batch {batch.batch_id} has other columns than the batch")
    end = "\r\n" if header is None or header.endswith(b"\r\n") else "\n"
    yield header or csv_line(columns, batch.delimiter, end)
    resolved = _resolved(rows, columns, wanted, end)
    if not wanted.valid:
        yield from (record for _, record in resolved)
    elif wanted.original_order:
        yield from (record for _, record in merge(_numbered(rows, records), resolved, key=_number))
    else:
        yield from chain(map(_ended, records), (record for _, record in resolved))


def _number(numbered: tuple[int, bytes]) -> int:
    return numbered[0]


def _resolved(
    rows: Rows, columns: Sequence[str], wanted: Wanted, end: str
) -> Iterator[tuple[int, bytes]]:
    """The resolved rows that are wanted, by number."""
    batch = rows.batch
    as_they_came = rows.lines.select()
    for number, events in _resolved_events(rows, wanted):
        cells = cells_after(events)
        if cells is None:  # valid as it came, by a newer version
            line = as_they_came.at(number)
            if line is None:
                raise Corrupt(f"row {number} was resolved, and is not in the quarantine")
            cells = dict(record_of(line).cells)
        ordered = [cells.get(column, "") for column in columns]
        yield number, csv_line(ordered, batch.delimiter, end)


def _resolved_events(rows: Rows, wanted: Wanted) -> Iterator[tuple[int, list[Event]]]:
    """What happened to each of the resolved rows that are wanted, by number."""
    for number, events in rows.events.of_rows():
        last = events[-1]
        if last.change.state is State.RESOLVED and wanted.after < last.commit <= wanted.through:
            yield number, events


def _numbered(rows: Rows, records: Iterator[bytes]) -> Iterator[tuple[int, bytes]]:
    """The valid records with their row numbers."""
    quarantined = merge(
        (rows.lines.number_of(line) for _, line in rows.lines.read()),
        (number for number, state in rows.state.states if state.purged),
    )
    coming = next(quarantined, None)
    for number in range(1, rows.batch.total_rows + 1):
        if number == coming:
            coming = next(quarantined, None)
            continue
        record = next(records, None)
        if record is None:
            raise Corrupt(f"{VALID} of batch {rows.batch.batch_id} has too few rows")
        yield number, _ended(record)


def _valid_records(store: BlockingStore, batch: BatchManifest) -> Iterator[bytes]:
    """The records of valid.csv, its header first; nothing where there is no such file."""
    file = batch.file(VALID)
    return iter(()) if file is None else split(store.read(batch.key(file)))


def _names(header: bytes, batch: BatchManifest) -> tuple[str, ...]:
    """As the engine reads them: names count without the blanks around them."""
    line = header.rstrip(b"\r\n")
    return tuple(fastcsv.clean_name(name) for name in cells_of(line, batch.delimiter))


def _ended(record: bytes) -> bytes:
    """The last record of a file may have no line end."""
    return record if record.endswith(b"\n") else record + b"\n"
