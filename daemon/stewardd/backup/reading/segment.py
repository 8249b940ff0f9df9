"""One segment of a backup: read, checked against the manifest, decrypted and unpacked, in this order.

Not a byte is decrypted or unpacked before the checksum of the whole segment was compared. Memory holds one segment.
"""

from __future__ import annotations

import asyncio
import hashlib
import io
import zlib
from collections.abc import AsyncIterator, Iterable
from dataclasses import dataclass
from typing import Protocol

import zstandard

from stewardd.backup.catalog import KIND
from stewardd.backup.keys.encryption import AgeIdentity, PiecesFile, decrypt_pieces
from stewardd.backup.manifest.backup import (
    BackupManifest,
    CompressionMethod,
    Encryption,
    Segment,
)
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
    """An object as stored, checked.

    Raises: Corrupt when it is missing or not what was stored; BackupNotFound when the backup was deleted meanwhile;
    RepositoryDown.
    """
    what = f"{name} of backup {manifest.backup_id}"
    key = f"{folder_of(KIND, manifest.backup_id)}/{name}"
    try:
        body = await store.get(key, max_bytes=size_bytes)
    except ObjectNotFound:
        # A backup loses its manifest before its data: without one it is deleted, and nothing is wrong with it.
        if not await exists(store, manifest_key(KIND, manifest.backup_id)):
            raise BackupNotFound(f"backup {manifest.backup_id} was deleted meanwhile") from None
        raise Corrupt(f"{what} is missing") from None
    except Exhausted:
        raise Corrupt(f"{what} is longer than its manifest says") from None
    if len(body) != size_bytes:
        raise Corrupt(f"{what} has {len(body)} bytes, and its manifest says {size_bytes}")
    digest = await asyncio.to_thread(hashlib.sha256, body)
    if digest.hexdigest() != sha256:
        raise Corrupt(f"{what} is not what was stored: its checksum differs")
    return body


async def read_segment(store: Store, manifest: BackupManifest, segment: Segment) -> bytes:
    """One segment as stored, checked. Raises: Corrupt when it is missing or not what was stored, RepositoryDown."""
    return await read_object(store, manifest, segment.name, segment.size_bytes, segment.sha256)


async def unpacked_segment(
    store: Store, manifest: BackupManifest, segment: Segment, identities: Iterable[AgeIdentity]
) -> AsyncIterator[bytes]:
    """What a segment holds, in chunks of at most a mebibyte. Raises: Corrupt, KeyMissing, RepositoryDown."""
    opened = await open_segment(store, manifest, segment, identities)
    async for chunk in opened.chunks():
        yield chunk


async def open_segment(
    store: Store, manifest: BackupManifest, segment: Segment, identities: Iterable[AgeIdentity]
) -> OpenedSegment:
    """Reads, checks and decrypts a segment. Raises: Corrupt, KeyMissing, RepositoryDown."""
    what = f"{segment.name} of backup {manifest.backup_id}"
    body = await read_segment(store, manifest, segment)
    packed = await asyncio.to_thread(_decrypted, manifest, body, tuple(identities), what)
    return OpenedSegment(unpacker_of(manifest.compression.method, packed), what)


@dataclass(frozen=True, slots=True)
class OpenedSegment:
    """A segment that is checked and decrypted, and not unpacked yet."""

    unpacker: Unpacker
    called: str

    async def chunks(self) -> AsyncIterator[bytes]:
        """What it holds, in chunks of at most a mebibyte. Raises: Corrupt."""
        while chunk := await asyncio.to_thread(
            read_unpacked, self.unpacker, _CHUNK_BYTES, self.called
        ):
            yield chunk


def unseal(
    manifest: BackupManifest,
    body: bytes,
    identities: Iterable[AgeIdentity],
    what: str,
    largest_bytes: int,
) -> bytes:
    """What a small checked object holds. Blocks. Raises: KeyMissing, Corrupt, also where it unpacks to more."""
    unpacker = unpacker_of(
        manifest.compression.method, _decrypted(manifest, body, identities, what)
    )
    found = bytearray()
    while chunk := read_unpacked(unpacker, _CHUNK_BYTES, what):
        found += chunk
        if len(found) > largest_bytes:
            raise Corrupt(f"{what} unpacks to more than {largest_bytes} bytes")
    return bytes(found)


def _decrypted(
    manifest: BackupManifest, body: bytes, identities: Iterable[AgeIdentity], what: str
) -> Unpacker:
    if manifest.encryption is Encryption.AGE:
        return PiecesFile(decrypt_pieces(body, identities, what))
    return io.BytesIO(body)


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
