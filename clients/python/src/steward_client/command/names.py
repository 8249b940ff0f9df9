"""Names of batches and rows on the command line, and what completes them in a shell."""

from __future__ import annotations

import click
from click.shell_completion import CompletionItem

from steward_client.command.session import Session
from steward_client.errors import StewardError

_SHOWN = 20
_PATIENCE_S = 1.0
_ROWS = "/rows/"
MAX_ROWS = 10_000


class BatchName(click.ParamType[str]):
    """A batch, in full (`batches/…`) or by its id alone. A shell is offered the newest ones."""

    name = "batch"

    def shell_complete(
        self,
        ctx: click.Context,
        param: click.Parameter,  # noqa: ARG002 - click gives it
        incomplete: str,
    ) -> list[CompletionItem]:
        """Returns the newest batches, or nothing when no daemon answers at once."""
        from itertools import islice

        session = ctx.find_object(Session) or Session()
        session.timeout_s = _PATIENCE_S
        try:
            with session.client() as client:
                found = list(islice(client.list_batches(page_size=_SHOWN), _SHOWN))
        except StewardError:
            return []
        return [
            CompletionItem(each.name, help=each.source_file)
            for each in found
            if each.name.startswith(incomplete)
        ]


BATCH = BatchName()


def batch_name(text: str) -> str:
    """Returns the full name.

    >>> batch_name("0193"), batch_name("batches/0193")
    ('batches/0193', 'batches/0193')
    """
    return text if text.startswith("batches/") else f"batches/{text}"


def row_name(batch: str, rest: tuple[str, ...]) -> tuple[str, tuple[str, ...]]:
    """Returns the name of a row that is given in full, or as batch and number, and what follows it.

    >>> row_name("batches/0193/rows/7", ("rating=1",))
    ('batches/0193/rows/7', ('rating=1',))
    >>> row_name("0193", ("7", "rating=1"))
    ('batches/0193/rows/7', ('rating=1',))
    """
    if _ROWS in batch:
        return batch_name(batch), rest
    if not rest or not _is_number(rest[0]):
        raise click.UsageError(f"name the row: its number after {batch}, or batches/…/rows/NUMBER")
    return f"{batch_name(batch)}{_ROWS}{int(rest[0])}", rest[1:]


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
