"""A piece of work that is done again and again."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, eq=False)
class Job:
    """What to do, and how often.

    The interval is the wait from the end of one run to the beginning of the next, so that a job never overtakes itself.
    The first run comes after `first_after_s`, and a run that failed is repeated after `retry_after_s`; both are the
    interval where they are not given. `jitter` is the share of each wait by which it may be longer: without it, all
    daemons of a repository that were started together would work at the same moments.
    """

    name: str
    work: Callable[[], Awaitable[None]]
    interval_s: float
    first_after_s: float | None = None
    retry_after_s: float | None = None
    jitter: float = 0.1
