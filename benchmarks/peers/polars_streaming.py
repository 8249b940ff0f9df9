"""polars: `polars_streaming.py CSV OUT`. A lazy scan, rules as expressions, bad rows sunk to JSON lines.

It has no check of JSON that does not raise, so `metadata` is not judged. The streaming engine on one
thread; the columns that failed are named for bad rows alone.
"""

import json
import os
import sys

os.environ["POLARS_MAX_THREADS"] = "1"

import polars as pl

ATOM = "[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]"
LABEL = "[A-Za-z0-9](?:[A-Za-z0-9-]*[A-Za-z0-9])?"
EMAIL = rf"^{ATOM}+(?:\.{ATOM}+)*@(?:{LABEL}\.)+{LABEL}$"
MOMENT = (
    r"^[0-9]{4}-[0-9]{2}-[0-9]{2}"
    r"(?:T[0-9]{2}:[0-9]{2}:[0-9]{2}(?:\.[0-9]+)?(?:Z|[+-][0-9]{2}:[0-9]{2}))?$"
)
LEVELS = ("A1", "A2", "B1", "B2", "C1", "C2")
COLUMNS = (
    *("session_id", "participant_email", "volunteer_email", "scheduled_at", "completed_at"),
    *("duration_minutes", "rating", "feedback_text", "language_level", "topics", "metadata"),
)


def address(column: str) -> pl.Expr:
    """Return the check of an e-mail address."""
    text = pl.col(column).str
    return (text.len_chars() <= 255) & text.contains(EMAIL)


def moment(column: str) -> pl.Expr:
    """Return the check of a timestamp or date; the day is looked up in the calendar."""
    text = pl.col(column).str
    day = text.slice(0, 10).str.to_date("%Y-%m-%d", strict=False)
    return text.contains(MOMENT) & day.is_not_null()


def within(column: str, kind: type[pl.DataType], low: int, high: int) -> pl.Expr:
    """Return the check of a number; what is none casts to null."""
    return pl.col(column).cast(kind, strict=False).is_between(low, high)


REQUIRED = {
    "session_id": pl.col("session_id").str.len_chars() <= 255,
    "participant_email": address("participant_email"),
    "volunteer_email": address("volunteer_email"),
    "scheduled_at": moment("scheduled_at"),
}
OPTIONAL = {
    "completed_at": moment("completed_at"),
    "duration_minutes": within("duration_minutes", pl.Int64, 1, 480),
    "rating": within("rating", pl.Float64, 0, 1),
    "feedback_text": pl.col("feedback_text").str.len_chars() <= 5000,
    "language_level": pl.col("language_level").is_in(LEVELS),
    "topics": pl.col("topics").str.len_chars() <= 1000,
}


def main(path: str, out: str) -> None:
    """Write the bad rows and print how many there are."""
    filled = {column: pl.col(column).is_null() | check for column, check in OPTIONAL.items()}
    judged = {**REQUIRED, **filled}
    checks = {column: check.fill_null(value=False) for column, check in judged.items()}
    failed = [pl.when(~check).then(pl.lit(column)) for column, check in checks.items()]
    errors = pl.concat_str(failed, separator=" ", ignore_nulls=True)
    rows = pl.scan_csv(path, schema=dict.fromkeys(COLUMNS, pl.String))
    bad = rows.filter(~pl.all_horizontal(checks.values())).with_columns(errors=errors)
    bad.sink_ndjson(out, engine="streaming")
    with open(out, "rb") as file:  # noqa: PTH123  # nothing else of this program needs pathlib
        blocks = iter(lambda: file.read(1 << 20), b"")
        print(json.dumps({"quarantined": sum(block.count(b"\n") for block in blocks)}))


main(*sys.argv[1:])
