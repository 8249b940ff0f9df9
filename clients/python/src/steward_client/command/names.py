"""Rows on the command line: one by its name or by batch and number, several by numbers and ranges."""

from __future__ import annotations

import click

ROWS = "/rows/"
MAX_ROWS = 10_000


def row_name(batch: str, rest: tuple[str, ...]) -> tuple[str, tuple[str, ...]]:
    """Returns the name of a row that is given in full, or as batch and number, and what follows it.

    >>> row_name("batches/0193/rows/7", ("rating=1",))
    ('batches/0193/rows/7', ('rating=1',))
    >>> row_name("0193", ("7", "rating=1"))
    ('0193/rows/7', ('rating=1',))
    """
    if ROWS in batch:
        number = batch.rpartition(ROWS)[2]
        if not _is_number(number):
            raise click.UsageError(f"{number or 'nothing'} is no row number, such as 12")
        return batch, rest
    if not rest or not _is_number(rest[0]):
        raise click.UsageError(f"name the row: its number after {batch}, or batches/…/rows/NUMBER")
    return f"{batch}{ROWS}{int(rest[0])}", rest[1:]


def row_numbers(words: tuple[str, ...]) -> list[int]:
    """Returns the numbers that are meant by numbers and ranges.

    >>> row_numbers(("3", "7-9"))
    [3, 7, 8, 9]
    """
    found: set[int] = set()
    for word in words:
        first, _, last = word.partition("-")
        if not _is_number(first) or (last and not _is_number(last)) or word.endswith("-"):
            raise click.UsageError(f"{word} is no row number and no range such as 7-9")
        bounds = int(first), int(last or first)
        if bounds[1] - bounds[0] >= MAX_ROWS or len(found) > MAX_ROWS:
            raise click.UsageError(f"at most {MAX_ROWS:,} rows at once: give them in parts")
        found.update(range(bounds[0], bounds[1] + 1))
    return sorted(found)


def _is_number(word: str) -> bool:
    return word.isascii() and word.isdigit() and 0 < int(word) < 1 << 63
