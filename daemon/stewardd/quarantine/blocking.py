"""The store for threads: what reads rows by the million is plain blocking code beside the event loop.

A thread asks, the loop fetches, and the thread goes on; it never holds the loop up for longer than the interpreter
takes to change threads. Only reading: what writes is asynchronous, and few.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Coroutine, Iterator
from concurrent.futures import Executor
from typing import Any, TypeVar

from stewardd.errors import StorageFull
from stewardd.repository.store import MAX_WHOLE_BYTES, Store
from stewardd.repository.uninterrupted import uninterrupted
from stewardd.schemas.refusals import NO_ROOM

READ_BYTES = 256 * 1024
T = TypeVar("T")


class BlockingStore:
    """A store as a thread sees it; made on the event loop that it reads through."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._loop = asyncio.get_running_loop()

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        """Does a piece of asynchronous work, and waits for it."""
        return asyncio.run_coroutine_threadsafe(work, self._loop).result()

    def get(self, key: str, *, max_bytes: int = MAX_WHOLE_BYTES) -> bytes:
        """See Store.get."""
        return self.run(self._store.get(key, max_bytes=max_bytes))

    def get_range(self, key: str, start: int, length: int) -> bytes:
        """See Store.get_range."""
        return self.run(self._store.get_range(key, start, length))

    def size_bytes(self, key: str) -> int:
        """The size of an object. ObjectNotFound."""
        return self.run(self._store.head(key)).size_bytes

    def read(self, key: str, *, offset: int = 0, chunk_bytes: int = READ_BYTES) -> Iterator[bytes]:
        """See Store.read."""
        chunks = self._store.read(key, offset=offset, chunk_bytes=chunk_bytes)
        while (data := self.run(_next(chunks))) is not None:
            yield data


class Threads:
    """The threads that read and judge rows. Work that was begun is done to its end, though its call be cancelled."""

    def __init__(self, executor: Executor) -> None:
        self._executor = executor

    async def run(self, work: Callable[[], T]) -> T:
        """Runs blocking work. StorageFull where its own files find no room."""
        loop = asyncio.get_running_loop()
        try:
            return await uninterrupted(loop.run_in_executor(self._executor, work))
        except OSError as error:
            if error.errno in NO_ROOM:
                raise StorageFull("no room for the work on quarantined rows") from error
            raise

    async def iterate(self, items: Iterator[T]) -> AsyncGenerator[T, None]:
        """Goes through a blocking iterator, a step at a time, and closes it in the end."""
        try:
            while (item := await self.run(lambda: next(items, None))) is not None:
                yield item
        finally:
            close = getattr(items, "close", None)
            if close is not None:
                await self.run(close)


async def _next(chunks: AsyncIterator[bytes]) -> bytes | None:
    return await anext(chunks, None)
