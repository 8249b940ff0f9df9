"""Reading rows.csv, the sheet in which people correct rows, as a spreadsheet has saved it.

Spreadsheets change line ends, delimiter, quotes and byte-order mark and add empty rows and columns; people add columns
of their own and move columns. All that is accepted. What could be read in two ways is refused, by its line or column:
a row number with a thousands separator, a quote that never closes, a column that stands twice. One apostrophe before a
cell is removed (exporting/sheet_writer.py writes it).
"""

from __future__ import annotations

import csv
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import fastcsv
from stewardd.errors import Exhausted, InputRefused
from stewardd.quarantine.files.csv_records import unguarded
from stewardd.quarantine.files.sheet_layout import (
    BATCH,
    BYTE_ORDER_MARK,
    CELL_CHARACTERS,
    ETAG,
    LEADING,
    ROW,
    leading_columns,
    prefixes_of,
)

# Decimals of zeros are accepted. A thousands separator is not: 1,000 must not be read as row 1.
_NUMBER = re.compile(r"([0-9]{1,18})(?:[.,]0{1,2})?")
_ETAG = re.compile(r"[ax][0-9]+s[0-9]d([0-9a-f]{12})")
_DELIMITERS = ",;\t"
# A first line that names the delimiter for Excel, which does not show it.
_NAMED_DELIMITER = re.compile(r'"?sep=([,;\t|])"?[\r\n]*', re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class SheetRow:
    """A row of a sheet. `etag` is empty where its cell is."""

    line: int
    batch: str
    number: int
    etag: str
    cells: dict[str, str]

    @property
    def exported_digest(self) -> str:
        """The hash (`Row.digest_of`) of the cells that were exported. Empty where the etag does not tell it."""
        match = _ETAG.fullmatch(self.etag)
        return match[1] if match else ""


class Sheet:
    """A sheet in a file. For worker threads. Its methods raise InputRefused where the file is no sheet.

    Without `columns`, which only its batch knows, its rows have no cells.
    """

    def __init__(
        self, path: Path, columns: Sequence[str], *, max_rows: int, max_cell_characters: int
    ) -> None:
        self._path = path
        self._columns = columns
        self._max_rows = max_rows
        # The limit of the csv module holds for the whole process, and only sheets are read by it. The longest cell may
        # have got an apostrophe; the leading columns have a limit of their own.
        csv.field_size_limit(max(max_cell_characters + 1, CELL_CHARACTERS))

    def rows(self) -> Iterator[SheetRow]:
        """The rows in the order of the sheet. Raises: InputRefused; Exhausted for too many rows."""
        delimiter, named = self._delimiter()
        try:
            with self._path.open(encoding=_encoding(self._path), newline="") as text:
                if named:
                    text.readline()
                yield from self._rows(_records(text, delimiter))
        except UnicodeError:
            raise _not_text() from None

    def batch(self) -> str:
        """The batch that the first rows name. Empty where no row names one. Raises: InputRefused, also without rows."""
        row = None
        for row in self.rows():
            if row.batch:
                return row.batch
        if row is None:
            raise InputRefused(
                "the sheet has no rows", hint="send it with rows, or name the batch in the request"
            )
        return ""

    def _delimiter(self) -> tuple[str, bool]:
        """The delimiter, and whether a line of its own names it. Else it is the one that the first line is split by."""
        try:
            with self._path.open(encoding=_encoding(self._path), newline="") as text:
                first = text.readline(1 << 20)
        except UnicodeError:
            raise _not_text() from None
        named = _NAMED_DELIMITER.fullmatch(first)
        if named:
            return named[1], True
        for delimiter in _DELIMITERS:
            if any(
                prefixes_of(ROW, name)
                for name in next(csv.reader([first], delimiter=delimiter), [])
            ):
                return delimiter, False
        raise _no_row_column(ROW)

    def _rows(self, records: Iterator[tuple[int, list[str]]]) -> Iterator[SheetRow]:
        names = [fastcsv.clean_name(name) for name in next(records, (1, []))[1]]
        places = self._places(names)
        found = 0
        for line, cells in records:
            if not any(cells):
                continue
            found += 1
            if found > self._max_rows:
                raise Exhausted(
                    f"the sheet has more than {self._max_rows} rows",
                    hint="split it, or raise `quarantine.max_sheet_rows`",
                )
            if any(cells[len(names) :]):
                raise InputRefused(
                    f"line {line} of the sheet has more cells than its header",
                    hint="put a cell that holds the delimiter into quotes, and give columns of your own a name",
                )
            yield self._row(line, cells, places)

    def _places(self, names: Sequence[str]) -> Mapping[str, int]:
        """The place of each column, by `lead:` and a leading name or by `cell:` and a name of the file."""
        places: dict[str, int] = {}
        lead = leading_columns(self._columns) if self._columns else _leading_in(names)
        wanted = dict(zip(lead, (f"lead:{name}" for name in LEADING), strict=True))
        for place, name in enumerate(names):
            key = wanted.get(name)
            if key is None and unguarded(name) in self._columns:
                key = f"cell:{unguarded(name)}"
            if key in places:
                raise InputRefused(
                    f"the sheet has the column {name!r} twice",
                    hint="take one of them out, or give it another name",
                )
            if key is not None:
                places[key] = place
        if f"lead:{ROW}" not in places:
            raise _no_row_column(lead[LEADING.index(ROW)])
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


def _records(text: Iterable[str], delimiter: str) -> Iterator[tuple[int, list[str]]]:
    """The records with their numbers, from 1, as a spreadsheet numbers them. Raises: InputRefused for a wrong quote.

    It reads strictly: else a quote that never closes would swallow all rows behind it into one cell.
    """
    reader = csv.reader(text, delimiter=delimiter, strict=True)
    line = 0
    try:
        for line, cells in enumerate(reader, start=1):
            yield line, cells
    except csv.Error as error:
        raise InputRefused(
            f"line {line + 1} of the sheet cannot be read: {error}",
            hint="close each quote, and double those inside a quoted cell; "
            "no cell may be longer than `validation.max_field_bytes`",
        ) from None


def _leading_in(names: Sequence[str]) -> tuple[str, ...]:
    """The names of the leading columns in a header: the longest of each kind."""
    return tuple(
        max((each for each in names if prefixes_of(name, each)), key=len, default=name)
        for name in LEADING
    )


def _no_row_column(name: str) -> InputRefused:
    return InputRefused(
        f"the first line has no column {name!r}",
        hint="send the sheet that `steward quarantine export` wrote, with its leading columns",
    )


def _not_text() -> InputRefused:
    return InputRefused("the sheet is not UTF-8", hint="save it as CSV UTF-8, not as plain CSV")


def _encoding(path: Path) -> str:
    with path.open("rb") as file:
        head = file.read(3)
    if head.startswith((b"\xff\xfe", b"\xfe\xff")):
        return "utf-16"
    return "utf-8-sig" if head == BYTE_ORDER_MARK else "utf-8"
