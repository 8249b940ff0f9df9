"""Cuts a stream of bytes into segments, each compressed, then encrypted, then checksummed, in bounded memory.

Each segment is a zstd frame (or a gzip member) and an age file of its own, closed at the first chance past its size: so
any one can be read, checked and unpacked alone, and reading back never holds more than one. The whole stream is
checksummed before compression, each segment as it is stored.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable
from dataclasses import dataclass
from hashlib import sha256
from typing import Protocol

import zstandard

from stewardd.backup.keys.encryption import Encryptor
from stewardd.backup.manifest.backup import Compression, CompressionMethod

_READ_BYTES = 1 << 20
_JOB_BYTES = 2 << 20
_BLOCK_BYTES = zstandard.COMPRESSION_RECOMMENDED_INPUT_SIZE
_GZIP_WINDOW = 16 + zlib.MAX_WBITS
_LONGEST_GZIP_LEVEL = 9


class ByteSource(Protocol):
    """What bytes are read from; an empty answer is the end."""

    def read(self, size: int, /) -> bytes:
        """At most `size` bytes; blocks until there are some."""
        ...


class Compressor(Protocol):
    """A compression that goes on from call to call."""

    def compress(self, data: bytes | memoryview, /) -> bytes:
        """Takes bytes, which it does not keep, and returns those that are ready."""
        ...

    def flush(self) -> bytes:
        """Ends it, and returns the rest."""
        ...


@dataclass(frozen=True, slots=True)
class PackedSegment:
    """A finished segment."""

    number: int
    body: bytes
    sha256: str


@dataclass(frozen=True, slots=True)
class Sealing:
    """How segments are made: compression, by so many threads where it is zstd's, then encryption."""

    compression: Compression
    encryptor: Encryptor
    threads: int = 1

    def compressors(self) -> Callable[[], Compressor]:
        """What begins the compression of one segment after the other; end each before the next one begins.

        So zstd uses its threads and buffers again.
        """
        method, level = self.compression.method, self.compression.level
        if method is CompressionMethod.ZSTD:
            return _zstd(level, self.threads)
        if method is CompressionMethod.GZIP:
            gzip_level = min(level, _LONGEST_GZIP_LEVEL)
            return lambda: zlib.compressobj(gzip_level, wbits=_GZIP_WINDOW)
        return _NoCompression

    def seal(self, data: bytes) -> bytes:
        """Compresses and encrypts what is no segment, and small."""
        compressor = self.compressors()()
        return self.encryptor.encrypt(compressor.compress(data) + compressor.flush())


@dataclass(slots=True)
class CompressedSegment:
    """A segment that is compressed, and not encrypted yet. `pieces` are used up by `seal`."""

    number: int
    pieces: list[bytes]
    encryptor: Encryptor

    def seal(self) -> PackedSegment:
        """Encrypts and checksums it. Blocks."""
        sealed = self.encryptor.seal(self.pieces)
        return PackedSegment(self.number, sealed.body, sealed.sha256)


class OpenSegment:
    """A segment that is being filled. `size_bytes` is how long it is so far, as far as the compressor says."""

    def __init__(self, number: int, compressor: Compressor, encryptor: Encryptor) -> None:
        self._number = number
        self._compressor = compressor
        self._encryptor = encryptor
        self._packed: list[bytes] = []
        self.size_bytes = 0
        self.read_bytes = 0

    def add(self, data: bytes | memoryview) -> None:
        """Takes bytes; the GIL is released while they are compressed."""
        piece = self._compressor.compress(data)
        self._packed.append(piece)
        self.size_bytes += len(piece)
        self.read_bytes += len(data)

    def close(self) -> CompressedSegment:
        """Ends its compression."""
        self._packed.append(self._compressor.flush())
        return CompressedSegment(self._number, self._packed, self._encryptor)


class Segmenter:
    """Reads a source to its end. Call `next_segment` from one thread at a time; the counters may be read by others."""

    def __init__(self, source: ByteSource, *, segment_bytes: int, sealing: Sealing) -> None:
        self._source = source
        self._segment_bytes = segment_bytes
        self._compressors = sealing.compressors()
        self._encryptor = sealing.encryptor
        self._dump_hash = sha256()
        self._number = 0
        self.dumped_bytes = 0

    @property
    def dump_sha256(self) -> str:
        """The SHA-256 of what was read so far."""
        return self._dump_hash.hexdigest()

    def next_segment(self) -> CompressedSegment | None:
        """The next segment, or None when the source is at its end. Blocks, mostly with the GIL released."""
        segment = OpenSegment(self._number, self._compressors(), self._encryptor)
        while segment.size_bytes < self._segment_bytes and (
            chunk := self._source.read(_READ_BYTES)
        ):
            self.dumped_bytes += len(chunk)
            self._dump_hash.update(chunk)
            segment.add(chunk)
        if segment.read_bytes == 0:
            return None
        self._number += 1
        return segment.close()


def _zstd(level: int, threads: int) -> Callable[[], Compressor]:
    if threads <= 1:
        return zstandard.ZstdCompressor(level=level).compressobj
    parameters = zstandard.ZstdCompressionParameters.from_level(
        level, threads=threads, job_size=_JOB_BYTES
    )
    compressor = zstandard.ZstdCompressor(compression_params=parameters)
    return lambda: _ThreadedFrame(compressor.compressobj())


class _ThreadedFrame:
    """One zstd frame, made by threads of zstd's own, whose jobs are small: that bounds what they hold in memory.

    Each call takes what is ready, a block at most, and so must bring no more than a block: else what is ready piles up.
    """

    def __init__(self, frame: zstandard.ZstdCompressionObj) -> None:
        self._frame = frame

    def compress(self, data: bytes | memoryview, /) -> bytes:
        """Takes bytes, which it does not keep, and returns those that are ready."""
        view = memoryview(data)
        return b"".join(
            self._frame.compress(view[start : start + _BLOCK_BYTES])
            for start in range(0, len(view), _BLOCK_BYTES)
        )

    def flush(self) -> bytes:
        """Ends the frame, and returns the rest."""
        return self._frame.flush()


class _NoCompression:
    """Gives back what it is given."""

    def compress(self, data: bytes | memoryview, /) -> bytes:
        """Returns the bytes themselves, which may stand in a buffer that is used again."""
        return bytes(data)

    def flush(self) -> bytes:
        """Returns nothing: there is no end to write."""
        return b""
