"""Has the system kill a child when its parent dies (PR_SET_PDEATHSIG); only Linux can.

The signal comes when the *thread* that started the child ends: start such a child from the main thread. As a program,
`lifetime.py PARENT PROGRAM ARGUMENT…`, this file ties itself to a process and becomes another program.
"""

from __future__ import annotations

import ctypes
import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path

_PR_SET_PDEATHSIG = 1


def tied_to(parent_pid: int, end_by: signal.Signals = signal.SIGKILL) -> Callable[[], None] | None:
    """Returns what the child runs, between fork and exec or at its own start; None where the system lacks it.

    `end_by` is the signal that it gets: one that has children to end needs a signal that it can hear.
    """
    if sys.platform != "linux":
        return None
    prctl = ctypes.CDLL(None).prctl  # looked up here: after a fork only the call is left to make

    def tie() -> None:
        prctl(_PR_SET_PDEATHSIG, end_by, 0, 0, 0)
        if os.getppid() != parent_pid:  # the parent died before the signal was set
            os.kill(os.getpid(), end_by)

    return tie


def children_of(pid: int) -> list[int]:
    """The processes that one has started; none where the system does not tell (it does on Linux)."""
    try:
        return [int(each) for each in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    except OSError:
        return []


def launcher(parent_pid: int) -> list[str]:
    """What stands before the argv of a program that is to be tied without running Python between fork and exec.

    A process with many threads starts a child so: what another thread has locked stays locked after a fork.
    """
    if sys.platform != "linux":
        return []
    return [sys.executable, "-I", "-S", __file__, str(parent_pid)]


def _launch(parent_pid: str, program: str, *arguments: str) -> None:
    tie = tied_to(int(parent_pid))
    if tie is not None:
        tie()
    signal.signal(signal.SIGPIPE, signal.SIG_DFL)  # Python ignores it, and the program would too
    try:
        os.execv(program, [program, *arguments])  # noqa: S606 - it becomes the program
    except OSError as error:
        sys.exit(f"{program} does not start: {error.strerror}")


if __name__ == "__main__":
    _launch(*sys.argv[1:])
