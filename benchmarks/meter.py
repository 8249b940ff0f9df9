"""Runs commands, each pinned to its cores, and says what they cost: CPU seconds, seconds, peak memory.

The kernel counts (wait4), threads and system calls included. A child's peak memory begins at that of
the process which started it, so the starter is a bare interpreter: this file, run by itself. Peaks
below that starter's own, some 10 MB, cannot be told.
"""

import json
import os
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

FAILED = 127


class CommandFailed(Exception):
    """A measured command ended badly; the message holds what it said last."""


@dataclass(frozen=True, slots=True)
class Usage:
    """What a command cost, and what it printed."""

    cpu_s: float
    elapsed_s: float
    peak_bytes: int
    printed: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Command:
    """A command, the cores that it may use, and what is added to its environment."""

    argv: tuple[str, ...]
    cores: tuple[int, ...]
    environment: tuple[tuple[str, str], ...] = ()


def measure(*commands: Command) -> list[Usage]:
    """Run the commands side by side and return what each cost. Raises CommandFailed."""
    specification = json.dumps([[it.argv, it.cores, dict(it.environment)] for it in commands])
    starter = [sys.executable, "-I", "-S", __file__]
    done = subprocess.run(starter, input=specification, capture_output=True, text=True, check=False)
    if done.returncode:
        raise CommandFailed(f"{commands[0].argv}: {done.stderr.strip()[-2000:]}")
    return [Usage(**usage) for usage in json.loads(done.stdout)]


def start(
    argv: Sequence[str], cores: Sequence[int], environment: dict[str, str]
) -> tuple[int, int]:
    """Start one command; return its process and the end of a pipe with its output."""
    reading, writing = os.pipe()
    process = os.fork()
    if process:
        os.close(writing)
        return process, reading
    try:
        os.dup2(writing, 1)
        os.sched_setaffinity(0, cores)
        os.execvpe(argv[0], list(argv), {**os.environ, **environment})
    finally:
        os._exit(FAILED)


def main() -> None:
    """Measure the commands on standard input; print their usage."""
    commands = json.load(sys.stdin)
    began_s = time.monotonic()
    running = [start(*command) for command in commands]
    usages = {}
    for _ in running:
        process, status, used = os.wait4(-1, 0)
        if status:
            sys.exit(f"ended with {os.waitstatus_to_exitcode(status)}")
        usages[process] = {
            "cpu_s": used.ru_utime + used.ru_stime,
            "elapsed_s": time.monotonic() - began_s,
            "peak_bytes": used.ru_maxrss * 1024,
        }
    for process, reading in running:
        with os.fdopen(reading) as output:
            printed = output.read().strip()
        usages[process]["printed"] = json.loads(printed) if printed else {}
    json.dump([usages[process] for process, _ in running], sys.stdout)


if __name__ == "__main__":
    main()
