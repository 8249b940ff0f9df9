"""Has the system kill a child when its parent dies (PR_SET_PDEATHSIG); only Linux can.

The signal comes when the *thread* that started the child ends: start such a child from the main thread.
"""

from __future__ import annotations

import ctypes
import os
import signal
import sys
from collections.abc import Callable

_PR_SET_PDEATHSIG = 1


def tied_to(parent_pid: int) -> Callable[[], None] | None:
    """Returns what the child runs, between fork and exec or at its own start; None where the system lacks it."""
    if sys.platform != "linux":
        return None
    prctl = ctypes.CDLL(None).prctl  # looked up here: after a fork only the call is left to make

    def tie() -> None:
        prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
        if os.getppid() != parent_pid:  # the parent died before the signal was set
            os.kill(os.getpid(), signal.SIGKILL)

    return tie
