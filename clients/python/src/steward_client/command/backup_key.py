"""`steward backup key show | generate | rotate`: the keys that backups are encrypted to and signed with.

A private key is made here, on this machine, and written to a file; none ever goes through a call.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

import click

from steward_client.command import document, screen
from steward_client.command.ending import Exit
from steward_client.command.operation import follow, show_operation
from steward_client.command.quarantine.options import actor_option
from steward_client.command.session import Noun, Session, Verb, pass_session
from steward_client.command.text import many

if TYPE_CHECKING:
    from steward_client.backups.reencryption import Reencrypted
    from steward_client.client import Client


@click.group(cls=Noun, example="steward backup key show")
def key() -> None:
    """See the keys of the backups, and make new ones."""


@key.command(cls=Verb, example="steward backup key show")
@pass_session
def show(session: Session) -> int:
    """Show the public halves of the daemon's keys, and where the private ones are."""
    with session.client() as client:
        keys = client.get_backup_keys()
    if session.is_json:
        document.emit(keys)
        return Exit.DONE
    screen.facts(
        [
            ("encrypted to", ", ".join(keys.recipients) or "nobody: backups are not encrypted"),
            ("readable here", ", ".join(keys.readable) or "nothing: no private key is here"),
            ("signed by", keys.signer),
            ("trusted", ", ".join(keys.trusted_signers) or "this daemon's own signature alone"),
            ("own key", keys.own_identity_file or "none: the configured ones are used"),
            ("own signing key", keys.own_signing_file or "none: the configured one is used"),
        ]
    )
    for notice in keys.notices:
        screen.line(notice, style="yellow")
    return Exit.DONE


@key.command(cls=Verb, example="steward backup key generate backup-identity.txt")
@click.argument("file", metavar="FILE", type=click.Path(dir_okay=False, path_type=Path))
@pass_session
def generate(session: Session, file: Path) -> int:
    """Make a new key (age, X25519) and write it to FILE, which must not exist. Its recipient is printed.

    Put the recipient into `backup.recipients` of the daemon's configuration. The daemon needs the file itself only
    where it is to read backups: then name it in `backup.identity_files`. Keep a copy elsewhere.
    """
    from pyrage import x25519

    identity = x25519.Identity.generate()
    recipient = str(identity.to_public())
    try:
        descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    except FileExistsError:
        raise click.UsageError(f"{file} exists; a key is never written over another") from None
    except OSError as error:
        raise click.UsageError(f"{file} cannot be written: {error.strerror}") from None
    with os.fdopen(descriptor, "w", encoding="ascii") as stream:
        stream.write(f"# public key: {recipient}\n{identity}\n")
        stream.flush()
        os.fsync(stream.fileno())
    if session.is_json:
        document.emit({"recipient": recipient, "file": str(file)})
        return Exit.DONE
    screen.facts([("recipient", recipient), ("private key", str(file))])
    screen.line("there is no other copy of it: keep one elsewhere", style="yellow")
    return Exit.DONE


@key.command(cls=Verb, example="steward backup key rotate\nsteward backup key rotate --re-encrypt")
@click.option(
    "--re-encrypt",
    "is_applied",
    is_flag=True,
    help="Encrypt those backups to the configured keys. Without this option, only say which they are.",
)
@click.option(
    "--no-wait",
    is_flag=True,
    help="With --re-encrypt: start the operation, print its name, and return.",
)
@actor_option
@pass_session
def rotate(session: Session, is_applied: bool, no_wait: bool, actor: str) -> int:
    """Show which backups are encrypted to other keys than the configured ones, and encrypt them anew on request.

    First make a new key (`steward backup key generate`), put its recipient into `backup.recipients` and its file, with
    that of the old key, into `backup.identity_files`, and restart the daemon. Each backup is replaced by a new one of
    the same data; the old ones keep their data for the grace of their retention. The old key is needed until then.
    """
    with session.client() as client:
        recipients, outdated = _outdated(client)
        planned = {"recipients": recipients, "outdated": outdated}
        if not session.is_json:
            screen.facts([("encrypted to", ", ".join(recipients) or "nobody")])
            screen.line(f"{many(len(outdated), 'backup')} encrypted otherwise", style="bold")
        if not is_applied:
            if session.is_json:
                document.emit({"planned": planned, "done": None})
            elif outdated:
                screen.command("encrypt them anew:", "steward backup key rotate --re-encrypt")
            return Exit.DONE
        operation = client.reencrypt_backups(actor=actor)
        if not no_wait:
            operation = follow(operation, "the re-encryption", session.timeout_s)
        if no_wait or operation.state.error is not None:
            return show_operation(session, operation.state)
        done = operation.state.outcome()
    if session.is_json:
        document.emit({"planned": planned, "done": done})
    else:
        _show_reencrypted(done)
    return Exit.FOUND if done.skipped else Exit.DONE


def _outdated(client: Client) -> tuple[tuple[str, ...], list[str]]:
    """The configured recipients, and the backups that are not encrypted to exactly these."""
    recipients = client.get_backup_keys().recipients
    listed = client.list_backups(page_size=1000)
    return recipients, [each.name for each in listed if set(each.recipients) != set(recipients)]


def _show_reencrypted(done: Reencrypted) -> None:
    screen.line(f"{many(done.reencrypted, 'backup')} encrypted anew", style="bold")
    for each in done.skipped_backups:
        screen.line(f"{each.backup} stays as it is: {each.message} [{each.reason}]", style="yellow")
