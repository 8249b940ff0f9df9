"""Optimistic concurrency: an attempt plans and commits; where another writer was faster, it plans and commits anew.

Nothing is locked. Each kind of race has its own subclass of `Overtaken`, because attempts are nested: a loop repeats
only the attempts that lost its own race, and the error of an inner attempt passes through it.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable
from typing import TypeVar

from stewardd.errors import StewardError

T = TypeVar("T")
_MAX_PAUSE_S = 0.5


class Overtaken(Exception):
    """Another writer was faster: what the attempt was planned on is no longer so."""


async def repeat_while_overtaken(
    attempt: Callable[[], Awaitable[T]],
    race: type[Overtaken],
    *,
    attempts: int,
    failure: StewardError,
    pauses: bool = True,
) -> T:
    """Runs an attempt until it does not raise `race`, so many times at most, with a pause after each.

    Raises: `failure` where every attempt was overtaken; what an attempt raises.
    """
    for number in range(attempts):
        try:
            return await attempt()
        except race:
            if pauses:
                await pause(number)
    raise failure


async def pause(attempt: int) -> None:
    """Waits after an attempt that was overtaken: longer each time, and never in step with the other writers."""
    longest_s = min(_MAX_PAUSE_S, 0.01 * 2 ** min(attempt, 10))
    await asyncio.sleep(random.uniform(0, longest_s))  # noqa: S311  # no secret depends on it
