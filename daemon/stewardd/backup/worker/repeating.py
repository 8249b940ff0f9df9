"""Has a worker tell how far it is, twice a second, while it works."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

_INTERVAL_S = 0.5


@asynccontextmanager
async def repeating(tell: Callable[[], None]) -> AsyncIterator[None]:
    """Calls `tell` at the beginning of the block, again and again, and at its end."""

    async def repeat() -> None:
        while True:
            tell()
            await asyncio.sleep(_INTERVAL_S)

    telling = asyncio.create_task(repeat())
    try:
        yield
    finally:
        telling.cancel()
        tell()
