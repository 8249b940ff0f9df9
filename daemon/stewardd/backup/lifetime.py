"""A child that the system kills when its parent dies (PR_SET_PDEATHSIG). Linux; nothing elsewhere.

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
    """What the child runs, between fork and exec or at its own start; None where there is no such thing."""
    if sys.platform != "linux":
        return None
    prctl = ctypes.CDLL(None).prctl  # looked up here: after a fork only the call is left to make

    def tie() -> None:
        prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
        if os.getppid() != parent_pid:  # it died before the knot was made
            os.kill(os.getpid(), signal.SIGKILL)

    return tie
