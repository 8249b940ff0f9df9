"""Records of RFC 4180: written, guarded against spreadsheets, and told apart in a stream of bytes."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Iterator, Sequence
from io import StringIO

_GUARDED = ("=", "+", "-", "@", "\t", "\r", "'")


def guarded(text: str) -> str:
    """A cell that no spreadsheet runs."""
    return "'" + text if text.startswith(_GUARDED) else text


def unguarded(text: str) -> str:
    """The cell that `guarded` was given."""
    return text.removeprefix("'")


def csv_line(cells: Sequence[str], delimiter: str = ",", end: str = "\r\n") -> bytes:
    """A record of RFC 4180, quoted where it must be."""
    text = StringIO()
    csv.writer(text, delimiter=delimiter, lineterminator=end).writerow(cells)
    return text.getvalue().encode(errors="replace")


def split(chunks: Iterable[bytes]) -> Iterator[bytes]:
    """The records of a file that is well formed, each with its line end: one ends with a line whose quotes are even."""
    held = bytearray()
    quotes = looked_at = 0
    for data in chunks:
        held += data
        begin = 0
        while (end := held.find(b"\n", looked_at)) >= 0:
            quotes += held.count(b'"', looked_at, end)
            looked_at = end + 1
            if quotes % 2 == 0:
                yield bytes(held[begin:looked_at])
                begin, quotes = looked_at, 0
        del held[:begin]
        looked_at -= begin
    if held:
        yield bytes(held)


def cells_of(record: bytes, delimiter: str = ",") -> list[str]:
    """The cells of one record."""
    return next(csv.reader([record.decode(errors="replace")], delimiter=delimiter), [])
