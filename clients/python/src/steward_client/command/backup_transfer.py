"""`steward backup copy | import`: backups between the repository and a second one."""

from __future__ import annotations

import click

from steward_client.command import document, resources, screen
from steward_client.command.completing import BACKUP
from steward_client.command.ending import Exit
from steward_client.command.operation import follow, show_operation
from steward_client.command.session import Session, Verb, pass_session
from steward_client.command.text import size


@click.command(cls=Verb, example="steward backup copy backups/019a…")
@click.argument("name", metavar="BACKUP", type=BACKUP)
@click.option(
    "--no-wait", is_flag=True, help="Begin it and return; the operation's name is printed."
)
@pass_session
def copy(session: Session, name: str, no_wait: bool) -> int:
    """Copy a backup into the second repository, as the daemon does by itself after each.

    Ctrl-C ends the waiting, not the copy.
    """
    with session.client() as client:
        operation = client.copy_backup(resources.backup(client, name))
        if not no_wait:
            operation = follow(operation, "the copy", session.timeout_s)
        if no_wait or operation.state.error is not None:
            return show_operation(session, operation.state)
        made = operation.state.outcome()
    if session.is_json:
        document.emit(made)
        return Exit.DONE
    screen.facts(
        [
            ("backup", made.backup),
            ("copied to", made.repository),
            ("stored", size(made.size_bytes)),
        ]
    )
    return Exit.DONE


@click.command(
    "import",
    cls=Verb,
    example="steward backup import backups/019a…\n"
    "steward backup import --manifest /srv/import/backups/2026-11-30/019a…/manifest.json",
)
@click.argument("name", metavar="[BACKUP]", default="")
@click.option(
    "--manifest",
    "manifest_uri",
    default="",
    metavar="URI",
    help="Its manifest.json, below one of the daemon's import roots; else it comes from the second repository.",
)
@click.option(
    "--accept-unknown-signer",
    is_flag=True,
    help="Import it also where nobody whom the daemon trusts has signed it.",
)
@click.option(
    "--no-wait", is_flag=True, help="Begin it and return; the operation's name is printed."
)
@pass_session
def import_(
    session: Session, name: str, manifest_uri: str, accept_unknown_signer: bool, no_wait: bool
) -> int:
    """Import a backup from the second repository, or from its manifest. Ctrl-C ends the waiting, not the import."""
    if bool(name) == bool(manifest_uri):
        raise click.UsageError(
            "name a backup of the second repository, or a manifest by --manifest"
        )
    with session.client() as client:
        if name:
            name = resources.backup(client, name, "second")
        operation = client.import_backup(
            name, manifest_uri=manifest_uri, accept_unknown_signer=accept_unknown_signer
        )
        if not no_wait:
            operation = follow(operation, "the import", session.timeout_s)
        return show_operation(session, operation.state)
