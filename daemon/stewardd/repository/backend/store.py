"""What every backend of the repository promises.

Objects are small or large byte strings under keys; a key is written once. The one exception, `overwrite`, is for what
is rewritten by a single owner (a heartbeat, a progress). There is no rename, no append and no compare-and-swap:
create-once is the only thing that two writers may race for, and exactly one of them wins.

A call that is cancelled, or that ends in RepositoryDown, may or may not have happened.
"""

from __future__ import annotations

import secrets
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Protocol

from stewardd.errors import Corrupt

CHUNK_BYTES = 1 << 20
MAX_WHOLE_BYTES = 64 << 20

# Inside a class with a method `list`, that word no longer means the type.
Names = list[str]
Bodies = list[bytes | None]


@dataclass(frozen=True, slots=True)
class ObjectMeta:
    """What a listing says of an object; `modified_at` is by the clock of the storage."""

    key: str
    size_bytes: int
    modified_at: datetime


class Store(Protocol):
    """A backend. Prefixes are folders ("" is the root): `a/b` holds `a/b/c`, not `a/bc`. No key is another's folder."""

    @property
    def url(self) -> str:
        """Where it is, without secrets."""
        ...

    async def put(self, key: str, body: bytes, *, overwrite: bool = False) -> None:
        """Writes an object, durable on return.

        Raises: ObjectExists when there is one already, StorageFull, RepositoryDown.
        """
        ...

    async def put_file(self, key: str, path: Path) -> None:
        """Writes an object from a finished local file, under a key that nobody else writes. Durable on return.

        The folder backend may link the file instead of copying it: from here on its owner may delete it, and not alter
        it.

        Raises: ObjectExists, StorageFull, RepositoryDown; OSError where the file itself cannot be read.
        """
        ...

    async def get(self, key: str, *, max_bytes: int = MAX_WHOLE_BYTES) -> bytes:
        """Reads a whole object. Raises: ObjectNotFound; Exhausted when it is over `max_bytes`."""
        ...

    async def get_many(self, keys: Sequence[str]) -> Bodies:
        """Reads small objects at once, each whole; None in the place of one that is not there. Raises: as `get`."""
        ...

    async def get_range(self, key: str, start: int, length: int) -> bytes:
        """Reads at most `length` bytes from `start`; fewer, or none, where the object ends. Raises: ObjectNotFound."""
        ...

    def read(
        self, key: str, *, offset: int = 0, chunk_bytes: int = CHUNK_BYTES
    ) -> AsyncIterator[bytes]:
        """Reads an object in chunks of at most `chunk_bytes`, in bounded memory. Raises: ObjectNotFound."""
        ...

    async def head(self, key: str) -> ObjectMeta:
        """Returns what a listing says of one object. Raises: ObjectNotFound."""
        ...

    def list(self, prefix: str, *, start_after: str | None = None) -> AsyncIterator[ObjectMeta]:
        """Lists a folder with all below it, sorted by key, from the first key after `start_after`."""
        ...

    async def folders(self, prefix: str) -> Names:
        """Names the folders directly below one, sorted; one that was just emptied may be among them."""
        ...

    async def delete(self, key: str) -> None:
        """Deletes an object; one that is not there is deleted already."""
        ...

    async def delete_prefix(self, prefix: str) -> int:
        """Deletes a folder with all below it; returns how many objects that were. Raises: ValueError for the root."""
        ...

    async def free_bytes(self) -> int | None:
        """The room that is left; None where the storage does not know it."""
        ...

    async def probe(self) -> None:
        """Writes, reads back and deletes a probe object. Raises: RepositoryDown, StorageFull, Corrupt."""
        ...

    async def sweep_leftovers(self, older_than_s: float) -> int:
        """Removes temporary files of writes that died; returns how many."""
        ...


@dataclass(frozen=True, slots=True)
class Backend:
    """One backend, as the list of all has it: the schemes of its URLs, and how a store of it is opened.

    `open_store` takes the URL, the options, and whether others named the objects; `open_tried` tries the place first.
    """

    name: str
    schemes: frozenset[str]
    open_store: Callable[[str, Mapping[str, str], bool], Store]
    open_tried: Callable[[str, Mapping[str, str]], Awaitable[Store]]


async def probe(store: Store) -> None:
    """The probe of every backend: what is written must come back. Raises: RepositoryDown, StorageFull, Corrupt."""
    key = f"probes/{secrets.token_hex(16)}"
    body = secrets.token_bytes(64)
    await store.put(key, body)
    try:
        if await store.get(key) != body:
            raise Corrupt(f"the repository at {store.url} gives back other bytes than were written")
    finally:
        await store.delete(key)
