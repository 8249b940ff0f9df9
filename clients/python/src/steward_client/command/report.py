"""The report of a batch, for people: what came in, what is wrong by field and by rule, and what to do next."""

from __future__ import annotations

from collections.abc import Mapping

from steward_client.command import columns, screen
from steward_client.command.text import count, duration, many, share, short_name, size
from steward_client.validation.batches import Batch
from steward_client.validation.schemas import SchemaKind

_MOST = 12


def show(batch: Batch, title: str) -> None:
    """Prints the report of one batch."""
    word = "row" if batch.kind is not SchemaKind.PAYLOAD else "payload"
    verdict = f"{count(batch.quarantined_rows)} of {many(batch.total_rows, word)} in quarantine"
    if batch.is_clean:
        verdict = f"all {word}s are valid" if batch.total_rows else f"valid, and without a {word}"
        if batch.similar_columns:
            verdict += f", but {many(len(batch.similar_columns), 'column')} may be misspelled"
    is_good = batch.is_clean and not batch.similar_columns
    style = "bold green" if is_good else "bold yellow"
    screen.line(f"{title}: {verdict}", style=style)
    screen.facts(_facts(batch), indent=2)
    columns.show(batch)
    if batch.errors_by_field:
        screen.gap()
        tables = [_ranked(batch.errors_by_field), _ranked(batch.errors_by_keyword)]
        screen.counts(("Field", "Rule"), tables, indent=2)


def show_next(batch: Batch) -> None:
    """Prints what to do with a batch that has rows in quarantine."""
    if batch.is_clean:
        return
    screen.command("see the rows: ", f"steward quarantine show {batch.name}")
    screen.command("get the files:", f"steward batch download {batch.name}")


def _facts(batch: Batch) -> list[tuple[str, str]]:
    recovered = f", {count(batch.recovered_rows)} recovered" if batch.recovered_rows else ""
    is_quick = batch.total_rows < 1000 or batch.elapsed_s == 0
    rate = "" if is_quick else f", {count(round(batch.total_rows / batch.elapsed_s))} rows/s"
    return [
        ("type", short_name(batch.schema)),
        ("payloads" if batch.kind is SchemaKind.PAYLOAD else "rows", count(batch.total_rows)),
        ("valid", f"{count(batch.valid_rows)}  {share(batch.valid_rows, batch.total_rows)}"),
        (
            "quarantined",
            f"{count(batch.quarantined_rows)}  {share(batch.quarantined_rows, batch.total_rows)}{recovered}",
        ),
        ("of these", _states(batch)),
        ("read", f"{size(batch.size_bytes)} in {duration(batch.elapsed_s)}{rate}"),
        ("compression", batch.compression),
        ("batch", batch.name),
    ]


def _states(batch: Batch) -> str:
    """Returns what has become of the quarantined rows, once something has."""
    if not batch.resolved_rows and not batch.discarded_rows:
        return ""
    return (
        f"{count(batch.open_rows)} open, {count(batch.resolved_rows)} resolved, "
        f"{count(batch.discarded_rows)} discarded"
    )


def _ranked(errors: Mapping[str, int]) -> list[tuple[str, str]]:
    ranked = sorted(errors.items(), key=lambda pair: (-pair[1], pair[0]))
    rows = [(name, count(number)) for name, number in ranked[:_MOST]]
    if len(ranked) > _MOST:
        rest = sum(number for _, number in ranked[_MOST:])
        rows.append((f"and {len(ranked) - _MOST} more", count(rest)))
    return rows
