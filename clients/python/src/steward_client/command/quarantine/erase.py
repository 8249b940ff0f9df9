"""`steward quarantine erase`: all that is held of one person is masked.

The address comes by stdin, never as an argument: the arguments of a process are for all to see, and stay in the history
of a shell.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from steward_client.command import screen
from steward_client.command.quarantine.options import actor_option, apply_option, no_wait_option
from steward_client.command.quarantine.planned import Planned
from steward_client.command.session import Session, Verb, pass_session
from steward_client.command.text import count, many

if TYPE_CHECKING:
    from steward_client.operations.operation import Operation
    from steward_client.quarantine.outcomes import ErasedSubject, QuarantineProgress

_EXAMPLE = """\
steward quarantine erase < address.txt
steward quarantine erase --address-file address.txt --apply
"""


@click.command(cls=Verb, example=_EXAMPLE)
@click.option(
    "--address-file",
    type=click.Path(allow_dash=True),
    default="-",
    metavar="FILE",
    help="The file that holds the e-mail address.  [default: stdin; a terminal is asked]",
)
@apply_option
@no_wait_option
@actor_option
@pass_session
def erase(session: Session, address_file: str, is_applied: bool, no_wait: bool, actor: str) -> int:
    """Mask the personal data of one person everywhere in the quarantine.

    That is in rows, corrections, histories, valid rows and archives. The person is known by an e-mail address.
    Without --apply nothing is masked. The act itself is recorded, under a hash of the address.
    """
    email = _address(address_file)

    def begin(dry_run: bool) -> Operation[QuarantineProgress, ErasedSubject]:
        return client.erase_subject(email, dry_run=dry_run, actor=actor)

    with session.client() as client:
        planned = Planned(session, "the erasure", begin, is_applied=is_applied, no_wait=no_wait)
        return planned.run(_show, changes=lambda found: found.found)


def _address(name: str) -> str:
    if name != "-":
        text = Path(name).read_text(encoding="utf-8")
    elif sys.stdin.isatty():
        text = click.prompt("e-mail address", err=True)
    else:
        text = sys.stdin.read(4096)
    if not text.strip() or len(text.split()) != 1:
        raise click.UsageError("give one e-mail address, by stdin or --address-file")
    return text.strip()


def _show(found: ErasedSubject) -> None:
    would = "would be masked" if found.dry_run else "was masked"
    screen.line(
        f"the address {would} in {count(found.batches)} of {many(found.scanned_batches, 'batch')}",
        style="bold",
    )
    screen.facts(
        [
            ("quarantined rows", count(found.quarantined_rows)),
            ("valid rows", count(found.valid_rows)),
            ("events of histories", count(found.events)),
            ("archived rows", count(found.archived_rows)),
            ("recorded under", found.subject_hash),
        ],
        indent=2,
    )
