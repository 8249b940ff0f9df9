"""How a client reaches its daemon: the address, how long it waits, and how often it tries again."""

from __future__ import annotations

from dataclasses import dataclass

from steward_client.connection.channel import Target
from steward_client.connection.retry import Attempts, Deadline, OnRetry, RetryPolicy


@dataclass(frozen=True, slots=True)
class ConnectionSettings:
    """The settings of a connection; times are in seconds."""

    target: Target
    timeout_s: float
    """For a short call."""
    transfer_timeout_s: float
    """For an upload or a download with all its retries."""
    retry: RetryPolicy
    on_retry: OnRetry | None = None
    """Called before a call is sent again that gRPC does not repeat by itself."""

    def transfer_deadline(self, timeout_s: float | None) -> Deadline:
        """Returns the deadline of a transfer that begins now; None stands for the default."""
        return Deadline(self.transfer_timeout_s if timeout_s is None else timeout_s)

    def attempts(self, deadline: Deadline, *, repeatable: bool = True) -> Attempts:
        """Returns the count of failures for one method."""
        return Attempts(self.retry, deadline, repeatable=repeatable, on_retry=self.on_retry)
