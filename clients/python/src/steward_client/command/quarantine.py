"""`steward quarantine show BATCH`: the rows that did not pass, and why."""

from __future__ import annotations

from itertools import islice

import click

from steward_client.command import document
from steward_client.command.ending import Exit
from steward_client.command.session import Noun, Session, Verb, pass_session
from steward_client.command.text import count

_LONGEST = 60
_FEW = 20


@click.group(cls=Noun, example="steward quarantine show batches/019a… --limit 5")
def quarantine() -> None:
    """See the rows that did not pass."""


@quarantine.command(
    cls=Verb,
    example="steward quarantine show batches/019a… --limit 5\n"
    "steward quarantine show batches/019a… --output json | jq .violations",
)
@click.argument("batch", metavar="BATCH")
@click.option(
    "--limit",
    type=click.IntRange(min=1),
    metavar="N",
    help="At most so many rows.  [default: 20; with --output json all]",
)
@pass_session
def show(session: Session, batch: str, limit: int | None) -> int:
    """Show quarantined rows in the order of the file: a line per error, or with --output json a document per row."""
    with session.client() as client:
        if session.is_json:
            for row in islice(
                client.quarantined_rows(batch, page_size=min(limit or 1000, 1000)), limit
            ):
                document.emit_line(row)
            return Exit.DONE
        limit = limit or _FEW
        rows = client.quarantined_rows(batch, page_size=min(limit + 1, 1000))
        shown = list(islice(rows, limit))
        is_all = next(rows, None) is None
    from steward_client.command import screen

    if not shown:
        screen.line("no row is in quarantine")
        return Exit.DONE
    screen.table(
        ("Row", "Line", "Field", "Rule", "Value", "What is wrong"),
        [
            (
                count(row.row_number) if index == 0 else "",
                count(row.line_number) if index == 0 else "",
                violation.field,
                violation.keyword,
                _cut(violation.value),
                violation.message,
            )
            for row in shown
            for index, violation in enumerate(row.violations)
        ],
        numbers=("Row", "Line"),
    )
    if not is_all:
        screen.line(f"these are the first {count(len(shown))}")
        screen.command("all of them:", f"steward batch download {batch} errors.csv")
    return Exit.DONE


def _cut(value: str | None) -> str:
    if value is None:
        return ""
    return value if len(value) <= _LONGEST else f"{value[: _LONGEST - 1]}…"
