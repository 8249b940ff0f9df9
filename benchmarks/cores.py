"""Two threads on two cores, against two one-core runs side by side: what the splitting and the joining cost.

Seconds of the clock, not CPU seconds: waiting for each other is what may be lost. All begin at one
moment, with the interpreter up, and the second pair of runs shares memory and caches as two threads do.
"""

import shutil
import time
from dataclasses import dataclass
from pathlib import Path
from statistics import median

from benchmarks.contestants import ours
from benchmarks.meter import Command, measure

START_S = 0.7
"""Long enough for interpreters to start, on a busy machine too."""


@dataclass(frozen=True, slots=True)
class Doubling:
    """Medians, in seconds of the clock."""

    one_alone_s: float
    two_threads_s: float
    two_runs_s: float

    @property
    def ratio(self) -> float:
        """The throughput of two threads as a share of that of two runs."""
        return self.two_runs_s / (2 * self.two_threads_s)


def elapsed_s(path: Path, scratch: Path, runs: list[tuple[int, tuple[int, ...]]]) -> float:
    """Run ours with those threads on those cores; return how long the slowest took."""
    begin_s = time.monotonic() + START_S
    commands = []
    for number, (threads, cores) in enumerate(runs):
        out = scratch / f"cores-{number}"
        out.mkdir()
        commands.append(Command(ours(path, out, str(threads), str(begin_s)), cores))
    try:
        return max(float(usage.printed["elapsed_s"]) for usage in measure(*commands))
    finally:
        for number in range(len(runs)):
            shutil.rmtree(scratch / f"cores-{number}")


def doubling(path: Path, scratch: Path, cores: tuple[int, ...], rounds: int) -> Doubling:
    """Measure in turn, so many times."""
    first, second = cores[:2]
    ways: dict[str, list[tuple[int, tuple[int, ...]]]] = {
        "one": [(1, (first,))],
        "threads": [(2, (first, second))],
        "runs": [(1, (first,)), (1, (second,))],
    }
    seconds: dict[str, list[float]] = {way: [] for way in ways}
    for _ in range(rounds):
        for way, runs in ways.items():
            seconds[way].append(elapsed_s(path, scratch, runs))
    return Doubling(*(median(seconds[way]) for way in ("one", "threads", "runs")))
