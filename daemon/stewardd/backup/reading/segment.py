"""One segment of a backup: read, checked against the manifest, decrypted and unpacked, in this order.

Not a byte is decrypted or unpacked before the checksum of the whole segment was compared. Memory holds one segment,
and holds it once: it is read chunk by chunk, and decrypted in place.
"""

from __future__ import annotations

import asyncio
import hashlib
import io
import zlib
from collections.abc import AsyncIterator, Iterable
from contextlib import aclosing, asynccontextmanager
from dataclasses import dataclass
from typing import Protocol

import zstandard

from stewardd.backup.catalog import KIND
from stewardd.backup.keys.encryption import (
    AgeIdentity,
    PiecesFile,
    decrypt,
    decrypt_in_place,
)
from stewardd.backup.manifest.backup import (
    BackupManifest,
    CompressionMethod,
    Encryption,
    Segment,
)
from stewardd.backup.reading.ahead import one_ahead
from stewardd.errors import BackupNotFound, Corrupt, Exhausted, ObjectNotFound
from stewardd.repository.backend.store import Store
from stewardd.repository.identifiers import folder_of
from stewardd.repository.publication import exists, manifest_key

_CHUNK_BYTES = 1 << 20
_GZIP_WINDOW = 16 + zlib.MAX_WBITS
_UNPACKING_ERRORS = (zstandard.ZstdError, zlib.error, EOFError)


class Unpacker(Protocol):
    """Reads bytes."""

    def read(self, size: int, /) -> bytes:
        """At most `size` bytes; none at the end."""
        ...


async def read_object(
    store: Store, manifest: BackupManifest, name: str, size_bytes: int, sha256: str
) -> bytes:
    """A small object as stored, checked.

    Raises: Corrupt when it is missing or not what was stored; BackupNotFound when the backup was deleted meanwhile;
    RepositoryDown.
    """
    what = f"{name} of backup {manifest.backup_id}"
    async with _expected(store, manifest, what):
        body = await store.get(_key(manifest, name), max_bytes=size_bytes)
    digest = await asyncio.to_thread(hashlib.sha256, body)
    _check(what, len(body), size_bytes, digest.hexdigest(), sha256)
    return body


async def read_segment(store: Store, manifest: BackupManifest, segment: Segment) -> bytearray:
    """One segment as stored, checked. Raises: as read_object."""
    what = f"{segment.name} of backup {manifest.backup_id}"
    body, digest = bytearray(), hashlib.sha256()
    async with (
        _expected(store, manifest, what),
        aclosing(one_ahead(store.read(_key(manifest, segment.name)))) as chunks,
    ):
        async for chunk in chunks:
            if len(body) + len(chunk) > segment.size_bytes:
                raise Exhausted(f"{what} does not end")
            body += chunk
            await asyncio.to_thread(digest.update, chunk)
    _check(what, len(body), segment.size_bytes, digest.hexdigest(), segment.sha256)
    return body


def _key(manifest: BackupManifest, name: str) -> str:
    return f"{folder_of(KIND, manifest.backup_id)}/{name}"


@asynccontextmanager
async def _expected(store: Store, manifest: BackupManifest, what: str) -> AsyncIterator[None]:
    """Says what it means for the backup where an object is missing, or too long."""
    try:
        yield
    except ObjectNotFound:
        # A backup loses its manifest before its data: without one it is deleted, and nothing is wrong with it.
        if not await exists(store, manifest_key(KIND, manifest.backup_id)):
            raise BackupNotFound(f"backup {manifest.backup_id} was deleted meanwhile") from None
        raise Corrupt(f"{what} is missing") from None
    except Exhausted:
        raise Corrupt(f"{what} is longer than its manifest says") from None


def _check(what: str, found_bytes: int, size_bytes: int, found_sha256: str, sha256: str) -> None:
    if found_bytes != size_bytes:
        raise Corrupt(f"{what} has {found_bytes} bytes, and its manifest says {size_bytes}")
    if found_sha256 != sha256:
        raise Corrupt(f"{what} is not what was stored: its checksum differs")


async def unpacked_segment(
    store: Store, manifest: BackupManifest, segment: Segment, identities: Iterable[AgeIdentity]
) -> AsyncIterator[bytes]:
    """What a segment holds, in chunks of at most a mebibyte. Raises: Corrupt, KeyMissing, RepositoryDown."""
    opened = await open_segment(store, manifest, segment, identities)
    while chunk := await asyncio.to_thread(opened.read, _CHUNK_BYTES):
        yield chunk


async def open_segment(
    store: Store, manifest: BackupManifest, segment: Segment, identities: Iterable[AgeIdentity]
) -> OpenedSegment:
    """Reads, checks and decrypts a segment. Raises: Corrupt, KeyMissing, RepositoryDown."""
    what = f"{segment.name} of backup {manifest.backup_id}"
    body = await read_segment(store, manifest, segment)
    if manifest.encryption is Encryption.AGE:
        await asyncio.to_thread(decrypt_in_place, body, tuple(identities), what)
    return OpenedSegment(unpacker_of(manifest.compression.method, PiecesFile([body])), what)


@dataclass(frozen=True, slots=True)
class OpenedSegment:
    """A segment that is checked and decrypted, and not unpacked yet."""

    unpacker: Unpacker
    called: str

    def read(self, size_bytes: int) -> bytes:
        """The next bytes of what it holds; none at the end. Blocks. Raises: Corrupt."""
        return read_unpacked(self.unpacker, size_bytes, self.called)


def unseal(
    manifest: BackupManifest,
    body: bytes,
    identities: Iterable[AgeIdentity],
    what: str,
    largest_bytes: int,
) -> bytes:
    """What a small checked object holds. Blocks. Raises: KeyMissing, Corrupt, also where it unpacks to more."""
    plain = decrypt(body, identities, what) if manifest.encryption is Encryption.AGE else body
    unpacker = unpacker_of(manifest.compression.method, io.BytesIO(plain))
    found = bytearray()
    while chunk := read_unpacked(unpacker, _CHUNK_BYTES, what):
        found += chunk
        if len(found) > largest_bytes:
            raise Corrupt(f"{what} unpacks to more than {largest_bytes} bytes")
    return bytes(found)


def unpacker_of(method: CompressionMethod, packed: Unpacker) -> Unpacker:
    """Begins to unpack what is read."""
    if method is CompressionMethod.ZSTD:
        return zstandard.ZstdDecompressor().stream_reader(packed)  # type: ignore[arg-type]  # it reads, no more
    if method is CompressionMethod.GZIP:
        return _GzipReader(packed)
    return packed


def read_unpacked(unpacker: Unpacker, size_bytes: int, what: str) -> bytes:
    """Reads on. Raises: Corrupt where the bytes are none that were compressed."""
    try:
        return unpacker.read(size_bytes)
    except _UNPACKING_ERRORS:
        raise Corrupt(f"{what} does not unpack") from None


class _GzipReader:
    """One gzip member, whose end must be there."""

    def __init__(self, packed: Unpacker) -> None:
        self._packed = packed
        self._inflator = zlib.decompressobj(wbits=_GZIP_WINDOW)

    def read(self, size: int, /) -> bytes:
        """At most `size` bytes. Raises: EOFError where the member is cut off."""
        while not self._inflator.eof:
            data = self._inflator.unconsumed_tail or self._packed.read(_CHUNK_BYTES)
            chunk = self._inflator.decompress(data, size)
            if chunk:
                return chunk
            if not data and not self._inflator.eof:
                raise EOFError
        return b""
