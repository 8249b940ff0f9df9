"""Verdicts on language_session 1.1, against the rules said again in plain Python."""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Callable
from datetime import date
from decimal import Decimal

from hypothesis import given, settings
from hypothesis import strategies as st

from tests.support.csv_batch import schema, validate

ATEXT = r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+"
LABEL = r"[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?"
EMAIL = re.compile(rf"({ATEXT}(?:\.{ATEXT})*)@{LABEL}(?:\.{LABEL})+")
WHOLE = re.compile(r"[+-]?[0-9]+")
NUMBER = re.compile(r"[+-]?[0-9]+(\.[0-9]+)?([eE][+-]?[0-9]+)?")
TIMESTAMP = re.compile(r"(\d{4}-\d\d-\d\d)T(\d\d):(\d\d):(\d\d)(\.\d+)?(Z|[+-]\d\d:\d\d)", re.ASCII)
LEVELS = {"A1", "A2", "B1", "B2", "C1", "C2"}


def is_text(most: int) -> Callable[[str], bool]:
    return lambda cell: len(cell) <= most


def is_email(cell: str) -> bool:
    found = EMAIL.fullmatch(cell)
    return found is not None and len(found[1]) <= 64 and len(cell) <= 254


def is_date(cell: str) -> bool:
    if not re.fullmatch(r"\d{4}-\d\d-\d\d", cell, re.ASCII):
        return False
    try:
        date.fromisoformat(cell)
    except ValueError:
        return False
    return True


def is_moment(cell: str) -> bool:
    found = TIMESTAMP.fullmatch(cell)
    if not found or not is_date(found[1]):
        return is_date(cell)
    hour, minute, second = int(found[2]), int(found[3]), int(found[4])
    zone = found[6]
    zone_holds = zone == "Z" or (int(zone[1:3]) <= 15 and int(zone[4:6]) <= 59)
    return hour <= 23 and minute <= 59 and second <= 59 and zone_holds


def is_duration(cell: str) -> bool:
    return bool(WHOLE.fullmatch(cell)) and 1 <= int(cell) <= 480


def is_rating(cell: str) -> bool:
    return bool(NUMBER.fullmatch(cell)) and 0 <= Decimal(cell) <= 1


def refuse_constant(text: str) -> None:
    raise ValueError(text)


def is_json(cell: str) -> bool:
    try:
        parsed = json.loads(cell, parse_constant=refuse_constant)
    except (ValueError, RecursionError):
        return False
    text = json.dumps(parsed)
    return len(cell) <= 2000 and "\\u0000" not in text and not re.search(r"\\ud[89a-f]", text)


REQUIRED = ("session_id", "participant_email", "volunteer_email", "scheduled_at")
RULES: dict[str, Callable[[str], bool]] = {
    "session_id": is_text(255),
    "participant_email": is_email,
    "volunteer_email": is_email,
    "scheduled_at": is_moment,
    "completed_at": is_moment,
    "duration_minutes": is_duration,
    "rating": is_rating,
    "feedback_text": is_text(5000),
    "language_level": LEVELS.__contains__,
    "topics": is_text(1000),
    "metadata": is_json,
}


def failing_fields(row: dict[str, str]) -> set[str]:
    return {
        name
        for name, holds in RULES.items()
        if (name in REQUIRED if not row[name] else not holds(row[name]))
    }


def near(*good: str, alphabet: str) -> st.SearchStrategy[str]:
    """Draw good cells, and such with a little noise: near misses find what random text does not."""

    @st.composite
    def spoiled(draw: st.DrawFn) -> str:
        cell = draw(st.sampled_from(good))
        for _ in range(draw(st.integers(0, 2))):
            at = draw(st.integers(0, len(cell)))
            cell = (
                cell[:at]
                + draw(st.text(alphabet, max_size=2))
                + cell[at + draw(st.integers(0, 1)) :]
            )
        return cell

    return spoiled()


MOMENT = near(
    "2025-01-31T09:30:00Z",
    "2024-02-29",
    "2025-02-28T23:59:59.123+05:30",
    "0001-01-01T00:00:00-15:59",
    alphabet="0123456789T:-+Z. tz",
)
ADDRESS = near(
    "ana@example.org", "a.b+c@x-y.co.uk", "o'neil@sub.example.com", alphabet='a.@-+_ "é1'
)
CELLS = {
    "session_id": st.one_of(
        st.text("aé😀 ,\"\n'", max_size=20), st.text("é", min_size=250, max_size=260)
    ),
    "participant_email": ADDRESS,
    "volunteer_email": ADDRESS,
    "scheduled_at": MOMENT,
    "completed_at": MOMENT,
    "duration_minutes": near("1", "480", "60", "007", alphabet="0123456789+-.e "),
    "rating": near("0.00", "1.00", "0.5", "1e-1", alphabet="0123456789+-.eEN "),
    "feedback_text": st.one_of(
        st.text('a,"\n=', max_size=30), st.text("ä", min_size=4998, max_size=5002)
    ),
    "language_level": near("A1", "B2", "C2", alphabet="ABCabc123 "),
    "topics": st.one_of(st.text("a, ", max_size=20), st.text("b", min_size=998, max_size=1002)),
    "metadata": near(
        '{"a": [1, 2.5e3, true, null, "x\\u00e9\\n"]}',
        "[]",
        '"x"',
        "-0.1",
        alphabet='{}[]",:0189.eE-+ \\untf\n',
    ),
}
ROW = st.fixed_dictionaries({name: st.one_of(cells, st.just("")) for name, cells in CELLS.items()})
LANGUAGE = schema("language_session", "1.1")


@given(st.lists(ROW, max_size=4))
@settings(max_examples=400, deadline=None)
def test_the_fields_that_fail_are_those_that_the_rules_say(rows: list[dict[str, str]]) -> None:
    text = io.StringIO(newline="")
    writer = csv.DictWriter(text, list(RULES), quoting=csv.QUOTE_MINIMAL)
    writer.writeheader()
    writer.writerows(rows)
    batch = validate(LANGUAGE, text.getvalue().encode())
    found = {
        record["rowNumber"]: {error["field"] for error in record["errors"]}
        for record in batch.records
    }
    wanted = {number: failing_fields(row) for number, row in enumerate(rows, start=1)}
    assert found == {number: fields for number, fields in wanted.items() if fields}
    for record in batch.records:
        assert record["rawData"] == rows[record["rowNumber"] - 1]
        assert all(
            error["value"] == record["rawData"][error["field"]] for error in record["errors"]
        )
