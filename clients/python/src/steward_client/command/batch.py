"""`steward batch list | show | download`."""

from __future__ import annotations

import os
import shlex
from functools import partial
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING

import click

from steward_client.command import document, resources, screen, stdout
from steward_client.command.completing import BATCH, BATCH_FILE
from steward_client.command.ending import Exit, Interrupted, file_exists
from steward_client.command.session import Noun, Session, Verb, pass_session
from steward_client.command.text import count, moment, short_name, size

if TYPE_CHECKING:
    from steward_client.client import Client
    from steward_client.validation.batches import BatchFile


@click.group(cls=Noun, example="steward batch download batches/019a… errors.csv")
def batch() -> None:
    """Show validated files, and download their results."""


@batch.command("list", cls=Verb, example="steward batch list --limit 10")
@click.option(
    "--limit",
    type=click.IntRange(min=1),
    default=50,
    show_default=True,
    help="Show at most this many.",
)
@pass_session
def list_(session: Session, limit: int) -> int:
    """List the batches, newest first."""
    with session.client() as client:
        batches = list(islice(client.list_batches(page_size=min(limit, 1000)), limit))
    if session.is_json:
        document.emit({"batches": batches})
        return Exit.DONE
    if not batches:
        screen.line("nothing has been validated yet")
        screen.command("begin with:", "steward validate FILE")
        return Exit.DONE
    screen.table(
        ("Batch", "File", "Type", "Rows", "Quarantined", "Published"),
        [
            (
                each.name,
                each.source_file,
                short_name(each.schema),
                count(each.total_rows),
                count(each.quarantined_rows),
                moment(each.create_time),
            )
            for each in batches
        ],
        numbers=("Rows", "Quarantined"),
        names=("Batch",),
        values=("File",),
    )
    return Exit.DONE


@batch.command(cls=Verb, example="steward batch show batches/019a…")
@click.argument("name", metavar="BATCH", type=BATCH)
@pass_session
def show(session: Session, name: str) -> int:
    """Show the report of a batch."""
    with session.client() as client:
        found = client.get_batch(resources.batch(client, name))
    if session.is_json:
        document.emit(found)
        return Exit.DONE
    from steward_client.command import report

    report.show(found, found.source_file or found.name)
    screen.gap()
    screen.table(
        ("File", "Size"),
        [(each.file, size(each.size_bytes)) for each in found.files],
        numbers=("Size",),
        names=("File",),
        indent=2,
    )
    screen.gap()
    report.show_next(found)
    return Exit.DONE


_DOWNLOADS = """\
steward batch download batches/019a…
steward batch download latest errors.csv --to reports/
steward batch download latest valid.csv --to - | head
"""


@batch.command(cls=Verb, example=_DOWNLOADS)
@click.argument("name", metavar="BATCH", type=BATCH)
@click.argument("files", nargs=-1, metavar="[FILE]...", type=BATCH_FILE)
@click.option(
    "--to",
    "path",
    type=click.Path(allow_dash=True),
    default=".",
    metavar="PATH",
    help="A folder; for one FILE also a file's path, or - for stdout.  [default: the current folder]",
)
@click.option("--force", is_flag=True, help="Overwrite existing files.")
@pass_session
def download(session: Session, name: str, files: tuple[str, ...], path: str, force: bool) -> int:
    """Download the files of a batch: those that are named, or all. A file appears only when it is complete and checked.

    An interrupted download continues where it stopped when the command is repeated.
    """
    if path == stdout.STDOUT:
        if len(files) != 1:
            raise click.UsageError("--to - takes one FILE: name it")
        stdout.take_stdout(session, "--to")
    with session.client() as client:
        found = client.get_batch(resources.batch(client, name))
        wanted = [found.file(file) for file in files] if files else list(found.files)
        if path == stdout.STDOUT:
            with stdout.gathered() as target:
                client.download_batch_file(wanted[0].name, target)
            return Exit.DONE
        targets = _targets(path, [Path(file.file).name for file in wanted], force=force)
        for number, (file, target) in enumerate(zip(wanted, targets, strict=True)):
            try:
                _fetch(client, file, target, force=force)
            except KeyboardInterrupt:
                left = [each.file for each in wanted[number:]]
                raise _interrupted(found.name, left, target, force=force) from None
            if not session.is_json:
                screen.line(f"{target}  {size(file.size_bytes)}")
    if session.is_json:
        document.emit(
            {
                "batch": found.name,
                "files": [
                    {"name": file.name, "path": str(target), "size_bytes": file.size_bytes}
                    for file, target in zip(wanted, targets, strict=True)
                ],
            }
        )
    return Exit.DONE


def _targets(path: str, files: list[str], *, force: bool) -> list[Path]:
    """Returns where each file goes. Raises UsageError, StewardError where one is there, before anything is fetched."""
    from steward_client.transfer.part_file import check_free

    place = Path(path)
    if len(files) == 1 and not place.is_dir() and not path.endswith(os.sep):
        place.parent.mkdir(parents=True, exist_ok=True)
        targets = [place]
    elif place.exists() and not place.is_dir():
        raise click.UsageError(f"--to {path} is a file; several files need a folder")
    else:
        place.mkdir(parents=True, exist_ok=True)
        targets = [place / file for file in files]
    for target in targets if not force else ():
        try:
            check_free(target)
        except FileExistsError as error:
            raise file_exists(error) from None
    return targets


def _fetch(client: Client, file: BatchFile, target: Path, *, force: bool) -> None:
    try:
        with screen.bar(file.file) as step:
            client.download_batch_file(
                file.name, target, progress=partial(step, words=""), overwrite=force
            )
    except FileExistsError as error:
        raise file_exists(error) from None


def _interrupted(name: str, left: list[str], target: Path, *, force: bool) -> Interrupted:
    """Returns what is told of an interrupted download: the command that goes on with it and with the files after it."""
    place = str(target) if len(left) == 1 else str(target.parent)
    again = ["steward", "batch", "download", name, *left, "--to", place]
    return Interrupted(
        f"what came of {left[0]} is kept beside {target}; this goes on there",
        shlex.join([*again, "--force"] if force else again),
    )
