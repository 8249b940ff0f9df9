"""One row for people: what it is, its cells before and after, what is wrong, and all that happened to it."""

from __future__ import annotations

import shlex

from steward_client.command import screen
from steward_client.command.quarantine.table import cut
from steward_client.command.text import count, moment, short_name
from steward_client.quarantine.rows import QuarantinedRow, RowEvent

_LONG = 1000


def show_row(row: QuarantinedRow) -> None:
    """Prints a row, and what can be done about it."""
    screen.line(f"{row.name} is {row.state}", style=screen.STYLES.get(row.state.value, ""))
    changed = "" if row.update_time is None else moment(row.update_time)
    is_shown = _is_broken(row) and not row.is_payload  # a payload is shown in any case
    raw = row.raw_row.decode("utf-8", "replace") if is_shown else ""
    screen.facts(
        [
            ("line", f"{count(row.line_number)}, byte {count(row.byte_offset)}"),
            ("quarantined", moment(row.quarantine_time)),
            ("changed", changed),
            ("tries", count(row.attempt)),
            ("judged by", short_name(row.schema)),
            ("as it came", raw),
            ("etag", row.etag),
        ],
        indent=2,
    )
    batch, _, number = row.name.partition("/rows/")
    if row.truncated:
        screen.line(
            f"too large to be shown whole: its cells are cut; `steward batch download {batch} records.jsonl` has them",
            style="yellow",
            indent=2,
        )
    screen.gap()
    if row.is_payload:
        _payload(row)
    else:
        _cells(row)
    if row.history:
        screen.gap()
        screen.table(
            ("When", "Who", "What", "State", "Try", "By", "Changes"),
            [_event(each) for each in row.history],
            numbers=("Try",),
            optional=("Try", "By"),
            states="State",
            indent=2,
        )
    if row.state == "open":
        column = next((each.field for each in row.wrong if each.field != "_row"), "COLUMN")
        change = "--payload FILE" if row.is_payload else f"{shlex.quote(column)}=VALUE"
        screen.gap()
        screen.command("put it right:", f"steward quarantine correct {batch} {number} {change}")
        screen.command(
            "or give it up:", f"steward quarantine discard {batch} {number} --reason 'WHY'"
        )


def _cells(row: QuarantinedRow) -> None:
    now = {cell.column: cell.value for cell in row.corrected_cells}
    wrong: dict[str, list[str]] = {}
    for each in row.wrong if row.state == "open" else ():
        wrong.setdefault(each.field, []).append(each.message)
    came = [(cell.column, cell.value) for cell in row.cells]
    there = {column for column, _ in came} | {"_row"}
    came += [(column, "") for column in (*now, *wrong) if column not in there]
    known = dict(came)
    lines = [
        (column, cut(value, _LONG), _now(value, now.get(column)), "; ".join(wrong.get(column, ())))
        for column, value in known.items()
    ]
    if "_row" in wrong:
        lines.append(("the row", "", "", "; ".join(wrong["_row"])))
    if now:
        screen.table(
            ("Column", "As it came", "Corrected to", "What is wrong"),
            lines,
            names=("Column",),
            indent=2,
        )
    else:
        shown = [(column, value, what) for column, value, _, what in lines]
        screen.table(("Column", "As it came", "What is wrong"), shown, names=("Column",), indent=2)


def _payload(row: QuarantinedRow) -> None:
    """Prints the payload as it came and as it was corrected, and what is wrong with it."""
    came = row.raw_row.decode("utf-8", "replace")
    now = next((cell.value for cell in row.corrected_cells), "")
    screen.facts([("as it came", cut(came, _LONG)), ("corrected to", cut(now, _LONG))], indent=2)
    if row.state == "open":
        screen.gap()
        screen.table(
            ("Member", "Value", "What is wrong"),
            [
                (
                    "the payload" if each.field == "_row" else each.field,
                    cut(each.value, _LONG),
                    each.message,
                )
                for each in row.wrong
            ],
            names=("Member",),
            values=("Value",),
            indent=2,
        )


def _now(before: str, after: str | None) -> str:
    """Returns what a cell was corrected to; empty where it is as it was."""
    if after is None or after == before:
        return ""
    return cut(after, _LONG) or "(empty)"


def _event(event: RowEvent) -> tuple[str, ...]:
    changes = ", ".join(
        f"{column or 'payload'}: {cut(before or '')} → {cut(after or '')}"
        for column, before, after in event.changes
    )
    return (
        moment(event.event_time),
        event.actor,
        event.action.value,
        event.state_after.value,
        count(event.attempt) if event.attempt else "",
        short_name(event.schema),
        event.reason or changes,
    )


def _is_broken(row: QuarantinedRow) -> bool:
    return any(each.field == "_row" for each in row.violations)
