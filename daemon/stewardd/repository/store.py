"""What every backend of the repository promises, and how one is opened by its URL.

Objects are small or large byte strings under keys; a key is written once. The one exception, `overwrite`, is for what
is rewritten by a single owner (a heartbeat, a progress). There is no rename, no append and no compare-and-swap:
create-once is the only thing that two writers may race for, and exactly one of them wins.

A call that is cancelled, or that ends in RepositoryDown, may or may not have happened.
"""

from __future__ import annotations

import re
import secrets
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Protocol
from urllib.parse import unquote, urlsplit

from stewardd.errors import ConfigurationError, Corrupt

CHUNK_BYTES = 1 << 20
MAX_WHOLE_BYTES = 64 << 20
MAX_KEY_BYTES = 1000  # S3 and Azure allow 1024, with whatever prefix the URL adds
MAX_SEGMENT_BYTES = 200  # a local file name may have 255

MAX_FOREIGN_BYTES = 1024  # of S3, Azure and Google

_SEGMENT = re.compile(r"[A-Za-z0-9._=-]+")
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")
_REMOTE_SCHEMES = frozenset({"s3", "s3a", "az", "azure", "abfs", "abfss", "gs"})


Names = list[str]  # inside a class with a method `list`, that word no longer means the type


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
        """Writes an object, durable on return. ObjectExists when there is one already, StorageFull, RepositoryDown."""
        ...

    async def put_file(self, key: str, path: Path) -> None:
        """Writes an object from a finished local file, under a key that nobody else writes. Durable on return.

        The local backend may link the file instead of copying it: from here on its owner may delete it, and not alter
        it. ObjectExists, StorageFull, RepositoryDown; OSError where the file itself cannot be read.
        """
        ...

    async def get(self, key: str, *, max_bytes: int = MAX_WHOLE_BYTES) -> bytes:
        """Reads a whole object. ObjectNotFound; Exhausted when it is over `max_bytes`."""
        ...

    async def get_range(self, key: str, start: int, length: int) -> bytes:
        """Reads at most `length` bytes from `start`; fewer, or none, where the object ends. ObjectNotFound."""
        ...

    def read(
        self, key: str, *, offset: int = 0, chunk_bytes: int = CHUNK_BYTES
    ) -> AsyncIterator[bytes]:
        """Reads an object in chunks of at most `chunk_bytes`, in bounded memory. ObjectNotFound at the first."""
        ...

    async def head(self, key: str) -> ObjectMeta:
        """Says what a listing would say of one object. ObjectNotFound."""
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
        """Deletes a folder with all below it, and says how many objects that were. Never the root."""
        ...

    async def free_bytes(self) -> int | None:
        """The room that is left, where the storage knows it."""
        ...

    async def probe(self) -> None:
        """Writes, reads back and deletes a probe object. RepositoryDown, StorageFull, Corrupt."""
        ...

    async def sweep_leftovers(self, older_than_s: float) -> int:
        """Removes what this backend's own writes left when they died, and says how much that was."""
        ...


def key_segments(key: str) -> list[str]:
    """Splits a key. ValueError unless every segment is plain: keys are made by code, so this is a bug, not input."""
    segments = key.split("/")
    for segment in segments:
        if not is_segment(segment):
            raise ValueError(f"not a key of the repository: {key!r}")
    if len(key) > MAX_KEY_BYTES:
        raise ValueError(f"a key of {len(key)} bytes is over {MAX_KEY_BYTES}")
    return segments


def prefix_segments(prefix: str) -> list[str]:
    """Splits a prefix; "" is the root, and one closing slash is allowed."""
    folder = prefix.removesuffix("/")
    return key_segments(folder) if folder else []


def is_segment(name: str) -> bool:
    """Whether a name may be a segment of a key; a backend's own files bear names that may not."""
    return (
        _SEGMENT.fullmatch(name) is not None
        and name not in (".", "..")
        and len(name) <= MAX_SEGMENT_BYTES
    )


async def probe(store: Store) -> None:
    """The probe of every backend: what is written must come back."""
    key = f"probes/{secrets.token_hex(16)}"
    body = secrets.token_bytes(64)
    await store.put(key, body)
    try:
        if await store.get(key) != body:
            raise Corrupt(f"the repository at {store.url} gives back other bytes than were written")
    finally:
        await store.delete(key)


def foreign_segments(name: str) -> list[str]:
    """Splits the name of an object that somebody else named. ValueError for what no path may hold."""
    segments = name.split("/")
    if any(each in ("", ".", "..") or _CONTROL.search(each) for each in segments):
        raise ValueError("a name holds an empty part, a dot, two dots or a control character")
    if len(name.encode()) > MAX_FOREIGN_BYTES:
        raise ValueError(f"a name is over {MAX_FOREIGN_BYTES} bytes")
    return segments


def open_store(
    url: str, options: Mapping[str, str] | None = None, *, foreign_names: bool = False
) -> Store:
    """Opens the store of a URL: a path or file:///… is a folder, s3:// az:// gs:// are buckets.

    `options` go to the object store's client (endpoint, region, …); credentials come from its own environment.
    `foreign_names` opens a bucket whose objects others named, for reading. ConfigurationError for any other URL,
    RepositoryDown where a folder cannot be made.
    """
    # Imported here: a backend imports this module, and a daemon on a folder need not load a cloud client.
    root = local_root(url)
    if root is None:
        from stewardd.repository.remote import RemoteStore

        check_key = foreign_segments if foreign_names else key_segments
        return RemoteStore.open(url, options or {}, check_key)
    from stewardd.repository.local import LocalStore

    return LocalStore(root)


def local_root(url: str) -> Path | None:
    """The folder that a repository's URL names; None where it names a bucket. ConfigurationError for any other URL."""
    scheme = urlsplit(url).scheme
    if scheme in _REMOTE_SCHEMES:
        return None
    if scheme == "file":
        parts = urlsplit(url)
        if parts.netloc not in ("", "localhost") or not parts.path.startswith("/"):
            raise ConfigurationError(f"a file URL has three slashes and no host: {url}")
        return Path(unquote(parts.path))
    if scheme or not url:
        raise ConfigurationError(
            f"no repository is kept at {scheme or 'an empty'} URL",
            hint="give a folder, or a URL that begins with file:// s3:// az:// or gs://",
        )
    return Path(url)
