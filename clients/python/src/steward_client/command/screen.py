"""Tables, lines and progress bars, through rich; every word passes `plain` and none is read as markup.

Where nobody watches, a table is as wide as it must be, and nothing has a colour or moves.
"""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Iterable, Iterator, Sequence
from typing import Protocol, TextIO

from rich.box import SIMPLE_HEAD
from rich.console import Console, RenderableType
from rich.padding import Padding
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeElapsedColumn
from rich.table import Table
from rich.text import Text

from steward_client.command.text import plain

_WIDE = 4096

STYLES = {
    "healthy": "green",
    "degraded": "yellow",
    "down": "bold red",
    "unknown": "yellow",
    "done": "green",
    "failed": "bold red",
    "running": "cyan",
    "open": "yellow",
    "resolved": "green",
    "discarded": "dim",
}


class OnStep(Protocol):
    """Is called with what is done, what there is to do (None: unknown) and a few words."""

    def __call__(self, done: int, whole: int | None, words: str) -> None:  # noqa: D102
        ...


def console(stream: TextIO | None = None) -> Console:
    """Returns a console for stdout, or for another stream."""
    stream = stream or sys.stdout
    return Console(
        file=stream,
        highlight=False,
        markup=False,
        emoji=False,
        width=None if stream.isatty() else _WIDE,
    )


def show(what: RenderableType, *, indent: int = 0, is_one_line: bool = False) -> None:
    """Prints to stdout; where nobody watches, without the blanks that fill a table up to its width."""
    target = console()
    with target.capture() as captured:
        target.print(Padding(what, (0, 0, 0, indent), expand=False), soft_wrap=is_one_line)
    words = captured.get()
    if not target.is_terminal:
        words = "".join(f"{each.rstrip()}\n" for each in words.splitlines())
    sys.stdout.write(words)


def gap() -> None:
    """Prints an empty line."""
    sys.stdout.write("\n")


def line(text: str, *, style: str = "", indent: int = 0) -> None:
    """Prints a line, wrapped below its own indent."""
    show(Text(plain(text), style=style), indent=indent)


def command(words: str, text: str) -> None:
    """Prints what to do next: a few words and the command, which is never wrapped, so that it can be copied."""
    show(Text.assemble("  ", (plain(words), "dim"), " ", (plain(text), "bold")), is_one_line=True)


def table(
    columns: Sequence[str],
    rows: Iterable[Sequence[str]],
    *,
    numbers: Sequence[str] = (),
    states: str = "",
    indent: int = 0,
) -> None:
    """Prints a table: `numbers` are the columns set to the right, `states` the one that is coloured by its word."""
    show(_grid(columns, rows, numbers=numbers, states=states), indent=indent)


def counts(
    titles: Sequence[str], tables: Sequence[Sequence[tuple[str, str]]], *, indent: int = 0
) -> None:
    """Prints names and their numbers, one table beside the other."""
    beside = Table.grid(padding=(0, 6))
    beside.add_row(
        *(
            _grid((title, "Errors"), rows, numbers=("Errors",))
            for title, rows in zip(titles, tables, strict=True)
        )
    )
    show(beside, indent=indent)


def block() -> str:
    """Returns what a bar in a table is made of: `#` where the output cannot show better."""
    try:
        "█".encode(getattr(sys.stdout, "encoding", None) or "ascii")
    except (UnicodeEncodeError, LookupError):
        return "#"
    return "█"


def facts(pairs: Iterable[tuple[str, str]], *, indent: int = 0) -> None:
    """Prints names and what they are, one below the other; those that are empty are left out."""
    grid = Table.grid(padding=(0, 2))
    grid.add_column(style="dim", no_wrap=True)
    grid.add_column(overflow="fold")
    for name, value in pairs:
        if value:
            grid.add_row(Text(plain(name)), Text(plain(value)))
    show(grid, indent=indent)


def _grid(
    columns: Sequence[str],
    rows: Iterable[Sequence[str]],
    *,
    numbers: Sequence[str] = (),
    states: str = "",
) -> Table:
    grid = Table(box=SIMPLE_HEAD, pad_edge=False, show_edge=False, header_style="bold")
    for column in columns:
        grid.add_column(
            plain(column), justify="right" if column in numbers else "left", overflow="fold"
        )
    for row in rows:
        grid.add_row(
            *(
                Text(plain(cell), style=STYLES.get(cell, "") if column == states else "")
                for column, cell in zip(columns, row, strict=True)
            )
        )
    return grid


@contextlib.contextmanager
def bar(title: str) -> Iterator[OnStep]:
    """Shows a bar on stderr while the work goes on, if stderr is a terminal; it leaves nothing behind."""
    if not sys.stderr.isatty():
        yield lambda done, whole, words: None  # noqa: ARG005 - the names are how it is called
        return
    columns = (
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        TaskProgressColumn(),
        TextColumn("{task.fields[words]}", markup=False),
        TimeElapsedColumn(),
    )
    with Progress(*columns, console=console(sys.stderr), transient=True) as progress:
        task = progress.add_task(plain(title), total=None, words="")

        def step(done: int, whole: int | None, words: str) -> None:
            completed = done if whole is None else min(done, whole)
            progress.update(task, completed=completed, total=whole, words=plain(words))

        yield step
