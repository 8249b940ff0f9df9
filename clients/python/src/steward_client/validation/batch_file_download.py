"""The download of a batch's file: it gets its name at once, and only when size and CRC-32C are right.

The bytes gather beside the target, in `.NAME.BATCH.part`. A download that was cut goes on at the end of the part file,
also in a later process. A purge or an erasure may put another file in the place of the wanted one: the daemon says so,
and `become` begins anew.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO, Self

import google_crc32c

from steward_client.errors import Corrupt
from steward_client.transfer.part_file import check_free, check_replaceable, lock
from steward_client.validation.batches import BatchFile, split_file_name

_BLOCK_BYTES = 1024 * 1024

OnDownloaded = Callable[[int, int], None]
"""Called with the bytes that are there and the bytes that there will be."""


class BatchFileDownload:
    """Between `open` and `close`, bytes are taken in order; `publish` gives them their name."""

    def __init__(
        self,
        file: BatchFile,
        path: str | os.PathLike[str],
        progress: OnDownloaded | None = None,
        *,
        overwrite: bool = True,
    ) -> None:
        self._file = file
        self.path = Path(path) / file.file if Path(path).is_dir() else Path(path)
        self._overwrite = overwrite
        check_replaceable(self.path, "a download")
        self._check_free()
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

    @property
    def file(self) -> BatchFile:
        """The file that is wanted."""
        return self._file

    def become(self, file: BatchFile) -> None:
        """Begins anew with the file that the batch has now in the place of the one that was wanted."""
        self._file = file
        self._start_over()

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
        """Makes the bytes durable and gives them their name. Raises FileExistsError where one is there meanwhile."""
        self._check_free()
        self._part.flush()
        os.fsync(self._part.fileno())
        self._part_path.replace(self.path)
        return self.path

    def _check_free(self) -> None:
        if not self._overwrite:
            check_free(self.path)

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
