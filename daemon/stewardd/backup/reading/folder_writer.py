"""Writes the files of a dump out of its segments: one thread unpacks and writes, another hashes what was written.

SHA-256 takes as long as unpacking and writing together (0.65 s each for 700 MiB), so it has a thread of its own, which
is a few chunks behind and never more. A chunk goes to it whole, with all that it holds of several files: what passes
between two threads costs as much as hashing 20 KiB.
"""

from __future__ import annotations

import errno
import hashlib
import os
import queue
import threading
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from stewardd.backup.manifest.contents import DumpFile, Piece
from stewardd.backup.reading.segment import OpenedSegment
from stewardd.errors import Corrupt, StorageFull

_CHUNK_BYTES = 1 << 20
_MOST_BEHIND = 8
_NO_ROOM = frozenset({errno.ENOSPC, errno.EDQUOT})


@dataclass(frozen=True, slots=True)
class FilePart:
    """A piece of a file within a segment, and where in the file it goes."""

    file: DumpFile
    piece: Piece
    file_offset: int

    @property
    def end(self) -> int:
        """Where in the segment it ends."""
        return self.piece.offset + self.piece.size_bytes


class FolderWriter:
    """Writes files into an empty folder. All of it blocks; `close` must be called, whatever happens."""

    def __init__(
        self, folder: Path, files: Iterable[DumpFile], on_written: Callable[[int], None]
    ) -> None:
        self._files = {each.name: _WrittenFile(folder / each.name) for each in files}
        self._on_written = on_written
        self._open: _WrittenFile | None = None
        self._hashing = _HashingThread()
        # Held by each call that works, for one whose awaiting task was cancelled goes on beside `close`.
        self._working = threading.Lock()
        self._is_stopped = False

    def write(self, segment: OpenedSegment, parts: Sequence[FilePart]) -> None:
        """Goes through a segment, and writes its parts, which are sorted. Raises: Corrupt, StorageFull."""
        with self._working:
            place, left = 0, list(reversed(parts))
            while left and not self._is_stopped:
                chunk = segment.read(_CHUNK_BYTES)
                if not chunk:
                    raise Corrupt(f"{segment.called} is shorter than its contents say")
                self._write_chunk(chunk, place, left)
                place += len(chunk)

    def _write_chunk(self, chunk: bytes, place: int, left: list[FilePart]) -> None:
        """Writes what a chunk of a segment holds, and drops the parts that end in it; the next one is the last."""
        memory, end = memoryview(chunk), place + len(chunk)
        hashed: list[_Hashed] = []
        while left and left[-1].piece.offset < end:
            part = left[-1]
            start, stop = max(part.piece.offset, place), min(part.end, end)
            data = memory[start - place : stop - place]
            file = self._opened(part.file.name)
            if file.write(part.file_offset + start - part.piece.offset, data):
                hashed.append((file.digest, data))
            self._on_written(len(data))
            if part.end > end:
                break
            left.pop()
        self._hashing.update(hashed)

    def damaged(self, files: Iterable[DumpFile]) -> DumpFile | None:
        """The first of the files that is not what was dumped. Nothing is written afterwards."""
        with self._working:
            self._hashing.end()
            self._close_file()
            checks = ((each, self._files[each.name].checksum()) for each in files)
            return next((file for file, sha256 in checks if sha256 != file.sha256), None)

    def stop(self) -> None:
        """Has a `write` that is under way end soon. Does not block."""
        self._is_stopped = True

    def close(self) -> None:
        """Waits until no thread works any more."""
        self.stop()
        with self._working:
            self._hashing.end()
            self._close_file()

    def _opened(self, name: str) -> _WrittenFile:
        """A file, open: the one that was written before is closed, so that there is one at a time."""
        file = self._files[name]
        if self._open is not file:
            self._close_file()
            file.open()
            self._open = file
        return file

    def _close_file(self) -> None:
        if self._open is not None:
            self._open.close()
            self._open = None


class _Digest(Protocol):
    """Hashes."""

    def update(self, data: memoryview, /) -> None:
        """Takes the next bytes."""
        ...

    def hexdigest(self) -> str:
        """What it comes to."""
        ...


_Hashed = tuple[_Digest, memoryview]


class _HashingThread:
    """Hashes on a thread of its own, in the order in which it was handed over."""

    def __init__(self) -> None:
        self._queue: queue.Queue[list[_Hashed] | None] = queue.Queue(_MOST_BEHIND)
        self._thread = threading.Thread(target=self._run, name="hashing", daemon=True)
        self._thread.start()

    def update(self, hashed: list[_Hashed]) -> None:
        """Hands bytes over; waits while it is too far behind."""
        if hashed:
            self._queue.put(hashed)

    def end(self) -> None:
        """Waits until all is hashed."""
        if self._thread.is_alive():
            self._queue.put(None)
            self._thread.join()

    def _run(self) -> None:
        while (hashed := self._queue.get()) is not None:
            for digest, data in hashed:
                digest.update(data)


class _WrittenFile:
    """A file in the making. What is written in its order is hashed on the way, and not read again."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._descriptor = -1
        self._in_order_bytes = 0
        self._is_in_order = True
        self.digest: _Digest = hashlib.sha256()

    def open(self) -> None:
        """Opens it. Raises: StorageFull."""
        try:
            self._descriptor = os.open(self._path, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise self._failure(error) from error

    def write(self, offset: int, data: memoryview) -> bool:
        """Writes a piece; returns whether it is to be hashed. Raises: StorageFull."""
        self._is_in_order = self._is_in_order and offset == self._in_order_bytes
        self._in_order_bytes += len(data)
        left = data
        try:
            while left:
                written = os.pwrite(self._descriptor, left, offset)
                left, offset = left[written:], offset + written
        except OSError as error:
            raise self._failure(error) from error
        return self._is_in_order

    def close(self) -> None:
        """Closes it."""
        os.close(self._descriptor)

    def checksum(self) -> str:
        """The SHA-256 of the whole file, in hex."""
        if self._in_order_bytes == 0:
            self._path.touch()
        if self._is_in_order:
            return self.digest.hexdigest()
        with self._path.open("rb") as stream:
            return hashlib.file_digest(stream, "sha256").hexdigest()

    def _failure(self, error: OSError) -> Exception:
        if error.errno not in _NO_ROOM:
            return error
        return StorageFull(
            f"no room to unpack the dump into {self._path.parent}",
            hint="free room on the disk of the daemon's scratch folder, or restore it where there is more",
        )
