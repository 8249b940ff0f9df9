"""What a pool counts: how many connections are where now, and what has happened since it was opened."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum

from stewardd.postgres.observer import DrainReason


class RetireReason(Enum):
    """Why one connection was closed."""

    USES = "uses"
    LIFETIME = "lifetime"
    IDLE = "idle"
    BROKEN = "broken"
    DRAINED = "drained"
    STANDBY = "standby"
    CLOSED = "closed"


@dataclass(frozen=True, slots=True)
class PoolStats:
    """A pool at one moment.

    `size` counts connections made or being made: `idle`, `lent` (those that are being tried or cleaned included) and
    `connecting`; `waiting` callers have none yet. What follows counts since the pool was opened: `acquires` that got
    a connection, `timeouts` that did not in time, `refused` because too many waited, `cancelled` while they waited.
    `leaks` counts loans that passed the bound, `leaks_held` those of them that are not back yet.
    """

    size: int
    idle: int
    lent: int
    connecting: int
    waiting: int
    min_size: int
    max_size: int
    acquires: int = 0
    timeouts: int = 0
    refused: int = 0
    cancelled: int = 0
    connects: int = 0
    connect_errors: int = 0
    leaks: int = 0
    leaks_held: int = 0
    retired: Mapping[RetireReason, int] = field(default_factory=dict)
    drains: Mapping[DrainReason, int] = field(default_factory=dict)
