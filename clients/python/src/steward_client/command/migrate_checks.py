"""`steward migrate drift | lint`, and what a dry run found: verbs that only look, and change nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from steward_client.command import document, screen
from steward_client.command.database import found_database
from steward_client.command.ending import Exit
from steward_client.command.migrate_options import database_argument, no_wait_option
from steward_client.command.operation import follow, show_operation
from steward_client.command.session import Session, Verb, pass_session
from steward_client.command.text import many

if TYPE_CHECKING:
    from steward_client.migrations.drift import Drift
    from steward_client.migrations.dry_run import DryLock, DryStatement
    from steward_client.migrations.lint import Linted
    from steward_client.migrations.types import Migrated


@click.command(
    cls=Verb,
    example="steward migrate drift\nsteward migrate drift main --ignore 'public.events_2*' --sql > mend.sql",
)
@database_argument
@click.option(
    "--ignore",
    multiple=True,
    metavar="PATTERN",
    help="Pass over the objects of this name and what belongs to them, such as 'public.events_2*', analytics or "
    "'extension citext'; may be given several times.",
)
@click.option(
    "--major",
    type=click.IntRange(min=1),
    help="Replay on another major version of PostgreSQL.  [default: the database's]",
)
@click.option(
    "--sql", "is_sql", is_flag=True, help="Print only the SQL that would mend the differences."
)
@no_wait_option
@pass_session
def drift(
    session: Session,
    name: str,
    ignore: tuple[str, ...],
    major: int | None,
    is_sql: bool,
    no_wait: bool,
) -> int:
    """Compare a database with its migrations, replayed on a scratch server; exit code 1 where they differ.

    Nothing is changed. Read the SQL before you run it: it may drop data.
    """
    with session.client() as client:
        begun = client.detect_drift(
            found_database(client, name), ignore=ignore, server_major=major or 0
        )
        if not no_wait:
            begun = follow(begun, "the detection of drift", session.timeout_s)
        if no_wait or begun.state.error is not None:
            return show_operation(session, begun.state)
        return _show_drift(session, begun.state.outcome(), is_sql=is_sql)


def _show_drift(session: Session, found: Drift, *, is_sql: bool) -> int:
    code = Exit.FOUND if found.difference_count else Exit.DONE
    if session.is_json:
        document.emit(found)
    elif is_sql:
        for statement in found.script:
            screen.verbatim(f"{statement};\n")
    else:
        _show_differences(found)
    return code


def _show_differences(found: Drift) -> None:
    for difference in found.differences:
        screen.line(difference.text)
        for statement in difference.mending:
            screen.line(f"{' '.join(statement.split())};", style="dim", indent=4)
    ignored = f", {found.ignored_count} ignored" if found.ignored_count else ""
    what = many(found.difference_count, "difference") if found.difference_count else "no difference"
    screen.line(
        f"{found.database}: {what} from {many(found.version, 'migration')}{ignored} "
        f"(PostgreSQL {found.server_version}, replayed on {found.scratch_version})"
    )
    if found.script:
        screen.command("the SQL in order:", f"steward migrate drift {found.database} --sql")


@click.command(
    cls=Verb, example="steward migrate lint\nsteward migrate lint --exclude ban-drop-column"
)
@database_argument
@click.option(
    "--major",
    type=click.IntRange(min=1),
    help="Lint for another major version of PostgreSQL.  [default: the database's]",
)
@click.option(
    "--exclude",
    multiple=True,
    metavar="RULE",
    help="A rule that is off; may be given several times.",
)
@no_wait_option
@pass_session
def lint(
    session: Session, name: str, major: int | None, exclude: tuple[str, ...], no_wait: bool
) -> int:
    """Say what in the files of a set keeps others waiting or breaks them, and how to do it otherwise.

    The migrations are also tried on a scratch server. Exit code 1: there are findings.
    """
    with session.client() as client:
        begun = client.lint_migrations(
            found_database(client, name), server_major=major or 0, exclude=exclude
        )
        if not no_wait:
            begun = follow(begun, "the lint", session.timeout_s)
        if no_wait or begun.state.error is not None:
            return show_operation(session, begun.state)
        return _show_findings(session, begun.state.outcome())


def _show_findings(session: Session, found: Linted) -> int:
    code = Exit.FOUND if found.finding_count else Exit.DONE
    if session.is_json:
        document.emit(found)
        return code
    for each in found.findings:
        screen.line(f"{each.file}:{each.line}: {each.message} ({each.rule})")
        if each.advice:
            screen.line(each.advice, style="dim", indent=4)
    what = many(found.finding_count, "finding") if found.finding_count else "no finding"
    screen.line(
        f"{found.database}: {what}; {many(found.tried_count, 'migration')} tried "
        f"({found.linter}, PostgreSQL {found.server_version})"
    )
    return code


def show_dry_run(done: Migrated) -> None:
    """Prints the statements of a dry run, each with its locks."""
    for step in done.steps:
        screen.line(f"{step.migration}{' (not proven)' if step.unproven else ''}", style="bold")
        for statement in step.statements:
            screen.verbatim(f"  {statement.sql};\n")
            for text in _effects(statement):
                screen.line(text, indent=4)
    if not done.steps:
        screen.line("there is nothing to do")
    screen.line(f"{done.database}: a dry run; nothing was changed")


def _effects(statement: DryStatement) -> list[str]:
    told = [_lock(lock) for lock in statement.locks if lock.mode != "AccessShareLock"]
    told += [f"writes every row of {table} anew" for table in statement.rewrites]
    told += [f"reads the whole of {table}" for table in statement.scans]
    return told or ["keeps nobody waiting"]


def _lock(lock: DryLock) -> str:
    blocks = "reads and writes" if lock.blocks_reads else "writes" if lock.blocks_writes else ""
    what = f"blocks {blocks}" if blocks else "blocks neither reads nor writes"
    held = many(lock.held_statements, "statement")
    return f"{lock.relation}: {lock.mode}, {what}, held across {held}"
