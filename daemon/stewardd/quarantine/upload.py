"""A sheet on its way in: its bytes go to a file in scratch, until Commit says that they are all."""

from __future__ import annotations

from pathlib import Path

import google_crc32c

from stewardd.errors import InputRefused, UploadIncomplete
from stewardd.quarantine.blocking import Threads


class SheetUpload:
    """Takes the bytes of one sheet. The folder is its maker's to remove."""

    def __init__(self, folder: Path, threads: Threads, max_bytes: int) -> None:
        self.path = folder / "sheet.csv"
        self._threads = threads
        self._max_bytes = max_bytes
        self._size_bytes = 0
        self._crc32c = google_crc32c.Checksum()

    async def feed(self, data: bytes | memoryview) -> None:
        """Takes the next bytes. InputRefused for more than the bound."""
        self._size_bytes += len(data)
        if self._size_bytes > self._max_bytes:
            raise InputRefused(
                f"the sheet is larger than {self._max_bytes} bytes",
                hint="split it, or raise `quarantine.max_sheet_bytes`",
            )
        self._crc32c.update(bytes(data))
        await self._threads.run(lambda: self._write(data))

    async def commit(self, size_bytes: int, crc32c: int) -> Path:
        """Holds what came against what the client says it sent. UploadIncomplete, InputRefused for an empty sheet."""
        if self._size_bytes != size_bytes:
            raise UploadIncomplete(
                f"{self._size_bytes} bytes came, Commit says {size_bytes}",
                field="commit.size_bytes",
            )
        if int.from_bytes(self._crc32c.digest(), "big") != crc32c:
            raise UploadIncomplete(
                "the CRC-32C of what came is not what Commit says", field="commit.crc32c"
            )
        if not size_bytes:
            raise InputRefused("the sheet is empty")
        return self.path

    def _write(self, data: bytes | memoryview) -> None:
        with self.path.open("ab") as file:
            file.write(data)
