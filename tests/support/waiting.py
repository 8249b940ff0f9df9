"""Waiting for what another task, thread or process brings about."""

from __future__ import annotations

import asyncio
import inspect
import time
from collections.abc import Callable
from typing import TypeVar

TIMEOUT_S = 60.0
"""For what comes about in a moment, on a machine that has much else to do."""
_INTERVAL_S = 0.01
_NOT_IN_TIME = "it did not come about in time"

T = TypeVar("T")


async def until(condition: Callable[[], object], timeout_s: float = TIMEOUT_S) -> None:
    """Waits in the event loop until the condition, which may be a coroutine function, is true."""
    deadline = time.monotonic() + timeout_s
    while True:
        found = condition()
        if inspect.isawaitable(found):
            found = await found
        if found:
            return
        assert time.monotonic() < deadline, _NOT_IN_TIME
        await asyncio.sleep(_INTERVAL_S)


def wait_until(condition: Callable[[], T], timeout_s: float = TIMEOUT_S) -> T:
    """Waits in a thread until the condition is true, and returns what it gave."""
    deadline = time.monotonic() + timeout_s
    while not (found := condition()):
        assert time.monotonic() < deadline, _NOT_IN_TIME
        time.sleep(_INTERVAL_S)
    return found
