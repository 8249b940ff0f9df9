"""`steward quarantine purge`: rows removed for good, by age and state; their counts stay."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING

import click

from steward_client.command import resources, screen
from steward_client.command.completing import BATCH
from steward_client.command.moments import Moment
from steward_client.command.quarantine.options import (
    STATES,
    Wanted,
    actor_option,
    apply_option,
    batch_options,
    no_wait_option,
    refuse_batch_options,
)
from steward_client.command.quarantine.planned import Planned
from steward_client.command.session import Session, Verb, pass_session
from steward_client.command.text import count, many, size, verb

if TYPE_CHECKING:
    from steward_client.operations.operation import Operation
    from steward_client.quarantine.outcomes import Purged, QuarantineProgress

_EXAMPLE = """\
steward quarantine purge --before 90d
steward quarantine purge --before 90d --archive --apply
steward quarantine purge --before 2025-01-01 --state discarded --type language_session --apply
"""


@click.command(cls=Verb, example=_EXAMPLE)
@click.argument("batch", metavar="[BATCH]", type=BATCH, required=False)
@click.option(
    "--before",
    type=Moment(),
    required=True,
    metavar="TIME",
    help="Rows that reached their state before 2025-11-13, or 90d ago.",
)
@click.option(
    "--state",
    "states",
    type=click.Choice(STATES),
    multiple=True,
    help="Rows in this state; may be given again.  [default: resolved and discarded]",
)
@batch_options
@click.option("--archive", is_flag=True, help="Keep a compressed copy of the removed rows.")
@apply_option
@no_wait_option
@actor_option
@pass_session
def purge(
    session: Session,
    batch: str | None,
    before: datetime,
    states: tuple[str, ...],
    wanted: Wanted,
    archive: bool,
    is_applied: bool,
    no_wait: bool,
    actor: str,
) -> int:
    """Remove rows for good. Without --apply nothing is removed. Open rows are removed only with --state open."""
    refuse_batch_options(batch, wanted)
    # What reached its state before a time is in a batch that was published before it: the daemon need look at no other.
    until = before if wanted.until is None else min(before, wanted.until)
    batches = None if batch else wanted.batches(create_before=until)

    def begin(dry_run: bool) -> Operation[QuarantineProgress, Purged]:
        return client.purge_quarantine(
            batch,
            before=before,
            batches=batches,
            states=states,
            archive=archive,
            dry_run=dry_run,
            actor=actor,
        )

    with session.client() as client:
        batch = None if batch is None else resources.batch(client, batch)
        planned = Planned(session, "the purge", begin, is_applied=is_applied, no_wait=no_wait)
        return planned.run(_show, changes=lambda found: found.purged_rows)


def _show(found: Purged) -> None:
    done = f"{verb(found.purged_rows, 'was', 'were')} removed"
    would = "would be removed" if found.dry_run else done
    screen.line(
        f"{many(found.purged_rows, 'row')} of {many(found.batches, 'batch')} {would} for good",
        style="bold",
    )
    states = sorted(found.purged_by_state.items())
    archived = size(found.archived_bytes) if found.archived_bytes else ""
    screen.facts(
        [*((state, count(number)) for state, number in states), ("archived", archived)], indent=2
    )
