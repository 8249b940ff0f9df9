"""Decides whether a call is sent again, and how long to wait before. The clients do the sleeping.

Unary calls that may be repeated are repeated by gRPC itself, from the service config in channel.py. What gRPC
cannot repeat is decided here: an upload (with its request_id, so that at most one batch comes of it), a download or
a watch that goes on where it was cut. A daemon that was never reached is not waited for: a wrong address raises at
once.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from dataclasses import dataclass

from steward_client.errors import DeadlineExceeded, StewardError, Unavailable, Unreachable

REWRITTEN = "BATCH_REWRITTEN"
"""A purge or an erasure rewrote the batch midway: what is begun anew gets it as it is now."""


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """How often to try. The wait doubles from `initial_delay_s` up to `max_delay_s`, less a random part."""

    attempts: int = 7
    initial_delay_s: float = 0.25
    max_delay_s: float = 10.0

    def delay_s(self, failures: int, jitter: float) -> float:
        """Returns the wait after that many failures; `jitter` in 0..1 takes up to half of it away.

        >>> RetryPolicy().delay_s(failures=3, jitter=0.0)
        1.0
        """
        # The exponent is bounded so that a policy of very many attempts cannot overflow.
        longest_s = min(self.max_delay_s, self.initial_delay_s * 2.0 ** min(failures - 1, 32))
        return float(longest_s * (1 - jitter / 2))


def is_transient(error: StewardError) -> bool:
    """Whether the same request, sent again, may well succeed."""
    return isinstance(error, Unavailable) or error.reason in ("REQUEST_IN_PROGRESS", REWRITTEN)


OnRetry = Callable[[StewardError, float], None]
"""Called with why a call failed, and the seconds until it is sent again."""


class Deadline:
    """The moment by which a whole method must have answered, its retries included; None is never."""

    def __init__(
        self, timeout_s: float | None, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self.timeout_s = timeout_s
        self._clock = clock
        self._end = None if timeout_s is None else clock() + timeout_s

    def remaining_s(self) -> float | None:
        """Returns the seconds that are left. Raises DeadlineExceeded when none are."""
        if self._end is None:
            return None
        left_s = self._end - self._clock()
        if left_s <= 0:
            raise DeadlineExceeded(f"no answer within {self.timeout_s:g} s")
        return left_s

    def allows(self, delay_s: float) -> bool:
        """Whether there is still time after a wait."""
        return self._end is None or self._clock() + delay_s < self._end


class Attempts:
    """The failures of one method so far, and whether there is another attempt after each."""

    def __init__(
        self,
        policy: RetryPolicy,
        deadline: Deadline,
        *,
        repeatable: bool = True,
        jitter: Callable[[], float] = random.random,
        on_retry: OnRetry | None = None,
    ) -> None:
        self._policy = policy
        self._deadline = deadline
        self._repeatable = repeatable
        self._jitter = jitter
        self._on_retry = on_retry
        self._failures = 0
        self._reached = False

    def failed(self, error: StewardError) -> float:
        """Returns how long to wait before the next attempt, or raises `error` when there shall be none."""
        self._failures += 1
        self._reached = self._reached or not isinstance(error, Unreachable)
        delay_s = self._policy.delay_s(self._failures, self._jitter())
        delay_s = max(delay_s, error.retry_after_s or 0.0)
        again = self._repeatable and self._reached and is_transient(error)
        if (
            not again
            or self._failures >= self._policy.attempts
            or not self._deadline.allows(delay_s)
        ):
            raise error
        if self._on_retry is not None:
            self._on_retry(error, delay_s)
        return delay_s

    def progressed(self) -> None:
        """Notes that something came through: the count begins again, and the daemon is known to be there."""
        self._failures = 0
        self._reached = True
