"""`steward backup delete | undelete | pin | prune`: which backups stay, by hand and by the rules."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from steward_client.command import document, resources, screen
from steward_client.command.backup_options import repository_option
from steward_client.command.completing import BACKUP, DATABASE
from steward_client.command.ending import Exit
from steward_client.command.operation import follow, show_operation
from steward_client.command.quarantine.options import actor_option, apply_option, no_wait_option
from steward_client.command.session import Session, Verb, pass_session
from steward_client.command.text import duration, many, moment, size

if TYPE_CHECKING:
    from steward_client.backups.retention import Pruned, RetentionPlan
    from steward_client.backups.types import Backup


@click.command(cls=Verb, example="steward backup delete backups/019a…")
@click.argument("name", metavar="BACKUP", type=BACKUP)
@actor_option
@pass_session
def delete(session: Session, name: str, actor: str) -> int:
    """Delete a backup. Its data are removed when the grace of its retention is over; until then undelete has it back.

    A pinned backup and the last good one of a database are not deleted.
    """
    with session.client() as client:
        found = client.delete_backup(resources.backup(client, name), actor=actor)
    if session.is_json:
        document.emit(found)
        return Exit.DONE
    until = (
        "" if found.purge_time is None else f"; its data are kept until {moment(found.purge_time)}"
    )
    screen.line(f"{found.name} is deleted{until}")
    screen.command("have it back:", f"steward backup undelete {found.name}")
    return Exit.DONE


@click.command(cls=Verb, example="steward backup undelete backups/019a…")
@click.argument("name", metavar="BACKUP", type=BACKUP)
@actor_option
@pass_session
def undelete(session: Session, name: str, actor: str) -> int:
    """Have a deleted backup back, as long as its data are there."""
    with session.client() as client:
        found = client.undelete_backup(resources.backup(client, name), actor=actor)
    return _said(session, found, "is not deleted")


@click.command(
    cls=Verb,
    example="steward backup pin backups/019a… --note 'before the migration'\nsteward backup pin --off backups/019a…",
)
@click.argument("name", metavar="BACKUP", type=BACKUP)
@click.option("--note", default="", metavar="TEXT", help="Why, for people.")
@click.option("--off", is_flag=True, help="Unpin it.")
@actor_option
@pass_session
def pin(session: Session, name: str, note: str, off: bool, actor: str) -> int:
    """Pin a backup, so that neither a rule nor a call deletes it."""
    with session.client() as client:
        name = resources.backup(client, name)
        if off:
            return _said(session, client.unpin_backup(name, actor=actor), "is not pinned")
        return _said(session, client.pin_backup(name, note=note, actor=actor), "is pinned")


@click.command(
    cls=Verb,
    example="steward backup prune\nsteward backup prune --database main --apply\n"
    "steward backup prune --repository second",
)
@click.option(
    "--database",
    default="",
    metavar="NAME",
    type=DATABASE,
    help="Its configured name.  [default: the only one]",
)
@repository_option
@apply_option
@no_wait_option
@actor_option
@pass_session
def prune(
    session: Session, database: str, repository: str, is_applied: bool, no_wait: bool, actor: str
) -> int:
    """Apply the retention of a database to its backups now. Without --apply, say what it would do, and why."""
    from steward_client.backups.words import BackupRepository

    chosen = BackupRepository(repository)
    with session.client() as client:
        plan = client.get_retention_plan(database, repository=chosen)
        if not session.is_json:
            _show_plan(plan)
        if not is_applied or not plan.going:
            if session.is_json:
                document.emit({"planned": plan, "done": None})
            elif plan.going:
                screen.line(
                    "nothing was changed; the same command with --apply does it", style="bold"
                )
            else:
                screen.line("there is nothing to do")
            return Exit.DONE
        operation = client.prune_backups(plan.database, repository=chosen, actor=actor)
        if no_wait:
            return show_operation(session, operation.state)
        done = follow(operation, "the pruning", session.timeout_s).state.outcome()
    if session.is_json:
        document.emit({"planned": plan, "done": done})
    else:
        _show_pruned(done, plan)
    return Exit.DONE


def _show_plan(plan: RetentionPlan) -> None:
    policy = plan.policy
    periods = (
        (policy.keep_daily, "day"),
        (policy.keep_weekly, "week"),
        (policy.keep_monthly, "month"),
        (policy.keep_yearly, "year"),
    )
    kept = ", ".join(many(number, word) for number, word in periods if number)
    screen.facts(
        [
            ("database", plan.database),
            ("repository", plan.repository.value),
            ("kept for", duration(policy.window_s)),
            ("kept at least", many(policy.min_keep, "backup")),
            ("kept of each of", kept),
            ("counted", "complete backups" if policy.counts_complete else "verified backups"),
        ]
    )
    if plan.halted:
        screen.line(
            f"no backup that counts is younger than {duration(policy.window_s)}: nothing is deleted",
            style="bold yellow",
        )
    if not plan.verdicts:
        screen.line("there is no backup yet")
        return
    screen.gap()
    screen.table(
        ("Backup", "Data of", "Stored", "Verdict", "Because"),
        [
            (
                each.backup,
                moment(each.snapshot_time),
                size(each.stored_size_bytes),
                "keep" if each.keep else "delete",
                each.explanation,
            )
            for each in plan.verdicts
        ],
        numbers=("Stored",),
        names=("Backup", "Verdict", "Because"),
        optional=("Stored",),
    )


def _show_pruned(done: Pruned, plan: RetentionPlan) -> None:
    grace = duration(plan.policy.grace_s)
    screen.line(
        f"{many(done.deleted, 'backup')} deleted, {done.kept} kept; the data go in {grace}",
        style="bold",
    )


def _said(session: Session, found: Backup, words: str) -> int:
    if session.is_json:
        document.emit(found)
    else:
        screen.line(f"{found.name} {words}")
    return Exit.DONE
