"""`steward quarantine correct | discard`: one row put right, or rows given up."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import click

from steward_client.command import document, resources, screen
from steward_client.command.completing import BATCH, ROW, VERSION
from steward_client.command.ending import Exit
from steward_client.command.names import MAX_ROWS, row_name, row_numbers
from steward_client.command.quarantine.options import actor_option
from steward_client.command.session import Session, Verb, pass_session
from steward_client.command.text import count, many, verb

_EXAMPLE = """\
steward quarantine correct batches/019a… 12 rating=0.7
steward quarantine correct batches/019a…/rows/12 rating=0.7 completed_at=
echo '{"participant_email": "ana@example.org"}' | steward quarantine correct batches/019a… 12 --cells -
steward quarantine correct batches/019a… 12 --payload corrected.json
"""


@click.command(cls=Verb, example=_EXAMPLE)
@click.argument("batch", metavar="BATCH", type=BATCH)
@click.argument("words", nargs=-1, metavar="ROW [COLUMN=VALUE]...", type=ROW)
@click.option(
    "--cells",
    "cells_file",
    type=click.Path(allow_dash=True),
    metavar="FILE",
    help="A file with the cells as a JSON object; - is stdin. Keeps personal data out of the process list.",
)
@click.option(
    "--payload",
    "payload_file",
    type=click.Path(allow_dash=True),
    metavar="FILE",
    help="The corrected payload as JSON, for a row that is a payload; - is stdin.",
)
@click.option(
    "--schema-version",
    metavar="V",
    type=VERSION,
    help="Judge the row by this version, not by the one that judged it last.",
)
@click.option(
    "--etag",
    default="",
    metavar="ETAG",
    help="Correct the row only if its etag, as `quarantine show` gave it, is still this.",
)
@actor_option
@pass_session
def correct(
    session: Session,
    batch: str,
    words: tuple[str, ...],
    cells_file: str | None,
    payload_file: str | None,
    schema_version: str | None,
    etag: str,
    actor: str,
) -> int:
    """Change cells of one row, or a payload. It is judged again at once.

    The cells that are not named stay as they are. A payload is given as a whole.

    Exit code: 0 it is resolved, 1 it is still open.
    """
    name, assignments = row_name(batch, words)
    cells = {**_from_file(cells_file), **_assigned(assignments)}
    if payload_file is not None:
        if cells:
            raise click.UsageError("--payload gives the whole payload: no cells go with it")
        from steward_client.quarantine.rows import PAYLOAD

        cells = {PAYLOAD: _text_of(payload_file)}
    if not cells:
        raise click.UsageError(
            "name the cells that change: COLUMN=VALUE, or --cells FILE; of a payload, --payload FILE"
        )
    with session.client() as client:
        name = resources.row(client, name)
        row = client.correct_row(name, cells, schema_version=schema_version, etag=etag, actor=actor)
    code = Exit.DONE if row.state == "resolved" else Exit.FOUND
    if session.is_json:
        document.emit(row)
        return code
    from steward_client.command.quarantine.row import show_row

    show_row(row)
    return code


def _assigned(words: tuple[str, ...]) -> dict[str, str]:
    cells: dict[str, str] = {}
    for word in words:
        column, separator, value = word.partition("=")
        if not separator or not column:
            # The word itself may be a cell's value, and stays unsaid.
            raise click.UsageError("a cell is given as COLUMN=VALUE, with nothing around the =")
        if column in cells:
            raise click.UsageError(f"the column {column} is given twice")
        cells[column] = value
    return cells


def _from_file(name: str | None) -> dict[str, str]:
    if name is None:
        return {}
    text = _text_of(name)
    try:
        found = json.loads(text)
    except ValueError:
        found = None
    if not isinstance(found, dict) or not all(isinstance(each, str) for each in found.values()):
        raise click.UsageError(
            f'--cells {name} is no JSON object of texts, such as {{"rating": "0.7"}}'
        )
    return found


def _text_of(name: str) -> str:
    return sys.stdin.read() if name == "-" else Path(name).read_text(encoding="utf-8")


@click.command(
    cls=Verb,
    example="steward quarantine discard batches/019a… 12 --reason 'sent twice'\n"
    "steward quarantine discard batches/019a… 3 17-25 --reason 'test data'",
)
@click.argument("batch", metavar="BATCH", type=BATCH)
@click.argument("words", nargs=-1, required=True, metavar="ROW...", type=ROW)
@click.option("--reason", required=True, metavar="TEXT", help="Why; kept in the history.")
@actor_option
@pass_session
def discard(session: Session, batch: str, words: tuple[str, ...], reason: str, actor: str) -> int:
    """Discard rows for good: all that are named, or none."""
    numbers = row_numbers(words)
    if len(numbers) > MAX_ROWS:
        raise click.UsageError(f"at most {MAX_ROWS:,} rows at once: give them in parts")
    with session.client() as client:
        batch = resources.batch(client, batch)
        found = client.discard_rows(batch, numbers, reason=reason, actor=actor)
    if session.is_json:
        document.emit(found)
        return Exit.DONE
    already = f", {count(found.unchanged_rows)} had been before" if found.unchanged_rows else ""
    screen.line(f"{many(found.discarded_rows, 'row')} discarded{already}")
    left = found.batch.open_rows
    screen.line(f"{many(left, 'row')} of {batch} {verb(left, 'is', 'are')} open")
    return Exit.DONE
