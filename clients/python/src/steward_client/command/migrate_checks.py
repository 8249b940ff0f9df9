"""`steward migrate drift`: what is to be known of a database and its migrations, and changes neither."""

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
