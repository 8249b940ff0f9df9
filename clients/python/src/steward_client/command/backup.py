"""`steward backup create | list | show | key`.

backup_removal.py has the verbs that decide which backups stay, backup_transfer.py those that bring them elsewhere,
backup_restore.py the one that brings them back, and backup_proof.py those that prove them.
"""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING, Any

import click

from steward_client.command import document, resources, screen
from steward_client.command.backup_key import key
from steward_client.command.backup_options import backup_options, read_options, repository_option
from steward_client.command.backup_proof import drill, verification_facts, verify
from steward_client.command.backup_removal import delete, pin, prune, undelete
from steward_client.command.backup_restore import restore
from steward_client.command.backup_transfer import copy, import_
from steward_client.command.completing import BACKUP, DATABASE
from steward_client.command.ending import Exit
from steward_client.command.operation import follow, show_operation, warn_of_backup
from steward_client.command.session import Noun, Session, Verb, pass_session
from steward_client.command.text import duration, many, moment, size

if TYPE_CHECKING:
    from steward_client.backups.types import Backup


@click.group(cls=Noun, example="steward backup create --description 'before the import'")
def backup() -> None:
    """Make backups and see those that exist."""


@backup.command(
    cls=Verb,
    example="steward backup create --description 'before the import'\nsteward backup create --no-wait --output json",
)
@click.option(
    "--database",
    default="",
    metavar="NAME",
    type=DATABASE,
    help="The database's configured name.  [default: the only one]",
)
@click.option("--description", default="", metavar="TEXT", help="A note for people.")
@click.option(
    "--no-wait", is_flag=True, help="Start the backup, print the operation's name, and return."
)
@click.option(
    "--request-id",
    metavar="ID",
    help="Repeat an earlier request under its id: no second backup is made.",
)
@backup_options
@pass_session
def create(
    session: Session,
    /,
    database: str,
    description: str,
    no_wait: bool,
    request_id: str | None,
    **options: Any,
) -> int:
    """Make a backup and wait for it. Ctrl-C ends the waiting, not the backup.

    A table is named SCHEMA.TABLE; its partitions, children and parents go with it. What an option does not say is as
    the daemon is configured.
    """
    with session.client() as client:
        operation = client.create_backup(
            database, description=description, options=read_options(options), request_id=request_id
        )
        if not no_wait:
            operation = follow(operation, "the backup", session.timeout_s)
        if no_wait or operation.state.error is not None:
            return show_operation(session, operation.state)
        if not session.is_json:
            warn_of_backup(operation.state, with_output=False)
        return _show(session, operation.state.outcome())


@backup.command(
    "list",
    cls=Verb,
    example="steward backup list --limit 5\nsteward backup list --database main --state deleted\n"
    "steward backup list --repository second",
)
@click.option(
    "--database", default="", metavar="NAME", type=DATABASE, help="Backups of this database."
)
@click.option(
    "--state",
    type=click.Choice(("complete", "deleted")),
    default="complete",
    show_default=True,
    help="Backups in this state.",
)
@repository_option
@click.option(
    "--limit",
    type=click.IntRange(min=1),
    default=50,
    show_default=True,
    help="Show at most this many.",
)
@pass_session
def list_(session: Session, database: str, state: str, repository: str, limit: int) -> int:
    """List the backups, newest first."""
    from steward_client.backups.types import BackupState
    from steward_client.backups.words import BackupRepository

    with session.client() as client:
        listed = client.list_backups(
            database=database,
            state=BackupState(state),
            repository=BackupRepository(repository),
            page_size=min(limit, 1000),
        )
        backups = list(islice(listed, limit))
    if session.is_json:
        document.emit({"backups": backups})
        return Exit.DONE
    if not backups and (database or state != "complete" or repository != "first"):
        screen.line("there is no such backup")
        return Exit.DONE
    if not backups:
        screen.line("there is no backup yet")
        screen.command("make one:", "steward backup create")
        return Exit.DONE
    screen.table(
        ("Backup", "Proof", "Database", "Data of", "Dump", "Stored", "Took", "Description"),
        [
            (
                each.name,
                each.proof.value.replace("_", " "),
                each.database,
                moment(each.snapshot_time),
                size(each.dump_size_bytes),
                size(each.stored_size_bytes),
                duration(each.elapsed_s),
                each.description,
            )
            for each in backups
        ],
        numbers=("Dump", "Stored", "Took"),
        names=("Backup", "Proof"),
        optional=("Database", "Dump", "Took"),
    )
    return Exit.DONE


@backup.command(cls=Verb, example="steward backup show backups/019a…")
@click.argument("name", metavar="BACKUP", type=BACKUP)
@pass_session
def show(session: Session, name: str) -> int:
    """Show one backup."""
    with session.client() as client:
        return _show(session, client.get_backup(resources.backup(client, name)))


def _show(session: Session, made: Backup) -> int:
    if session.is_json:
        document.emit(made)
        return Exit.DONE
    screen.facts(
        [
            ("backup", made.name),
            ("database", made.database),
            ("description", made.description),
            ("state", _state(made)),
            ("pinned", "" if not made.pinned else made.pin_note or "yes"),
            ("data of", moment(made.snapshot_time)),
            ("finished", f"{moment(made.create_time)}, after {duration(made.elapsed_s)}"),
            ("dump", size(made.dump_size_bytes)),
            ("stored", f"{size(made.stored_size_bytes)}, in {many(len(made.segments), 'part')}"),
            ("server", made.server_version),
            ("pg_dump", made.tool_version),
            ("sha256", made.dump_sha256 or "of each file, in its contents"),
            ("holds", _selection(made)),
            ("rows", _rows(made)),
            ("roles", made.globals.value.replace("_", " ")),
            ("form", made.form.value),
            ("compressed", _compression(made)),
            ("encrypted to", ", ".join(made.recipients) or "nobody: it is not encrypted"),
            ("signed by", made.signer or "nobody"),
            *_proof(made),
            ("encrypted anew from", made.replaces),
        ]
    )
    for notice in made.notices:
        screen.line(notice, style="yellow")
    return Exit.DONE


def _proof(made: Backup) -> list[tuple[str, str]]:
    if made.verification is None:
        return [("proof", made.proof.value)]
    return verification_facts(made.verification)


def _selection(made: Backup) -> str:
    chosen = made.selection
    parts = [
        f"{word} {', '.join(names)}"
        for word, names in (
            ("schemas", chosen.schemas),
            ("tables", chosen.tables),
            ("without schemas", chosen.exclude_schemas),
            ("without tables", chosen.exclude_tables),
        )
        if names
    ]
    return "; ".join(parts) or "the whole database"


def _rows(made: Backup) -> str:
    from steward_client.backups.words import BackupProofMode

    if made.proof_mode in (BackupProofMode.NONE, BackupProofMode.UNKNOWN):
        return "not counted"
    hashed = ", each with a hash" if made.proof_mode is BackupProofMode.HASH else ""
    return f"{made.rows:,} in {many(made.tables, 'table')}{hashed}"


def _compression(made: Backup) -> str:
    level = f", level {made.compression_level}" if made.compression_level else ""
    return f"{made.compression.value}{level}"


def _state(made: Backup) -> str:
    if made.purge_time is not None:
        return f"{made.state}; its data are kept until {moment(made.purge_time)}"
    return f"{made.state}, proof {made.proof}"


for _verb in (verify, drill, copy, import_, restore, delete, undelete, pin, prune, key):
    backup.add_command(_verb)
