"""Records of RFC 4180: writing them, guarding cells against spreadsheets, and splitting a stream of bytes into records.

Records are not read by the csv module: its limit on the length of a cell holds for the whole process. A line ends with
a line feed, a carriage return or both, as in the engine.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Iterable, Iterator, Sequence
from io import StringIO

_GUARDED = ("=", "+", "-", "@", "\t", "\r", "'")
_LINE_END = re.compile(rb"\r\n?|\n")


def guarded(text: str) -> str:
    """The cell with an apostrophe before it, where a spreadsheet would run it as a formula."""
    return "'" + text if text.startswith(_GUARDED) else text


def unguarded(text: str) -> str:
    """The cell without the apostrophe that `guarded` puts before it."""
    return text.removeprefix("'")


def csv_line(cells: Sequence[str], delimiter: str = ",", end: str = "\r\n") -> bytes:
    """A record of RFC 4180, with quotes where they are needed."""
    text = StringIO()
    # The csv writer quotes only the characters of its own line end. So it gets both, whatever `end` is.
    csv.writer(text, delimiter=delimiter, lineterminator="\r\n").writerow(cells)
    return (text.getvalue().removesuffix("\r\n") + end).encode(errors="replace")


def split(chunks: Iterable[bytes]) -> Iterator[bytes]:
    """The records of a well-formed file, with their line ends. A record ends at a line end outside of quotes."""
    held = bytearray()
    quotes = looked_at = 0
    for data in chunks:
        held += data
        begin = 0
        while (end := _line_end(held, looked_at)) >= 0:
            quotes += held.count(b'"', looked_at, end)
            looked_at = end
            if quotes % 2 == 0:
                yield bytes(held[begin:looked_at])
                begin, quotes = looked_at, 0
        del held[:begin]
        looked_at -= begin
    if held:
        yield bytes(held)


def lines(chunks: Iterable[bytes]) -> Iterator[bytes]:
    """The lines of a file, with their line feeds. The last line may have none."""
    held = b""
    for data in chunks:
        *whole, held = (held + data).split(b"\n")
        for line in whole:
            yield line + b"\n"
    if held:
        yield held


def _line_end(held: bytearray, begin: int) -> int:
    """The place behind the next line end. -1 where it has not come yet: a last carriage return may be half of one."""
    found = _LINE_END.search(held, begin)
    if found is None or (found.end() == len(held) and held.endswith(b"\r")):
        return -1
    return found.end()


def cells_of(record: bytes, delimiter: str = ",") -> list[str]:
    """The cells of a record, of any length. Text behind a closing quote stays in its cell."""
    text = record.decode(errors="replace").removesuffix("\n").removesuffix("\r")
    if not text:
        return []
    apart = re.escape(delimiter)
    # Possessive quantifiers: else a cell of megabytes would keep a backtracking state for every quote.
    cell = re.compile(rf'"([^"]*+(?:""[^"]*+)*+)"([^{apart}]*+)|([^{apart}]*+)')
    cells = []
    at = -1
    while at < len(text):
        found = cell.match(text, at + 1)
        assert found is not None, "the pattern matches nothing as well"
        quoted, rest, plain = found.groups()
        cells.append(plain if quoted is None else quoted.replace('""', '"') + rest)
        at = found.end()
    return cells
