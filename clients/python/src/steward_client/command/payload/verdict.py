"""The verdict on one payload, for people."""

from __future__ import annotations

from typing import TYPE_CHECKING

from steward_client.command import screen
from steward_client.command.text import many, short_name, shown

if TYPE_CHECKING:
    from steward_client.validation.payloads import PayloadVerdict

_MOST_MEMBERS = 20
_MOST_VIOLATIONS = 5


def show_verdict(name: str, verdict: PayloadVerdict) -> None:
    """Prints a verdict for people."""
    kind = short_name(verdict.schema)
    if verdict.valid:
        screen.line(f"{name}: a valid {kind}", style="bold green")
    else:
        found = many(verdict.total_violations, "violation")
        screen.line(f"{name}: no valid {kind}, {found}", style="bold yellow")
        rows = [
            (each.pointer or "the payload", each.keyword, shown(each.value or ""), each.message)
            for each in verdict.violations
        ]
        screen.table(
            ("Member", "Rule", "Value", "What is wrong"),
            rows,
            names=("Member",),
            values=("Value",),
            indent=2,
        )
    if verdict.row:
        batch, _, number = verdict.row.partition("/rows/")
        screen.command("in quarantine:", f"steward quarantine show {batch} {number}")
    if verdict.unknown_members:
        named = ", ".join(shown(each) for each in verdict.unknown_members[:_MOST_MEMBERS])
        rest = len(verdict.unknown_members) - _MOST_MEMBERS
        more = f" and {many(rest, 'other')}" if rest > 0 else ""
        screen.line(
            f"unknown members, kept and not judged: {named}{more}", style="yellow", indent=2
        )


def verdict_line(verdict: PayloadVerdict) -> str:
    """Returns what is wrong with a payload, on one line and without its values."""
    told = [
        f"{each.pointer or 'the payload'} {each.message}"
        for each in verdict.violations[:_MOST_VIOLATIONS]
    ]
    rest = verdict.total_violations - len(told)
    more = f"; and {many(rest, 'other violation')}" if rest > 0 else ""
    return f"no valid {short_name(verdict.schema)}: {'; '.join(told)}{more}"
