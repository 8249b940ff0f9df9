"""What the terminal is like: how wide, whether it shows colours; and text that is broken at words only.

A word is never broken, and neither is what stands between backticks: it is a command that somebody may copy.
"""

from __future__ import annotations

import os
import re
import unicodedata
from typing import Protocol, TextIO

WIDE = 4096
"""Where nobody watches, nothing is too wide."""
_USUAL = 80
_WORDS = re.compile(r"(?:`[^`]*`|\S)+")
_CODES = {
    "bold": "1", "dim": "2", "red": "31", "green": "32", "yellow": "33", "cyan": "36",
}  # fmt: skip


class OnStep(Protocol):
    """Is called with what is done, what there is to do (None: unknown) and a few words."""

    def __call__(self, done: int, whole: int | None, words: str) -> None:  # noqa: D102
        ...


def width(stream: TextIO) -> int:
    """Returns how many columns a stream has; one that is no terminal has as many as are wanted."""
    if not stream.isatty():
        return WIDE
    try:
        columns = os.get_terminal_size(stream.fileno()).columns
    except (OSError, ValueError):
        columns = 0
    return columns or _USUAL


def is_coloured(stream: TextIO, wanted: str = "auto") -> bool:
    """Whether a stream gets colours: `--color always` or `never` decide, then NO_COLOR, FORCE_COLOR, and TERM=dumb."""
    if wanted != "auto":
        return wanted == "always"
    if os.environ.get("NO_COLOR"):
        return False
    if os.environ.get("FORCE_COLOR"):
        return True
    return stream.isatty() and os.environ.get("TERM") != "dumb"


def painted(text: str, style: str, *, is_coloured: bool) -> str:
    r"""Returns text in a style such as `bold red`; as it is where there are no colours.

    >>> painted("no", "bold red", is_coloured=True)
    '\x1b[1;31mno\x1b[0m'
    """
    if not is_coloured or not style or not text:
        return text
    return f"\x1b[{';'.join(_CODES[each] for each in style.split())}m{text}\x1b[0m"


def columns_of(text: str) -> int:
    r"""Returns how many columns a text takes; an ideograph takes two, what stands above a letter none.

    >>> columns_of("abc"), columns_of("名"), columns_of("e\u0301")
    (3, 2, 1)
    """
    if text.isascii():
        return len(text)
    return sum(
        0 if unicodedata.combining(each) else 2 if unicodedata.east_asian_width(each) in "WF" else 1
        for each in text
    )


def longest_word(text: str) -> int:
    """Returns the columns that the longest word takes, which is as narrow as the text gets.

    >>> longest_word("run `a b` now")
    5
    """
    return max((columns_of(each) for each in _WORDS.findall(text)), default=0)


def wrapped(text: str, wide: int) -> list[str]:
    """Returns the lines of a text, broken at words; a word that is wider stands on a line of its own, whole.

    >>> wrapped("see `steward health` now", 12)
    ['see', '`steward health`', 'now']
    """
    if columns_of(text) <= wide:
        return [text]
    lines: list[str] = []
    for word in _WORDS.findall(text):
        if lines and columns_of(lines[-1]) + 1 + columns_of(word) <= wide:
            lines[-1] += f" {word}"
        else:
            lines.append(word)
    return lines or [""]


def cropped(text: str, wide: int) -> str:
    """Returns the beginning of a text; the last character shows that it goes on.

    >>> cropped("sessions.csv", 5), cropped("a.csv", 5)
    ('sess…', 'a.csv')
    """
    if columns_of(text) <= wide:
        return text
    kept = text
    while kept and columns_of(kept) > wide - 1:
        kept = kept[:-1]
    return f"{kept}…"
