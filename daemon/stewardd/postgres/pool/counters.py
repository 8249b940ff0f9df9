"""What has happened in a pool since it was opened."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

from stewardd.postgres.observer import DrainReason
from stewardd.postgres.pool.stats import RetireReason


@dataclass(slots=True)
class Counters:
    """Counts that only grow; what each means stands at `PoolStats`."""

    acquires: int = 0
    timeouts: int = 0
    refused: int = 0
    cancelled: int = 0
    connects: int = 0
    connect_errors: int = 0
    retired: Counter[RetireReason] = field(default_factory=Counter)
    drains: Counter[DrainReason] = field(default_factory=Counter)
