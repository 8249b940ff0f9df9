"""`steward batch list | show | download`."""

from __future__ import annotations

from functools import partial
from itertools import islice

import click

from steward_client.command import document
from steward_client.command.ending import Exit
from steward_client.command.names import BATCH
from steward_client.command.session import Noun, Session, Verb, pass_session
from steward_client.command.text import count, moment, short_name, size


@click.group(cls=Noun, example="steward batch download batches/019a… errors.csv")
def batch() -> None:
    """See the files that were validated, and fetch what came of them."""


@batch.command("list", cls=Verb, example="steward batch list --limit 10")
@click.option(
    "--limit", type=click.IntRange(min=1), default=50, show_default=True, help="At most so many."
)
@pass_session
def list_(session: Session, limit: int) -> int:
    """List the batches, newest first."""
    with session.client() as client:
        batches = list(islice(client.list_batches(page_size=min(limit, 1000)), limit))
    if session.is_json:
        document.emit({"batches": batches})
        return Exit.DONE
    from steward_client.command import screen

    if not batches:
        screen.line("nothing has been validated yet")
        screen.command("begin with:", "steward validate FILE")
        return Exit.DONE
    screen.table(
        ("Name", "File", "Type", "Rows", "Quarantined", "Published"),
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
    )
    return Exit.DONE


@batch.command(cls=Verb, example="steward batch show batches/019a…")
@click.argument("name", metavar="BATCH", type=BATCH)
@pass_session
def show(session: Session, name: str) -> int:
    """Show the report of a batch."""
    with session.client() as client:
        found = client.get_batch(name)
    if session.is_json:
        document.emit(found)
        return Exit.DONE
    from steward_client.command import report, screen

    report.show(found, found.source_file or found.name)
    screen.gap()
    screen.table(
        ("File", "Size"),
        [(each.file, size(each.size_bytes)) for each in found.files],
        numbers=("Size",),
        indent=2,
    )
    screen.gap()
    report.show_next(found)
    return Exit.DONE


@batch.command(
    cls=Verb,
    example="steward batch download batches/019a…\nsteward batch download batches/019a… errors.csv --to reports/",
)
@click.argument("name", metavar="BATCH", type=BATCH)
@click.argument("files", nargs=-1, metavar="[FILE]...")
@click.option(
    "--to",
    "folder",
    type=click.Path(file_okay=False),
    default=".",
    metavar="FOLDER",
    help="Where to.  [default: here]",
)
@pass_session
def download(session: Session, name: str, files: tuple[str, ...], folder: str) -> int:
    """Fetch the files of a batch, all of them where none is named; each appears whole and checked, or not at all.

    A download that was cut goes on where it was when it is asked for again.
    """
    from pathlib import Path

    from steward_client.command import screen

    with session.client() as client:
        found = client.get_batch(name)
        wanted = [found.file(file) for file in files] if files else list(found.files)
        Path(folder).mkdir(parents=True, exist_ok=True)
        paths = []
        for file in wanted:
            with screen.bar(file.file) as step:
                target = Path(folder) / Path(file.file).name
                paths.append(
                    client.download_batch_file(
                        file.name,
                        target,
                        progress=partial(step, words=""),
                    )
                )
            if not session.is_json:
                screen.line(f"{paths[-1]}  {size(file.size_bytes)}")
    if session.is_json:
        document.emit(
            {
                "batch": found.name,
                "files": [
                    {"name": file.name, "path": path, "size_bytes": file.size_bytes}
                    for file, path in zip(wanted, paths, strict=True)
                ],
            }
        )
    return Exit.DONE
