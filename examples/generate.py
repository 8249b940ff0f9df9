"""Makes the sample files: realistic rows, and among them one broken in every way that the rules know.

`python examples/generate.py [FOLDER]` writes the same bytes every time; a test holds the files in this folder to it.
"""

from __future__ import annotations

import json
import random
import sys
from collections.abc import Callable
from datetime import datetime, timedelta, timezone
from pathlib import Path

ROWS = 2000
BROKEN_SHARE = 0.03

FIRST = (
    "Ana Bo Chidi Dina Emre Fatou Goran Hana Ines Jonas Keiko Lena Mila Noor Omar Petra Rana Søren Tariq Zoé"
).split()
LAST = "Abreu Berg Costa Demir Eriksen Fofana Gruber Haddad Ivanova Jansen Kaya Lund Moreau Nowak Okafor Silva".split()
DOMAINS = ["example.org", "mail.example.com", "firma.example", "post.example.net"]
TOPICS = [
    "work",
    "housing",
    "school",
    "small talk",
    "health care",
    "job interview",
    "public transport",
    "taxes",
]
GOALS = ["write a CV", "find a mentor", "prepare an interview", "learn Git", "plan the next year"]
FOCUS = ["career change", "software engineering", "nursing", "bookkeeping", "self-employment"]
FEEDBACK = [
    "Very helpful, thank you.",
    'She said "see you next week", and I will.',
    "We spoke about the weather, and then\nabout my new job.",
    "Zeer goed gesprek — volgende keer weer!",
    "Ich habe viel gelernt; danke, Jürgen.",
    "最初は緊張しましたが、楽しかったです。",
    "A bit short, but fine.",
    "",
]
Row = dict[str, str]


def person(rng: random.Random) -> str:
    """Returns an e-mail address."""
    first, last = rng.choice(FIRST), rng.choice(LAST)
    plain = (first + "." + last).lower().replace("ø", "oe").replace("é", "e")
    return f"{plain}{rng.randrange(1, 400)}@{rng.choice(DOMAINS)}"


def moment(rng: random.Random) -> datetime:
    """Returns a time of the year 2025, in one of a few zones."""
    zone = timezone(timedelta(minutes=rng.choice([0, 60, 120, 330, -300])))
    return datetime(2025, 1, 6, 9, tzinfo=zone) + timedelta(minutes=15 * rng.randrange(30_000))


def common(rng: random.Random, number: int, prefix: str) -> Row:
    """Returns the columns that every type has."""
    scheduled = moment(rng)
    minutes = rng.choice([30, 45, 60, 60, 90])
    held = rng.random() < 0.9
    return {
        "session_id": f"{prefix}-2025-{number:06}",
        "participant_email": person(rng),
        "scheduled_at": scheduled.isoformat()
        if rng.random() < 0.9
        else scheduled.date().isoformat(),
        "completed_at": (scheduled + timedelta(minutes=minutes)).isoformat() if held else "",
        "duration_minutes": str(minutes) if held else "",
        "rating": f"{rng.randrange(40, 101) / 100:.2f}" if held else "",
        "feedback_text": rng.choice(FEEDBACK) if held else "",
    }


def language_row(rng: random.Random, number: int, *, metadata: bool) -> Row:
    """Returns a language session, version 1.1 with `metadata`, else 1.0."""
    row = common(rng, number, "LNG")
    row["volunteer_email"] = person(rng)
    row["language_level"] = rng.choice(["A1", "A2", "B1", "B1", "B2", "C1", "C2", ""])
    row["topics"] = ", ".join(rng.sample(TOPICS, rng.randrange(4)))
    if metadata:
        facts = {
            "room": rng.randrange(1, 30),
            "online": rng.random() < 0.5,
            "tags": rng.sample(TOPICS, 2),
        }
        row["metadata"] = json.dumps(facts) if rng.random() < 0.7 else ""
    return row


def mentorship_row(rng: random.Random, number: int) -> Row:
    """Returns a mentorship session."""
    row = common(rng, number, "MNT")
    row["mentor_email"] = person(rng)
    row["focus_area"] = rng.choice(FOCUS)
    row["goals_discussed"] = ", ".join(rng.sample(GOALS, rng.randrange(1, 4)))
    return row


# (column, value): one for each way in which a cell can break a rule.
CELL_FAULTS = [
    ("session_id", ""),
    ("session_id", "S" * 256),
    ("participant_email", ""),
    ("participant_email", "ana at example.org"),
    ("participant_email", "ana@localhost"),
    ("participant_email", "a" * 65 + "@example.org"),
    ("volunteer_email", '"quoted part"@example.org'),
    ("mentor_email", "bo@[192.0.2.7]"),
    ("scheduled_at", "2025-02-30"),
    ("scheduled_at", "2025-03-01T10:00:00"),
    ("scheduled_at", "01/03/2025"),
    ("completed_at", "2025-03-01T25:00:00Z"),
    ("duration_minutes", "45.5"),
    ("duration_minutes", "0"),
    ("duration_minutes", "481"),
    ("duration_minutes", "an hour"),
    ("rating", "1.7"),
    ("rating", "-0.01"),
    ("rating", "NaN"),
    ("feedback_text", "good " * 1001),
    ("feedback_text", '=HYPERLINK("http://example.org")' + "!" * 5000),
    ("language_level", "D1"),
    ("language_level", "b1"),
    ("topics", "work, " * 200),
    ("metadata", "{'room': 7}"),
    ("metadata", '{"room": 07}'),
    ("metadata", '{"note": "' + "x" * 2000 + '"}'),
    ("focus_area", "f" * 256),
    ("goals_discussed", "g" * 1001),
]


def quoted(cell: str) -> str:
    """Returns a cell as RFC 4180 writes it."""
    return '"' + cell.replace('"', '""') + '"' if any(c in cell for c in ',"\r\n') else cell


def line(row: Row, columns: list[str]) -> bytes:
    """Returns a record with its line end."""
    return (",".join(quoted(row[column]) for column in columns) + "\r\n").encode()


def broken_records(
    rng: random.Random, columns: list[str], make: Callable[[int], Row], first: int
) -> list[bytes]:
    """Returns one record for every fault of a cell that has its column here, and one for every fault of a record."""
    records = []
    for column, value in CELL_FAULTS:
        if column in columns:
            records.append(line(make(first + len(records)) | {column: value}, columns))
    whole = [line(make(first + len(records) + extra), columns) for extra in range(6)]
    records += [
        whole[0].rstrip(b"\r\n").rpartition(b",")[0] + b"\r\n",  # a cell too few
        whole[1].rstrip(b"\r\n") + b",and,more\r\n",  # two too many
        whole[2].replace(b"-", b"\xff", 1),  # no UTF-8
        whole[3].replace(b"-", b'"-', 1),  # a quote in the middle of a plain cell
        whole[4].replace(b"-", b"\x00", 1),  # a NUL
        b'"' + whole[5],  # a quote that never closes
    ]
    rng.shuffle(records)
    return records


def sample(columns: list[str], make: Callable[[random.Random, int], Row], seed: int) -> bytes:
    """Returns a whole file."""
    rng = random.Random(seed)

    def numbered(number: int) -> Row:
        return make(rng, number)

    broken = broken_records(rng, columns, numbered, ROWS)
    repeats = int(ROWS * BROKEN_SHARE) // len(broken) + 1
    places = set(rng.sample(range(10, ROWS), repeats * len(broken)))
    records = [line(numbered(number), columns) for number in range(ROWS)]
    for index, place in enumerate(sorted(places)):
        records[place] = broken[index % len(broken)]
    return (",".join(columns) + "\r\n").encode() + b"".join(records)


COMMON = ["scheduled_at", "completed_at", "duration_minutes", "rating", "feedback_text"]
LANGUAGE = [
    "session_id",
    "participant_email",
    "volunteer_email",
    *COMMON,
    "language_level",
    "topics",
]
MENTORSHIP = [
    "session_id",
    "participant_email",
    "mentor_email",
    *COMMON,
    "focus_area",
    "goals_discussed",
]


def files() -> dict[str, bytes]:
    """Returns every sample by its name."""
    return {
        "language_session_1.0.csv": sample(
            LANGUAGE, lambda rng, n: language_row(rng, n, metadata=False), 10
        ),
        "language_session_1.1.csv": sample(
            [*LANGUAGE, "metadata"], lambda rng, n: language_row(rng, n, metadata=True), 11
        ),
        "mentorship_session_1.0.csv": sample(MENTORSHIP, mentorship_row, 20),
    }


def main() -> None:
    """Writes every sample into the folder that is named, or into this one."""
    folder = Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).parent
    for name, body in files().items():
        (folder / name).write_bytes(body)


if __name__ == "__main__":
    main()
