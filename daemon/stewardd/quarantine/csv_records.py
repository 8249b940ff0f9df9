"""Records of RFC 4180: written, guarded against spreadsheets, and told apart in a stream of bytes.

Records are taken apart without the csv module, whose bound on the length of a cell is one for the whole process. A line
ends with a line feed, a carriage return or both, as for the engine.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Iterable, Iterator, Sequence
from io import StringIO

_GUARDED = ("=", "+", "-", "@", "\t", "\r", "'")


_LINE_END = re.compile(rb"\r\n?|\n")


def guarded(text: str) -> str:
    """A cell that no spreadsheet runs."""
    return "'" + text if text.startswith(_GUARDED) else text


def unguarded(text: str) -> str:
    """The cell that `guarded` was given."""
    return text.removeprefix("'")


def csv_line(cells: Sequence[str], delimiter: str = ",", end: str = "\r\n") -> bytes:
    """A record of RFC 4180, quoted where it must be."""
    text = StringIO()
    # The writer quotes only those line ends that stand in its own: whatever `end` is, it is asked for both.
    csv.writer(text, delimiter=delimiter, lineterminator="\r\n").writerow(cells)
    return (text.getvalue().removesuffix("\r\n") + end).encode(errors="replace")


def split(chunks: Iterable[bytes]) -> Iterator[bytes]:
    """The records of a file that is well formed, each with its line end: one ends with a line whose quotes are even."""
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


def _line_end(held: bytearray, begin: int) -> int:
    """Where the line ends, behind its end; -1 where that has not come: a carriage return may be half of one."""
    found = _LINE_END.search(held, begin)
    if found is None or (found.end() == len(held) and held.endswith(b"\r")):
        return -1
    return found.end()


def cells_of(record: bytes, delimiter: str = ",") -> list[str]:
    """The cells of one record, however long they are. What stands behind a closing quote stays in its cell."""
    text = record.decode(errors="replace").removesuffix("\n").removesuffix("\r")
    if not text:
        return []
    apart = re.escape(delimiter)
    # Possessive, as a cell of megabytes would else leave a way back at every quote.
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
