"""`steward operation list | show | wait | watch | cancel`, and how a command follows an operation that it began."""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING, Any, TypeVar

import click

from steward_client.command import document, resources, screen
from steward_client.command.completing import OPERATION
from steward_client.command.ending import Exit, Interrupted, describe, warn
from steward_client.command.session import Noun, Session, Verb, pass_session
from steward_client.command.text import duration, many, moment, plain, size
from steward_client.errors import Cancelled, StewardError

if TYPE_CHECKING:
    from steward_client.backups.types import BackupProgress
    from steward_client.operations.operation import Operation
    from steward_client.operations.state import OperationState

    AnyOperation = Operation[Any, Any]
    AnyState = OperationState[Any, Any]

_KINDS = {"RetryQuarantine": "retry", "PurgeQuarantine": "purge", "EraseSubject": "erasure"}

P = TypeVar("P")
R = TypeVar("R")


@click.group(cls=Noun, example="steward operation watch operations/019a…")
def operation() -> None:
    """Show, follow and cancel operations: work that goes on after the call that started it."""


@operation.command("list", cls=Verb, example="steward operation list")
@click.option(
    "--limit",
    type=click.IntRange(min=1),
    default=50,
    show_default=True,
    help="Show at most this many.",
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
    if not states:
        screen.line("there are no operations")
        return Exit.DONE
    rows = [(each.name, word(each), kind(each), begun(each), result(each)) for each in states]
    screen.table(
        ("Operation", "State", "Kind", "Begun", "What came of it"),
        rows,
        states="State",
        names=("Operation", "State", "Kind"),
    )
    return Exit.DONE


@operation.command(cls=Verb, example="steward operation show operations/019a…")
@click.argument("name", metavar="OPERATION", type=OPERATION)
@pass_session
def show(session: Session, name: str) -> int:
    """Show the current state of one operation. Exit code 3 if it has failed."""
    with session.client() as client:
        return show_operation(
            session, client.get_operation(resources.operation(client, name)).state
        )


@operation.command(cls=Verb, example="steward operation wait --timeout 600 operations/019a…")
@click.argument("name", metavar="OPERATION", type=OPERATION)
@pass_session
def wait(session: Session, name: str) -> int:
    """Wait until an operation is done. Exit code 3 if it failed. Ctrl-C ends the waiting, not the operation."""
    with session.client() as client:
        name = resources.operation(client, name)
        done = client.wait_operation(name, timeout_s=session.timeout_s)
    return show_operation(session, done.state)


@operation.command(
    cls=Verb,
    example="steward operation watch operations/019a…\nsteward operation watch --output json operations/019a…",
)
@click.argument("name", metavar="OPERATION", type=OPERATION)
@pass_session
def watch(session: Session, name: str) -> int:
    """Follow an operation until it is done, a line (or with --output json a document) for each change.

    Ctrl-C ends the watching, not the operation.
    """
    state: AnyState | None = None
    with session.client() as client:
        name = resources.operation(client, name)
        try:
            for each in client.watch_operation(name, timeout_s=session.timeout_s):
                state = each.state
                if session.is_json:
                    document.emit_line(state)
                else:
                    _line(state)
                    screen.out().flush()
        except KeyboardInterrupt:
            raise Interrupted("the operation goes on", f"steward operation watch {name}") from None
    if state is None or session.is_json:
        return Exit.DONE if state is None or state.error is None else Exit.FAILED
    return _ending(state)


@operation.command(cls=Verb, example="steward operation cancel operations/019a…")
@click.argument("name", metavar="OPERATION", type=OPERATION)
@pass_session
def cancel(session: Session, name: str) -> int:
    """Cancel an operation."""
    with session.client() as client:
        name = resources.operation(client, name)
        client.cancel_operation(name)
        state = client.get_operation(name).state
    if session.is_json:
        document.emit(state)
        return Exit.DONE
    screen.line(f"{state.name}: " + ("is done" if state.done else "asked to be cancelled"))
    if not state.done:
        screen.command("see how it ends:", f"steward operation wait {state.name}")
    return Exit.DONE


def follow(begun: Operation[P, R], what: str, timeout_s: float | None) -> Operation[P, R]:
    """Returns an operation once it is done, with a bar on the way; whatever ends the waiting before, its name is told.

    `what` is it for people, such as `the backup`. Raises DeadlineExceeded; it goes on then.
    """
    try:
        return _watched(begun, what, timeout_s)
    except KeyboardInterrupt:
        raise Interrupted(
            f"{what} goes on; `steward operation cancel {begun.name}` ends it",
            f"steward operation wait {begun.name}",
        ) from None
    except StewardError:
        warn(f"lost sight of {begun.name}, which may go on", f"steward operation wait {begun.name}")
        raise


def _watched(begun: Operation[P, R], what: str, timeout_s: float | None) -> Operation[P, R]:
    last = begun
    with screen.bar(what.removeprefix("the ")) as step:
        for last in begun.watch(timeout_s):
            step(*_steps(last.progress))
    return last


def show_operation(session: Session, state: AnyState) -> int:
    """Prints an operation; returns the exit code that fits: FAILED when it has failed."""
    if session.is_json:
        document.emit(state)
        return Exit.FAILED if state.error is not None else Exit.DONE
    _line(state)
    return _ending(state)


def _line(state: AnyState) -> None:
    """Prints an operation in a line."""
    parts = (state.name, word(state), kind(state), result(state))
    screen.line("  ".join(part for part in parts if part), style=screen.STYLES.get(word(state), ""))


def _ending(state: AnyState) -> int:
    """Prints why an operation failed, or what to do next; returns the exit code that fits."""
    from steward_client.backups.types import Backup

    warn_of_backup(state, with_output=state.error is not None)
    if state.error is not None:
        message, hint = describe(state.error)
        warn(f"{state.name}: {message}", hint)
    elif not state.done:
        screen.command("follow it:", f"steward operation watch {state.name}")
    elif isinstance(state.response, Backup):
        screen.command("see it:", f"steward backup show {state.response.name}")
    return Exit.FAILED if state.error is not None else Exit.DONE


def word(state: AnyState) -> str:
    """Returns the state in one word."""
    if not state.done:
        return "running"
    if state.error is None:
        return "done"
    return "cancelled" if isinstance(state.error, Cancelled) else "failed"


def kind(state: AnyState) -> str:
    """Returns what kind of work an operation is, where it is known."""
    from steward_client.backups.reencryption import ReencryptProgress
    from steward_client.backups.restoring import RestoreProgress
    from steward_client.backups.retention import PruneProgress
    from steward_client.backups.types import BackupProgress, CopyProgress, ImportProgress
    from steward_client.backups.verification import VerifyProgress
    from steward_client.quarantine.outcomes import QuarantineProgress

    progress = state.progress
    of_backups = {
        BackupProgress: "backup",
        PruneProgress: "pruning",
        VerifyProgress: "verification",
        CopyProgress: "copy",
        ImportProgress: "import",
        ReencryptProgress: "re-encryption",
        RestoreProgress: "restore",
    }
    if type(progress) in of_backups:
        return of_backups[type(progress)]
    if isinstance(progress, QuarantineProgress):
        return f"{_KINDS.get(progress.method, progress.method)}{' (dry run)' if progress.dry_run else ''}"
    return _migration_kind(progress)


def begun(state: AnyState) -> str:
    """Returns when an operation was begun, where it is known."""
    when = getattr(state.progress, "create_time", None)
    return moment(when) if when is not None else ""


def result(state: AnyState) -> str:
    """Returns how far an operation has come, what it made, or the reason why it made nothing."""
    from steward_client.backups.restoring import Restored
    from steward_client.backups.types import Backup
    from steward_client.backups.verification import Drill, VerifiedBackup

    if state.error is not None:
        return f"{state.error.reason}: {state.error.message}"
    if isinstance(state.response, Backup):
        return state.response.name
    if isinstance(state.response, (VerifiedBackup, Drill)):
        return f"{state.response.backup} {state.response.verification.outcome}"
    if isinstance(state.response, Restored):
        return f"restored into {state.response.target_database}"
    return _steps(state.progress)[2]


def _steps(progress: object) -> tuple[int, int | None, str]:
    """Returns what is done, what there is to do (None: unknown), and a few words."""
    from steward_client.backups.reencryption import ReencryptProgress
    from steward_client.backups.retention import PruneProgress
    from steward_client.backups.types import BackupProgress, CopyProgress, ImportProgress
    from steward_client.quarantine.outcomes import QuarantineProgress

    if isinstance(progress, PruneProgress):
        return progress.deleted, None, f"{many(progress.deleted, 'backup')} deleted"
    if isinstance(progress, ReencryptProgress):
        words = f"{progress.done} of {many(progress.total, 'backup')}"
        return progress.done, progress.total or None, words
    if isinstance(progress, (CopyProgress, ImportProgress)):
        words = f"{size(progress.copied_bytes)} of {size(progress.size_bytes)}"
        return progress.copied_bytes, progress.size_bytes or None, words
    if isinstance(progress, BackupProgress):
        return progress.done_bytes, progress.total_bytes or None, _backup_words(progress)
    if isinstance(progress, QuarantineProgress):
        words = f"{many(progress.rows, 'row')} of {many(progress.batches, 'batch')}"
        return progress.rows, None, words
    return _restore_steps(progress)


def _restore_steps(progress: object) -> tuple[int, int | None, str]:
    from steward_client.backups.restoring import RestoreProgress

    if not isinstance(progress, RestoreProgress):
        return _verify_steps(progress)
    if progress.phase == "comparing":
        words = f"comparing, {progress.compared_tables} of {many(progress.total_tables, 'table')}"
        return progress.compared_tables, progress.total_tables or None, words
    words = f"{progress.phase}, {size(progress.read_bytes)} of {size(progress.size_bytes)}"
    return progress.read_bytes, progress.size_bytes or None, words


def _verify_steps(progress: object) -> tuple[int, int | None, str]:
    from steward_client.backups.verification import VerifyPhase, VerifyProgress

    if not isinstance(progress, VerifyProgress):
        return _migration_steps(progress)
    if progress.phase is VerifyPhase.CHECKING_SOURCE:
        return 0, None, "checking the source"
    tables = many(progress.total_tables, "table")
    if progress.phase is VerifyPhase.COMPARING:
        words = f"{progress.phase}, {progress.compared_tables} of {tables}"
        return progress.compared_tables, progress.total_tables or None, words
    words = f"{progress.phase}, {size(progress.read_bytes)} of {size(progress.total_bytes)}"
    if progress.phase is VerifyPhase.RESTORING:
        words += f", {progress.restored_tables} of {tables}"
    return progress.read_bytes, progress.total_bytes or None, words


def _backup_words(progress: BackupProgress) -> str:
    words = str(progress.phase)
    if progress.time_left_s is not None:
        words += f", {duration(progress.time_left_s)} left"
    words += f", {size(progress.dumped_bytes)} read, {size(progress.stored_bytes)} stored"
    if progress.dumped_tables:
        words += f", {progress.dumped_tables} of {many(progress.total_tables, 'table')}"
    return words


def warn_of_backup(state: AnyState, *, with_output: bool) -> None:
    """Prints the warnings of a backup, and what its tools said where that is asked for."""
    from steward_client.backups.types import BackupProgress

    if not isinstance(state.progress, BackupProgress):
        return
    for warning in state.progress.warnings:
        warn(f"during the backup {warning}")
    if with_output and state.progress.tool_output:
        for line in state.progress.tool_output.splitlines():
            click.echo(plain(line), err=True)


def _migration_kind(progress: object) -> str:
    from steward_client.migrations.drift import DriftProgress
    from steward_client.migrations.lint import LintProgress
    from steward_client.migrations.types import MigrateProgress, ProveProgress

    if isinstance(progress, MigrateProgress):
        suffix = " (dry run)" if progress.dry_run else ""
        return f"{'rollback' if progress.rolls_back else 'migration'}{suffix}"
    if isinstance(progress, LintProgress):
        return "lint"
    if isinstance(progress, DriftProgress):
        return "drift"
    return "proof" if isinstance(progress, ProveProgress) else ""


def _migration_steps(progress: object) -> tuple[int, int | None, str]:
    from steward_client.migrations.drift import DriftProgress
    from steward_client.migrations.lint import LintProgress
    from steward_client.migrations.types import MigrateProgress, ProveProgress

    if isinstance(progress, MigrateProgress):
        words = f"{progress.phase} {progress.migration}".strip()
        if progress.changed_rows:
            words += f", {many(progress.changed_rows, 'row')}"
        return progress.done_count, progress.total_count or None, words
    if isinstance(progress, (ProveProgress, DriftProgress, LintProgress)):
        return progress.done_count, progress.total_count or None, progress.migration
    return 0, None, ""
