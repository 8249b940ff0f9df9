"""The upload of a sheet: its bytes go to a file in a scratch folder, until Commit says how many they are."""

from __future__ import annotations

from pathlib import Path

import google_crc32c

from stewardd.errors import InputRefused, UploadIncomplete
from stewardd.quarantine.files.worker_threads import WorkerThreads


class SheetUpload:
    """Takes the bytes of one sheet. The caller removes the folder."""

    def __init__(self, folder: Path, threads: WorkerThreads, max_bytes: int) -> None:
        self.path = folder / "sheet.csv"
        self._threads = threads
        self._max_bytes = max_bytes
        self._size_bytes = 0
        self._crc32c = google_crc32c.Checksum()

    async def add_chunk(self, data: bytes | memoryview) -> None:
        """Takes the next bytes. Raises: InputRefused for too many; StorageFull."""
        self._size_bytes += len(data)
        if self._size_bytes > self._max_bytes:
            raise InputRefused(
                f"the sheet is larger than {self._max_bytes} bytes",
                hint="split it, or raise `quarantine.max_sheet_bytes`",
            )
        self._crc32c.update(bytes(data))
        await self._threads.run(lambda: self._write(data))

    async def commit(self, size_bytes: int, crc32c: int) -> Path:
        """Compares what came with what the client says it sent. Returns the file.

        Raises: UploadIncomplete; InputRefused for an empty sheet.
        """
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
