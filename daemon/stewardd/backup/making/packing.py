"""Packs the files of a directory dump into segments: each is a tar archive of whole files, or of pieces of one.

A file that fits goes in whole, under its name; a piece of a longer one is called `NAME.000000`, `NAME.000001`, …, so
that tar alone unpacks any segment, and `cat` joins the pieces. Thousands of small tables become few objects.
"""

from __future__ import annotations

import hashlib
import tarfile
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO

from stewardd.backup.making.segments import CompressedSegment, OpenSegment, Sealing
from stewardd.backup.manifest.contents import DumpFile, Piece

_BLOCK_BYTES = tarfile.BLOCKSIZE
_READ_BYTES = 1 << 20
_LEAST_PIECE_BYTES = 1 << 20
_END = bytes(2 * _BLOCK_BYTES)
_TABLE_FILE = ".dat"


@dataclass(slots=True)
class _OpenFile:
    """A file that is being packed."""

    name: str
    stream: BinaryIO
    size_bytes: int
    done_bytes: int = 0
    digest: hashlib._Hash = field(default_factory=hashlib.sha256)
    pieces: list[Piece] = field(default_factory=list)


class Packer:
    """Takes files from `next_file` until it gives None. Call `next_segment` from one thread at a time.

    A file is removed as soon as it is packed.
    """

    def __init__(
        self,
        folder: Path,
        next_file: Callable[[], str | None],
        *,
        segment_bytes: int,
        sealing: Sealing,
    ) -> None:
        self._folder = folder
        self._next_file = next_file
        self._segment_bytes = segment_bytes
        self._sealing = sealing
        self._number = 0
        self._at_end = False
        self._file: _OpenFile | None = None
        self._files: list[DumpFile] = []
        self.dumped_bytes = 0
        self.dumped_tables = 0

    @property
    def files(self) -> tuple[DumpFile, ...]:
        """The files that were packed so far."""
        return tuple(self._files)

    def next_segment(self) -> CompressedSegment | None:
        """The next segment, or None when there are no more files. Blocks."""
        segment = OpenSegment(self._number, self._sealing)
        while segment.size_bytes < self._segment_bytes:
            file = self._file or self._open_next()
            if file is None:
                break
            room = max(self._segment_bytes - segment.size_bytes, _LEAST_PIECE_BYTES)
            self._add_piece(segment, file, min(room, file.size_bytes - file.done_bytes))
            if file.done_bytes == file.size_bytes:
                self._end_file(file)
        if segment.read_bytes == 0:
            return None
        segment.add(_END)
        self._number += 1
        return segment.close()

    def close(self) -> None:
        """Closes the file that was being packed when something failed."""
        if self._file is not None:
            self._file.stream.close()
            self._file = None

    def _open_next(self) -> _OpenFile | None:
        name = None if self._at_end else self._next_file()
        if name is None:
            self._at_end = True
            return None
        path = self._folder / name
        stream = path.open("rb")
        self._file = _OpenFile(name, stream, path.stat().st_size)
        return self._file

    def _add_piece(self, segment: OpenSegment, file: _OpenFile, size_bytes: int) -> None:
        is_whole = size_bytes == file.size_bytes
        member = tarfile.TarInfo(file.name if is_whole else f"{file.name}.{len(file.pieces):06d}")
        member.size, member.mode = size_bytes, 0o600
        segment.add(member.tobuf(tarfile.USTAR_FORMAT))
        file.pieces.append(Piece(self._number, segment.read_bytes, size_bytes))
        left = size_bytes
        while left:
            chunk = file.stream.read(min(_READ_BYTES, left))
            if not chunk:
                raise OSError(f"{file.name} became shorter while it was read")
            file.digest.update(chunk)
            segment.add(chunk)
            self.dumped_bytes += len(chunk)
            left -= len(chunk)
        segment.add(bytes(-size_bytes % _BLOCK_BYTES))
        file.done_bytes += size_bytes

    def _end_file(self, file: _OpenFile) -> None:
        file.stream.close()
        (self._folder / file.name).unlink()
        self._file = None
        sha256 = file.digest.hexdigest()
        self._files.append(DumpFile(file.name, file.size_bytes, sha256, tuple(file.pieces)))
        stem, _, rest = file.name.partition(".")
        self.dumped_tables += stem.isdigit() and f".{rest}" == _TABLE_FILE
