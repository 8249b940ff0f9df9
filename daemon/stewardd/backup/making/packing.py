"""Packs the files of a directory dump into segments: each is a tar archive of whole files, or of pieces of one.

A file that fits goes in whole, under its name; a piece of a longer one is called `NAME.000000`, `NAME.000001`, …, so
that tar alone unpacks any segment, and `cat` joins the pieces. Thousands of small tables become few objects. A long
file is packed while it is written: its pieces are what was there when it was its turn.
"""

from __future__ import annotations

import hashlib
import os
import tarfile
from collections import deque
from dataclasses import dataclass, field
from io import FileIO
from pathlib import Path
from typing import Protocol

from stewardd.backup.making.segments import CompressedSegment, OpenSegment, Sealing
from stewardd.backup.manifest.contents import DumpFile, Piece

_BLOCK_BYTES = tarfile.BLOCKSIZE
_READ_BYTES = 1 << 20
_LEAST_PIECE_BYTES = 1 << 20
_LEAST_GROWN_BYTES = 4 << 20
_END = bytes(2 * _BLOCK_BYTES)
_TABLE_FILE = ".dat"


class FileSource(Protocol):
    """Where files come from; see StagedFiles."""

    def take(self, *, wait: bool) -> list[str] | None:
        """The files that came since the last call, or None at the end; with `wait` it blocks for a moment."""
        ...

    def is_finished(self, name: str) -> bool:
        """Whether nothing is written to a file any more."""
        ...


@dataclass(slots=True)
class _OpenFile:
    """A file that is being packed."""

    name: str
    stream: FileIO
    finished: bool = False
    size_bytes: int = 0
    done_bytes: int = 0
    digest: hashlib._Hash = field(default_factory=hashlib.sha256)
    pieces: list[Piece] = field(default_factory=list)

    @property
    def left_bytes(self) -> int:
        """What was there at the last look and is not packed."""
        return self.size_bytes - self.done_bytes

    @property
    def is_ready(self) -> bool:
        """Whether there is enough for a piece."""
        return self.finished or self.left_bytes >= _LEAST_GROWN_BYTES

    def look(self, source: FileSource) -> None:
        """Looks how long it is. Whether it is finished is asked first: then its size is the last one."""
        if not self.finished:
            self.finished = source.is_finished(self.name)
            self.size_bytes = os.fstat(self.stream.fileno()).st_size


class Packer:
    """Takes files from a source to its end. Call `next_segment` from one thread at a time.

    A file is removed as soon as it is packed.
    """

    def __init__(
        self, folder: Path, source: FileSource, *, segment_bytes: int, sealing: Sealing
    ) -> None:
        self._folder = folder
        self._source = source
        self._segment_bytes = segment_bytes
        self._compressors = sealing.compressors()
        self._encryptor = sealing.encryptor
        self._buffer = memoryview(bytearray(_READ_BYTES))  # one for all reads: its pages stay warm
        self._number = 0
        self._at_end = False
        self._waiting: deque[str] = deque()  # finished, and maybe thousands: they are not open
        self._open: dict[str, _OpenFile] = {}
        self._current: _OpenFile | None = None
        self._files: list[DumpFile] = []
        self.dumped_bytes = 0
        self.dumped_tables = 0

    @property
    def files(self) -> tuple[DumpFile, ...]:
        """The files that were packed so far."""
        return tuple(self._files)

    @property
    def kept_bytes(self) -> int:
        """What is packed of files that are still in the folder. May be asked on any thread."""
        return sum(each.done_bytes for each in list(self._open.values()))

    def next_segment(self) -> CompressedSegment | None:
        """The next segment, or None when there are no more files. Blocks."""
        segment = OpenSegment(self._number, self._compressors(), self._encryptor)
        while segment.size_bytes < self._segment_bytes:
            file = self._ready_file()
            if file is None:
                break
            room = max(self._segment_bytes - segment.size_bytes, _LEAST_PIECE_BYTES)
            if file.left_bytes or not file.pieces:
                self._add_piece(segment, file, min(room, file.left_bytes))
            if file.finished and not file.left_bytes:
                self._end_file(file)
        if segment.read_bytes == 0:
            return None
        segment.add(_END)
        self._number += 1
        return segment.close()

    def close(self) -> None:
        """Closes the files that were being packed when something failed."""
        for file in self._open.values():
            file.stream.close()
        self._open.clear()

    def _ready_file(self) -> _OpenFile | None:
        """A file of which there is something to pack: the one that was packed last, if it can be. Waits for one.

        None at the end; of a dump that failed there may be files left that are not finished.
        """
        wait = False
        while True:
            self._take(wait=wait)
            for file in self._open.values():
                file.look(self._source)
            ready = [each for each in self._open.values() if each.is_ready]
            if self._current in ready:
                return self._current
            if not ready and self._waiting:
                ready = [self._open_file(self._waiting.popleft())]
            if ready:
                self._current = max(ready, key=lambda each: (each.finished, each.left_bytes))
                return self._current
            if self._at_end:
                return None
            wait = True

    def _take(self, *, wait: bool) -> None:
        names = None if self._at_end else self._source.take(wait=wait)
        if names is None:
            self._at_end = True
            return
        for name in names:
            if self._source.is_finished(name):
                self._waiting.append(name)
            else:
                self._open_file(name)

    def _open_file(self, name: str) -> _OpenFile:
        file = self._open[name] = _OpenFile(name, FileIO(self._folder / name))
        file.look(self._source)
        return file

    def _add_piece(self, segment: OpenSegment, file: _OpenFile, size_bytes: int) -> None:
        is_whole = file.finished and size_bytes == file.size_bytes
        member = tarfile.TarInfo(file.name if is_whole else f"{file.name}.{len(file.pieces):06d}")
        member.size, member.mode = size_bytes, 0o600
        segment.add(member.tobuf(tarfile.USTAR_FORMAT))
        file.pieces.append(Piece(self._number, segment.read_bytes, size_bytes))
        left = size_bytes
        while left:
            read_bytes = file.stream.readinto(self._buffer[:left])
            if not read_bytes:
                raise OSError(f"{file.name} became shorter while it was read")
            chunk = self._buffer[:read_bytes]
            file.digest.update(chunk)
            segment.add(chunk)
            self.dumped_bytes += read_bytes
            left -= read_bytes
        segment.add(bytes(-size_bytes % _BLOCK_BYTES))
        file.done_bytes += size_bytes

    def _end_file(self, file: _OpenFile) -> None:
        file.stream.close()
        (self._folder / file.name).unlink()
        del self._open[file.name]
        self._current = None
        sha256 = file.digest.hexdigest()
        self._files.append(DumpFile(file.name, file.size_bytes, sha256, tuple(file.pieces)))
        stem, _, rest = file.name.partition(".")
        self.dumped_tables += stem.isdigit() and f".{rest}" == _TABLE_FILE
