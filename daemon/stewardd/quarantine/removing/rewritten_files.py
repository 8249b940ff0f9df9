"""Writes the new files of a batch: every line of its records, errors, valid rows and history, as the rules say.

errors.csv is copied; only the lines of changed rows are made anew. All files are in ascending order of rows.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Self

import google_crc32c

from stewardd.quarantine.files.csv_records import csv_line, guarded, split
from stewardd.quarantine.files.record_files import valid_file, valid_name
from stewardd.quarantine.files.records import RECORDS
from stewardd.quarantine.files.valid_records import valid_records
from stewardd.quarantine.finding.rows import BatchRows
from stewardd.quarantine.log.changes import write_event_line
from stewardd.quarantine.log.events import HISTORY
from stewardd.quarantine.removing.rewrite_rules import RewriteResult, RewriteRules

ERRORS = "errors.csv"


@dataclass(frozen=True, slots=True)
class NewFile:
    """A file that was written, with its size and checksum."""

    name: str
    path: Path
    size_bytes: int
    crc32c: int


def write_files(
    rows: BatchRows, folder: Path, rules: RewriteRules
) -> tuple[list[NewFile], RewriteResult]:
    """Writes the new files of a batch into a folder. For worker threads. Raises: OSError, Corrupt."""
    rules.start(rows, folder)
    changed = array("Q")
    with _FileWriter(folder, RECORDS) as records, _FileWriter(folder, HISTORY) as history:
        events = rows.events.in_row_order()
        for _, line in rows.lines.read():
            number = rows.lines.number_of(line)
            new_line, new_events = rules.rewrite_row(number, line, events.at(number))
            if new_line is not None:
                records.write(new_line)
            if new_line != line:
                changed.append(number)
            for event in new_events:
                history.write(write_event_line(event))
    files = [records.file, *([history.file] if history.file.size_bytes else [])]
    if rows.batch.file(ERRORS) is not None:
        files.append(_write_errors(rows, folder, changed, folder / RECORDS))
    if valid_file(rows.batch) is not None:
        with _FileWriter(folder, valid_name(rows.batch)) as valid:
            for record in valid_records(rows.store, rows.batch):
                valid.write(rules.rewrite_valid_record(record))
        files.append(valid.file)
    return files, rules.finish()


def _write_errors(rows: BatchRows, folder: Path, changed: array[int], records: Path) -> NewFile:
    """errors.csv with new lines for changed rows, and without lines for removed rows."""
    file = rows.batch.file(ERRORS)
    assert file is not None
    old = split(rows.store.read(rows.batch.key(file)))
    with _FileWriter(folder, ERRORS) as out, records.open("rb") as lines:
        out.write(next(old, b""))
        pending = iter(changed)
        next_changed = next(pending, None)
        rewritten = 0
        for record in old:
            number = int(record[: record.find(b",")])
            while next_changed is not None and next_changed < number:
                next_changed = next(pending, None)
            if next_changed == number:
                # The first old line of a changed row: all its new lines are written here, its other old ones skipped.
                for line in _error_lines(rows, lines, number):
                    out.write(line)
                next_changed, rewritten = next(pending, None), number
            elif number != rewritten:
                out.write(record)
    return out.file


def _error_lines(rows: BatchRows, lines: IO[bytes], number: int) -> Iterator[bytes]:
    """The lines of errors.csv for a row. `lines` are the new records, read up to a row before it."""
    for line in lines:
        found = rows.lines.number_of(line)
        if found == number:
            record = rows.record(line)
            when = record.quarantine_time.strftime("%Y-%m-%dT%H:%M:%SZ")
            for each in record.violations:
                cells = [str(number), each.field, each.message, each.value or "", when]
                yield csv_line([guarded(cell) for cell in cells])
            return
        if found > number:
            lines.seek(-len(line), 1)
            return


class _FileWriter:
    """Writes a file, and computes its size and checksum."""

    def __init__(self, folder: Path, name: str) -> None:
        self._name = name
        self._path = folder / name
        self._size_bytes = 0
        self._crc32c = google_crc32c.Checksum()

    def __enter__(self) -> Self:
        self._file = self._path.open("wb")
        return self

    def __exit__(self, *error: object) -> None:
        self._file.close()

    def write(self, data: bytes) -> None:
        self._file.write(data)
        self._crc32c.update(data)
        self._size_bytes += len(data)

    @property
    def file(self) -> NewFile:
        crc32c = int.from_bytes(self._crc32c.digest(), "big")
        return NewFile(self._name, self._path, self._size_bytes, crc32c)
