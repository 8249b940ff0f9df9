"""The repository: its room, the lease on it, and what was swept from it."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from stewardd.metrics.metric import Kind, Label, Metric

if TYPE_CHECKING:
    from stewardd.metrics.exposition import Metrics

SWEPT_KIND = Label("kind", "what a dead writer left: `batches`, `backups`", ("batches", "backups"))

FREE = Metric(
    "steward_repository_free_bytes",
    Kind.GAUGE,
    "Room that is left in the repository; absent where the storage cannot tell.",
)
LEASE = Metric(
    "steward_repository_lease_valid",
    Kind.GAUGE,
    "1 while this daemon holds its lease on the repository, else 0: it publishes nothing then.",
)
SWEEPS = Metric(
    "steward_repository_sweeps_total",
    Kind.COUNTER,
    "Sweeps for what dead writers left, those that were not finished left out.",
)
SWEPT = Metric(
    "steward_repository_swept_total",
    Kind.COUNTER,
    "Unfinished things that sweeps of this daemon removed.",
    (SWEPT_KIND,),
)
METRICS = (FREE, LEASE, SWEEPS, SWEPT)


class RepositoryMetrics:
    """What is told of sweeps; the room and the lease are read at each scrape."""

    def __init__(
        self,
        metrics: Metrics,
        free_bytes: Callable[[], int | None],
        is_lease_valid: Callable[[], bool],
    ) -> None:
        self._sweeps = metrics.counter(SWEEPS)
        self._swept = metrics.counter(SWEPT)

        def room() -> dict[tuple[str, ...], float]:
            seen = free_bytes()
            return {} if seen is None else {(): seen}

        metrics.read(FREE, room)
        metrics.read(LEASE, lambda: {(): is_lease_valid()})

    def swept(self, kinds: list[str]) -> None:
        """Counts a sweep, and each thing that it removed by its kind."""
        self._sweeps.add()
        for kind in kinds:
            self._swept.add(kind)
