"""`steward quarantine export | exports`: rows as a file; the good ones once for each importing service."""

from __future__ import annotations

from collections.abc import Callable
from itertools import islice
from typing import TYPE_CHECKING

import click

from steward_client.command import document
from steward_client.command.ending import Exit
from steward_client.command.names import BATCH, batch_name
from steward_client.command.quarantine.options import (
    Wanted,
    actor_option,
    row_options,
    state_option,
)
from steward_client.command.session import Session, Verb, pass_session
from steward_client.command.text import count, many, moment, size
from steward_client.errors import NotNow, StewardError

if TYPE_CHECKING:
    from steward_client.quarantine.exports import ExportedFile

_NOTHING = "NOTHING_TO_EXPORT"
_VALID = "valid.csv"
_EXAMPLE = """\
steward quarantine export batches/019a… --to rows.csv
steward quarantine export batches/019a… --cursor importer --to new.csv
steward quarantine export batches/019a… --format json --field rating --to rows.tar
steward quarantine export batches/019a…/exports/019b… --to again.csv
"""


@click.command(cls=Verb, example=_EXAMPLE)
@click.argument("name", metavar="BATCH|EXPORT", type=BATCH)
@click.option(
    "--to",
    "path",
    type=click.Path(),
    default=".",
    metavar="PATH",
    help="A file or a folder.  [default: here, under the daemon's name]",
)
@click.option(
    "--format",
    "kind",
    type=click.Choice(["sheet", "csv", "json"]),
    help="sheet: to edit and resubmit; csv: the good rows; json: a tar of a file a row.  "
    "[default: sheet; of an export csv]",
)
@click.option(
    "--cursor",
    metavar="SERVICE",
    help="The good rows that this importing service has not had yet; each row comes once.",
)
@click.option(
    "--with-valid/--without-valid",
    default=None,
    help="csv: also the rows that were valid from the start.  "
    "[default: with --cursor, once, where the batch kept them]",
)
@click.option("--original-order", is_flag=True, help="csv: in the order of the original file.")
@state_option()
@row_options
@click.option("--force", is_flag=True, help="Write over a file that is there.")
@actor_option
@pass_session
def export(
    session: Session,
    name: str,
    path: str,
    kind: str | None,
    cursor: str | None,
    with_valid: bool | None,
    original_order: bool,
    state: str | None,
    wanted: Wanted,
    force: bool,
    actor: str,
) -> int:
    """Write rows to a file, whole or not at all.

    With --cursor, what an interrupted command left is fetched first, by the same command; until it has ended well,
    no later one goes on.
    """
    if cursor is not None:
        if (
            kind not in (None, "csv")
            or state
            or not wanted.is_empty
            or force
            or "/exports/" in name
        ):
            raise click.UsageError(
                "--cursor hands out good rows of a batch as csv, never over another file: "
                "it goes with --to, --with-valid and --original-order only"
            )
        return _next(session, name, cursor, path, with_valid, original_order, actor)
    from steward_client.command import screen

    with session.client() as client, screen.bar("export") as step:
        file = _written(
            lambda: client.export_quarantine(
                name,
                path,
                overwrite=force,
                progress=lambda done: step(done, None, size(done)),
                state=state,
                field=wanted.field,
                keyword=wanted.keyword,
                include_valid=bool(with_valid),
                original_order=original_order,
                format=kind,
            )
        )
    if session.is_json:
        document.emit(file)
        return Exit.DONE
    screen.line(f"{file.path}  {many(file.rows, 'row')}, {size(file.size_bytes)}")
    if kind in (None, "sheet") and "/exports/" not in name and file.rows:
        screen.command("edit it, then:", f"steward quarantine resubmit {file.path}")
    return Exit.DONE


def _next(
    session: Session,
    batch: str,
    cursor: str,
    path: str,
    with_valid: bool | None,
    original_order: bool,
    actor: str,
) -> int:
    from steward_client.command import screen

    with session.client() as client, screen.bar("export") as step:
        found = client.get_batch(batch)
        is_kept = any(each.file == _VALID for each in found.files)
        try:
            file = _written(
                lambda: client.export_next(
                    batch,
                    cursor,
                    path,
                    include_valid=is_kept if with_valid is None else with_valid,
                    original_order=original_order,
                    actor=actor,
                    progress=lambda done: step(done, None, size(done)),
                )
            )
        except NotNow as error:
            if error.reason != _NOTHING:
                raise
            file = None
    if session.is_json:
        document.emit(file or {"path": None, "rows": 0, "export": None})
        return Exit.DONE
    if file is None:
        screen.line(f"nothing is new for {cursor}; no file was written")
        if found.valid_rows and not is_kept:
            screen.line(
                f"the batch did not keep what was valid from the start ({many(found.valid_rows, 'row')}): "
                "to export that too, validate the file again with --valid-out PATH",
                style="yellow",
            )
        return Exit.DONE
    assert file.export is not None
    screen.line(f"{file.path}  {many(file.rows, 'row')}, {size(file.size_bytes)}")
    screen.command("the same again:", f"steward quarantine export {file.export.name} --to FILE")
    return Exit.DONE


def _written(write: Callable[[], ExportedFile]) -> ExportedFile:
    try:
        return write()
    except FileExistsError as error:
        raise StewardError(
            f"{error.filename}: {error.strerror}",
            code="FILE",
            reason="FILE_EXISTS",
            hint="move it away, or name another with --to; without --cursor --force writes over it",
        ) from None


@click.command(
    cls=Verb,
    example="steward quarantine exports batches/019a…\nsteward quarantine exports batches/019a… --cursor importer",
)
@click.argument("batch", metavar="BATCH", type=BATCH)
@click.option("--cursor", metavar="SERVICE", help="Only those of this importing service.")
@click.option(
    "--limit", type=click.IntRange(min=1), default=50, show_default=True, help="At most so many."
)
@pass_session
def exports(session: Session, batch: str, cursor: str | None, limit: int) -> int:
    """List who has had which good rows of a batch."""
    with session.client() as client:
        each_export = client.list_exports(batch, cursor=cursor, page_size=min(limit + 1, 1000))
        found = list(islice(each_export, limit))
        is_all = len(found) < limit or next(each_export, None) is None
    if session.is_json:
        document.emit({"exports": found, "is_all": is_all})
        return Exit.DONE
    from steward_client.command import screen

    if not found:
        screen.line("nothing was exported by a cursor yet")
        screen.command(
            "begin one:", f"steward quarantine export {batch_name(batch)} --cursor SERVICE"
        )
        return Exit.DONE
    screen.table(
        ("Name", "Cursor", "Made", "By", "Resolved", "Valid"),
        [
            (
                each.name,
                each.cursor,
                moment(each.create_time),
                each.actor,
                count(each.resolved_rows),
                count(each.valid_rows),
            )
            for each in found
        ],
        numbers=("Resolved", "Valid"),
    )
    if not is_all:
        screen.line(f"these are the first {count(len(found))}; --limit shows more")
    screen.command("fetch one again:", f"steward quarantine export {found[-1].name} --to FILE")
    return Exit.DONE
