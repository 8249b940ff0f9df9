"""`steward quarantine resubmit FILE`: an edited sheet goes back; its rows are judged again, and move all at once."""

from __future__ import annotations

import shlex
import threading
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING

import click

from steward_client.command import document, resources, screen
from steward_client.command.completing import BATCH, VERSION
from steward_client.command.ending import Exit, Interrupted
from steward_client.command.quarantine.options import actor_option
from steward_client.command.session import Session, Verb, pass_session
from steward_client.command.text import count, many, ranges, size

if TYPE_CHECKING:
    from steward_client.quarantine.resubmission import Resubmitted
    from steward_client.transfer.source import FileSource

_NAMED = 50


@click.command(
    cls=Verb,
    example="steward quarantine resubmit rows.csv --dry-run\nsteward quarantine resubmit rows.csv\n"
    "steward quarantine resubmit rows.csv --schema-version 1.1 --include-unchanged",
)
@click.argument("file", metavar="FILE", type=click.Path(allow_dash=True))
@click.option(
    "--batch",
    metavar="BATCH",
    type=BATCH,
    help="The batch that the sheet corrects.  [default: the one named in the sheet]",
)
@click.option(
    "--schema-version",
    metavar="V",
    type=VERSION,
    help="Judge by this version.  [default: the one that judged each row last]",
)
@click.option("--include-unchanged", is_flag=True, help="Judge rows that were not edited, too.")
@click.option(
    "--accept-damaged",
    is_flag=True,
    help="Accept rows in which a spreadsheet changed other cells, too, as they are in the sheet.",
)
@click.option("--dry-run", is_flag=True, help="Change nothing; show what would change.")
@actor_option
@pass_session
def resubmit(
    session: Session,
    file: str,
    batch: str | None,
    schema_version: str | None,
    include_unchanged: bool,
    accept_damaged: bool,
    dry_run: bool,
    actor: str,
) -> int:
    """Send an edited sheet back. `-` reads stdin. Sending the same sheet again changes nothing.

    Exit code: 0 no row of the batch is open any more, 1 some are (with --dry-run: would be), or were not taken.
    """
    committed = threading.Event()
    with ExitStack() as held:
        client = held.enter_context(session.client())
        batch = None if batch is None else resources.batch(client, batch)
        source: FileSource = file
        whole = None
        if file == "-":
            source = held.enter_context(open(0, "rb", buffering=0, closefd=False))
        elif Path(file).is_file():
            whole = Path(file).stat().st_size
        step = held.enter_context(screen.bar("stdin" if file == "-" else Path(file).name))
        try:
            found = client.resubmit_sheet(
                source,
                batch=batch,
                schema_version=schema_version,
                include_unchanged=include_unchanged,
                accept_damaged=accept_damaged,
                dry_run=dry_run,
                actor=actor,
                progress=lambda done: step(done, whole, size(done)),
                on_commit=committed.set,
            )
        except KeyboardInterrupt:
            raise Interrupted(_interrupted(committed.is_set() and not dry_run)) from None
    code = _code(found, dry_run=dry_run)
    if session.is_json:
        document.emit({**document.shape(found), "dry_run": dry_run})
    else:
        _show(found, file, dry_run=dry_run)
    return code


def _code(found: Resubmitted, *, dry_run: bool) -> int:
    left = found.batch.open_rows - (found.resolved_rows if dry_run else 0)
    is_all = left <= 0 and not (found.invalid_rows or found.conflicting_rows or found.damaged_rows)
    return Exit.DONE if is_all else Exit.FOUND


def _interrupted(maybe: bool) -> str:
    if maybe:
        return "all had been sent, and rows may have changed; send the sheet again: that changes nothing twice"
    return "nothing was changed"


def _show(found: Resubmitted, file: str, *, dry_run: bool) -> None:
    name = found.batch.name
    screen.line(
        f"{file}: {'nothing is changed; of' if dry_run else 'of'} {many(found.total_rows, 'row')}"
    )
    would = "would be " if dry_run else ""
    not_taken = found.conflicting_rows + found.damaged_rows
    screen.facts(
        [
            (f"{would}resolved", count(found.resolved_rows)),
            ("still invalid", count(found.invalid_rows)),
            ("left as they were", count(found.unchanged_rows)),
            ("not taken", count(not_taken) if not_taken else ""),
            ("open in the batch", count(found.batch.open_rows)),
        ],
        indent=2,
    )
    if found.conflicts:
        more = found.conflicting_rows - len(found.conflicts[:_NAMED])
        rest = f" and {count(more)} more" if more else ""
        screen.line(
            "not taken, for they are closed, or were changed or purged meanwhile: "
            f"rows {ranges(found.conflicts[:_NAMED])}{rest}",
            style="yellow",
            indent=2,
        )
    _show_damaged(found)
    if dry_run:
        screen.command("do it:", f"steward quarantine resubmit {shlex.quote(file)}")
    elif found.batch.open_rows:
        screen.command("what is wrong:", f"steward quarantine show {name} --state open")
        screen.command("a new sheet:  ", f"steward quarantine export {name} --to FILE")
    if found.batch.resolved_rows and not dry_run:
        screen.command(
            "hand them on: ", f"steward quarantine export {name} --cursor SERVICE --to FILE"
        )


def _show_damaged(found: Resubmitted) -> None:
    """Names the cells that a spreadsheet has damaged, and what to do about them."""
    from steward_client.command import screen

    if not found.damaged_rows:
        return
    cells = found.damaged_cells[:_NAMED]
    screen.line(
        f"not taken, for the spreadsheet changed cells that had nothing wrong: {many(found.damaged_rows, 'row')}",
        style="yellow",
        indent=2,
    )
    for each in cells:
        screen.line(
            f"row {count(each.row_number)}, line {count(each.line_number)}, {each.column}: {each.damage}",
            indent=4,
        )
    if len(found.damaged_cells) > len(cells):
        screen.line("and more; --output json has up to 1,000 of them", indent=4)
    screen.line(
        "open the sheet with every column as text (docs/guides/spreadsheet.md), or put these cells back; "
        "--accept-damaged takes them as they are",
        indent=2,
    )
