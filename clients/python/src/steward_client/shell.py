"""What the plain and the asyncio client have in common: where they connect, how long they wait, what they refuse."""

from __future__ import annotations

import os

from steward_client.channel import DEFAULT_TARGET, Target
from steward_client.errors import Unavailable
from steward_client.retry import Attempts, Deadline, RetryPolicy

LONGEST_WAIT_S = 30.0
"""For how long one WaitOperation is asked for: short enough that a daemon which is gone is noticed."""
WAIT_PAUSE_S = 0.05
"""Between two of them: a daemon that answers too early must not be asked without end."""


class Shell:
    """The settings of a client. `target` is `HOST[:PORT]` or `unix:///path`; times are in seconds."""

    def __init__(
        self,
        target: str = DEFAULT_TARGET,
        *,
        timeout_s: float = 30.0,
        transfer_timeout_s: float = 3600.0,
        retry: RetryPolicy | None = None,
    ) -> None:
        self.target = Target.parse(target)
        self.timeout_s = timeout_s
        self.transfer_timeout_s = transfer_timeout_s
        self.retry = retry or RetryPolicy()
        self._process = os.getpid()

    def _check_process(self) -> None:
        if os.getpid() != self._process:
            raise RuntimeError(
                "this client was made before fork(), and gRPC channels do not survive it: "
                "make a new client in the child process"
            )

    def _short(self, timeout_s: float | None) -> float:
        return self.timeout_s if timeout_s is None else timeout_s

    def _transfer(self, timeout_s: float | None) -> Deadline:
        return Deadline(self.transfer_timeout_s if timeout_s is None else timeout_s)

    def _attempts(self, deadline: Deadline, *, repeatable: bool = True) -> Attempts:
        return Attempts(self.retry, deadline, repeatable=repeatable)


def watch_broken(name: str) -> Unavailable:
    """Returns the error of a watch that ended well while its operation goes on: as good as a broken connection."""
    return Unavailable(
        f"the daemon stopped telling of {name} before it was done", reason="WATCH_ENDED"
    )
