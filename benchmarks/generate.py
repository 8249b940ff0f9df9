"""Makes the CSV files that benchmarks read: language_session 1.1, about 310 bytes a row.

The same seed makes the same bytes. Text is as people write it: quoted commas, doubled quotes, a line
end inside a cell now and then, some of it not ASCII. An invalid row breaks one to three rules.
"""

import argparse
import csv
import io
import json
import random
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

COLUMNS = (
    "session_id",
    "participant_email",
    "volunteer_email",
    "scheduled_at",
    "completed_at",
    "duration_minutes",
    "rating",
    "feedback_text",
    "language_level",
    "topics",
    "metadata",
)
LEVELS = ("A1", "A2", "B1", "B2", "C1", "C2")
NAMES = ("ana", "bo", "chidi", "dilek", "emeka", "farah", "goran", "hana", "ines", "jamal", "kaya")
HOSTS = ("example.org", "mail.example.com", "csr.example.net", "work.example.co.uk")
TOPICS = ("work", "family", "travel", "grammar", "interviews", "everyday life", "news", "food")
SENTENCES = (
    "We talked about the interview next week, and practised answers.",
    "She asked for more grammar next time.",
    'He said "das passt", which made us laugh.',
    "Very good progress since September, vocabulary above all.",
    "The connection was bad, so we stopped early and agreed on a new date.",
    "Besprochen: Bewerbung, Lebenslauf und die Prüfung im März.",
    "Reading a newspaper article together worked well.",
)
BLOCK_ROWS = 10_000

Row = list[str]
Fault = Callable[[random.Random, Row], None]


def put(column: str, *values: str) -> Fault:
    """Return a fault that puts one of the values into the column."""
    index = COLUMNS.index(column)

    def spoil(rng: random.Random, row: Row) -> None:
        row[index] = rng.choice(values)

    return spoil


FAULTS: tuple[Fault, ...] = (
    put("session_id", ""),
    put("participant_email", "ana@localhost", "not an address", "", "a..b@example.org"),
    put("volunteer_email", "bo@", "@example.org"),
    put("scheduled_at", "2025-02-30", "yesterday", "2025-01-31T09:30:00"),
    put("completed_at", "31.01.2025"),
    put("duration_minutes", "0", "481", "45.5", "an hour"),
    put("rating", "1.7", "-0.1", "NaN", "good"),
    put("language_level", "B3", "fluent"),
    put("metadata", '{"device": }', "{'a': 1}", "[1, 2"),
)


def moment(rng: random.Random) -> datetime:
    """Return a time in 2025."""
    start = datetime(2025, 1, 1, tzinfo=UTC)
    return start + timedelta(seconds=rng.randrange(300 * 86_400))


def valid_row(rng: random.Random, number: int) -> Row:
    """Return a row that breaks no rule."""
    begun = moment(rng)
    text = " ".join(rng.choices(SENTENCES, k=rng.randint(0, 5)))
    if rng.random() < 0.01:
        text = text.replace(". ", ".\n")
    metadata = {"device": rng.choice(("phone", "laptop")), "attempt": rng.randint(1, 3)}
    return [
        f"ls-{number:09d}",
        f"{rng.choice(NAMES)}.{rng.randrange(10_000)}@{rng.choice(HOSTS)}",
        f"{rng.choice(NAMES)}{rng.randrange(1_000)}@{rng.choice(HOSTS)}",
        begun.strftime("%Y-%m-%dT%H:%M:%SZ"),
        (begun + timedelta(minutes=50)).strftime("%Y-%m-%dT%H:%M:%S+01:00")
        if rng.random() < 0.9
        else "",
        str(rng.randint(15, 120)),
        f"{rng.random():.2f}" if rng.random() < 0.8 else "",
        text,
        rng.choice(LEVELS),
        ",".join(rng.sample(TOPICS, rng.randint(1, 4))),
        json.dumps(metadata) if rng.random() < 0.7 else "",
    ]


def write_rows(path: Path, rows: int, invalid: float, seed: int) -> None:
    """Write the file at once or not at all, so that an interrupted run leaves no short one."""
    rng = random.Random(f"{seed}/{rows}/{invalid}")
    partial = path.with_suffix(".partial")
    with partial.open("w", encoding="utf-8", newline="") as file:
        file.write(",".join(COLUMNS) + "\n")
        for first in range(0, rows, BLOCK_ROWS):
            block = io.StringIO()
            writer = csv.writer(block, lineterminator="\n")
            for number in range(first, min(first + BLOCK_ROWS, rows)):
                row = valid_row(rng, number)
                if rng.random() < invalid:
                    for fault in rng.sample(FAULTS, rng.randint(1, 3)):
                        fault(rng, row)
                writer.writerow(row)
            file.write(block.getvalue())
    partial.rename(path)


def generated(folder: Path, rows: int, invalid: float, seed: int = 1) -> Path:
    """Return the file with those properties; make it where it does not exist yet."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"language_session_{rows}_{round(invalid * 100):02d}pc_seed{seed}.csv"
    if not path.exists():
        write_rows(path, rows, invalid, seed)
    return path


def main() -> None:
    """Write one file and say where it is."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--invalid", type=float, default=0.02, help="share of invalid rows")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--folder", type=Path, default=Path(__file__).parent / "data")
    chosen = parser.parse_args()
    print(generated(chosen.folder, chosen.rows, chosen.invalid, chosen.seed))


if __name__ == "__main__":
    main()
