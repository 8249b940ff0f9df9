"""The object store as a worker thread sees it: each call waits for its result. Reading only.

The thread hands its request to the event loop, the loop fetches, and the thread goes on. So a thread that parses
millions of rows holds the loop up no longer than the interpreter takes to switch threads.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Coroutine, Iterator
from typing import Any, TypeVar

from stewardd.repository.backend.store import Store

READ_BYTES = 256 * 1024
T = TypeVar("T")


class BlockingStore:
    """A store for threads. It is made on the event loop through which it reads."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._loop = asyncio.get_running_loop()

    def get(self, key: str) -> bytes:
        """See Store.get."""
        return self._wait(self._store.get(key))

    def get_range(self, key: str, start: int, length: int) -> bytes:
        """See Store.get_range."""
        return self._wait(self._store.get_range(key, start, length))

    def size_bytes(self, key: str) -> int:
        """The size of an object. Raises: ObjectNotFound."""
        return self._wait(self._store.head(key)).size_bytes

    def read(self, key: str, *, offset: int = 0, chunk_bytes: int = READ_BYTES) -> Iterator[bytes]:
        """See Store.read."""
        chunks = self._store.read(key, offset=offset, chunk_bytes=chunk_bytes)
        while (data := self._wait(_next(chunks))) is not None:
            yield data

    def _wait(self, work: Coroutine[Any, Any, T]) -> T:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result()


async def _next(chunks: AsyncIterator[bytes]) -> bytes | None:
    return await anext(chunks, None)
