"""The daemon as Health sees it: components and their states, readiness, version."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

from stewardd.metrics.metric import COMPONENT, Kind, Label, Metric

if TYPE_CHECKING:
    from stewardd.metrics.exposition import Metrics

STATES = ("healthy", "degraded", "down")
STATE = Label("state", "`healthy`, `degraded` or `down`", STATES)
VERSION = Label("version", "the daemon's version", source="versions")

COMPONENTS = Metric(
    "steward_component_state",
    Kind.GAUGE,
    "1 for the state that the component was last seen in, 0 for the others.",
    (COMPONENT, STATE),
)
READY = Metric("steward_ready", Kind.GAUGE, "1 while `/readyz` answers 200, else 0.")
BUILD = Metric(
    "steward_build_info", Kind.GAUGE, "Always 1; the version stands in the label.", (VERSION,)
)
METRICS = (COMPONENTS, READY, BUILD)


def add_daemon(metrics: Metrics, is_ready: Callable[[], bool], version: str) -> None:
    """Adds the daemon itself."""
    metrics.read(READY, lambda: {(): is_ready()})
    metrics.read(BUILD, lambda: {(version,): 1})


def add_components(metrics: Metrics, states: Callable[[], Mapping[str, str]]) -> None:
    """Adds what Health sees; `states` maps each component to its state."""
    metrics.read(
        COMPONENTS,
        lambda: {
            (name, state): state == seen for name, seen in states().items() for state in STATES
        },
    )
