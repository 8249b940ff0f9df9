"""The ticket of an export: a small file beside the target that holds the request_id until the export's file is there.

CreateExport moves the cursor, and the rows are fetched after it: if the process died in between, no later export would
have these rows. So the request_id is written first, and a later process that finds the ticket asks for the same export
again. A lock keeps the ticket for one process.
"""

from __future__ import annotations

import errno
import os
from pathlib import Path
from types import TracebackType
from typing import BinaryIO, Self

from steward_client.connection.call import new_request_id
from steward_client.errors import StewardError
from steward_client.transfer.part_file import lock

NOTHING = "NOTHING_TO_EXPORT"
# The rows of this export were purged before it was fetched, after somebody else asked the cursor for the next export.
# The caller gets the error, the ticket is removed, and the next call is for the next rows.
PURGED = "EXPORT_PURGED"


class ExportTicket:
    """`with ExportTicket(path, batch, cursor) as ticket:`; `done` says that the file is there."""

    def __init__(self, path: str | os.PathLike[str], batch: str, cursor: str) -> None:
        self._target = Path(path)
        is_folder = self._target.is_dir()
        folder = self._target if is_folder else self._target.parent
        words = ("" if is_folder else self._target.name, batch.rsplit("/", 1)[-1], cursor)
        self._path = folder / f".{'.'.join(word for word in words if word)}.ticket"
        self._file: BinaryIO
        self._is_done = False
        self.request_id = ""
        self.is_resumed = False

    def __enter__(self) -> Self:
        """Finds the ticket or writes one. Raises FileExistsError, OSError, Conflict / DOWNLOAD_IN_PROGRESS."""
        existed = self._path.exists()
        if not existed and self._target.is_file():
            raise FileExistsError(
                errno.EEXIST, "a file is there that may not have been read yet", str(self._target)
            )
        self._file = self._path.open("a+b")
        try:
            lock(self._file, self._target)
            self._file.seek(0)
            self.request_id = self._file.read().decode("ascii", "replace").strip()
            self.is_resumed = bool(self.request_id)
            if not self.is_resumed:
                self._write(new_request_id())
        except BaseException:
            self._file.close()
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        over = isinstance(error, StewardError) and error.reason in (NOTHING, PURGED)
        if self._is_done or over:
            self._path.unlink(missing_ok=True)
        self._file.close()

    def done(self) -> None:
        """Says that the file is there, so that the next call is for the next rows."""
        self._is_done = True

    def _write(self, request_id: str) -> None:
        self.request_id = request_id
        self._file.write(request_id.encode("ascii"))
        self._file.flush()
        os.fsync(self._file.fileno())
