"""The times of connections: how long callers waited for one and held it. The pools tell of each loan."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from stewardd.metrics.metric import DATABASE, Kind, Metric

if TYPE_CHECKING:
    from stewardd.metrics.exposition import Metrics

# From a connection that lies ready to a caller that waits as long as it may.
LOAN_SECONDS = (0.0001, 0.001, 0.005, 0.025, 0.1, 0.5, 1.0, 2.5, 5.0, 15.0, 60.0)

WAITED = Metric(
    "steward_pool_acquire_duration_seconds",
    Kind.HISTOGRAM,
    "How long callers that got a connection waited for it.",
    (DATABASE,),
    LOAN_SECONDS,
)
HELD = Metric(
    "steward_pool_loan_duration_seconds",
    Kind.HISTOGRAM,
    "How long callers held a connection.",
    (DATABASE,),
    LOAN_SECONDS,
)
CONNECTED = Metric(
    "steward_pool_connect_duration_seconds",
    Kind.HISTOGRAM,
    "How long it took to make a connection.",
    (DATABASE,),
    LOAN_SECONDS,
)
METRICS = (WAITED, HELD, CONNECTED)


class ConnectionTimes:
    """Where a pool's times are counted; each method returns what counts in those of one database."""

    def __init__(self, metrics: Metrics) -> None:
        self._waited = metrics.histogram(WAITED)
        self._held = metrics.histogram(HELD)
        self._connected = metrics.histogram(CONNECTED)

    def waited(self, database: str) -> Callable[[float], None]:
        """Returns what counts a caller that got its connection after so many seconds."""
        return self._waited.observer(database)

    def held(self, database: str) -> Callable[[float], None]:
        """Returns what counts a connection that came back after so many seconds."""
        return self._held.observer(database)

    def connected(self, database: str) -> Callable[[float], None]:
        """Returns what counts a connection that was made in so many seconds."""
        return self._connected.observer(database)
