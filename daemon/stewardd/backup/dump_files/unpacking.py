"""Unpacks a file that is compressed as a whole, in bounded memory, and sees whether it comes to its end.

gzip may have several members and zstd several frames, as `cat`, `pigz` and `zstd -T0` write them. A file that ends in
the middle of one is cut off, and one whose checksum differs is damaged: both are told before anything is restored.
"""

from __future__ import annotations

import asyncio
import zlib
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from typing import Protocol

import zstandard

from stewardd.backup.restoring.documents import Packing
from stewardd.errors import DumpUnreadable

_PIECE_BYTES = 1 << 20
_GZIP_WINDOW = 16 + zlib.MAX_WBITS
# The library returns all that a piece unpacks to, at most 32,768 times its size: a slice bounds that at 64 MiB.
_ZSTD_SLICE_BYTES = 2048


async def unpacked(chunks: AsyncIterator[bytes], packing: Packing) -> AsyncGenerator[bytes]:
    """Yields what a file holds. Raises: DumpUnreadable, and what `chunks` raises."""
    unpacker = _UNPACKERS[packing]()
    try:
        async for chunk in chunks:
            unpacker.feed(chunk)
            while piece := await asyncio.to_thread(unpacker.take):
                yield piece
        unpacker.finish()
    finally:
        await close_chunks(chunks)


async def close_chunks(chunks: AsyncIterator[bytes]) -> None:
    """Closes what chunks are read from, now and not when the garbage is collected."""
    if isinstance(chunks, AsyncGenerator):
        await chunks.aclose()


class _Unpacker(Protocol):
    def feed(self, data: bytes) -> None:
        """Takes the next bytes of the file."""

    def take(self) -> bytes:
        """The next piece of what it holds; none when what was fed is used up. Raises: DumpUnreadable."""
        ...

    def finish(self) -> None:
        """Says that the file has ended. Raises: DumpUnreadable where it may not end here."""


class _Plain:
    def __init__(self) -> None:
        self._data = b""

    def feed(self, data: bytes) -> None:
        self._data = data

    def take(self) -> bytes:
        data, self._data = self._data, b""
        return data

    def finish(self) -> None:
        pass


class _Gzip:
    def __init__(self) -> None:
        self._data = b""
        self._inflator = zlib.decompressobj(wbits=_GZIP_WINDOW)
        self._is_within = False
        self._holds_more = (
            False  # a full piece came out: zlib may hold the next one without further input
        )

    def feed(self, data: bytes) -> None:
        self._data += data

    def take(self) -> bytes:
        while self._data or self._holds_more:
            if not self._is_within:
                self._data = self._data.lstrip(b"\0")  # padding, which gzip itself passes over
                if not self._data:
                    return b""
                self._inflator = zlib.decompressobj(wbits=_GZIP_WINDOW)
                self._is_within = True
            try:
                piece = self._inflator.decompress(self._data, _PIECE_BYTES)
            except zlib.error:
                raise _damaged("gzip") from None
            ended = self._inflator.eof
            self._data = self._inflator.unused_data if ended else self._inflator.unconsumed_tail
            self._is_within = not ended
            self._holds_more = not ended and len(piece) == _PIECE_BYTES
            if piece:
                return piece
        return b""

    def finish(self) -> None:
        if self._is_within:
            raise _cut_off("gzip")


class _Zstd:
    def __init__(self) -> None:
        self._data = b""
        self._place = 0
        self._inflator = zstandard.ZstdDecompressor().decompressobj()
        self._is_within = False

    def feed(self, data: bytes) -> None:
        self._data, self._place = self._data[self._place :] + data, 0

    def take(self) -> bytes:
        while self._place < len(self._data):
            if not self._is_within:
                self._inflator = zstandard.ZstdDecompressor().decompressobj()
                self._is_within = True
            given = self._data[self._place : self._place + _ZSTD_SLICE_BYTES]
            try:
                piece = self._inflator.decompress(given)
            except zstandard.ZstdError:
                raise _damaged("zstd") from None
            ended = self._inflator.eof
            self._place += len(given) - (len(self._inflator.unused_data) if ended else 0)
            self._is_within = not ended
            if piece:
                return piece
        return b""

    def finish(self) -> None:
        if self._is_within:
            raise _cut_off("zstd")


_UNPACKERS: dict[Packing, Callable[[], _Unpacker]] = {
    Packing.NONE: _Plain,
    Packing.GZIP: _Gzip,
    Packing.ZSTD: _Zstd,
}


def _damaged(packing: str) -> DumpUnreadable:
    return DumpUnreadable(
        f"the file does not unpack: its {packing} data are damaged", hint="have the file sent again"
    )


def _cut_off(packing: str) -> DumpUnreadable:
    return DumpUnreadable(
        f"the file is cut off: its {packing} data do not come to their end",
        hint="have the file sent again",
    )
