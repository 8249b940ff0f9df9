"""`steward quarantine export | exports`: rows as a file; the good ones once for each importing service."""

from __future__ import annotations

import shlex
from collections.abc import Callable
from contextlib import ExitStack
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING

import click

from steward_client.command import document, resources, screen, stdout
from steward_client.command.completing import BATCH, BATCH_OR_EXPORT, CURSOR
from steward_client.command.ending import Exit, Interrupted, file_exists
from steward_client.command.quarantine.options import (
    Wanted,
    actor_option,
    row_options,
    state_option,
)
from steward_client.command.session import Session, Verb, pass_session
from steward_client.command.text import count, many, moment, size
from steward_client.errors import NotNow

if TYPE_CHECKING:
    from steward_client.quarantine.exports import ExportedFile

_NOTHING = "NOTHING_TO_EXPORT"
_VALID = ("valid.csv", "valid.jsonl")
_EXAMPLE = """\
steward quarantine export batches/019a… --to rows.csv
steward quarantine export batches/019a… --cursor importer --to new.csv
steward quarantine export batches/019a… --format json --field rating --to rows.tar
steward quarantine export latest/exports/latest --to again.csv
steward quarantine export latest --format csv --to - | head
"""


@click.command(cls=Verb, example=_EXAMPLE)
@click.argument("name", metavar="BATCH|EXPORT", type=BATCH_OR_EXPORT)
@click.option(
    "--to",
    "path",
    type=click.Path(allow_dash=True),
    default=".",
    metavar="PATH",
    help="A file, a folder, or - for stdout.  [default: the current folder, under the daemon's name]",
)
@click.option(
    "--format",
    "kind",
    type=click.Choice(["sheet", "csv", "json"]),
    help="sheet: to edit and resubmit; csv: the good rows; json: a tar archive with one file for each row.  "
    "[default: sheet; of an export csv]",
)
@click.option(
    "--cursor",
    metavar="SERVICE",
    type=CURSOR,
    help="Export the good rows that this importing service has not received yet; each row once.",
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
@click.option("--force", is_flag=True, help="Overwrite an existing file.")
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
    """Export rows to a file. The file appears only when it is complete.

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
    if path == stdout.STDOUT:
        stdout.take_stdout(session, "--to")
    with session.client() as client, ExitStack() as held:
        name = resources.batch_or_export(client, name)
        is_stdout = path == stdout.STDOUT
        target = held.enter_context(stdout.gathered()) if is_stdout else path
        step = held.enter_context(screen.bar("export"))
        file = _written(
            lambda: client.export_quarantine(
                name,
                target,
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
    if is_stdout:
        return Exit.DONE
    screen.line(f"{file.path}  {many(file.rows, 'row')}, {size(file.size_bytes)}")
    if kind in (None, "sheet") and "/exports/" not in name and file.rows:
        screen.command("edit it, then:", f"steward quarantine resubmit {shlex.quote(file.path)}")
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
    is_stdout = path == stdout.STDOUT
    if is_stdout:
        stdout.take_stdout(session, "--to")
    with session.client() as client, screen.bar("export") as step:
        batch = resources.batch(client, batch)
        found = client.get_batch(batch)
        is_kept = any(each.file in _VALID for each in found.files)
        target = _kept_for_stdout(batch, cursor) if is_stdout else Path(path)
        if is_stdout and target.exists():
            return _hand_out(
                target
            )  # of a command that was interrupted before all of it was written
        try:
            file = _written(
                lambda: client.export_next(
                    batch,
                    cursor,
                    target,
                    include_valid=with_valid,
                    original_order=original_order,
                    actor=actor,
                    progress=lambda done: step(done, None, size(done)),
                ),
                "move it away once it is imported, or name another place with --to",
            )
        except KeyboardInterrupt:
            raise Interrupted(
                "the same command again fetches these rows; none is passed over"
            ) from None
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
    if is_stdout:
        return _hand_out(target)
    assert file.export is not None
    screen.line(f"{file.path}  {many(file.rows, 'row')}, {size(file.size_bytes)}")
    screen.command("the same again:", f"steward quarantine export {file.export.name} --to FILE")
    return Exit.DONE


def _kept_for_stdout(batch: str, cursor: str) -> Path:
    """Returns the file, in the current folder, that holds rows of a cursor until stdout has had all of them."""
    return Path(f".{batch.rpartition('/')[2]}.{Path(cursor).name}.stdout")


def _hand_out(path: Path) -> int:
    stdout.send(path)
    path.unlink()
    return Exit.DONE


def _written(write: Callable[[], ExportedFile], hint: str = "") -> ExportedFile:
    try:
        return write()
    except FileExistsError as error:
        told = file_exists(error)
        told.hint = hint or told.hint
        raise told from None


@click.command(
    cls=Verb,
    example="steward quarantine exports batches/019a…\nsteward quarantine exports batches/019a… --cursor importer",
)
@click.argument("batch", metavar="BATCH", type=BATCH)
@click.option(
    "--cursor", metavar="SERVICE", type=CURSOR, help="Only exports for this importing service."
)
@click.option(
    "--limit",
    type=click.IntRange(min=1),
    default=50,
    show_default=True,
    help="Show at most this many.",
)
@pass_session
def exports(session: Session, batch: str, cursor: str | None, limit: int) -> int:
    """List the exports of a batch: which service received which good rows."""
    with session.client() as client:
        batch = resources.batch(client, batch)
        each_export = client.list_exports(batch, cursor=cursor, page_size=min(limit + 1, 1000))
        found = list(islice(each_export, limit))
        is_all = len(found) < limit or next(each_export, None) is None
    if session.is_json:
        document.emit({"exports": found, "is_all": is_all})
        return Exit.DONE
    if not found:
        screen.line("nothing was exported by a cursor yet")
        screen.command("begin one:", f"steward quarantine export {batch} --cursor SERVICE")
        return Exit.DONE
    screen.table(
        ("Export", "Cursor", "Made", "By", "Resolved", "Valid"),
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
        names=("Export", "Cursor"),
        optional=("By", "Valid"),
    )
    if not is_all:
        screen.line(f"these are the first {count(len(found))}; --limit shows more")
    screen.command("fetch one again:", f"steward quarantine export {found[-1].name} --to FILE")
    return Exit.DONE
