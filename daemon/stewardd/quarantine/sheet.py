"""rows.csv: the sheet in which people put rows right. Writing it, and reading what a spreadsheet made of it.

Its leading columns say which batch, which row, in which state, and what is wrong; then come the columns of the original
file. A cell that a spreadsheet would take for a formula gets an apostrophe, and so does one that begins with one, as in
errors.csv; reading takes one apostrophe away. Spreadsheets change line ends, delimiter, quoting and byte-order mark,
add empty rows and columns, and let people add columns of their own and move them: none of that matters here.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from stewardd.errors import Exhausted, InputRefused
from stewardd.quarantine.csv_records import csv_line, guarded, unguarded
from stewardd.quarantine.rows import Row

BATCH, ROW, ETAG, ERRORS, RAW = LEADING = ("Batch", "Row Number", "Etag", "Errors", "Raw Row")
# Excel takes a file for UTF-8 only by this.
BYTE_ORDER_MARK = b"\xef\xbb\xbf"
_CELL_CHARACTERS = 32_766  # what a spreadsheet holds in a cell, with room for the apostrophe
# Decimals are no other number; what a thousands separator may stand in is not guessed at: 1,000 is not row 1.
_NUMBER = re.compile(r"([0-9]{1,18})(?:[.,]0{1,2})?")
_ETAG = re.compile(r"[ax][0-9]+s[0-9]d([0-9a-f]{12})")
_DELIMITERS = ",;\t"


@dataclass(frozen=True, slots=True)
class SheetRow:
    """A row of a sheet that came back. `etag` is empty where the column is."""

    line: int
    batch: str
    number: int
    etag: str
    cells: dict[str, str]

    @property
    def exported_digest(self) -> str:
        """What `Row.digest_of` gave for the cells that the row was exported with; empty where that is not known."""
        match = _ETAG.fullmatch(self.etag)
        return match[1] if match else ""


def header(columns: Sequence[str]) -> bytes:
    """The first line of a sheet."""
    return BYTE_ORDER_MARK + csv_line([*LEADING, *(guarded(column) for column in columns)])


def line_of(row: Row, columns: Sequence[str]) -> bytes:
    """A row's line. The raw row stands in it where the cells may not be all of it."""
    cells = row.cells
    errors = "; ".join(f"{each.field}: {each.message}" for each in row.violations)
    raw = ""
    if row.corrected is None and any(each.field == "_row" for each in row.record.violations):
        raw = row.record.raw_row.decode(errors="replace")
    leading = [
        f"batches/{row.batch_id}",
        str(row.number),
        row.etag,
        guarded(errors)[:_CELL_CHARACTERS],
        guarded(raw)[:_CELL_CHARACTERS],
    ]
    return csv_line([*leading, *(guarded(cells.get(column, "")) for column in columns)])


class Sheet:
    """A sheet that came back, in a file. For threads. InputRefused where it is none."""

    def __init__(
        self, path: Path, columns: Sequence[str], *, max_rows: int, max_cell_characters: int
    ) -> None:
        self._path = path
        self._columns = columns
        self._max_rows = max_rows
        # The reader's own bound holds for the whole process; it is only ever as large as the setting.
        csv.field_size_limit(max_cell_characters)

    def rows(self) -> Iterator[SheetRow]:
        """Its rows, as they stand in it. InputRefused; Exhausted for too many."""
        try:
            with self._path.open(encoding=_encoding(self._path), newline="") as text:
                yield from self._rows(csv.reader(text, delimiter=self._delimiter()))
        except UnicodeError:
            raise InputRefused(
                "the sheet is not UTF-8", hint="save it as CSV UTF-8, not as plain CSV"
            ) from None
        except csv.Error as error:
            raise InputRefused(f"the sheet cannot be read: {error}") from None

    def batch(self) -> str:
        """The batch that its first row names; empty where none is named."""
        first = next(self.rows(), None)
        return "" if first is None else first.batch

    def _delimiter(self) -> str:
        """The delimiter by which the first line has the columns that lead."""
        with self._path.open(encoding=_encoding(self._path), newline="") as text:
            first = text.readline(1 << 20)
        for delimiter in _DELIMITERS:
            if ROW in next(csv.reader([first], delimiter=delimiter), []):
                return delimiter
        raise InputRefused(
            f"the first line has no column {ROW!r}",
            hint="send the sheet that `steward quarantine export` wrote, with its leading columns",
        )

    def _rows(self, reader: Iterator[list[str]]) -> Iterator[SheetRow]:
        places = self._places([name.strip() for name in next(reader, [])])
        found = 0
        for line, cells in enumerate(reader, start=2):
            if not any(cells):
                continue
            found += 1
            if found > self._max_rows:
                raise Exhausted(
                    f"the sheet has more than {self._max_rows} rows",
                    hint="split it, or raise `quarantine.max_sheet_rows`",
                )
            yield self._row(line, cells, places)

    def _places(self, names: Sequence[str]) -> Mapping[str, int]:
        """Where each column stands: the leading ones under ("lead", name), by their first occurrence."""
        places: dict[str, int] = {}
        taken = set()
        for name in LEADING:
            if name in names:
                place = names.index(name)
                places[f"lead:{name}"] = place
                taken.add(place)
        for place, name in enumerate(names):
            if place not in taken and unguarded(name) in self._columns:
                places.setdefault(f"cell:{unguarded(name)}", place)
        missing = [name for name in self._columns if f"cell:{name}" not in places]
        if missing:
            raise InputRefused(
                f"the sheet lacks the columns {', '.join(missing[:10])}",
                hint="keep the columns of the original file, under their names",
            )
        return places

    def _row(self, line: int, cells: list[str], places: Mapping[str, int]) -> SheetRow:
        def cell(name: str) -> str:
            place = places.get(name)
            return cells[place] if place is not None and place < len(cells) else ""

        number = _NUMBER.fullmatch(cell(f"lead:{ROW}").strip())
        if number is None or int(number[1]) < 1:
            raise InputRefused(
                f"line {line} of the sheet has no row number",
                hint=f"leave the column {ROW!r} as it was exported, a plain number without separators",
            )
        return SheetRow(
            line=line,
            batch=cell(f"lead:{BATCH}").strip().removeprefix("batches/"),
            number=int(number[1]),
            etag=cell(f"lead:{ETAG}").strip(),
            cells={name: unguarded(cell(f"cell:{name}")) for name in self._columns},
        )


def _encoding(path: Path) -> str:
    with path.open("rb") as file:
        head = file.read(3)
    if head.startswith((b"\xff\xfe", b"\xfe\xff")):
        return "utf-16"
    return "utf-8-sig" if head == BYTE_ORDER_MARK else "utf-8"
