"""Rows as a table: a line for each thing that is wrong."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from steward_client.command import screen
from steward_client.command.text import count, shown

if TYPE_CHECKING:
    from steward_client.quarantine.rows import QuarantinedRow

_LONGEST = 60


def show_rows(rows: Sequence[QuarantinedRow], *, with_batch: bool) -> None:
    """Prints rows with what is wrong with them now; of one that is closed, what was when it came."""
    columns = ("Row", "Line", "State", "Tries", "Field", "Rule", "Value", "What is wrong")
    lines = [line for row in rows for line in _lines(row)]
    if with_batch:
        screen.table(
            ("Row", *columns[2:]),
            [
                (row.name if first else "", *line[2:])
                for row in rows
                for first, line in _firsts(row)
            ],
            numbers=("Tries",),
            names=("Row", "Field"),
            values=("Value",),
            optional=("State", "Tries", "Rule"),
            states="State",
        )
        return
    screen.table(
        columns,
        lines,
        numbers=("Row", "Line", "Tries"),
        names=("Field",),
        values=("Value",),
        optional=("Tries", "Line", "Rule"),
        states="State",
    )


def _firsts(row: QuarantinedRow) -> list[tuple[bool, tuple[str, ...]]]:
    return [(place == 0, line) for place, line in enumerate(_lines(row))]


def _lines(row: QuarantinedRow) -> list[tuple[str, ...]]:
    leading = (count(row.row_number), count(row.line_number), row.state.value, count(row.attempt))
    known = row.wrong or row.violations
    found = [(each.field, each.keyword, cut(each.value), each.message) for each in known]
    return [
        (*(leading if place == 0 else ("",) * len(leading)), *each)
        for place, each in enumerate(found or [("", "", "", "")])
    ]


def cut(value: str | None, longest: int = _LONGEST) -> str:
    """Returns a value that fits in a table and shows what it holds; one that is cut shows it by its last character."""
    if value is None:
        return ""
    return shown(value) if len(value) <= longest else f"{shown(value[: longest - 1])}…"
