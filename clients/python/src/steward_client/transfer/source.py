"""The source of an upload: a path, bytes, a file object, or a pipe.

A file object is read from where it stands. What can be read again (a path, bytes, a file object that seeks) may be
sent again; a pipe may not.
"""

from __future__ import annotations

import io
import os
from collections.abc import Iterator
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import BinaryIO, Protocol, cast

CHUNK_BYTES = 1024 * 1024


class Readable(Protocol):
    """A file object open for reading bytes; `seek`, `tell` and `name` are used where it has them."""

    def read(self, size: int, /) -> bytes | None:
        """Returns at most so many bytes; none at the end."""


FileSource = str | os.PathLike[str] | bytes | bytearray | memoryview | Readable


class Source:
    """The bytes of a file, read from the beginning as often as they are asked for, if they can be."""

    def __init__(self, source: FileSource) -> None:
        self._path = Path(source) if isinstance(source, str | os.PathLike) else None
        self._file: Readable | None = None
        if isinstance(source, bytes | bytearray | memoryview):
            self._file = io.BytesIO(source)
        elif self._path is None:
            self._file = cast("Readable", source)
        self._start = _position(self._file)
        self.is_repeatable = self._start is not None or (
            self._path is not None and self._path.is_file()
        )

    @property
    def name(self) -> str:
        """The last part of the path, or of the file object's name; empty where there is none."""
        if self._path is not None:
            return self._path.name
        name = getattr(self._file, "name", "")
        return Path(name).name if isinstance(name, str) else ""

    def check(self) -> None:
        """Raises the OSError that opening the path would raise, before anything is sent."""
        if self._path is not None:
            with self._path.open("rb"):
                pass

    def chunks(self) -> Iterator[bytes]:
        """Yields the bytes from the beginning.

        The first piece is what can be had at once, so that the header is judged also while a slow pipe still trickles;
        the others are full but for the last, so that such a pipe costs few messages.
        """
        with self._open() as file:
            if chunk := _read(file, CHUNK_BYTES):
                yield chunk
            while chunk and (chunk := _read_full(file)):
                yield chunk

    def _open(self) -> AbstractContextManager[Readable]:
        if self._path is not None:
            return self._path.open("rb", buffering=0)
        file = cast("Readable", self._file)
        if self._start is not None:
            cast("BinaryIO", file).seek(self._start)
        return nullcontext(file)


def _position(file: Readable | None) -> int | None:
    try:
        seekable = file is not None and cast("BinaryIO", file).seekable()
        return cast("BinaryIO", file).tell() if seekable else None
    except (AttributeError, OSError):
        return None


def _read_full(file: Readable) -> bytes:
    """Reads until a chunk is full or the file ends; empty at the end."""
    first = _read(file, CHUNK_BYTES)
    if not first or len(first) == CHUNK_BYTES:
        return first
    parts, size_bytes = [first], len(first)
    while size_bytes < CHUNK_BYTES and (part := _read(file, CHUNK_BYTES - size_bytes)):
        parts.append(part)
        size_bytes += len(part)
    return b"".join(parts)


def _read(file: Readable, size: int) -> bytes:
    part = file.read(size)
    if not isinstance(part, bytes):
        # A text file, or one in non-blocking mode that has nothing now.
        raise OSError(
            f"the file object gave {type(part).__name__}, not bytes; open it with mode 'rb'"
        )
    return part
