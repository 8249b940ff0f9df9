"""`steward backup key show | generate`: the keys that backups are encrypted to and signed with.

A private key is made here, on this machine, and written to a file; none ever goes through a call.
"""

from __future__ import annotations

import os
from pathlib import Path

import click

from steward_client.command import document, screen
from steward_client.command.ending import Exit
from steward_client.command.session import Noun, Session, Verb, pass_session


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
