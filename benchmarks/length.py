"""A file ten times as long: ten times the time, the same memory, which is counted from an idle interpreter."""

import shutil
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from statistics import median

from benchmarks.contestants import ours
from benchmarks.meter import Command, Usage, measure

TIMES = 10
BLOCK_BYTES = 1 << 20

FileCommand = Callable[[Path, Path], tuple[str, ...]]
"""From a file and a folder for output to a command."""


@dataclass(frozen=True, slots=True)
class Growth:
    """Ours on a file and on ten of it."""

    short_cpu_s: float
    long_cpu_s: float
    short_peak_bytes: int
    long_peak_bytes: int
    interpreter_bytes: int

    @property
    def times(self) -> float:
        """How much longer the long file took; 10 is what it should be."""
        return self.long_cpu_s / self.short_cpu_s

    @property
    def above_interpreter_bytes(self) -> int:
        """Return what the long file needs more than an interpreter that does nothing."""
        return self.long_peak_bytes - self.interpreter_bytes


def lengthened(path: Path, target: Path, *, header: bool) -> Path:
    """Write the lines of the file ten times; a header once."""
    with target.open("wb") as out:
        for number in range(TIMES):
            with path.open("rb") as lines:
                if header and number > 0:
                    lines.readline()
                shutil.copyfileobj(lines, out, BLOCK_BYTES)
    return target


def interpreter_bytes(core: int) -> int:
    """Return the peak of an interpreter that does nothing."""
    idle = Command((sys.executable, "-I", "-c", "pass"), (core,))
    return max(measure(idle)[0].peak_bytes for _ in range(3))


def once(path: Path, scratch: Path, core: int, command: FileCommand = ours) -> Usage:
    """Validate the file once."""
    out = scratch / "length"
    out.mkdir(parents=True)
    try:
        (usage,) = measure(Command(command(path, out), (core,)))
    finally:
        shutil.rmtree(out)
    return usage


def growth(
    path: Path,
    scratch: Path,
    core: int,
    rounds: int,
    command: FileCommand = ours,
    *,
    header: bool = True,
) -> Growth:
    """Measure in turn, so many times. `scratch` takes the long file and its quarantine: some gigabytes."""
    target = lengthened(path, scratch / f"long{path.suffix}", header=header)
    try:
        pairs = [
            (once(path, scratch, core, command), once(target, scratch, core, command))
            for _ in range(rounds)
        ]
    finally:
        target.unlink()
    return Growth(
        short_cpu_s=median(short.cpu_s for short, _ in pairs),
        long_cpu_s=median(long.cpu_s for _, long in pairs),
        short_peak_bytes=max(short.peak_bytes for short, _ in pairs),
        long_peak_bytes=max(long.peak_bytes for _, long in pairs),
        interpreter_bytes=interpreter_bytes(core),
    )
