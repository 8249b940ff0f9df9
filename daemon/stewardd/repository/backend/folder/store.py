"""The folder backend: objects as files in a folder tree, written durably, listed in order.

This is the asynchronous shell; `tree.py` is the blocking core. Every call runs in one of the store's own threads, so
that a slow disk holds up neither the event loop nor the threads that validate; a listing crosses over by pages. It
serves one file system with hard links, several daemons at once included, and nothing that is reached by a symbolic
link below its root.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import islice
from pathlib import Path
from typing import TypeVar, TypeVarTuple

from stewardd.repository.backend import store
from stewardd.repository.backend.folder.tree import FileTree
from stewardd.repository.backend.keys import key_segments, prefix_segments
from stewardd.repository.backend.store import Bodies, Names, ObjectMeta
from stewardd.uninterrupted import uninterrupted

_PAGE_OBJECTS = 500

_Result = TypeVar("_Result")
_Arguments = TypeVarTuple("_Arguments")


class FolderStore:
    """A Store below one local folder; see Store for what each method promises."""

    def __init__(self, root: Path, *, threads: int = 8) -> None:
        self._tree = FileTree(root)
        # What takes long has threads of its own: a heartbeat that waited behind large files could lose the lease.
        self._threads = ThreadPoolExecutor(threads, thread_name_prefix="repository")
        self._bulk_threads = ThreadPoolExecutor(threads, thread_name_prefix="repository-bulk")

    @property
    def url(self) -> str:
        """Where it is, as a file URL."""
        return self._tree.root.as_uri()

    @property
    def root(self) -> Path:
        """The folder, all symbolic links on the way to it resolved."""
        return self._tree.root

    async def put(self, key: str, body: bytes, *, overwrite: bool = False) -> None:
        """See Store.put."""
        await self._finish(self._threads, self._tree.put, key_segments(key), body, overwrite)

    async def put_file(self, key: str, path: Path) -> None:
        """See Store.put_file; links the file where it lies on the same file system and is ours."""
        await self._finish(self._bulk_threads, self._tree.put_file, key_segments(key), path)

    async def get(self, key: str, *, max_bytes: int = store.MAX_WHOLE_BYTES) -> bytes:
        """See Store.get."""
        return await self._run(self._tree.get, key_segments(key), max_bytes)

    async def get_many(self, keys: Sequence[str]) -> Bodies:
        """See Store.get_many; one thread reads all, for its way there and back costs more than a small file."""
        return await self._run(
            self._tree.get_many, [key_segments(key) for key in keys], store.MAX_WHOLE_BYTES
        )

    async def get_range(self, key: str, start: int, length: int) -> bytes:
        """See Store.get_range."""
        file = await self._run(self._tree.open, key_segments(key))
        return await self._run(file.read, start, length)

    async def read(
        self, key: str, *, offset: int = 0, chunk_bytes: int = store.CHUNK_BYTES
    ) -> AsyncIterator[bytes]:
        """See Store.read."""
        file = await self._run(self._tree.open, key_segments(key))
        while chunk := await self._run_on(self._bulk_threads, file.read, offset, chunk_bytes):
            yield chunk
            offset += len(chunk)

    async def head(self, key: str) -> ObjectMeta:
        """See Store.head."""
        return await self._run(self._tree.head, key_segments(key))

    async def list(
        self, prefix: str, *, start_after: str | None = None
    ) -> AsyncIterator[ObjectMeta]:
        """See Store.list."""
        after = "/".join(key_segments(start_after)) if start_after is not None else None
        objects = self._tree.walk(prefix_segments(prefix), after)
        while page := await self._run(lambda: list(islice(objects, _PAGE_OBJECTS))):
            for each in page:
                yield each

    async def folders(self, prefix: str) -> Names:
        """See Store.folders."""
        return await self._run(self._tree.folders, prefix_segments(prefix))

    async def delete(self, key: str) -> None:
        """See Store.delete."""
        await self._finish(self._threads, self._tree.delete, key_segments(key))

    async def delete_prefix(self, prefix: str) -> int:
        """See Store.delete_prefix."""
        segments = prefix_segments(prefix)
        if not segments:
            raise ValueError("the whole repository is never deleted")
        return await self._finish(self._bulk_threads, self._tree.delete_prefix, segments)

    async def free_bytes(self) -> int | None:
        """See Store.free_bytes."""
        return await self._run(self._tree.free_bytes)

    async def probe(self) -> None:
        """See Store.probe."""
        await store.probe(self)

    async def sweep_leftovers(self, older_than_s: float) -> int:
        """See Store.sweep_leftovers."""
        return await self._run(self._tree.sweep_leftovers, older_than_s)

    async def _finish(
        self,
        threads: ThreadPoolExecutor,
        function: Callable[[*_Arguments], _Result],
        *arguments: *_Arguments,
    ) -> _Result:
        """Runs what alters the folder: a cancelled call ends when its thread has, and alters nothing afterwards."""
        return await uninterrupted(self._run_on(threads, function, *arguments))

    async def _run(
        self, function: Callable[[*_Arguments], _Result], *arguments: *_Arguments
    ) -> _Result:
        return await self._run_on(self._threads, function, *arguments)

    async def _run_on(
        self,
        threads: ThreadPoolExecutor,
        function: Callable[[*_Arguments], _Result],
        *arguments: *_Arguments,
    ) -> _Result:
        # A cancelled read leaves its thread running. What the thread holds open (a file, a listing) is closed when the
        # last reference to it goes, in this task or in that thread: neither can close it while the other reads.
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(threads, function, *arguments)
