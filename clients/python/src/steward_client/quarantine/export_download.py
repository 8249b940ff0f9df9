"""The download of an export: the file gets its name at once, and only when the End message says that it is whole.

The daemon makes the bytes anew for each call, and the rows may have changed: so a download that was cut begins again
instead of going on. The bytes gather beside the target, in `.NAME.export.part`, which a lock keeps for one writer; the
part file is removed when the download fails.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable
from pathlib import Path, PurePosixPath
from typing import BinaryIO, Self

import google_crc32c
from steward.v1 import quarantine_pb2 as pb

from steward_client.errors import Corrupt
from steward_client.quarantine.exports import ExportedFile
from steward_client.transfer.part_file import check_free, check_replaceable, lock

OnExported = Callable[[int], None]
"""Called with the bytes that are there."""

_NAMELESS = "export"


class ExportDownload:
    """Between `open` and `close`, messages are taken in order; `publish` gives the bytes their name."""

    def __init__(
        self,
        path: str | os.PathLike[str],
        progress: OnExported | None = None,
        *,
        overwrite: bool = True,
    ) -> None:
        self._path = Path(path)
        if not self._path.is_dir():
            check_replaceable(self._path, "an export")
        self._progress = progress
        self._overwrite = overwrite
        folder = self._path if self._path.is_dir() else self._path.parent
        name = _NAMELESS if self._path.is_dir() else self._path.name
        self._part_path = folder / f".{name}.export.part"
        self._part: BinaryIO
        self._file_name = ""
        self._size_bytes = 0
        self._checksum = 0
        self._end: pb.ExportQuarantineResponse.End | None = None
        self._is_published = False

    def open(self) -> Self:
        """Opens the file that the bytes gather in. Raises OSError, Conflict / DOWNLOAD_IN_PROGRESS."""
        with contextlib.ExitStack() as undo:
            self._part = undo.enter_context(self._part_path.open("ab"))
            lock(self._part, self._path)
            undo.pop_all()
        return self

    def close(self) -> None:
        """Closes the file, and removes it unless it was published."""
        self._part.close()
        if not self._is_published:
            self._part_path.unlink(missing_ok=True)

    @property
    def is_complete(self) -> bool:
        """Whether the last message was there."""
        return self._end is not None

    def start_over(self) -> None:
        """Forgets what has come."""
        self._part.truncate(0)
        self._file_name, self._size_bytes, self._checksum, self._end = "", 0, 0, None

    def take(self, message: pb.ExportQuarantineResponse) -> None:
        """Takes the next message. Raises OSError when it cannot be written, FileExistsError where it may not be."""
        match message.WhichOneof("message"):
            case "begin":
                self._file_name = message.begin.file_name
                self._check_free()
            case "chunk":
                self._part.write(message.chunk.data)
                self._size_bytes += len(message.chunk.data)
                self._checksum = google_crc32c.extend(self._checksum, message.chunk.data)
                if self._progress is not None:
                    self._progress(self._size_bytes)
            case "end":
                self._end = message.end

    def check_ended(self) -> None:
        """Raises Corrupt when the daemon said that this was all, and it is not, or is not what it sent."""
        end = self._end
        if end is None:
            raise Corrupt("the export came without its end, so that it may not be whole")
        if (end.size_bytes, end.crc32c) != (self._size_bytes, self._checksum):
            self._end = None
            raise Corrupt("the export came with another size or checksum than its end says")

    def publish(self) -> ExportedFile:
        """Makes the bytes durable and gives them their name."""
        assert self._end is not None
        self._part.flush()
        os.fsync(self._part.fileno())
        self._check_free()
        path = self._target
        self._part_path.replace(path)
        self._is_published = True
        return ExportedFile(
            path=str(path),
            file_name=self._file_name,
            size_bytes=self._size_bytes,
            crc32c=self._checksum,
            rows=self._end.rows,
        )

    @property
    def _target(self) -> Path:
        return self._path / _plain_name(self._file_name) if self._path.is_dir() else self._path

    def _check_free(self) -> None:
        if not self._overwrite:
            check_free(self._target)


def _plain_name(file_name: str) -> str:
    """Returns a name that stays in its folder, whatever the daemon called the file."""
    name = PurePosixPath(file_name.replace("\\", "/")).name
    return name if name not in ("", ".", "..") and "\0" not in name else _NAMELESS
