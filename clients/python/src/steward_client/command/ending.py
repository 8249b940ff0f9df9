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

from steward_client.command import document, terminal, words
from steward_client.command.session import Session, current
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
    """Ctrl-C; the message says what became of the work, and the hint what goes on with it."""

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.hint = hint


def run(root: click.Group, arguments: list[str]) -> int:
    """Runs the command line. The exit code is what the command's function returns, or what its exception comes to."""
    session = Session()
    session.say = lambda words: warn(words, session=session, style="yellow")
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


def warn(
    message: str, hint: str = "", *, session: Session | None = None, style: str = "red"
) -> None:
    """Says on stderr what went wrong, and what to do next. On a terminal it is broken at words, never in a command."""
    wanted = (session or current()).color
    coloured, wide = terminal.is_coloured(sys.stderr, wanted), terminal.width(sys.stderr)
    for start, text, look in (("steward: ", message, style), ("  next: ", hint, "")):
        if not text:
            continue
        is_command = text.startswith("steward ")
        lines = (
            [plain(text)]
            if is_command
            else terminal.wrapped(f"{start}{plain(text)}".strip(), wide - 2)
        )
        first = start if is_command else start[: len(start) - len(start.lstrip())]
        for each in lines:
            click.echo(
                terminal.painted(f"{first}{each}", look, is_coloured=coloured),
                err=True,
                color=coloured,
            )
            first = "  "


def describe(error: StewardError, session: Session | None = None) -> tuple[str, str]:
    """Returns an error in two lines, in the words of the command: what it is, and what to do next."""
    options = (session or current()).options
    violations = "".join(
        f"; {words.option(each.field, options)}: {words.told(each.description, (each,), options)}"
        for each in error.field_violations
        if each.description != error.message
    )
    message = words.told(error.message, error.field_violations, options)
    if tried := error.metadata.get(
        "tried"
    ):  # of a payload: each schema, and what speaks against it
        violations += f"; tried {tried}"
    return f"{message}{violations} [{error.reason}]", words.hint(error, options)


def file_exists(error: FileExistsError) -> StewardError:
    """Returns that a file is there which would be written over, in the shape of the others."""
    return StewardError(
        f"{os.fsdecode(error.filename)}: a file is there already",
        code="FILE",
        reason="FILE_EXISTS",
        hint="name another place, or write over it with --force",
    )


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
        warn(error.format_message(), f"see `{path} --help`", session=session)
        return Exit.USAGE
    if isinstance(error, KeyboardInterrupt | click.Abort | Interrupted):
        hint = error.hint if isinstance(error, Interrupted) else ""
        message = str(error) if isinstance(error, Interrupted) else ""
        warn(f"interrupted{f': {message}' if message else ''}", hint, session=session)
        return Exit.INTERRUPTED
    if isinstance(error, OSError):
        error = from_os(error)
    if not isinstance(error, StewardError):
        error = _crash(error)
    warn(*describe(error, session), session=session)
    if isinstance(error, InvalidTarget):
        return Exit.USAGE
    if session.is_json:
        document.emit({"error": words.in_command(error, session.options)})
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
