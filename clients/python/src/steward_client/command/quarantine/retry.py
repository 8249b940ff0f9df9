"""`steward quarantine retry`: open rows judged again, as when a schema version relaxes a rule."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from steward_client.command import resources, screen
from steward_client.command.completing import BATCH, VERSION
from steward_client.command.ending import Exit
from steward_client.command.quarantine.options import (
    Wanted,
    actor_option,
    apply_option,
    filter_options,
    no_wait_option,
    refuse_batch_options,
)
from steward_client.command.quarantine.planned import Planned
from steward_client.command.session import Session, Verb, pass_session
from steward_client.command.text import count, many, verb

if TYPE_CHECKING:
    from steward_client.operations.operation import Operation
    from steward_client.quarantine.outcomes import QuarantineProgress, Retried

_EXAMPLE = """\
steward quarantine retry batches/019a…
steward quarantine retry batches/019a… --to-version 1.1 --apply
steward quarantine retry --type language_session --keyword enum --apply
"""


@click.command(cls=Verb, example=_EXAMPLE)
@click.argument("batch", metavar="[BATCH]", type=BATCH, required=False)
@filter_options
@click.option(
    "--to-version",
    metavar="V",
    type=VERSION,
    help="Judge by this version of the schema.  [default: the newest]",
)
@apply_option
@no_wait_option
@actor_option
@pass_session
def retry(
    session: Session,
    batch: str | None,
    wanted: Wanted,
    to_version: str | None,
    is_applied: bool,
    no_wait: bool,
    actor: str,
) -> int:
    """Judge open rows again, usually by a newer version.

    Those of a batch, or of all batches that a filter leaves. Without --apply nothing changes.

    Exit code: 0 all of them are valid now (would be), 1 some are still open.
    """
    refuse_batch_options(batch, wanted)
    if batch is None and wanted.is_empty:
        raise click.UsageError("name a BATCH, or choose rows: --type, --since, --keyword …")
    # Rows that are open are in batches that have an open row: so a filter of rows alone is one of batches, too.
    batches = None if batch else wanted.batches(state="open")

    def begin(dry_run: bool) -> Operation[QuarantineProgress, Retried]:
        return client.retry_quarantine(
            batch,
            batches=batches,
            field=wanted.field,
            keyword=wanted.keyword,
            schema_version=to_version,
            dry_run=dry_run,
            actor=actor,
        )

    with session.client() as client:
        batch = None if batch is None else resources.batch(client, batch)
        planned = Planned(session, "the retry", begin, is_applied=is_applied, no_wait=no_wait)
        return planned.run(_show, changes=lambda found: found.judged_rows, code=_code)


def _code(found: Retried) -> int:
    return Exit.FOUND if found.invalid_rows else Exit.DONE


def _show(found: Retried) -> None:
    if not found.judged_rows:
        screen.line("no open row that fits was judged by another version before")
        return
    done = f"{verb(found.judged_rows, 'was', 'were')} judged"
    would = "would be judged" if found.dry_run else done
    screen.line(
        f"{many(found.judged_rows, 'row')} of {many(found.batches, 'batch')} {would} again",
        style="bold",
    )
    screen.facts(
        [
            ("valid now", count(found.resolved_rows)),
            ("still invalid", count(found.invalid_rows)),
        ],
        indent=2,
    )
    if found.unfit_batches:
        screen.line(
            f"{many(found.unfit_batches, 'batch')} {verb(found.unfit_batches, 'is', 'are')} left out: "
            "the header lacks columns that the version requires",
            style="yellow",
            indent=2,
        )
