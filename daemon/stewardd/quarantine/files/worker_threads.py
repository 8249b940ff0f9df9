"""The threads on which rows are read and validated. Reading millions of rows is blocking code beside the event loop."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable, Iterator
from concurrent.futures import Executor
from typing import TypeVar

from stewardd.errors import StorageFull
from stewardd.schemas.refusals import NO_ROOM
from stewardd.uninterrupted import uninterrupted

T = TypeVar("T")


class WorkerThreads:
    """Runs blocking work on an executor. Work that has begun runs to its end, also when its call is cancelled."""

    def __init__(self, executor: Executor) -> None:
        self._executor = executor

    async def run(self, work: Callable[[], T]) -> T:
        """Runs blocking work. Raises: StorageFull where its local files find no room; what the work raises."""
        loop = asyncio.get_running_loop()
        try:
            return await uninterrupted(loop.run_in_executor(self._executor, work))
        except OSError as error:
            if error.errno in NO_ROOM:
                raise StorageFull("no room for the work on quarantined rows") from error
            raise

    async def iterate(self, items: Iterator[T]) -> AsyncGenerator[T, None]:
        """Yields the items of a blocking iterator, and closes it in the end."""
        try:
            while (item := await self.run(lambda: next(items, None))) is not None:
                yield item
        finally:
            close = getattr(items, "close", None)
            if close is not None:
                await self.run(close)
