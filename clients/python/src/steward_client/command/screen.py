"""Tables, lines and progress bars; every word passes `plain`, so that none of it steers the terminal.

Nothing is broken but texts, and these at words. Where nobody watches, a table is as wide as it must be, and nothing has
a colour or moves.
"""

from __future__ import annotations

import contextlib
import shlex
import sys
from collections.abc import Iterable, Iterator, Sequence
from typing import TextIO

from steward_client.command import terminal
from steward_client.command.layout import Layout, TableColumn, fitted
from steward_client.command.resources import is_name, shortened
from steward_client.command.session import current
from steward_client.command.terminal import OnStep
from steward_client.command.text import plain

STYLES = {
    "healthy": "green",
    "degraded": "yellow",
    "down": "bold red",
    "unknown": "yellow",
    "done": "green",
    "failed": "bold red",
    "cancelled": "yellow",
    "running": "cyan",
    "open": "yellow",
    "resolved": "green",
    "discarded": "dim",
    "closed": "green",
    "half-open": "yellow",
    "forced open": "bold red",
    "up": "green",
    "full": "yellow",
    "refusing": "bold red",
    "away": "bold red",
}
_BESIDE = 6
_NARROW = 60


def out() -> TextIO:
    """Returns where people read: stdout, or stderr where stdout takes a file's bytes."""
    return sys.stderr if current().is_stdout_taken else sys.stdout


def gap() -> None:
    """Prints an empty line."""
    out().write("\n")


def line(text: str, *, style: str = "", indent: int = 0) -> None:
    """Prints a line, broken at words below its own indent."""
    for each in terminal.wrapped(plain(text), terminal.width(out()) - indent):
        _write(" " * indent + _painted(each, style))


def verbatim(text: str) -> None:
    """Prints a text as it is, where a file takes it; where somebody reads it, nothing in it steers the terminal."""
    if not sys.stdout.isatty():
        sys.stdout.write(text)
        return
    for each in text.splitlines():
        sys.stdout.write(f"{plain(each.expandtabs(4))}\n")


def command(words: str, text: str) -> None:
    """Prints what to do next: a few words and the command, which is never broken, so that it can be copied.

    It goes to the daemon that this command was told to speak with.
    """
    server = current().server_option
    text = plain(text if server is None else f"{text} --server {shlex.quote(server)}")
    start, wide = f"  {plain(words)}", terminal.width(out())
    if terminal.columns_of(start) + 1 + terminal.columns_of(text) <= wide:
        _write(f"{_painted(start, 'dim')} {_painted(text, 'bold')}")
        return
    for each in terminal.wrapped(plain(words).strip(), wide - 2):
        _write(_painted(f"  {each}", "dim"))
    _write(_painted(text, "bold"))


def table(
    columns: Sequence[str],
    rows: Iterable[Sequence[str]],
    *,
    numbers: Sequence[str] = (),
    names: Sequence[str] = (),
    values: Sequence[str] = (),
    optional: Sequence[str] = (),
    states: str = "",
    indent: int = 0,
) -> None:
    """Prints a table.

    By their titles: `numbers` are set to the right; `names` are kept whole, or shortened to prefixes that are unique
    among them; `values` may be cut at their end; `optional` may be left out; `states` is coloured by its word.
    """
    made = [
        TableColumn(
            plain(title),
            "number" if title in numbers else "name" if title in names else "value" if title in values else "text",
            title in optional,
            bool(title) and title == states,
        )
        for title in columns
    ]  # fmt: skip
    cells = [[plain(cell) for cell in row] for row in rows]
    wide = terminal.width(out()) - indent
    layout = fitted(made, cells, wide)
    if layout is None or _is_crowded(layout, made, cells):
        _shorten(made, cells)
        layout = fitted(made, cells, wide)
    if layout is None:
        _list(made, cells, indent)
        return
    for each in _lines(made, cells, layout):
        _write(" " * indent + each)


def counts(
    titles: Sequence[str], tables: Sequence[Sequence[tuple[str, str]]], *, indent: int = 0
) -> None:
    """Prints names and their numbers, one table beside the other, or below it where the screen is narrow."""
    wide = terminal.width(out()) - indent
    widths, blocks = [], []
    for title, rows in zip(titles, tables, strict=True):
        columns = [TableColumn(title, "name"), TableColumn("Errors", "number")]
        cells = [[plain(name), number] for name, number in rows]
        layout = fitted(columns, cells, terminal.WIDE)
        assert layout is not None
        widths.append(sum(layout.widths) + layout.gap)
        blocks.append(_lines(columns, cells, layout))
    if sum(widths) + _BESIDE * (len(widths) - 1) > wide:
        for place, (title, rows) in enumerate(zip(titles, tables, strict=True)):
            if place:
                gap()
            table((title, "Errors"), rows, numbers=("Errors",), names=(title,), indent=indent)
        return
    for number in range(max(map(len, blocks))):
        parts = [block[number] if number < len(block) else "" for block in blocks]
        padded = (
            part + " " * (wide_ + _BESIDE - _visible(part))
            for part, wide_ in zip(parts, widths, strict=True)
        )
        _write(" " * indent + "".join(padded).rstrip())


def bar_width() -> int:
    """Returns how wide a bar in a table may be."""
    wide = terminal.width(out())
    return 20 if wide >= 100 else 10 if wide >= _NARROW else 6


def block() -> str:
    """Returns what a bar in a table is made of: `#` where the output cannot show better."""
    return "█" if _can_show("█") else "#"


def facts(pairs: Iterable[tuple[str, str]], *, indent: int = 0) -> None:
    """Prints names and what they are, one below the other; those that are empty are left out."""
    there = [(plain(name), plain(value)) for name, value in pairs if value]
    label = max((terminal.columns_of(name) for name, _ in there), default=0)
    wide = terminal.width(out()) - indent
    for name, value in there:
        room = wide - label - 2
        if terminal.longest_word(value) > room:
            _write(" " * indent + _painted(name, "dim"))
            for each in terminal.wrapped(value, wide - 2):
                _write(" " * (indent + 2) + each)
            continue
        start = _painted(name, "dim") + " " * (label - terminal.columns_of(name) + 2)
        for each in terminal.wrapped(value, room):
            _write(" " * indent + start + each)
            start = " " * (label + 2)


@contextlib.contextmanager
def bar(title: str) -> Iterator[OnStep]:
    """Shows a bar on stderr while the work goes on, if stderr is a terminal; it leaves nothing behind."""
    import os

    if not sys.stderr.isatty() or os.environ.get("TERM") == "dumb":
        yield lambda done, whole, words: None  # noqa: ARG005 - the names are how it is called
        return
    from steward_client.command.progress import shown

    with shown(plain(title)) as step:
        yield step


def _write(text: str) -> None:
    out().write(f"{text.rstrip()}\n")


def _painted(text: str, style: str) -> str:
    coloured = terminal.is_coloured(out(), current().color)
    return terminal.painted(text, style, is_coloured=coloured)


def _visible(text: str) -> int:
    """Returns the columns of a header, which may be bold, or of a line of a table of counts."""
    return terminal.columns_of(text.replace("\x1b[1m", "").replace("\x1b[0m", ""))


def _can_show(text: str) -> bool:
    try:
        text.encode(getattr(out(), "encoding", None) or "ascii")
    except (UnicodeEncodeError, LookupError):
        return False
    return True


def _is_crowded(
    layout: Layout, columns: Sequence[TableColumn], cells: Sequence[Sequence[str]]
) -> bool:
    """Whether a column is missing, or a cell takes more than one line or is cut: a shorter name may make room."""
    return len(layout.places) < len(columns) or any(
        terminal.columns_of(row[place]) > wide
        for row in cells
        for place, wide in zip(layout.places, layout.widths, strict=True)
    )


def _shorten(columns: Sequence[TableColumn], cells: list[list[str]]) -> None:
    """Shortens names: to bare prefixes in a column of names, with their collection elsewhere."""
    for place, column in enumerate(columns):
        names = [row[place] for row in cells if is_name(row[place])]
        short = shortened(names)
        for row in cells:
            name = row[place]
            if name in short:
                start = "" if column.kind == "name" else f"{name.partition('/')[0]}/"
                row[place] = f"{start}{short[name]}"


def _lines(
    columns: Sequence[TableColumn], cells: Sequence[Sequence[str]], layout: Layout
) -> list[str]:
    shown = [columns[place] for place in layout.places]
    between = " " * layout.gap
    whole = sum(layout.widths) + layout.gap * (len(layout.widths) - 1)
    lines = _row(shown, [each.title for each in shown], layout, between, style="bold")
    lines.append(("─" if _can_show("─") else "-") * whole)
    for row in cells:
        lines += _row(shown, [row[place] for place in layout.places], layout, between)
    return lines


def _row(
    columns: Sequence[TableColumn],
    cells: Sequence[str],
    layout: Layout,
    between: str,
    style: str = "",
) -> list[str]:
    parts = [
        [terminal.cropped(cell, wide)] if column.kind == "value" else terminal.wrapped(cell, wide)
        for column, cell, wide in zip(columns, cells, layout.widths, strict=True)
    ]
    lines = []
    for number in range(max(map(len, parts))):
        written = []
        for column, part, wide in zip(columns, parts, layout.widths, strict=True):
            text = part[number] if number < len(part) else ""
            blanks = " " * (wide - terminal.columns_of(text))
            look = style or (STYLES.get(text, "") if column.is_state else "")
            painted = _painted(text, look)
            written.append(blanks + painted if column.kind == "number" else painted + blanks)
        lines.append(between.join(written).rstrip())
    return lines


def _list(columns: Sequence[TableColumn], cells: Sequence[Sequence[str]], indent: int) -> None:
    for number, row in enumerate(cells):
        if number:
            gap()
        facts(
            [(column.title, cell) for column, cell in zip(columns, row, strict=True)], indent=indent
        )
