"""Calls: how many, how they ended and how long they took. The interceptor tells."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from stewardd.errors import StewardError
from stewardd.metrics.metric import CALL_SECONDS, METHOD, Kind, Label, Metric

if TYPE_CHECKING:
    from stewardd.metrics.exposition import Metrics

# The status codes of gRPC (google.rpc.Code).
CODES = (
    "OK",
    "CANCELLED",
    "UNKNOWN",
    "INVALID_ARGUMENT",
    "DEADLINE_EXCEEDED",
    "NOT_FOUND",
    "ALREADY_EXISTS",
    "PERMISSION_DENIED",
    "RESOURCE_EXHAUSTED",
    "FAILED_PRECONDITION",
    "ABORTED",
    "OUT_OF_RANGE",
    "UNIMPLEMENTED",
    "INTERNAL",
    "UNAVAILABLE",
    "DATA_LOSS",
    "UNAUTHENTICATED",
)


def reasons(cls: type[StewardError] = StewardError) -> Iterator[str]:
    """Yields the reason of a class of errors, and those of all below it."""
    yield cls.reason
    for child in cls.__subclasses__():
        yield from reasons(child)


CODE = Label("code", "a status code of gRPC", CODES)
REASON = Label("reason", "a reason of [errors](errors.md)", tuple(sorted(set(reasons()))))

CALLS = Metric(
    "steward_rpc_calls_total",
    Kind.COUNTER,
    "Calls that have ended, by their status; one that the client gave up, also for its deadline, is CANCELLED.",
    (METHOD, CODE),
)
REFUSED = Metric(
    "steward_rpc_refused_calls_total",
    Kind.COUNTER,
    "Calls that ended with an error of the daemon, by its reason.",
    (REASON,),
)
SECONDS = Metric(
    "steward_rpc_call_duration_seconds",
    Kind.HISTOGRAM,
    "How long calls took, from the first byte to the last; a stream counts until it is closed.",
    (METHOD,),
    CALL_SECONDS,
)
IN_FLIGHT = Metric(
    "steward_rpc_calls_in_flight", Kind.GAUGE, "Calls that are being served now.", (METHOD,)
)
METRICS = (CALLS, REFUSED, SECONDS, IN_FLIGHT)


class CallMetrics:
    """What the interceptor tells."""

    def __init__(self, metrics: Metrics) -> None:
        self._calls = metrics.counter(CALLS)
        self._refused = metrics.counter(REFUSED)
        self._seconds = metrics.histogram(SECONDS)
        self._running: dict[tuple[str, ...], float] = {}
        metrics.read(IN_FLIGHT, lambda: self._running)

    def began(self, method: str) -> None:
        """Counts a call in."""
        self._running[method,] = self._running.get((method,), 0) + 1

    def ended(self, method: str, code: str, elapsed_s: float, reason: str = "") -> None:
        """Counts a call out; `reason` is that of the daemon's own error, if it ended with one."""
        self._running[method,] -= 1
        self._calls.add(method, code)
        self._seconds.observe(elapsed_s, method)
        if reason:
            self._refused.add(reason)
