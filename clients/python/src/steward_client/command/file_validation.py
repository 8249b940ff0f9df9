"""One file of `steward validate` or `steward payload validate` on its way: sent, judged, and its valid records fetched.

No failure of one file keeps the others from being validated: whatever happens to it becomes its Outcome.
"""

from __future__ import annotations

import os
import shlex
import stat
import sys
import threading
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar, cast

from steward_client.command import screen
from steward_client.command.ending import Exit, describe, file_exists, from_os, warn
from steward_client.command.text import count
from steward_client.errors import Cancelled, StewardError

if TYPE_CHECKING:
    from steward_client.client import Client
    from steward_client.command.terminal import OnStep
    from steward_client.transfer.source import FileSource
    from steward_client.validation.batch_upload import ValidationOptions
    from steward_client.validation.batches import Accepted, Batch, Progress


@dataclass(frozen=True)
class Outcome:
    """What became of one file."""

    file: str
    batch: Batch | None
    valid_out: str | None
    error: StewardError | None
    exit_code: int


class FileValidation:
    """One CSV file. A file of another kind names its files and sends itself in its own way."""

    valid_file: ClassVar[str] = "valid.csv"
    """The file of a batch that has the valid records."""
    records: ClassVar[str] = "rows"
    """What one calls the records."""

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
        """Returns what became of it; no failure of one file keeps the others from being validated."""
        from steward_client.transfer.part_file import check_free, check_place

        batch = None
        try:
            # Before there is a batch that nobody gets the valid records of.
            if self._target is not None:
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
                return self._send(self._file, judging)
            judging["source_file"] = judging.get("source_file") or "stdin"
            # Unbuffered: a thread that still waits for input when the command ends holds no lock that Python wants.
            with open(0, "rb", buffering=0, closefd=False) as stdin:
                return self._send(stdin, judging)

    def _send(self, source: FileSource, judging: ValidationOptions) -> Batch:
        """Uploads the file."""
        return self._client.validate_file(source, **judging)

    def _fetch(self, batch: Batch, target: Path) -> str:
        with screen.bar(f"valid {self.records} to {target.name}") as step:
            return self._client.download_batch_file(
                f"{batch.name}/files/{self.valid_file}",
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
                f"interrupted; {batch.name} is published, its valid {self.records} were not fetched",
                hint=f"steward batch download {batch.name} {self.valid_file} --to {shlex.quote(str(self._target))}"
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


def complain(file: str, error: StewardError, *, debug: bool) -> None:
    """Says on stderr what went wrong with a file."""
    if debug:
        traceback.print_exception(error)
    message, hint = describe(error)
    warn(f"{file}: {message}", hint)


def show_batch(file: str, batch: Batch, valid_out: str | None) -> None:
    """Prints the report of a file's batch, and where its valid records are."""
    from steward_client.command import report

    report.show(batch, "stdin" if file == "-" else file)
    screen.gap()
    if valid_out is not None and screen.out() is sys.stdout:
        screen.facts([("valid rows", valid_out)], indent=2)
    report.show_next(batch)
    screen.gap()
    sys.stdout.flush()
