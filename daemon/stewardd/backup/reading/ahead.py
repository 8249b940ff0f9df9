"""The next thing is made while the last one is used: one ahead, and never more."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator
from typing import Any, TypeVar

T = TypeVar("T")


async def one_ahead(items: AsyncIterator[T]) -> AsyncGenerator[T, None]:
    """The same items, none of which is None; each is made while the one before is used."""
    following = asyncio.ensure_future(anext(items, None))
    try:
        while (item := await following) is not None:
            following = asyncio.ensure_future(anext(items, None))
            yield item
    finally:
        await ended(following)


async def ended(task: asyncio.Future[Any] | None) -> None:
    """Makes sure that a task has ended; how it failed is told by whoever awaited it, or does not matter any more."""
    if task is None:
        return
    task.cancel()
    await asyncio.wait([task])
    if not task.cancelled():
        task.exception()
