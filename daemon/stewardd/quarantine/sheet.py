"""rows.csv: the sheet in which people put rows right. Writing it, and reading what a spreadsheet made of it.

Its leading columns say which batch, which row, in which state, and what is wrong; then come the columns of the original
file. A cell that a spreadsheet would take for a formula gets an apostrophe, and so does one that begins with one, as in
errors.csv; reading takes one apostrophe away. Spreadsheets change line ends, delimiter, quoting and byte-order mark,
add empty rows and columns, and let people add columns of their own and move them: none of that matters here. What could
be read in two ways is refused by its line or column, and never guessed at: a row number with a thousands separator, a
quote that goes wrong, a column that stands twice.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
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
# A line by which Excel is told the delimiter, and which it does not show.
_NAMED_DELIMITER = re.compile(r'"?sep=([,;\t|])"?[\r\n]*', re.IGNORECASE)
_OWN = "Steward "  # before the name of a leading column whose own name is taken


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


def leading(columns: Sequence[str]) -> tuple[str, ...]:
    """The names of the leading columns before those of a file: such as none of its columns has, in any case of letters.

    A name goes one `Steward ` further than the file does, so that the longest of a kind is always ours.
    """
    return tuple(
        _OWN * max((_kin(name, each) for each in columns), default=0) + name for name in LEADING
    )


def _kin(name: str, column: str) -> int:
    """0 for a column that could not be taken for a leading one, 1 for its namesake, 2 with one `Steward ` before it."""
    folded = column.strip().casefold()
    if not folded.endswith(name.casefold()):
        return 0
    before = folded.removesuffix(name.casefold())
    times = len(before) // len(_OWN)
    return times + 1 if before == _OWN.casefold() * times else 0


def header(columns: Sequence[str]) -> bytes:
    """The first line of a sheet."""
    return BYTE_ORDER_MARK + csv_line([*leading(columns), *(guarded(column) for column in columns)])


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
    """A sheet that came back, in a file. For threads. InputRefused where it is none.

    Without `columns`, which only its batch can tell, it has no cells.
    """

    def __init__(
        self, path: Path, columns: Sequence[str], *, max_rows: int, max_cell_characters: int
    ) -> None:
        self._path = path
        self._columns = columns
        self._max_rows = max_rows
        # The reader's own bound holds for the whole process, and nothing else in it reads by the csv module. An
        # apostrophe may have come to the longest cell; the leading ones have a bound of their own.
        csv.field_size_limit(max(max_cell_characters + 1, _CELL_CHARACTERS))

    def rows(self) -> Iterator[SheetRow]:
        """Its rows, as they stand in it. InputRefused; Exhausted for too many."""
        delimiter, named = self._delimiter()
        try:
            with self._path.open(encoding=_encoding(self._path), newline="") as text:
                if named:
                    text.readline()
                yield from self._rows(_records(text, delimiter))
        except UnicodeError:
            raise _not_text() from None

    def batch(self) -> str:
        """The batch that its first row with one names; empty where none is named. InputRefused without rows."""
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
        """The delimiter, and whether a line of its own names it; else the first line has the leading columns by it."""
        try:
            with self._path.open(encoding=_encoding(self._path), newline="") as text:
                first = text.readline(1 << 20)
        except UnicodeError:
            raise _not_text() from None
        named = _NAMED_DELIMITER.fullmatch(first)
        if named:
            return named[1], True
        for delimiter in _DELIMITERS:
            if any(_kin(ROW, name) for name in next(csv.reader([first], delimiter=delimiter), [])):
                return delimiter, False
        raise _no_row_column(ROW)

    def _rows(self, records: Iterator[tuple[int, list[str]]]) -> Iterator[SheetRow]:
        names = [name.strip() for name in next(records, (1, []))[1]]
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
        """Where each column stands: the leading ones under `lead:`, those of the file under `cell:`."""
        places: dict[str, int] = {}
        lead = leading(self._columns) if self._columns else _leading_in(names)
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
    """The records with their numbers, from 1, as a spreadsheet numbers them. InputRefused for a quote that goes wrong.

    Strict, since a quote that never closes would make one cell of all the rows behind it.
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
    """The names of the leading columns, of those in a header: the longest of each kind."""
    return tuple(
        max((each for each in names if _kin(name, each)), key=len, default=name) for name in LEADING
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
