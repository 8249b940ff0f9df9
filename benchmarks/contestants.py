"""Who is measured: how each is run, how it is set, and where its verdict must differ from ours.

A peer that cannot state a rule overlooks what breaks it. Which values those are stands here beside it, so
that its count is still held to ours, to the row: see agreement.py.
"""

import csv
import json
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks import install
from benchmarks.meter import Usage
from benchmarks.places import BUILD, PEERS, SCHEMA

EMAILS = ("participant_email", "volunteer_email")

Error = tuple[str, str | None]
"""A field and its value."""


def whole_process_s(usage: Usage) -> float:
    """Return the CPU seconds of a process from its start to its end."""
    return usage.cpu_s


def nothing(_error: Error) -> bool:
    """Say of no error that it is overlooked."""
    return False


def json_text(error: Error) -> bool:
    """Say of what is no JSON that it is overlooked."""
    return error[0] == "metadata"


def bare_hosts(error: Error) -> bool:
    """Say of addresses at a host without a dot that they are overlooked."""
    return error[0] in EMAILS and str(error[1]).endswith("@localhost")


def json_and_nan(error: Error) -> bool:
    """Say of what is no JSON, and of NaN, that they are overlooked."""
    return json_text(error) or error == ("rating", "NaN")


def rounded_minutes(error: Error) -> bool:
    """Say of minutes with a fraction that they are overlooked."""
    return error == ("duration_minutes", "45.5")


@dataclass(frozen=True, slots=True)
class Contestant:
    """A program that validates a file."""

    name: str
    key: str
    command: Callable[[Path, Path], tuple[str, ...]]
    """From the file and a folder for output."""
    setting: str
    """How it is run, for the reader of the results."""
    needs: tuple[str, ...] = ()
    """The programs without which it is left out."""
    overlooks: Callable[[Error], bool] = nothing
    differs: str = ""
    """Why it overlooks that."""
    counted: Callable[[Path, dict[str, Any]], int] = lambda _out, printed: int(
        printed["quarantined"]
    )
    """The bad rows that it found, from the folder and what it printed."""
    cost_s: Callable[[Usage], float] = whole_process_s
    """The CPU seconds that the file cost."""


def python(script: str, *arguments: str) -> tuple[str, ...]:
    """Return the command of a peer that is a Python program."""
    return (str(install.PYTHON), "-I", str(PEERS / script), *arguments)


def ours(path: Path, out: Path, *more: str) -> tuple[str, ...]:
    """Return our command; `more`: threads, and when to begin."""
    return (sys.executable, "-I", str(PEERS / "ours.py"), str(path), str(out / "batch"), *more)


def simd_csv(formats: str) -> Callable[[Path, Path], tuple[str, ...]]:
    """Return how the Rust program is run."""
    return lambda path, out: (
        *(str(install.SIMD_CSV), formats, str(SCHEMA)),
        *(str(path), str(out / "bad.jsonl")),
    )


def duckdb(mode: str) -> Callable[[Path, Path], tuple[str, ...]]:
    """Return how DuckDB is run."""
    return lambda path, out: python("duckdb_sql.py", mode, str(path), str(out / "bad.json"))


def polars(path: Path, out: Path) -> tuple[str, ...]:
    """Return the command of polars."""
    return python("polars_streaming.py", str(path), str(out / "bad.json"))


def zod(path: Path, out: Path) -> tuple[str, ...]:
    """Return the command of Zod."""
    return ("node", str(PEERS / "zod" / "validate.mjs"), str(path), str(out / "bad.jsonl"))


def qsv_schema() -> Path:
    """Write the schema as `qsv schema` writes one: an empty cell is null, which each optional column allows."""
    document = json.loads(SCHEMA.read_text(encoding="utf-8"))
    for name, rules in document["properties"].items():
        if name in document["required"]:
            continue
        rules["type"] = [rules["type"], "null"]
        if "enum" in rules:
            rules["enum"].append(None)
        if "anyOf" in rules:
            rules["anyOf"].append({"type": "null"})
    path = BUILD / "qsv.schema.json"
    path.write_text(json.dumps(document), encoding="utf-8")
    return path


def qsv(path: Path, out: Path) -> tuple[str, ...]:
    """Return the command; qsv writes beside its input, so that gets a second name in the folder."""
    (out / "rows.csv").symlink_to(path)
    options = ("--jobs", "1", "--quiet", "--email-required-tld")
    # It ends with 1 where a row is bad.
    script = '"$@" >/dev/null 2>&1; [ $? -le 1 ]'
    command = (str(install.QSV), "validate", *options, str(out / "rows.csv"), str(qsv_schema()))
    return ("sh", "-c", script, "sh", *command)


def qsv_counted(out: Path, _printed: dict[str, Any]) -> int:
    """Count the rows that qsv's report names."""
    report = out / "rows.csv.validation-errors.tsv"
    with report.open(encoding="utf-8", newline="") as lines:
        rows = csv.reader(lines, delimiter="\t", quoting=csv.QUOTE_NONE)
        next(rows)
        return len({row[0] for row in rows})


OURS = Contestant(
    "steward (fastcsv)",
    "ours",
    ours,
    "validate_file from Python, one thread: full quarantine (records.jsonl, errors.csv, report.json), "
    "CRC-32C of all of it, synced to the disk",
)
SIMD_OWN = Contestant(
    "simd-csv + jsonschema, own e-mail check",
    "simd-csv",
    simd_csv("own"),
    "Reader with 1 MiB into one ByteRecord, the crate over the cells without a serde_json::Value, is_valid first and "
    "iter_errors for bad rows, JSON lines; release, fat LTO, one codegen unit",
    ("simd-csv",),
)
DUCKDB_TEXT = Contestant(
    "DuckDB, text and SQL",
    "duckdb",
    duckdb("text"),
    "threads = 1, no sniffing, all cells VARCHAR, regexp_full_match and TRY_CAST, COPY … TO JSON",
    ("duckdb",),
)
DUCKDB_TYPED = Contestant(
    "DuckDB, typed with store_rejects",
    "duckdb-typed",
    duckdb("typed"),
    "as above, numbers typed, what does not fit by store_rejects",
    ("duckdb",),
    rounded_minutes,
    "its cast to INTEGER rounds 45.5",
)
PEERS_OF_OURS = (
    SIMD_OWN,
    Contestant(
        "simd-csv + jsonschema, the crate's formats",
        "simd-csv-formats",
        simd_csv("crate"),
        "the same program, e-mail by the crate",
        ("simd-csv",),
        bare_hosts,
        "the crate takes ana@localhost",
    ),
    DUCKDB_TEXT,
    DUCKDB_TYPED,
    Contestant(
        "polars, streaming",
        "polars",
        polars,
        "scan_csv of text columns, expressions, sink_ndjson, streaming engine, POLARS_MAX_THREADS=1",
        ("polars",),
        json_text,
        "it has no check of JSON that does not raise",
    ),
    Contestant(
        "qsv validate",
        "qsv",
        qsv,
        "the qsvdp build, one job, e-mail with a top-level domain; writes valid and invalid rows and a report",
        ("qsv",),
        json_and_nan,
        "contentMediaType is not looked at, and NaN is read as 0",
        qsv_counted,
    ),
    Contestant(
        "Zod 4 + csv-parse",
        "zod",
        zod,
        "streamed arrays into one z.object with safeParse, JSON lines",
        ("zod",),
    ),
)
