"""`steward validate FILE…`: every file is seen to, whatever became of the others; the worst decides the exit code."""

from __future__ import annotations

import os
import shlex
import stat
import sys
import threading
import traceback
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, cast

import click

from steward_client.command import document, screen, stdout
from steward_client.command.completing import TYPE, VERSION
from steward_client.command.ending import Exit, describe, file_exists, from_os, warn
from steward_client.command.session import Session, Verb, pass_session
from steward_client.command.text import count
from steward_client.errors import Cancelled, StewardError

if TYPE_CHECKING:
    from steward_client.client import Client
    from steward_client.command.terminal import OnStep
    from steward_client.validation.batch_upload import ValidationOptions
    from steward_client.validation.batches import Accepted, Batch, Progress

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


@dataclass(frozen=True)
class Outcome:
    """What became of one file."""

    file: str
    batch: Batch | None
    valid_out: str | None
    error: StewardError | None
    exit_code: int


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
            outcome = _File(client, file, target, is_uri=is_uri, force=force).validate(judging)
            outcomes.append(outcome)
            if outcome.error is not None:
                _complain(file, outcome.error, debug=session.debug)
            if not session.is_json and outcome.batch is not None:
                _report(file, outcome.batch, outcome.valid_out)
            if outcome.exit_code == Exit.INTERRUPTED:
                break
    worst = max(outcome.exit_code for outcome in outcomes)
    if session.is_json:
        document.emit({"files": outcomes, "exit_code": worst})
    return worst


class _File:
    """One file on its way: sent, judged, and its valid rows fetched."""

    def __init__(
        self, client: Client, file: str, target: Path | None, *, is_uri: bool, force: bool
    ) -> None:
        self._client = client
        self._file = file
        self._target = target
        self._is_uri = is_uri
        self._force = force
        self._committed = threading.Event()
        self._request_id = ""

    def validate(self, judging: dict[str, str | bool | None]) -> Outcome:
        """Returns what became of it; no failure of one file may keep the others from being seen to."""
        from steward_client.transfer.part_file import check_free, check_place

        batch = None
        try:
            if (
                self._target is not None
            ):  # before there is a batch that nobody gets the valid rows of
                check_place(self._target)
                if not self._force:
                    check_free(self._target)
            batch = self._judge(judging)
            valid_out = None if self._target is None else self._fetch(batch, self._target)
            code = Exit.DONE if batch.is_clean else Exit.FOUND
            return Outcome(self._file, batch, valid_out, None, code)
        except KeyboardInterrupt:
            return Outcome(self._file, batch, None, self._interrupted(batch), Exit.INTERRUPTED)
        except BrokenPipeError:
            raise
        except FileExistsError as error:
            return Outcome(self._file, batch, None, file_exists(error), Exit.FAILED)
        except OSError as error:
            return Outcome(self._file, batch, None, from_os(error, self._file), Exit.FAILED)
        except StewardError as error:
            return Outcome(self._file, batch, None, error, Exit.FAILED)

    def _judge(self, given: dict[str, str | bool | None]) -> Batch:
        from steward_client.connection.call import new_request_id

        # The options bear the names that the SDK uses.
        judging = cast("ValidationOptions", dict(given))
        self._request_id = judging.get("request_id") or new_request_id()
        judging["request_id"] = self._request_id
        judging["keep_valid_rows"] = self._target is not None
        judging["on_commit"] = self._committed.set
        with screen.bar("stdin" if self._file == "-" else Path(self._file).name) as step:
            judging["progress"] = _steps(step, self._size_bytes())
            if self._is_uri:
                return self._client.validate_uri(_uri(self._file), **judging)
            if self._file != "-":
                return self._client.validate_file(self._file, **judging)
            judging["source_file"] = judging.get("source_file") or "stdin"
            # Unbuffered: a thread that still waits for input when the command ends holds no lock that Python wants.
            with open(0, "rb", buffering=0, closefd=False) as stdin:
                return self._client.validate_file(stdin, **judging)

    def _fetch(self, batch: Batch, target: Path) -> str:

        with screen.bar(f"valid rows to {target.name}") as step:
            return self._client.download_batch_file(
                f"{batch.name}/files/valid.csv",
                target,
                progress=partial(step, words=""),
                overwrite=self._force,
            )

    def _size_bytes(self) -> int | None:
        if self._is_uri:
            return None
        status = os.fstat(0) if self._file == "-" else Path(self._file).stat()
        return status.st_size if stat.S_ISREG(status.st_mode) else None

    def _interrupted(self, batch: Batch | None) -> Cancelled:
        if batch is not None:
            return Cancelled(
                f"interrupted; {batch.name} is published, its valid rows were not fetched",
                hint=f"steward batch download {batch.name} valid.csv --to {shlex.quote(str(self._target))}"
                f"{' --force' if self._force else ''}",
            )
        if not self._committed.is_set():
            return Cancelled("interrupted; nothing was published", hint="validate the file again")
        return Cancelled(
            "interrupted when all had been sent: a batch may have been published",
            hint=f"the same command with --request-id {self._request_id} tells, and makes no second batch",
            metadata={"request_id": self._request_id},
        )


def _steps(step: OnStep, size_bytes: int | None) -> Callable[[Accepted | Progress], None]:
    from steward_client.validation.batches import Progress

    def show(event: Accepted | Progress) -> None:
        if isinstance(event, Progress):
            words = f"{count(event.total_rows)} rows, {count(event.quarantined_rows)} quarantined"
            step(event.size_bytes, size_bytes, words)

    return show


def _uri(file: str) -> str:
    return file if "://" in file or file.startswith("file:") else Path(file).absolute().as_uri()


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


def _complain(file: str, error: StewardError, *, debug: bool) -> None:
    if debug:
        traceback.print_exception(error)
    message, hint = describe(error)
    warn(f"{file}: {message}", hint)


def _report(file: str, batch: Batch, valid_out: str | None) -> None:
    from steward_client.command import report

    report.show(batch, "stdin" if file == "-" else file)
    screen.gap()
    if valid_out is not None and screen.out() is sys.stdout:
        screen.facts([("valid rows", valid_out)], indent=2)
    report.show_next(batch)
    screen.gap()
    sys.stdout.flush()
