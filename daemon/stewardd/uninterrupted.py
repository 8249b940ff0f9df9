"""Awaits to the end what must not be left half done: a thread that writes, a manifest that is being put."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from typing import TypeVar

from stewardd.telemetry import logger

_log = logger("main")
_Result = TypeVar("_Result")


async def uninterrupted(work: Awaitable[_Result]) -> _Result:
    """Awaits a piece of work to its end; a cancellation that comes meanwhile is raised afterwards."""
    task = asyncio.ensure_future(work)
    cancelled: asyncio.CancelledError | None = None
    while not task.done():
        try:
            await asyncio.wait([task])
        except asyncio.CancelledError as error:
            cancelled = error
    if cancelled is not None:
        if not task.cancelled() and (failure := task.exception()) is not None:
            _log.warning("failed while being cancelled", error=str(failure))
        raise cancelled
    return task.result()
