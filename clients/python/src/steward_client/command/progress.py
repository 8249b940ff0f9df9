"""The progress bar, through rich, on a terminal only. It leaves nothing behind."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Iterator

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeElapsedColumn

from steward_client.command import terminal
from steward_client.command.session import current
from steward_client.command.terminal import OnStep
from steward_client.command.text import plain

_WIDE = 80
_NUMBERS = 17
"""What percentage, time and the blanks between take."""


@contextlib.contextmanager
def shown(title: str) -> Iterator[OnStep]:
    """Shows a bar on stderr. On a narrow screen it has no words, and below that no title."""
    wide = terminal.width(sys.stderr)
    bar_width, title_width = max(6, min(40, wide // 8)), max(8, wide // 5)
    columns = [BarColumn(bar_width=bar_width), TaskProgressColumn()]
    if wide >= _WIDE // 2:
        columns = [TextColumn("{task.description}", markup=False), *columns, TimeElapsedColumn()]
    if wide >= _WIDE:
        columns.append(TextColumn("{task.fields[words]}", markup=False))
    console = Console(
        file=sys.stderr,
        width=wide,
        highlight=False,
        markup=False,
        emoji=False,
        no_color=not terminal.is_coloured(sys.stderr, current().color),
    )
    title = terminal.cropped(title, title_width)
    with Progress(*columns, console=console, transient=True) as progress:
        task = progress.add_task(title, total=None, words="")

        def step(done: int, whole: int | None, words: str) -> None:
            completed = done if whole is None else min(done, whole)
            room = max(1, wide - bar_width - title_width - _NUMBERS)
            progress.update(
                task, completed=completed, total=whole, words=terminal.cropped(plain(words), room)
            )

        yield step
