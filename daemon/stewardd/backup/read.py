"""Reads a backup: the dump as pg_dump wrote it.

No byte is given out before its segment's checksum was compared. The checksum of the whole dump is compared at its end,
so only a stream that ends without an error is the dump. Memory holds one segment.
"""

from __future__ import annotations

import asyncio
import hashlib
import io
from collections.abc import AsyncIterator

import zstandard

from stewardd.backup.catalog import KIND
from stewardd.backup.manifest import BackupManifest, Segment
from stewardd.errors import Corrupt, Exhausted, ObjectNotFound
from stewardd.repository.backend.store import Store
from stewardd.repository.identifiers import folder_of

_CHUNK_BYTES = 1 << 20


async def read_dump(store: Store, manifest: BackupManifest) -> AsyncIterator[bytes]:
    """The dump in chunks of at most a mebibyte. Raises: Corrupt, RepositoryDown."""
    whole, size_bytes = hashlib.sha256(), 0
    for segment in manifest.segments:
        body = await read_segment(store, manifest, segment)
        reader = zstandard.ZstdDecompressor().stream_reader(io.BytesIO(body))
        while chunk := await asyncio.to_thread(_unpack, reader, manifest, segment):
            size_bytes += len(chunk)
            if size_bytes > manifest.dump_size_bytes:
                raise Corrupt(f"backup {manifest.backup_id} unpacks to more than its manifest says")
            whole.update(chunk)
            yield chunk
    if size_bytes != manifest.dump_size_bytes or whole.hexdigest() != manifest.dump_sha256:
        raise Corrupt(
            f"the segments of backup {manifest.backup_id} are not the dump that its manifest describes"
        )


async def read_segment(store: Store, manifest: BackupManifest, segment: Segment) -> bytes:
    """One segment as stored, checked. Raises: Corrupt when it is missing or not what was stored, RepositoryDown."""
    what = f"{segment.name} of backup {manifest.backup_id}"
    key = f"{folder_of(KIND, manifest.backup_id)}/{segment.name}"
    try:
        body = await store.get(key, max_bytes=segment.size_bytes)
    except ObjectNotFound:
        raise Corrupt(f"{what} is missing") from None
    except Exhausted:
        raise Corrupt(f"{what} is longer than its manifest says") from None
    if len(body) != segment.size_bytes:
        raise Corrupt(f"{what} has {len(body)} bytes, and its manifest says {segment.size_bytes}")
    digest = await asyncio.to_thread(hashlib.sha256, body)
    if digest.hexdigest() != segment.sha256:
        raise Corrupt(f"{what} is not what was stored: its checksum differs")
    return body


def _unpack(
    reader: zstandard.ZstdDecompressionReader, manifest: BackupManifest, segment: Segment
) -> bytes:
    try:
        return reader.read(_CHUNK_BYTES)
    except zstandard.ZstdError:
        raise Corrupt(f"{segment.name} of backup {manifest.backup_id} does not unpack") from None
