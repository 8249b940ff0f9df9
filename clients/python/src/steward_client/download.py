"""One file of a batch on its way to a path, which it takes all at once and only when size and CRC-32C are right.

The bytes gather beside the target, in `.NAME.BATCH.part`; a cut is followed by going on at its end, also by a later
process, for the files of a batch never change. Two writers of one part file are kept apart by a lock. What is no
regular file (a device, a pipe) is refused as a target: renaming onto it would replace it.
"""

from __future__ import annotations

import contextlib
import os
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO, Self

import google_crc32c

from steward_client.batches import BatchFile
from steward_client.calls import split_file_name
from steward_client.errors import Conflict, Corrupt

try:
    import fcntl
except ImportError:  # Windows: two writers are then found out by the checksum
    fcntl = None  # type: ignore[assignment]

_BLOCK_BYTES = 1024 * 1024

OnDownloaded = Callable[[int, int], None]
"""Called with the bytes that are there and the bytes that there will be."""


def check_place(path: Path) -> None:
    """Raises the OSError that a download to `path` would raise, by making a part file there and removing it again.

    For who would rather not do what comes before the download in vain: asking the system for rights is no answer where
    the file system is read-only, or the name with what a part file adds to it too long.
    """
    _check_replaceable(path)
    probe = path.with_name(f".{path.name}.{uuid.uuid4()}.part")
    with probe.open("xb"):
        probe.unlink()


def _check_replaceable(path: Path) -> None:
    if path.exists() and not path.is_file():
        raise OSError(f"{path} is no regular file: a download cannot take its place")


class Download:
    """Between `open` and `close`, bytes are taken in order; `publish` gives them their name."""

    def __init__(
        self, file: BatchFile, path: str | os.PathLike[str], progress: OnDownloaded | None = None
    ) -> None:
        self._file = file
        self.path = Path(path) / file.file if Path(path).is_dir() else Path(path)
        _check_replaceable(self.path)
        batch = split_file_name(file.name)[0].rsplit("/", 1)[-1]
        self._part_path = self.path.with_name(f".{self.path.name}.{batch}.part")
        self._progress = progress
        self._part: BinaryIO
        self._checksum = 0
        self.offset_bytes = 0
        self._was_resumed = False

    def open(self) -> Self:
        """Opens the part file and takes in what is there. Raises OSError, Conflict / DOWNLOAD_IN_PROGRESS."""
        with contextlib.ExitStack() as undo:
            self._part = undo.enter_context(self._part_path.open("a+b"))
            lock(self._part, self.path)
            self._catch_up()
            undo.pop_all()
        return self

    def close(self) -> None:
        """Closes the part file; it stays, to go on from, unless it was published."""
        self._part.close()

    @property
    def is_complete(self) -> bool:
        """Whether every byte is there, and right. Wrong ones from an earlier process are dropped once.

        Raises Corrupt when bytes of this very download are wrong.
        """
        if self.offset_bytes < self._file.size_bytes:
            return False
        if self.offset_bytes == self._file.size_bytes and self._checksum == self._file.crc32c:
            return True
        resumed = self._was_resumed
        self._start_over()
        if not resumed:
            raise Corrupt(
                f"{self._file.name} came with another size or checksum than its batch says"
            )
        return False

    def write(self, data: bytes) -> None:
        """Takes the next bytes. Raises Corrupt when they are more than there can be."""
        if self.offset_bytes + len(data) > self._file.size_bytes:
            self._start_over()
            raise Corrupt(f"{self._file.name} came with more bytes than its batch says")
        self._part.write(data)
        self._count(data)

    def check_ended(self) -> None:
        """Raises Corrupt when the daemon said that this was all, and it is too little."""
        if self.offset_bytes < self._file.size_bytes:
            raise Corrupt(f"{self._file.name} came with fewer bytes than its batch says")

    def publish(self) -> Path:
        """Makes the bytes durable and gives them their name."""
        self._part.flush()
        os.fsync(self._part.fileno())
        self._part_path.replace(self.path)
        return self.path

    def _count(self, data: bytes) -> None:
        self._checksum = google_crc32c.extend(self._checksum, data)
        self.offset_bytes += len(data)
        if self._progress is not None:
            self._progress(self.offset_bytes, self._file.size_bytes)

    def _catch_up(self) -> None:
        self._part.seek(0)
        while block := self._part.read(_BLOCK_BYTES):
            self._count(block)
        self._was_resumed = self.offset_bytes > 0

    def _start_over(self) -> None:
        self._part.truncate(0)
        self._checksum, self.offset_bytes, self._was_resumed = 0, 0, False


def lock(part: BinaryIO, path: Path) -> None:
    """Keeps a part file for one writer, until it is closed. Raises Conflict / DOWNLOAD_IN_PROGRESS."""
    if fcntl is None:
        return
    try:
        fcntl.flock(part, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        raise Conflict(
            f"another process is downloading to {path}",
            reason="DOWNLOAD_IN_PROGRESS",
            hint="wait for it to end, or download to another path",
        ) from None
