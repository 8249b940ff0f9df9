"""Commits that are planned first: a plan takes long, so other writers may change the batch before it is committed.

Then the plan is outdated, and it is made anew from the rows as they are now.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TypeVar

from stewardd.errors import RowChanged
from stewardd.repository.attempts import Overtaken, repeat_while_overtaken

T = TypeVar("T")
# A plan takes longer the larger the batch is, and each commit of another writer meanwhile costs an attempt.
_ATTEMPTS = 32


class PlanOutdated(Overtaken):
    """The batch, or a row of the plan, has changed since the plan was made."""


async def plan_and_commit(attempt: Callable[[], Awaitable[T]]) -> T:
    """Runs an attempt, which plans and commits, until its plan is not outdated.

    Raises: RowChanged where other writers are faster each time; what the attempt raises.
    """
    return await repeat_while_overtaken(
        attempt, PlanOutdated, attempts=_ATTEMPTS, failure=always_changed()
    )


def always_changed() -> RowChanged:
    """The error for a batch that other writers change at every attempt."""
    return RowChanged("others change this batch's rows all the time", retry_after_s=1)
