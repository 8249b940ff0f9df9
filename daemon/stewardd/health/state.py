"""The states of components, and what they add up to. Pure."""

from __future__ import annotations

import enum
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any


class HealthState(enum.IntEnum):
    """How something is; a greater one is worse."""

    HEALTHY = 1
    DEGRADED = 2
    DOWN = 3


@dataclass(frozen=True, slots=True)
class Component:
    """A part of the daemon, or something that it needs, as it was last seen. `facts` depends on the kind."""

    name: str
    state: HealthState
    detail: str
    observe_time: datetime
    facts: Any = field(default=None, compare=False)


def overall(components: Iterable[Component]) -> HealthState:
    """Returns the state of the daemon: a component that is down degrades it, since it still takes work."""
    worst = max((component.state for component in components), default=HealthState.HEALTHY)
    return min(worst, HealthState.DEGRADED)
