"""`steward quarantine show BATCH [ROW]`: the rows that did not pass, and why; or one row with its history."""

from __future__ import annotations

from itertools import islice

import click

from steward_client.command import document, resources, screen
from steward_client.command.completing import BATCH, ROW
from steward_client.command.ending import Exit
from steward_client.command.names import row_name
from steward_client.command.quarantine.options import Wanted, row_options, state_option
from steward_client.command.quarantine.table import show_rows
from steward_client.command.session import Session, Verb, pass_session
from steward_client.command.text import count

_FEW = 20
_EXAMPLE = """\
steward quarantine show batches/019a… --limit 5
steward quarantine show batches/019a… --state open --field rating
steward quarantine show batches/019a… 12
steward quarantine show batches/019a… --output json | jq .violations
"""


@click.command(cls=Verb, example=_EXAMPLE)
@click.argument("batch", metavar="BATCH", type=BATCH)
@click.argument("row", metavar="[ROW]", type=ROW, required=False)
@state_option()
@row_options
@click.option(
    "--limit",
    type=click.IntRange(min=1),
    metavar="N",
    help="Show at most this many rows.  [default: 20; with --output json all]",
)
@pass_session
def show(
    session: Session,
    batch: str,
    row: str | None,
    wanted: Wanted,
    state: str | None,
    limit: int | None,
) -> int:
    """Show quarantined rows and their errors.

    In the order of the file, a line per error; with --output json a document per row.

    With the number of a ROW: that row, with its cells and its history.
    """
    if row is not None or "/rows/" in batch:
        name, rest = row_name(batch, () if row is None else (row,))
        if rest or state or limit or not wanted.is_empty:
            raise click.UsageError("a single row takes no further words and no filter")
        return _one(session, name)
    with session.client() as client:
        batch = resources.batch(client, batch)
        rows = client.quarantined_rows(
            batch,
            state=state,
            field=wanted.field,
            keyword=wanted.keyword,
            page_size=min((limit or (999 if session.is_json else _FEW)) + 1, 1000),
        )
        if session.is_json:
            for each in islice(rows, limit):
                document.emit_line(each)
            return Exit.DONE
        shown = list(islice(rows, limit or _FEW))
        is_all = len(shown) < (limit or _FEW) or next(rows, None) is None
    if not shown:
        is_filtered = state or not wanted.is_empty
        screen.line("no row fits the filter" if is_filtered else "no row is in quarantine")
        return Exit.DONE
    show_rows(shown, with_batch=False)
    if not is_all:
        screen.line(f"these are the first {count(len(shown))}")
        screen.command("all of them:   ", f"steward batch download {batch} errors.csv")
    screen.command("put them right:", f"steward quarantine export {batch} --to rows.csv")
    return Exit.DONE


def _one(session: Session, name: str) -> int:
    with session.client() as client:
        row = client.get_quarantined_row(resources.row(client, name))
    if session.is_json:
        document.emit(row)
        return Exit.DONE
    from steward_client.command.quarantine.row import show_row

    show_row(row)
    return Exit.DONE
