"""`steward migrate status | up | down | prove | baseline | repair | new`: the migrations of a database.

migrate_checks.py has the verbs that only look.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from steward_client.command import document, screen
from steward_client.command.completing import DATABASE
from steward_client.command.database import found_database
from steward_client.command.ending import Exit, file_exists, from_os
from steward_client.command.migrate_checks import drift, lint, show_dry_run
from steward_client.command.migrate_options import database_argument, no_wait_option
from steward_client.command.operation import follow, show_operation
from steward_client.command.quarantine.options import actor_option
from steward_client.command.session import Noun, Session, Verb, pass_session
from steward_client.command.text import duration, many, moment
from steward_client.errors import InvalidRequest

if TYPE_CHECKING:
    from steward_client.migrations.types import Migrated, Migration, MigrationStatus, Proved
    from steward_client.operations.operation import Operation

_NO_BACKUP = click.option("--no-backup", is_flag=True, help="Make no backup before.")
_FORCE = click.option(
    "--force-unproven",
    "forced",
    multiple=True,
    metavar="MIGRATION",
    help="Take it though it is not proven, such as 0006_nicknames; may be given several times. It is recorded.",
)
_DRY_RUN = click.option(
    "--dry-run",
    is_flag=True,
    help="Change nothing: try the statements on a scratch server, and print them with the locks that they take.",
)
_FILE = re.compile(r"(\d{4})_.*\.(?:up|down|verify)\.sql")
_WORDS = re.compile(r"[a-z0-9][a-z0-9_]{0,62}")
_TRIPLE = {
    "up": "-- What it brings.\n",
    "down": "-- What takes it back, so that the schema is as before.\n",
    "verify": (
        "-- Each query gives one row or more, whose values must all be true.\n\n"
        "-- steward: after up\n\n\n-- steward: after down\n"
    ),
}


@click.group(
    cls=Noun, example="steward migrate status\nsteward migrate prove && steward migrate up"
)
def migrate() -> None:
    """See, prove, apply and take back the migrations of a database."""


@migrate.command(cls=Verb, example="steward migrate status\nsteward migrate status main --all")
@database_argument
@click.option("--all", "is_whole", is_flag=True, help="List those that are applied, too.")
@pass_session
def status(session: Session, name: str, is_whole: bool) -> int:
    """Show what a database has of its migrations; exit code 1 where something is wrong.

    DATABASE is its name in the configuration.  [default: the only one]
    """
    with session.client() as client:
        name = found_database(client, name)
        found = client.get_migration_status(name)
        listed = list(client.list_migrations(name, page_size=1000)) if is_whole else None
    return _show(session, found, listed)


@migrate.command(
    cls=Verb,
    example="steward migrate up\nsteward migrate up main --to 4\nsteward migrate up --dry-run",
)
@database_argument
@click.option(
    "--to",
    type=click.IntRange(min=1),
    metavar="NUMBER",
    help="The last one to apply.  [default: all]",
)
@_NO_BACKUP
@_FORCE
@_DRY_RUN
@actor_option
@no_wait_option
@pass_session
def up(
    session: Session,
    name: str,
    to: int | None,
    no_backup: bool,
    forced: tuple[str, ...],
    dry_run: bool,
    actor: str,
    no_wait: bool,
) -> int:
    """Apply migrations, after a backup. Ctrl-C ends the waiting, not the migration."""
    with session.client() as client:
        begun = client.apply_migrations(
            found_database(client, name),
            to_version=to or 0,
            skip_backup=no_backup,
            force_unproven=forced,
            actor=actor,
            dry_run=dry_run,
        )
        return _follow(session, begun, no_wait)


@migrate.command(cls=Verb, example="steward migrate down --to 3")
@database_argument
@click.option(
    "--to",
    type=click.IntRange(min=0),
    required=True,
    metavar="NUMBER",
    help="The last one that stays; 0 for none.",
)
@_NO_BACKUP
@_FORCE
@_DRY_RUN
@actor_option
@no_wait_option
@pass_session
def down(
    session: Session,
    name: str,
    to: int,
    no_backup: bool,
    forced: tuple[str, ...],
    dry_run: bool,
    actor: str,
    no_wait: bool,
) -> int:
    """Take migrations back until a number is the last one, after a backup."""
    with session.client() as client:
        begun = client.roll_back_migrations(
            found_database(client, name),
            to,
            skip_backup=no_backup,
            force_unproven=forced,
            actor=actor,
            dry_run=dry_run,
        )
        return _follow(session, begun, no_wait)


@migrate.command(cls=Verb, example="steward migrate prove\nsteward migrate prove --major 15")
@database_argument
@click.option(
    "--major",
    type=click.IntRange(min=1),
    help="Another major version of PostgreSQL.  [default: the database's]",
)
@no_wait_option
@pass_session
def prove(session: Session, name: str, major: int | None, no_wait: bool) -> int:
    """Try every migration on a scratch server: up, down, up again, without rows and with them.

    Exit code 1: not all are proven.
    """
    with session.client() as client:
        begun = client.prove_migrations(found_database(client, name), server_major=major or 0)
        if not no_wait:
            begun = follow(begun, "the proof", session.timeout_s)
        if no_wait or begun.state.error is not None:
            return show_operation(session, begun.state)
        return _show_proofs(session, begun.state.outcome())


@migrate.command(cls=Verb, example="steward migrate baseline main --to 3")
@database_argument
@click.option(
    "--to",
    type=click.IntRange(min=1),
    required=True,
    metavar="NUMBER",
    help="The last migration that the database has.",
)
@actor_option
@pass_session
def baseline(session: Session, name: str, to: int, actor: str) -> int:
    """Record that a database has migrations that somebody else applied; none is run."""
    with session.client() as client:
        found = client.baseline_migrations(found_database(client, name), to, actor=actor)
    return _show(session, found, None)


@migrate.command(cls=Verb, example="steward migrate repair main 0004_deduplication")
@click.argument("name", metavar="DATABASE", type=DATABASE)
@click.argument("migration")
@actor_option
@pass_session
def repair(session: Session, name: str, migration: str, actor: str) -> int:
    """Take the files of an applied migration as they are now: a comment, down or verify may have changed, up not."""
    database = name.removeprefix("databases/")
    with session.client() as client:
        found = client.repair_migration(f"databases/{database}/migrations/{migration}", actor=actor)
    return _show(session, found, None)


@migrate.command(cls=Verb, example="steward migrate new nicknames --dir migrations")
@click.argument("words", metavar="NAME")
@click.option(
    "--dir",
    "folder",
    type=click.Path(path_type=Path, file_okay=False),
    default=Path(),
    help="The folder of the set.  [default: here]",
)
@pass_session
def new(session: Session, words: str, folder: Path) -> int:
    """Write the three files of a new migration, with the next number. Asks no daemon."""
    if not _WORDS.fullmatch(words):
        raise InvalidRequest(
            f"{words!r} is no name of a migration",
            reason="MIGRATION_NAME",
            hint="use small letters, digits and _, such as add_nicknames",
        )
    made = []
    try:
        folder.mkdir(parents=True, exist_ok=True)
        numbers = [
            int(found[1]) for path in folder.iterdir() if (found := _FILE.fullmatch(path.name))
        ]
        label = f"{max(numbers, default=0) + 1:04}_{words}"
        for part, text in _TRIPLE.items():
            path = folder / f"{label}.{part}.sql"
            with path.open("x", encoding="utf-8") as file:
                file.write(text)
            made.append(str(path))
    except FileExistsError as error:
        raise file_exists(error) from None
    except OSError as error:
        raise from_os(error) from None
    if session.is_json:
        document.emit({"files": made})
    else:
        for each in made:
            screen.line(each)
    return Exit.DONE


def _follow(session: Session, begun: Operation[Any, Migrated], no_wait: bool) -> int:
    if not no_wait:
        begun = follow(begun, "the migration", session.timeout_s)
    if no_wait or begun.state.error is not None:
        return show_operation(session, begun.state)
    done = begun.state.outcome()
    if session.is_json:
        document.emit(done)
        return Exit.DONE
    if done.dry_run:
        show_dry_run(done)
        return Exit.DONE
    if done.steps:
        screen.table(
            ("Migration", "Took", "Waited", "Attempts", "Rows", "Proven"),
            [
                (
                    each.migration,
                    duration(each.elapsed_s),
                    duration(each.lock_wait_s),
                    str(each.attempts),
                    str(each.changed_rows),
                    "no" if each.unproven else "yes",
                )
                for each in done.steps
            ],
            numbers=("Took", "Waited", "Attempts", "Rows"),
            names=("Migration",),
            optional=("Attempts", "Rows"),
        )
    screen.line(f"{done.database} has {many(done.version, 'migration')}")
    if done.backup:
        screen.command("the backup from before:", f"steward backup show {done.backup}")
    return Exit.DONE


def _show(session: Session, found: MigrationStatus, listed: list[Migration] | None) -> int:
    is_wrong = bool(found.invalid_indexes) or any(
        each.state not in ("pending", "applied", "baseline") for each in found.attention
    )
    code = Exit.FOUND if is_wrong else Exit.DONE
    if session.is_json:
        document.emit(found if listed is None else {"status": found, "migrations": listed})
        return code
    screen.facts(
        [
            ("database", found.name),
            (
                "migrations",
                f"{found.version} of {found.latest_version}, {found.pending_count} to apply",
            ),
            ("folder", found.folder),
            ("PostgreSQL", str(found.server_major)),
            ("unproven ones", "are refused" if found.requires_proof else "are taken"),
            ("invalid indexes", ", ".join(found.invalid_indexes)),
        ]
    )
    shown = found.attention if listed is None else listed
    if shown:
        screen.gap()
        screen.table(
            ("Migration", "State", "Proven", "Applied", "By"),
            [
                (
                    each.name.rpartition("/")[2],
                    each.state.value,
                    "yes" if each.proven else "no",
                    "" if each.apply_time is None else moment(each.apply_time),
                    each.actor,
                )
                for each in shown
            ],
            names=("Migration",),
            states="State",
            optional=("By",),
        )
    return code


def _show_proofs(session: Session, found: Proved) -> int:
    code = Exit.DONE if all(each.outcome == "proven" for each in found.proofs) else Exit.FOUND
    if session.is_json:
        document.emit(found)
        return code
    screen.table(
        ("Migration", "Outcome", "PostgreSQL", "Rows", "Took"),
        [
            (
                each.migration,
                each.outcome.value,
                each.server_version,
                str(each.rows),
                duration(each.elapsed_s),
            )
            for each in found.proofs
        ],
        numbers=("Rows", "Took"),
        names=("Migration",),
        states="Outcome",
    )
    for proof in found.proofs:
        told = [proof.detail] if proof.detail else []
        told += proof.differences[1:]
        told += [
            f"taking it back loses {many(loss.values, 'value')} of {loss.table}.{loss.column}"
            for loss in proof.losses
            if not loss.own
        ]
        told += proof.few_rows
        for text in told:
            screen.line(f"{proof.migration}: {text}")
    return code


migrate.add_command(drift)
migrate.add_command(lint)
