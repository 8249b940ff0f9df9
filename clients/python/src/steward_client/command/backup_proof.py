"""`steward backup verify | drill`: proving backups by restoring them, and measuring how long a restore takes."""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING

import click

from steward_client.command import document, resources, screen
from steward_client.command.completing import BACKUP, DATABASE
from steward_client.command.ending import Exit
from steward_client.command.operation import follow, show_operation
from steward_client.command.quarantine.options import no_wait_option
from steward_client.command.session import Session, Verb, pass_session
from steward_client.command.text import duration, many, moment, size

if TYPE_CHECKING:
    from collections.abc import Sequence

    from steward_client.backups.verification import BackupVerification, Drill, SourceCheck

_TREND = 12


@click.command(cls=Verb, example="steward backup verify backups/019a…")
@click.argument("name", metavar="BACKUP", type=BACKUP)
@click.option(
    "--amcheck",
    is_flag=True,
    help="Also check the tables and indexes of the source database, by its extension amcheck.",
)
@no_wait_option
@pass_session
def verify(session: Session, name: str, amcheck: bool, no_wait: bool) -> int:
    """Restore a backup into a private server, compare it with what was dumped, and keep what it came to.

    Exit code 0 if it is verified, 1 if it is corrupt or could not be judged; with --amcheck also 1 unless the source is
    sound. Ctrl-C ends the waiting, not the trial.
    """
    with session.client() as client:
        operation = client.verify_backup(resources.backup(client, name), amcheck=amcheck)
        if not no_wait:
            operation = follow(operation, "the verification", session.timeout_s)
        if no_wait or operation.state.error is not None:
            return show_operation(session, operation.state)
        found = operation.state.outcome()
    if session.is_json:
        document.emit(found)
    else:
        screen.facts(
            [
                ("backup", found.backup),
                ("database", found.database),
                *verification_facts(found.verification),
                *_source_facts(found.source_check),
            ]
        )
    return max(_exit_code(found.verification), _source_exit_code(found.source_check))


@click.command(
    cls=Verb, example="steward backup drill\nsteward backup drill --database main --list"
)
@click.option(
    "--database",
    default="",
    metavar="NAME",
    type=DATABASE,
    help="Its configured name.  [default: the only one]",
)
@click.option("--list", "is_listing", is_flag=True, help="Show earlier drills and hold none.")
@no_wait_option
@pass_session
def drill(session: Session, database: str, is_listing: bool, no_wait: bool) -> int:
    """Restore the newest verified backup in full into a private server, and keep how long it took.

    Exit code 0 if the backup came back as it was, 1 if it did not. Ctrl-C ends the waiting, not the drill.
    """
    with session.client() as client:
        if is_listing:
            return _show_trend(session, list(islice(client.list_drills(database), _TREND)))
        operation = client.run_drill(database)
        if not no_wait:
            operation = follow(operation, "the drill", session.timeout_s)
        if no_wait or operation.state.error is not None:
            return show_operation(session, operation.state)
        held = operation.state.outcome()
        drills = list(islice(client.list_drills(held.database), _TREND))
    if session.is_json:
        document.emit(held)
        return _exit_code(held.verification)
    screen.facts(
        [
            ("drill", held.name),
            ("database", f"{held.database}, {size(held.database_size_bytes)}"),
            ("backup", held.backup),
            *verification_facts(held.verification),
        ]
    )
    screen.gap()
    _show_trend(session, drills)
    return _exit_code(held.verification)


def verification_facts(found: BackupVerification) -> list[tuple[str, str]]:
    """What a trial came to, as lines for people."""
    facts = [
        ("proof", found.outcome.value.replace("_", " ")),
        ("because", f"{found.detail} [{found.reason}]" if found.reason else ""),
    ]
    facts += [("differs", each) for each in found.differences[1:]]
    facts += [("note", each) for each in found.notes]
    took = f"{duration(found.elapsed_s)}, the restore alone {duration(found.restore_elapsed_s)}"
    compared = f"{found.rows:,} rows in {many(found.tables, 'table')}" if found.tables else ""
    return [
        *facts,
        ("compared", compared),
        ("tried", f"{moment(found.verify_time)}, in {took}"),
        ("server", found.server_version),
    ]


def _source_facts(found: SourceCheck | None) -> list[tuple[str, str]]:
    """What the check of the source came to."""
    if found is None:
        return []
    read = f"{many(found.tables, 'table')} and {many(found.indexes, 'index')}"
    facts = [
        ("source", found.outcome.value.replace("_", " ")),
        ("because", f"{found.detail} [{found.reason}]" if found.reason else ""),
    ]
    facts += [("damaged", each) for each in found.damages[1:]]
    return [*facts, ("checked", f"{read}, in {duration(found.elapsed_s)}" if found.tables else "")]


def _show_trend(session: Session, drills: Sequence[Drill]) -> int:
    if session.is_json:
        document.emit({"drills": list(drills)})
        return Exit.DONE
    if not drills:
        screen.line("there is no drill yet")
        screen.command("hold one:", "steward backup drill")
        return Exit.DONE
    screen.table(
        ("Drill", "Database", "Held", "Size", "Restored in", "Proof"),
        [
            (
                each.name,
                each.database,
                moment(each.drill_time),
                size(each.database_size_bytes),
                duration(each.verification.restore_elapsed_s),
                each.verification.outcome.value,
            )
            for each in drills
        ],
        numbers=("Size", "Restored in"),
        names=("Held", "Restored in"),
        optional=("Drill", "Database", "Size"),
    )
    return Exit.DONE


def _exit_code(found: BackupVerification) -> Exit:
    from steward_client.backups.words import BackupProof

    return Exit.DONE if found.outcome is BackupProof.VERIFIED else Exit.FOUND


def _source_exit_code(found: SourceCheck | None) -> Exit:
    from steward_client.backups.words import SourceOutcome

    is_fine = found is None or found.outcome is SourceOutcome.SOUND
    return Exit.DONE if is_fine else Exit.FOUND
