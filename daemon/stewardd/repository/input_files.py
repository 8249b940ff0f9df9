"""Files that the daemon reads itself: below a root in a folder, or below a root in a bucket.

The configuration names the roots; a file elsewhere is refused. A file that changes while it is read is refused too:
half of the old and half of the new is not a file that anybody meant.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol
from urllib.parse import unquote

from stewardd.errors import InputRefused, ObjectNotFound, UriRefused
from stewardd.repository.backend.bucket.trial import check_inbox
from stewardd.repository.backend.store import Store
from stewardd.repository.uri import ENCODING_HINT, FIELD, name_below, open_uri
from stewardd.telemetry import logger

log = logger("validation")

READ_BYTES = 1024 * 1024


class InputFile(Protocol):
    """A file to read. Close it in any case."""

    async def size_bytes(self) -> int:
        """How long the file is now."""
        ...

    def chunks(self) -> AsyncIterator[bytes]:
        """Yields the bytes of the file, once. Raises: InputRefused where it changed meanwhile."""

    async def close(self) -> None:
        """Closes the file."""


@dataclass(frozen=True, slots=True)
class InputRoots:
    """What may be read: folders, and stores by their URL without a closing slash."""

    folders: Sequence[Path] = ()
    stores: Mapping[str, Store] = field(default_factory=dict)

    @classmethod
    def of(cls, roots: Sequence[str], open_store: Callable[[str], Store]) -> InputRoots:
        """Sorts configured roots into folders and stores, and opens these."""
        remote = [root.rstrip("/") for root in roots if _is_remote(root)]
        local = [_folder_of(root) for root in roots if not _is_remote(root)]
        return cls(local, {url: open_store(url) for url in remote})

    async def check(self) -> None:
        """Tries each root once. What may be better later, such as a mount that is not there yet, is only a warning.

        Raises: ConfigurationError where a bucket refuses for a reason that somebody has to remove.
        """
        for folder in self.folders:
            if not await asyncio.to_thread(_is_readable, folder):
                reason = "it is no folder, or may not be read"
                log.warning("a uri root cannot be read", root=str(folder), reason=reason)
        for root, store in self.stores.items():
            reason = await check_inbox(store)
            if reason:
                log.warning("a uri root may not be readable", root=root, reason=reason)

    async def open(self, uri: str, executor: Executor) -> InputFile:
        """Opens the file that a URI names. Raises: UriRefused."""
        for root, store in self.stores.items():
            name = name_below(uri, root)
            if name is not None:
                return await BucketInputFile.open(store, name)
        opening = asyncio.get_running_loop().run_in_executor(executor, open_uri, uri, self.folders)
        try:
            return LocalInputFile(await asyncio.shield(opening), executor)
        except asyncio.CancelledError:
            opening.add_done_callback(_close_unwanted)  # the thread opens the file all the same
            raise


class LocalInputFile:
    """A regular file, by its descriptor."""

    def __init__(self, descriptor: int, executor: Executor) -> None:
        self._descriptor = descriptor
        self._executor = executor
        self._reading: asyncio.Future[bytes] | None = None

    async def size_bytes(self) -> int:
        """See InputFile.size_bytes."""
        return os.fstat(self._descriptor).st_size

    async def chunks(self) -> AsyncIterator[bytes]:
        """See InputFile.chunks."""
        loop = asyncio.get_running_loop()
        before = os.fstat(self._descriptor)
        while True:
            self._reading = loop.run_in_executor(
                self._executor, os.read, self._descriptor, READ_BYTES
            )
            data = await asyncio.shield(self._reading)
            if not data:
                break
            yield data
        after = os.fstat(self._descriptor)
        if (before.st_size, before.st_mtime_ns) != (after.st_size, after.st_mtime_ns):
            raise _changed()

    async def close(self) -> None:
        """See InputFile.close. It waits for a thread that still reads for a cancelled call."""
        if self._reading is not None:
            await asyncio.wait([self._reading])
            self._reading.exception()  # read, so that asyncio does not log it
        os.close(self._descriptor)


class BucketInputFile:
    """An object of a bucket."""

    def __init__(self, store: Store, key: str) -> None:
        self._store = store
        self._key = key

    @classmethod
    async def open(cls, store: Store, key: str) -> BucketInputFile:
        """Opens an object, if it exists. Raises: UriRefused."""
        try:
            await store.head(key)
        except ValueError as error:
            raise UriRefused(
                f"the uri names no object that can be read: {error}",
                field=FIELD,
                hint="give the object another name, or upload the file",
            ) from None
        except ObjectNotFound:
            raise UriRefused(
                "the uri's object is not there",
                field=FIELD,
                hint=f"compare its name with the bucket's listing, letter by letter; {ENCODING_HINT}",
            ) from None
        return cls(store, key)

    async def size_bytes(self) -> int:
        """See InputFile.size_bytes."""
        return (await self._store.head(self._key)).size_bytes

    async def chunks(self) -> AsyncIterator[bytes]:
        """See InputFile.chunks."""
        before = await self._store.head(self._key)
        async for data in self._store.read(self._key, chunk_bytes=READ_BYTES):
            yield data
        if await self._store.head(self._key) != before:
            raise _changed()

    async def close(self) -> None:
        """See InputFile.close."""


def _close_unwanted(opening: asyncio.Future[int]) -> None:
    if not opening.cancelled() and opening.exception() is None:
        os.close(opening.result())


def _is_readable(folder: Path) -> bool:
    return folder.is_dir() and os.access(folder, os.R_OK | os.X_OK)


def _is_remote(root: str) -> bool:
    return "://" in root and not root.startswith("file://")


def _folder_of(root: str) -> Path:
    """A root as a path; one that is given as a URL is percent-encoded like any."""
    return Path(unquote(root.removeprefix("file://"))) if root.startswith("file://") else Path(root)


def _changed() -> InputRefused:
    return InputRefused(
        "the file was changed while it was read", hint="name a file that nobody writes to"
    )
