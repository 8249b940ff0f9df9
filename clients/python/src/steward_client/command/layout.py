"""How a table fits into a width: pure decisions, made for the whole table before a line of it is written.

Names and numbers keep their width. Names are first shortened to unique prefixes, then texts are broken at words, then
optional columns are left out. What fits in no such way is no table: each row is written as a list then.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from steward_client.command.terminal import columns_of, longest_word

_COMFORTABLE = 24
_CROPPED = 12
_GAPS = (3, 2)


@dataclass(frozen=True, slots=True)
class TableColumn:
    """One column: `kind` is text (broken at words), number, name (kept whole), or value (cut at its end)."""

    title: str
    kind: str = "text"
    is_optional: bool = False
    """It is left out where there is no room for it, the last such column first."""
    is_state: bool = False


@dataclass(frozen=True, slots=True)
class Layout:
    """Which columns a table shows, how wide each, and the blanks between two."""

    places: tuple[int, ...]
    widths: tuple[int, ...]
    gap: int


def fitted(
    columns: Sequence[TableColumn], rows: Sequence[Sequence[str]], wide: int
) -> Layout | None:
    """Returns how a table fits into so many columns; None where it does not."""
    places = list(range(len(columns)))
    optional = [place for place in places if columns[place].is_optional]
    while True:
        sizes = [_sizes(columns[place], [row[place] for row in rows]) for place in places]
        found = _spread(places, sizes, wide)
        if found is not None:
            return found
        if not optional:
            break
        places.remove(optional.pop())
    narrow = [replace(each, comfortable=each.narrowest) for each in sizes]
    return _spread(places, narrow, wide)


@dataclass(frozen=True, slots=True)
class _Size:
    natural: int
    comfortable: int
    narrowest: int


def _sizes(column: TableColumn, cells: Sequence[str]) -> _Size:
    widest = max((columns_of(cell) for cell in cells), default=0)
    natural = max(widest, columns_of(column.title))
    title = longest_word(column.title)
    if column.kind == "value":
        cut = max(min(widest, _CROPPED), title)
        return _Size(natural, cut, cut)
    if column.kind != "text":
        return _Size(natural, max(widest, title), max(widest, title))
    narrowest = max(title, *(longest_word(cell) for cell in cells), 0)
    # What is short (a time, a type with its version) reads well on two lines; a sentence wants some width.
    comfortable = narrowest if natural <= _COMFORTABLE else max(narrowest, _COMFORTABLE)
    return _Size(natural, comfortable, narrowest)


def _spread(places: Sequence[int], sizes: Sequence[_Size], wide: int) -> Layout | None:
    for gap in _GAPS:
        if sum(each.natural for each in sizes) + gap * (len(sizes) - 1) <= wide:
            return Layout(tuple(places), tuple(each.natural for each in sizes), gap)
    gap = _GAPS[-1]
    widths = [each.comfortable for each in sizes]
    left = wide - sum(widths) - gap * (len(sizes) - 1)
    if left < 0:
        return None
    # What is left goes to those that want the least more: so as many as possible need no second line.
    wanting = sorted(range(len(sizes)), key=lambda place: sizes[place].natural - widths[place])
    for place in wanting:
        more = min(left, max(0, sizes[place].natural - widths[place]))
        widths[place] += more
        left -= more
    return Layout(tuple(places), tuple(widths), gap)
