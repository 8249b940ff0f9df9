"""`steward validate FILE…`: every file is seen to, whatever became of the others; the worst decides the exit code."""

from __future__ import annotations

import os
from contextlib import ExitStack
from pathlib import Path

import click

from steward_client.command import document, stdout
from steward_client.command.completing import TYPE, VERSION
from steward_client.command.ending import Exit
from steward_client.command.file_validation import FileValidation, Outcome, complain, show_batch
from steward_client.command.session import Session, Verb, pass_session

_DELIMITERS = {"comma": ",", "semicolon": ";", "tab": "\t", "pipe": "|"}
_DELIMITERS |= {"\\t": "\t"} | {each: each for each in _DELIMITERS.values()}

_EXAMPLE = """\
steward validate sessions.csv
steward validate --type language_session --valid-out good.csv sessions.csv
steward validate --valid-out good/ january.csv february.csv
steward validate --valid-out - sessions.csv > good.csv
zcat old.csv.gz | steward validate --source-file old.csv -
steward validate --uri file:///srv/imports/sessions.csv
"""


def _delimiter(_context: click.Context, _option: click.Parameter, value: str | None) -> str | None:
    if value is not None and value not in _DELIMITERS:
        raise click.BadParameter("it is none of , ; | tab (or comma, semicolon, pipe)")
    return None if value is None else _DELIMITERS[value]


@click.command(cls=Verb, example=_EXAMPLE)
@click.argument("files", nargs=-1, required=True, metavar="FILE...", type=click.Path())
@click.option(
    "--type",
    "schema",
    metavar="TYPE",
    type=TYPE,
    help="The type of the rows.  [default: from the header]",
)
@click.option(
    "--schema-version", metavar="V", type=VERSION, help="Its version.  [default: from the header]"
)
@click.option(
    "--valid-out",
    type=click.Path(allow_dash=True),
    metavar="PATH",
    help="Write the valid rows to this path, unchanged; for several files to this folder; - is stdout.",
)
@click.option("--force", is_flag=True, help="Overwrite the file that --valid-out names.")
@click.option(
    "--uri",
    "is_uri",
    is_flag=True,
    help="The daemon reads the files itself: FILE is a URI, or a path on the daemon's machine.",
)
@click.option(
    "--strict", is_flag=True, help="Refuse a file with a column that the schema does not know."
)
@click.option(
    "--accept-recovered",
    is_flag=True,
    help="Accept valid rows that were found inside a broken quote.",
)
@click.option(
    "--delimiter",
    callback=_delimiter,
    metavar="CHAR",
    help="One of , ; | tab.  [default: from the header]",
)
@click.option(
    "--source-file",
    metavar="NAME",
    help="The file name that is stored with the rows.  [default: the file's]",
)
@click.option(
    "--request-id",
    metavar="ID",
    help="Repeat an earlier request under its id: no second batch is made.",
)
@pass_session
def validate(
    session: Session,
    /,
    files: tuple[str, ...],
    valid_out: str | None,
    force: bool,
    is_uri: bool,
    **judging: str | bool | None,
) -> int:
    """Validate CSV files. Invalid rows go to quarantine. `-` reads stdin.

    Exit code: 0 all valid, 1 rows were quarantined, 3 refused or failed (a file that is not there too);
    of several files the worst.
    """
    if len(files) > 1 and (judging["request_id"] or judging["source_file"]):
        raise click.UsageError("--request-id and --source-file name one file: give one file")
    outcomes: list[Outcome] = []
    with session.client() as client, ExitStack() as held:
        if valid_out == stdout.STDOUT:
            if len(files) > 1:
                raise click.UsageError(
                    "--valid-out - takes the valid rows of one file: give one file"
                )
            stdout.take_stdout(session, "--valid-out")
            gathered: Path | None = held.enter_context(stdout.gathered())
            targets = [gathered]
        else:
            targets = _targets(files, valid_out, is_uri=is_uri)
        for file, target in zip(files, targets, strict=True):
            outcome = FileValidation(client, file, target, is_uri=is_uri, force=force).validate(
                judging
            )
            outcomes.append(outcome)
            if outcome.error is not None:
                complain(file, outcome.error, debug=session.debug)
            if not session.is_json and outcome.batch is not None:
                show_batch(file, outcome.batch, outcome.valid_out)
            if outcome.exit_code == Exit.INTERRUPTED:
                break
    worst = max(outcome.exit_code for outcome in outcomes)
    if session.is_json:
        document.emit({"files": outcomes, "exit_code": worst})
    return worst


def _targets(files: tuple[str, ...], valid_out: str | None, *, is_uri: bool) -> list[Path | None]:
    """Returns where the valid rows of each file go. Raises UsageError where that would overwrite what is needed."""
    if valid_out is None:
        return [None] * len(files)
    folder = Path(valid_out)
    if len(files) == 1 and not folder.is_dir() and not valid_out.endswith(os.sep):
        targets = [folder]
    else:
        if folder.exists() and not folder.is_dir():
            raise click.UsageError(
                f"--valid-out {valid_out} is a file; several files need a folder"
            )
        targets = [folder / _valid_name(file) for file in files]
    if len(set(targets)) < len(targets):
        raise click.UsageError("two of the files would be written to the same path by --valid-out")
    if not is_uri:
        for target in targets:
            if any(
                target.exists() and Path(file).exists() and target.samefile(file) for file in files
            ):
                raise click.UsageError(f"--valid-out {target} would overwrite a file that is read")
    if targets != [folder]:
        folder.mkdir(parents=True, exist_ok=True)
    return list(targets)


def _valid_name(file: str) -> str:
    name = "stdin" if file == "-" else Path(file).name
    for ending in (".gz", ".zst", ".csv"):
        name = name.removesuffix(ending)
    return f"{name}.valid.csv"
