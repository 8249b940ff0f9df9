"""Operations: how they ended and how long they took, and how full the lanes are."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from stewardd.metrics.metric import WORK_SECONDS, Kind, Label, Metric

if TYPE_CHECKING:
    from stewardd.metrics.exposition import Metrics

KIND = Label("kind", "a kind of operation, such as `CreateBackup`", source="operations")
LANE = Label(
    "lane",
    "a lane, in which so many operations run at once: `backup`, `transfer`, `restore`, `verification`, `retention`, "
    "`quarantine`, `migration`",
    source="lanes",
)
OUTCOME = Label(
    "outcome", "`succeeded`, `failed` or `cancelled`", ("succeeded", "failed", "cancelled")
)
STATE = Label("state", "`running`, or `queued` until the lane has a slot", ("queued", "running"))

ENDED = Metric(
    "steward_operations_total",
    Kind.COUNTER,
    "Operations of this daemon that are done.",
    (KIND, OUTCOME),
)
SECONDS = Metric(
    "steward_operation_duration_seconds",
    Kind.HISTOGRAM,
    "How long operations took, with the time that they waited for their lane.",
    (KIND,),
    WORK_SECONDS,
)
CURRENT = Metric(
    "steward_operations_current",
    Kind.GAUGE,
    "Operations of this daemon that are not done.",
    (LANE, STATE),
)
SLOTS = Metric(
    "steward_operation_lane_slots",
    Kind.GAUGE,
    "Operations of a lane that may run at once.",
    (LANE,),
)
METRICS = (ENDED, SECONDS, CURRENT, SLOTS)


@dataclass(frozen=True, slots=True)
class LaneReading:
    """A lane at one moment."""

    queued: int
    running: int
    slots: int


class OperationMetrics:
    """What is told of operations that are done. `lanes` is read at each scrape."""

    def __init__(self, metrics: Metrics, lanes: Callable[[], Mapping[str, LaneReading]]) -> None:
        self._ended = metrics.counter(ENDED)
        self._seconds = metrics.histogram(SECONDS)
        metrics.read(CURRENT, lambda: _current(lanes()))
        metrics.read(SLOTS, lambda: {(name,): lane.slots for name, lane in lanes().items()})

    def ended(self, kind: str, outcome: str, elapsed_s: float) -> None:
        """Counts an operation whose result is durable."""
        self._ended.add(kind, outcome)
        self._seconds.observe(elapsed_s, kind)


def _current(lanes: Mapping[str, LaneReading]) -> dict[tuple[str, ...], float]:
    found: dict[tuple[str, ...], float] = {}
    for name, lane in lanes.items():
        found[name, "queued"] = lane.queued
        found[name, "running"] = lane.running
    return found
