"""The folder in which a directory dump is staged: files are handed on as they are finished, the disk is watched.

The folder is private, made by the daemon, and removed by it whatever happens. What stands in it is not encrypted.
"""

from __future__ import annotations

import os
import queue
import re
import shutil
import threading
from collections.abc import Callable, Iterable
from contextlib import suppress
from pathlib import Path

from stewardd.backup.making.closed_files import watch_closed_files
from stewardd.errors import StewardError, StorageFull

TABLE_OF_CONTENTS = "toc.dat"
_TABLE_FILE = re.compile(r"\d+\.dat")
_POLL_S = 0.1


class StagedFiles:
    """Hands on the names of finished files. Make it before pg_dump starts, and close it always."""

    def __init__(self, folder: Path, reserve_bytes: int) -> None:
        self.folder = folder
        self.failure: StewardError | None = None
        self.table_count = 0
        self._reserve_bytes = reserve_bytes
        self._finished: queue.Queue[str | None] = queue.Queue()
        self._watcher: threading.Thread | None = None
        self._watching = watch_closed_files(folder)
        self._closed_files = self._watching.__enter__()
        self._taken: set[str] = set()
        self._stopping = threading.Event()

    def start(self, poll: Callable[[], int | None], kill: Callable[[], None]) -> None:
        """Begins to watch a pg_dump: `poll` gives its exit status once it has ended, `kill` ends it."""
        self._watcher = threading.Thread(
            target=self._watch, args=(poll, kill), name="staged-files", daemon=True
        )
        self._watcher.start()

    def next_file(self) -> str | None:
        """The next finished file, or None after the last, and after a failure. Blocks."""
        return self._finished.get()

    def size_bytes(self) -> int:
        """The size of what lies in the folder now, finished or not."""
        found = 0
        with os.scandir(self.folder) as entries:
            for entry in entries:
                with suppress(FileNotFoundError):  # taken on meanwhile
                    found += entry.stat().st_size
        return found

    def close(self) -> None:
        """Stops watching."""
        self._stopping.set()
        if self._watcher is not None:
            self._watcher.join()
        self._watching.__exit__(None, None, None)

    def _watch(self, poll: Callable[[], int | None], kill: Callable[[], None]) -> None:
        status = None
        while status is None and not self._stopping.wait(_POLL_S):
            status = poll()
            self._hand_on(name for name in self._closed_files.names() if name != TABLE_OF_CONTENTS)
            if self.failure is None and self._disk_is_full():
                kill()
        if status == 0 and self.failure is None:
            self._hand_on(sorted(os.listdir(self.folder)))
        self._finished.put(None)

    def _hand_on(self, names: Iterable[str]) -> None:
        for name in names:
            if name not in self._taken:
                self._taken.add(name)
                self.table_count += _TABLE_FILE.fullmatch(name) is not None
                self._finished.put(name)

    def _disk_is_full(self) -> bool:
        free_bytes = shutil.disk_usage(self.folder).free
        if free_bytes >= self._reserve_bytes:
            return False
        self.failure = StorageFull(
            f"the disk of the daemon's scratch folder has {free_bytes} bytes left, and {self._reserve_bytes} stay in "
            "reserve",
            hint="free room there, or make the backup as one stream, which needs none: form `custom`",
        )
        return True


def check_staging_room(folder: Path, wanted_bytes: int, reserve_bytes: int) -> None:
    """Refuses to begin what can't be staged. Raises: StorageFull."""
    free_bytes = shutil.disk_usage(folder).free
    if free_bytes < wanted_bytes + reserve_bytes:
        raise StorageFull(
            f"the disk of the daemon's scratch folder has {free_bytes} bytes free, and staging the dump may need "
            f"{wanted_bytes} and {reserve_bytes} in reserve",
            hint="free room there, or make the backup as one stream, which needs none: form `custom`",
        )
