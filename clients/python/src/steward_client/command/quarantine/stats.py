"""`steward quarantine stats`: counts of one batch or of a period, and their trend by day."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import click

from steward_client.command import document, resources, screen
from steward_client.command.completing import BATCH
from steward_client.command.ending import Exit
from steward_client.command.quarantine.options import (
    Wanted,
    filter_options,
    refuse_batch_options,
)
from steward_client.command.quarantine.table import cut
from steward_client.command.session import Session, Verb, pass_session
from steward_client.command.text import count, share, short_name, stripe

if TYPE_CHECKING:
    from steward_client.quarantine.statistics import QuarantineStats

_MOST = 12
_DAYS = 31
_EXAMPLE = """\
steward quarantine stats batches/019a…
steward quarantine stats --since 30d --type language_session
steward quarantine stats --since 2025-11-01 --until 2025-12-01 --output json
"""


@click.command(cls=Verb, example=_EXAMPLE)
@click.argument("batch", metavar="[BATCH]", type=BATCH, required=False)
@filter_options
@click.option(
    "--top",
    type=click.IntRange(0, 100),
    default=10,
    show_default=True,
    help="Show this many of the most common invalid values; with 0 the rows are not read.",
)
@pass_session
def stats(session: Session, batch: str | None, wanted: Wanted, top: int) -> int:
    """Count rows by state, field, rule and day.

    Those of a batch, or of all batches that the filter leaves.
    """
    refuse_batch_options(batch, wanted)
    if batch is not None and not wanted.is_empty:
        raise click.UsageError("--field and --keyword choose among batches: leave out the BATCH")
    batches = wanted.batches(field=wanted.field, keyword=wanted.keyword)
    with session.client() as client:
        batch = None if batch is None else resources.batch(client, batch)
        found = client.quarantine_stats(
            batch, batches=None if batch or wanted.is_empty else batches, top_values=top
        )
    if session.is_json:
        document.emit(found)
        return Exit.DONE
    _show(found, batch)
    return Exit.DONE


def _show(found: QuarantineStats, batch: str | None) -> None:
    if not found.batches:
        screen.line("no batch fits")
        return
    screen.line(
        batch or f"{count(found.batches)} {'batch' if found.batches == 1 else 'batches'}",
        style="bold",
    )
    screen.table(
        ("Rows", "Number", "Share", ""),
        [
            (
                word,
                count(number),
                share(number, found.total_rows),
                _stripe(number, found.total_rows),
            )
            for word, number in (
                ("valid from the start", found.valid_rows),
                ("resolved", found.resolved_rows),
                ("discarded", found.discarded_rows),
                ("open", found.open_rows),
                ("all", found.total_rows),
            )
        ],
        numbers=("Number", "Share"),
        indent=2,
    )
    if found.errors_by_field:
        screen.gap()
        tables = {
            "Field": _ranked(found.errors_by_field),
            "Rule": _ranked(found.errors_by_keyword),
            "Type": _ranked(found.errors_by_version or found.errors_by_schema),
        }
        screen.counts(tuple(tables), tuple(tables.values()), indent=2)
    _top_values(found)
    if len(found.days) > 1:
        _trend(found)
    if found.partial:
        screen.line("there are more batches than are counted at once: these are the newest")
        screen.command("count a period:", "steward quarantine stats --since 7d")
    if found.open_rows:
        following = f"show {batch} --state open" if batch else "list"
        screen.gap()
        screen.command("see what is open:", f"steward quarantine {following}")


def _top_values(found: QuarantineStats) -> None:
    if not found.top_values:
        return
    most = found.top_values[0].count
    screen.gap()
    screen.table(
        (
            "Invalid value",
            "Field",
            "Rule",
            "At least" if found.top_values_approximate else "Times",
            "",
        ),
        [
            (
                cut(each.value),
                each.field,
                each.keyword,
                count(each.count),
                _stripe(each.count, most),
            )
            for each in found.top_values
        ],
        numbers=("At least", "Times"),
        values=("Invalid value",),
        names=("Field", "Rule"),
        indent=2,
    )


def _trend(found: QuarantineStats) -> None:
    days = found.days[-_DAYS:]
    most = max(day.quarantined_rows for day in days)
    screen.gap()
    screen.table(
        ("Day", "Batches", "Rows", "Quarantined", "Share", "", "Open", "Resolved", "Discarded"),
        [
            (
                day.day,
                count(day.batches),
                count(day.total_rows),
                count(day.quarantined_rows),
                share(day.quarantined_rows, day.total_rows),
                _stripe(day.quarantined_rows, most),
                count(day.open_rows),
                count(day.resolved_rows),
                count(day.discarded_rows),
            )
            for day in days
        ],
        numbers=("Batches", "Rows", "Quarantined", "Share", "Open", "Resolved", "Discarded"),
        names=("Day",),
        optional=("Open", "Resolved", "Discarded", "Batches"),
        indent=2,
    )
    if len(found.days) > len(days):
        screen.line(
            f"the newest {len(days)} of {count(len(found.days))} days; --output json has all",
            indent=2,
        )


def _stripe(part: int, whole: int) -> str:
    return stripe(part, whole, width=screen.bar_width(), block=screen.block())


def _ranked(errors: Mapping[str, int]) -> list[tuple[str, str]]:
    ranked = sorted(errors.items(), key=lambda pair: (-pair[1], pair[0]))
    rows = [(short_name(name), count(number)) for name, number in ranked[:_MOST]]
    if len(ranked) > _MOST:
        rest = sum(number for _, number in ranked[_MOST:])
        rows.append((f"and {len(ranked) - _MOST} more", count(rest)))
    return rows
