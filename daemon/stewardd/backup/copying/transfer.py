"""Copies the objects of one backup from one store to another, each by way of a file, in bounded memory.

Every object that the manifest names is hashed on the way, and what differs is never put. So an object that lies there
already is either whole or another one: a copy that was killed goes on where it was, after what it left has been read
back and compared.
"""

from __future__ import annotations

import asyncio
import errno
import hashlib
import secrets
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from stewardd.backup.manifest.backup import BackupManifest
from stewardd.errors import Corrupt, ObjectExists, ObjectNotFound, RepositoryDown, StorageFull
from stewardd.repository.backend.store import Store
from stewardd.repository.publication import MANIFEST

CONTENTS = "contents"
GLOBALS = "globals"
_FULL = frozenset({errno.ENOSPC, errno.EDQUOT})

Sum = tuple[int, str]
"""Size and SHA-256 of an object."""


def named_objects(manifest: BackupManifest) -> dict[str, Sum]:
    """The objects that a manifest names, with the size and the SHA-256 of each."""
    named = {each.name: (each.size_bytes, each.sha256) for each in manifest.segments}
    if manifest.contents is not None:
        named[CONTENTS] = (manifest.contents.size_bytes, manifest.contents.sha256)
    if manifest.globals_object is not None:
        named[GLOBALS] = (manifest.globals_object.size_bytes, manifest.globals_object.sha256)
    return named


@dataclass(frozen=True, slots=True)
class Place:
    """Where the objects of a backup lie: a folder of a store; "" is its root."""

    store: Store
    folder: str

    def key(self, name: str) -> str:
        """The key of one of the objects."""
        return f"{self.folder}/{name}" if self.folder else name

    def __str__(self) -> str:
        return f"{self.store.url}/{self.folder}"

    async def sizes(self) -> dict[str, int]:
        """The objects but the manifest, with their sizes."""
        found = {
            meta.key.removeprefix(self.key("")): meta.size_bytes
            async for meta in self.store.list(self.folder)
        }
        found.pop(MANIFEST, None)
        return found

    async def sum_of(self, name: str) -> Sum:
        """The size and the SHA-256 of an object, read anew."""
        digest, size_bytes = hashlib.sha256(), 0
        async for chunk in self.store.read(self.key(name)):
            await asyncio.to_thread(digest.update, chunk)
            size_bytes += len(chunk)
        return size_bytes, digest.hexdigest()


class Transfer:
    """The objects of one backup, on their way from one place to another; `scratch` is a folder for a file meanwhile."""

    def __init__(
        self, source: Place, target: Place, manifest: BackupManifest, scratch: Path
    ) -> None:
        self._source = source
        self._target = target
        self._named = named_objects(manifest)
        self._scratch = scratch

    async def run(self, report: Callable[[int], None]) -> None:
        """Copies everything but the manifest; `report` is told the bytes that are there so far.

        Raises: Corrupt where an object is missing or not what the manifest says, StorageFull, RepositoryDown.
        """
        listed = await self._source.sizes()
        for name in self._named.keys() - listed.keys():
            raise Corrupt(f"{name} is missing at {self._source}")
        there = await self._target.sizes()
        done_bytes = 0
        for name, size_bytes in sorted(listed.items()):
            if name not in there or not await self._is_whole(name):
                await self._copy(name)
            done_bytes += size_bytes
            report(done_bytes)

    async def _is_whole(self, name: str) -> bool:
        """Whether what lies in the target is what is to be copied; anything else is removed."""
        wanted = self._named.get(name) or await self._source.sum_of(name)
        if wanted == await self._target.sum_of(name):
            return True
        await self._target.store.delete(self._target.key(name))
        return False

    async def _copy(self, name: str) -> None:
        file = self._scratch / f"copy-{secrets.token_hex(8)}"
        try:
            fetched = await self._fetch(name, file)
            if fetched != self._named.get(name, fetched):
                raise Corrupt(
                    f"{name} at {self._source} is not what was stored: its checksum differs"
                )
            try:
                await self._target.store.put_file(self._target.key(name), file)
            except ObjectExists:
                # Another daemon copies it too, or the answer to our own put was lost.
                if await self._target.sum_of(name) != fetched:
                    raise
        finally:
            await asyncio.to_thread(file.unlink, missing_ok=True)

    async def _fetch(self, name: str, path: Path) -> Sum:
        """Writes an object to a file; returns its size and SHA-256."""
        digest, size_bytes = hashlib.sha256(), 0
        with _room(path):
            file = await asyncio.to_thread(path.open, "xb")
        try:
            async for chunk in self._source.store.read(self._source.key(name)):
                with _room(path):
                    await asyncio.to_thread(_take, file, digest, chunk)
                size_bytes += len(chunk)
        except ObjectNotFound:
            raise Corrupt(f"{name} is missing at {self._source}") from None
        finally:
            with _room(path):
                await asyncio.to_thread(file.close)
        return size_bytes, digest.hexdigest()


class _room:  # noqa: N801  # it is used as a word of the language
    """Turns an OSError of the scratch folder into the repository's error."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def __enter__(self) -> None:
        pass

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        if isinstance(error, OSError):
            said = f"{self._path.parent}: {error.strerror or error}"
            if error.errno in _FULL:
                raise StorageFull(f"no room to stage a copy in {said}") from error
            raise RepositoryDown(f"no copy can be staged in {said}") from error


def _take(file: IO[bytes], digest: hashlib._Hash, chunk: bytes) -> None:
    digest.update(chunk)
    file.write(chunk)
