"""What was measured on, and how quiet it was. No host name, no path."""

import os
import platform
import textwrap
import time
from dataclasses import dataclass
from pathlib import Path

QUIET_CORES = 0.1
LOOK_S = 3.0
WORKING = 5
"""How many of processor_s are work of this machine."""


def cpu_model() -> str:
    """Return the name that the CPU gives itself."""
    for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines():
        if line.startswith(("model name", "Model")):
            return line.partition(":")[2].strip()
    return platform.machine()


def cores() -> tuple[int, ...]:
    """Return the cores that may be used, the last first: the first one serves most interrupts."""
    return tuple(sorted(os.sched_getaffinity(0), reverse=True))


def memory_bytes() -> int:
    """Return how much memory there is."""
    return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")


def describe() -> str:
    """Return the machine in one line."""
    memory = memory_bytes() / 2**30
    system = f"{platform.system()} {platform.release()}, {platform.libc_ver()[0]} {platform.libc_ver()[1]}"
    return f"{cpu_model()}, {len(cores())} cores, {memory:.0f} GiB, {system}, {platform.machine()}"


@dataclass(frozen=True, slots=True)
class Moment:
    """The machine's own account of its work, at one time, while nothing of ours runs."""

    busy_cores: float
    stolen_s: float


def moment() -> Moment:
    """Look for a while at how many cores others keep busy, and at the seconds taken from all cores so far."""
    before = processor_s()
    time.sleep(LOOK_S)
    after = processor_s()
    return Moment((sum(after[:WORKING]) - sum(before[:WORKING])) / LOOK_S, after[-1])


def processor_s() -> list[float]:
    """Return the seconds of all cores: user, nice, system, interrupts (twice), stolen."""
    fields = Path("/proc/stat").read_text(encoding="utf-8").splitlines()[0].split()[1:]
    ticks = [int(fields[place]) for place in (0, 1, 2, 5, 6, 7)]
    return [it / os.sysconf("SC_CLK_TCK") for it in ticks]


def loaded(before: Moment, after: Moment | None, meaning: str) -> list[str]:
    """Say so where the machine had other work before or after a run, and what that means for the figures."""
    busy = max(before.busy_cores, (after or before).busy_cores)
    if busy <= QUIET_CORES:
        return []
    words = f"**Taken on a loaded machine**: other work kept {busy:.1f} cores busy before or after the run. {meaning}"
    return [textwrap.fill(words, 120)]
