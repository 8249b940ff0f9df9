"""Cuts a stream of bytes into compressed segments, each with its checksum, in bounded memory.

Each segment is a zstd frame of its own, closed at the first chance past its size: so any one can be read, checked and
unpacked alone, and reading back never holds more than one. The whole stream is checksummed before compression, each
segment after it.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Protocol

import zstandard

_READ_BYTES = 1 << 20


class ByteSource(Protocol):
    """What bytes are read from; an empty answer is the end."""

    def read(self, size: int, /) -> bytes:
        """At most `size` bytes; blocks until there are some."""
        ...


@dataclass(frozen=True, slots=True)
class PackedSegment:
    """A finished segment."""

    number: int
    body: bytes
    sha256: str


class Segmenter:
    """Reads a source to its end. Call `next_segment` from one thread at a time; the counters may be read by others."""

    def __init__(self, source: ByteSource, *, segment_bytes: int, level: int) -> None:
        self._source = source
        self._segment_bytes = segment_bytes
        self._compressor = zstandard.ZstdCompressor(level=level)
        self._dump_hash = hashlib.sha256()
        self._number = 0
        self.dumped_bytes = 0

    @property
    def dump_sha256(self) -> str:
        """The SHA-256 of what was read so far."""
        return self._dump_hash.hexdigest()

    def next_segment(self) -> PackedSegment | None:
        """The next segment, or None when the source is at its end. Blocks, mostly with the GIL released."""
        frame = self._compressor.compressobj()
        packed: list[bytes] = []
        size = read = 0
        while size < self._segment_bytes and (chunk := self._source.read(_READ_BYTES)):
            read += len(chunk)
            self.dumped_bytes += len(chunk)
            self._dump_hash.update(chunk)
            packed.append(frame.compress(chunk))
            size += len(packed[-1])
        if read == 0:
            return None
        packed.append(frame.flush())
        body = b"".join(packed)
        self._number += 1
        return PackedSegment(self._number - 1, body, hashlib.sha256(body).hexdigest())
