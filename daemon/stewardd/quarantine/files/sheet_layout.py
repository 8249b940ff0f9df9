"""The layout of rows.csv, the sheet in which people correct rows: leading columns, then the columns of the file.

The leading columns say which batch and row a line is, in which state, and what is wrong with it. A file may have a
column of the same name; then the leading column gets `Steward ` before its name.
"""

from __future__ import annotations

from collections.abc import Sequence

import fastcsv

BATCH, ROW, ETAG, ERRORS, RAW = LEADING = ("Batch", "Row Number", "Etag", "Errors", "Raw Row")
# Excel takes a file for UTF-8 only if it begins with this mark.
BYTE_ORDER_MARK = b"\xef\xbb\xbf"
CELL_CHARACTERS = 32_766  # what a spreadsheet holds in a cell, with room for the apostrophe
_OWN = "Steward "  # before the name of a leading column whose own name is taken


def leading_columns(columns: Sequence[str]) -> tuple[str, ...]:
    """The names of the leading columns, each different from every column of the file, whatever the case of letters.

    Where the file has a name with `Steward ` before it, ours gets one `Steward ` more: the longest name of a kind is
    always the leading column's.
    """
    return tuple(
        _OWN * max((prefixes_of(name, each) for each in columns), default=0) + name
        for name in LEADING
    )


def prefixes_of(name: str, column: str) -> int:
    """0 for a column that cannot be taken for the leading one, 1 for its namesake, 2 with one `Steward ` before it."""
    folded = fastcsv.clean_name(column).casefold()
    if not folded.endswith(name.casefold()):
        return 0
    before = folded.removesuffix(name.casefold())
    times = len(before) // len(_OWN)
    return times + 1 if before == _OWN.casefold() * times else 0
