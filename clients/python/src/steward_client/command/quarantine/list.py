"""`steward quarantine list`: which batches have rows that want doing, or the rows themselves."""

from __future__ import annotations

from itertools import islice

import click

from steward_client.command import document, screen
from steward_client.command.ending import Exit
from steward_client.command.quarantine.options import Wanted, filter_options, state_option
from steward_client.command.quarantine.table import show_rows
from steward_client.command.session import Session, Verb, pass_session
from steward_client.command.text import count, moment, short_name

_EXAMPLE = """\
steward quarantine list
steward quarantine list --type language_session --since 7d --keyword format
steward quarantine list --rows --state discarded --output json
"""


@click.command("list", cls=Verb, example=_EXAMPLE)
@filter_options
@state_option(also=("any",), default="open")
@click.option(
    "--rows", "is_rows", is_flag=True, help="List the rows themselves, not their batches."
)
@click.option(
    "--limit",
    type=click.IntRange(min=1),
    default=50,
    show_default=True,
    help="Show at most this many.",
)
@pass_session
def list_(session: Session, wanted: Wanted, state: str, is_rows: bool, limit: int) -> int:
    """List batches with rows in quarantine.

    The newest first; those with open rows, unless --state says otherwise.
    """
    asked = None if state == "any" else state
    if is_rows:
        return _rows(session, wanted, asked, limit)
    filtered = wanted.batches(field=wanted.field, keyword=wanted.keyword, state=asked)
    with session.client() as client:
        found = client.list_batches(batches=filtered, page_size=min(limit + 1, 1000))
        quarantined = (each for each in found if each.quarantined_rows)
        batches = list(islice(quarantined, limit))
        is_all = len(batches) < limit or next(quarantined, None) is None
    if session.is_json:
        document.emit({"batches": batches, "is_all": is_all})
        return Exit.DONE
    if not batches:
        screen.line(_nothing(asked, wanted))
        return Exit.DONE
    screen.table(
        (
            "Batch",
            "File",
            "Type",
            "Rows",
            "Open",
            "Resolved",
            "Discarded",
            "Published",
        ),
        [
            (
                each.name,
                each.source_file,
                short_name(each.schema),
                count(each.total_rows),
                count(each.open_rows),
                count(each.resolved_rows),
                count(each.discarded_rows),
                moment(each.create_time),
            )
            for each in batches
        ],
        numbers=("Rows", "Open", "Resolved", "Discarded"),
        names=("Batch",),
        values=("File",),
        optional=("Discarded", "Resolved"),
    )
    if not is_all:
        screen.line(f"these are the newest {count(len(batches))}; --limit shows more")
    screen.command("see its rows:", f"steward quarantine show {batches[0].name}")
    return Exit.DONE


def _rows(session: Session, wanted: Wanted, state: str | None, limit: int) -> int:
    with session.client() as client:
        found = client.quarantined_rows(
            state=state,
            field=wanted.field,
            keyword=wanted.keyword,
            batches=wanted.batches(),
            page_size=min(limit + 1, 1000),
        )
        if session.is_json:
            for row in islice(found, limit):
                document.emit_line(row)
            return Exit.DONE
        rows = list(islice(found, limit))
        is_all = len(rows) < limit or next(found, None) is None
    if not rows:
        screen.line(_nothing(state, wanted))
        return Exit.DONE
    show_rows(rows, with_batch=True)
    if not is_all:
        screen.line(f"these are the first {count(len(rows))}; --limit shows more")
    screen.command("one with its history:", f"steward quarantine show {rows[0].name}")
    return Exit.DONE


def _nothing(state: str | None, wanted: Wanted) -> str:
    kind = "quarantined" if state is None else state
    return f"there are no {kind} rows{'' if wanted.is_empty else ' that fit the filter'}"
