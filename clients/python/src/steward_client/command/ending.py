"""How the command ends: its exit codes, and where an exception becomes a line that says what to do next.

    0    all rows valid; done; healthy
    1    rows were quarantined; the daemon is degraded
    2    the command line is wrong
    3    refused or failed, a crash too
    130  interrupted (Ctrl-C)
    141  whoever read the output went away

Of several files the worst counts: 3 before 1 before 0.
"""

from __future__ import annotations

import io
import os
import sys
import traceback
from enum import IntEnum
from pathlib import Path

import click

from steward_client.command import document
from steward_client.command.session import Session
from steward_client.command.text import plain
from steward_client.errors import InvalidTarget, StewardError


class Exit(IntEnum):
    """The exit codes."""

    DONE = 0
    FOUND = 1
    USAGE = 2
    FAILED = 3
    INTERRUPTED = 130
    UNREAD = 141


class Interrupted(Exception):
    """Ctrl-C; the message says what became of the work."""


def run(root: click.Group, arguments: list[str]) -> int:
    """Runs the command line. The exit code is what the command's function returns, or what its exception comes to."""
    session = Session()
    if sys.stdout is None:  # closed before Python began
        sys.stdout = Path(os.devnull).open("w", encoding="utf-8")  # noqa: SIM115  # until the process ends
    if isinstance(sys.stdout, io.TextIOWrapper):
        # Where the output knows ASCII only, the rest of a name becomes its escapes, not a crash.
        sys.stdout.reconfigure(errors="backslashreplace")
    try:
        with root.make_context("steward", arguments, obj=session) as context:
            code = root.invoke(context)
        sys.stdout.flush()
        return int(code or Exit.DONE)
    except click.exceptions.Exit as ended:
        return ended.exit_code
    except BrokenPipeError:
        _forget_output()
        return Exit.UNREAD
    except KeyboardInterrupt as error:
        return _failed(error, session)
    except Exception as error:  # noqa: BLE001 - the edge: whatever it was, it is told and counts
        return _failed(error, session)


def warn(message: str, hint: str = "") -> None:
    """Says on stderr what went wrong, and what to do next."""
    click.echo(f"steward: {plain(message)}", err=True)
    if hint:
        click.echo(f"  next: {plain(hint)}", err=True)


def describe(error: StewardError) -> tuple[str, str]:
    """Returns an error in two lines: what it is, and what to do next."""
    violations = "".join(
        f"; {each.field}: {each.description}"
        for each in error.field_violations
        if each.description != error.message
    )
    return f"{error.message}{violations} [{error.reason}]", error.hint


def from_os(error: OSError, named: str = "") -> StewardError:
    """Returns an OSError in the shape of the others; its file is named in it, unless the caller does that."""
    name = "" if error.filename in (None, named) else f"{os.fsdecode(error.filename)}: "
    return StewardError(
        f"{name}{(error.strerror or str(error)).lower()}",
        code="FILE",
        reason="FILE_UNUSABLE",
        hint="check the path and what you may do with it",
    )


def _failed(error: BaseException, session: Session) -> int:
    if session.debug and not isinstance(error, click.UsageError):
        traceback.print_exception(error)
    try:
        return _tell(error, session)
    except BrokenPipeError:
        _forget_output()
        return Exit.UNREAD


def _tell(error: BaseException, session: Session) -> int:
    if isinstance(error, click.UsageError):
        path = error.ctx.command_path if error.ctx else "steward"
        warn(error.format_message(), f"see `{path} --help`")
        return Exit.USAGE
    if isinstance(error, KeyboardInterrupt | click.Abort | Interrupted):
        warn(f"interrupted{f': {error}' if isinstance(error, Interrupted) else ''}")
        return Exit.INTERRUPTED
    if isinstance(error, OSError):
        error = from_os(error)
    if not isinstance(error, StewardError):
        error = _crash(error)
    warn(*describe(error))
    if isinstance(error, InvalidTarget):
        return Exit.USAGE
    if session.is_json:
        document.emit({"error": error})
    return Exit.FAILED


def _crash(error: BaseException) -> StewardError:
    return StewardError(
        f"the command failed in a way that it does not know: {type(error).__name__}: {error}",
        code="INTERNAL",
        reason="CRASH",
        hint="run it again with --debug, and report what that shows",
    )


def _forget_output() -> None:
    """Lets Python's own flush at exit go nowhere, instead of complaining about the broken pipe."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except OSError:
            os.dup2(nowhere, stream.fileno())
