"""What was measured on, and how quiet it was. No host name, no path."""

import os
import platform
from dataclasses import dataclass
from pathlib import Path

QUIET_LOAD = 0.5
STOLEN = 7
"""The column of /proc/stat that counts what the hypervisor took."""


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
    """The machine's own account of its work, at one time."""

    load: float
    stolen_s: float


def moment() -> Moment:
    """Look at the load, and at the seconds that were taken from all cores."""
    cpu = Path("/proc/stat").read_text(encoding="utf-8").splitlines()[0].split()
    return Moment(os.getloadavg()[0], int(cpu[1 + STOLEN]) / os.sysconf("SC_CLK_TCK"))
