"""`steward operation list | show | wait | watch | cancel`, and how a command follows an operation that it began."""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING, Any, TypeVar

import click

from steward_client.command import document
from steward_client.command.ending import Exit, Interrupted, describe, warn
from steward_client.command.session import Noun, Session, Verb, pass_session
from steward_client.command.text import many, size
from steward_client.errors import StewardError

if TYPE_CHECKING:
    from steward_client.operations.operation import Operation
    from steward_client.operations.state import OperationState

    AnyOperation = Operation[Any, Any]
    AnyState = OperationState[Any, Any]

P = TypeVar("P")
R = TypeVar("R")


@click.group(cls=Noun, example="steward operation watch operations/019a…")
def operation() -> None:
    """See, follow and cancel what takes longer than a call."""


@operation.command("list", cls=Verb, example="steward operation list")
@click.option(
    "--limit", type=click.IntRange(min=1), default=50, show_default=True, help="At most so many."
)
@pass_session
def list_(session: Session, limit: int) -> int:
    """List the operations, newest first."""
    with session.client() as client:
        operations = client.list_operations(page_size=min(limit, 1000))
        states = [each.state for each in islice(operations, limit)]
    if session.is_json:
        document.emit({"operations": states})
        return Exit.DONE
    from steward_client.command import screen

    if not states:
        screen.line("there are no operations")
        return Exit.DONE
    rows = [(each.name, word(each), work(each), doing(each)) for each in states]
    screen.table(("Name", "State", "Work", "Progress"), rows, states="State")
    return Exit.DONE


@operation.command(cls=Verb, example="steward operation show operations/019a…")
@click.argument("name", metavar="OPERATION")
@pass_session
def show(session: Session, name: str) -> int:
    """Show one operation as it is now; exit code 3 when it has failed."""
    with session.client() as client:
        return show_operation(session, client.get_operation(name).state)


@operation.command(cls=Verb, example="steward operation wait --timeout 600 operations/019a…")
@click.argument("name", metavar="OPERATION")
@pass_session
def wait(session: Session, name: str) -> int:
    """Wait until an operation is done; exit code 3 when it failed. Ctrl-C ends the waiting, not the operation."""
    with session.client() as client:
        done = client.wait_operation(name, timeout_s=session.timeout_s)
    return show_operation(session, done.state)


@operation.command(
    cls=Verb,
    example="steward operation watch operations/019a…\nsteward operation watch --output json operations/019a…",
)
@click.argument("name", metavar="OPERATION")
@pass_session
def watch(session: Session, name: str) -> int:
    """Follow an operation until it is done, a line (or with --output json a document) for each change."""
    code: int = Exit.DONE
    with session.client() as client:
        for each in client.watch_operation(name, timeout_s=session.timeout_s):
            if session.is_json:
                document.emit_line(each.state)
                code = Exit.FAILED if each.state.error is not None else Exit.DONE
            else:
                code = show_operation(session, each.state)
    return code


@operation.command(cls=Verb, example="steward operation cancel operations/019a…")
@click.argument("name", metavar="OPERATION")
@pass_session
def cancel(session: Session, name: str) -> int:
    """Ask for an operation to be cancelled."""
    with session.client() as client:
        client.cancel_operation(name)
        state = client.get_operation(name).state
    if session.is_json:
        document.emit(state)
        return Exit.DONE
    from steward_client.command import screen

    screen.line(f"{state.name}: " + ("is done" if state.done else "asked to be cancelled"))
    screen.command("see how it ends:", f"steward operation wait {state.name}")
    return Exit.DONE


def follow(begun: Operation[P, R], what: str, timeout_s: float | None) -> Operation[P, R]:
    """Returns an operation once it is done, with a bar on the way; whatever ends the waiting before, its name is told.

    `what` is it for people, such as `the backup`. Raises DeadlineExceeded; it goes on then.
    """
    try:
        return _watched(begun, timeout_s)
    except KeyboardInterrupt:
        raise Interrupted(
            f"{what} goes on; `steward operation wait {begun.name}` waits for it, "
            f"`steward operation cancel {begun.name}` ends it"
        ) from None
    except StewardError:
        warn(f"lost sight of {begun.name}, which may go on", f"steward operation wait {begun.name}")
        raise


def _watched(begun: Operation[P, R], timeout_s: float | None) -> Operation[P, R]:
    from steward_client.command import screen

    last = begun
    with screen.bar(work(begun.state) or begun.name) as step:
        for last in begun.watch(timeout_s):
            step(*_steps(last.progress))
    return last


def show_operation(session: Session, state: AnyState) -> int:
    """Prints an operation; returns the exit code that fits: FAILED when it has failed."""
    code = Exit.FAILED if state.error is not None else Exit.DONE
    if session.is_json:
        document.emit(state)
        return code
    from steward_client.command import screen

    parts = (state.name, word(state), work(state), doing(state))
    screen.line("  ".join(part for part in parts if part))
    if state.error is not None:
        message, hint = describe(state.error)
        warn(f"{state.name}: {message}", hint)
    elif not state.done:
        screen.command("follow it:", f"steward operation watch {state.name}")
    return code


def word(state: AnyState) -> str:
    """Returns the state in one word."""
    if not state.done:
        return "running"
    return "done" if state.error is None else "failed"


def work(state: AnyState) -> str:
    """Returns what the operation makes or does, where it is known."""
    from steward_client.backups.types import Backup, BackupProgress
    from steward_client.quarantine.outcomes import QuarantineProgress

    if isinstance(state.response, Backup):
        return state.response.name
    progress = state.progress
    if isinstance(progress, BackupProgress):
        return progress.backup
    if isinstance(progress, QuarantineProgress):
        return f"{progress.method}{' (dry run)' if progress.dry_run else ''}"
    return ""


def doing(state: AnyState) -> str:
    """Returns how far an operation has come, while it runs."""
    return "" if state.done else _steps(state.progress)[2]


def _steps(progress: object) -> tuple[int, int | None, str]:
    """Returns what is done, what there is to do (None: unknown), and a few words."""
    from steward_client.backups.types import BackupProgress
    from steward_client.quarantine.outcomes import QuarantineProgress

    if isinstance(progress, BackupProgress):
        read, stored = size(progress.dumped_bytes), size(progress.stored_bytes)
        words = f"{progress.phase}, {read} read, {stored} stored"
        return progress.dumped_bytes, progress.database_size_bytes or None, words
    if isinstance(progress, QuarantineProgress):
        words = f"{many(progress.rows, 'row')} of {many(progress.batches, 'batch')}"
        return progress.rows, None, words
    return 0, None, ""
