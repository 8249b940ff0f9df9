"""The folder in which a directory dump is staged: files are handed on while they grow, the disk is watched.

The folder is private, made by the daemon, and removed by it whatever happens. What stands in it is not encrypted.
pg_dump writes the file of a table from its beginning to its end: what is written stays as it is. So a long one is
handed on before it is finished, and is packed while pg_dump writes.
"""

from __future__ import annotations

import os
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
_LONG_BYTES = 16 << 20
_POLL_S = 0.1


class StagedFiles:
    """Hands on the names of files. Make it before pg_dump starts, and close it always."""

    def __init__(self, folder: Path, reserve_bytes: int) -> None:
        self.folder = folder
        self.failure: StewardError | None = None
        self.table_count = 0
        self._reserve_bytes = reserve_bytes
        self._changed = threading.Condition()  # guards the next four
        self._new: list[str] = []
        self._handed_on: set[str] = set()
        self._finished: set[str] = set()
        self._ended = False
        self._watcher: threading.Thread | None = None
        self._watching = watch_closed_files(folder)
        self._closed_files = self._watching.__enter__()
        self._stopping = threading.Event()

    def start(self, wait: Callable[[float], int | None], kill: Callable[[], None]) -> None:
        """Begins to watch a pg_dump: `wait` waits for its exit status, so many seconds at most, `kill` ends it."""
        self._watcher = threading.Thread(
            target=self._watch, args=(wait, kill), name="staged-files", daemon=True
        )
        self._watcher.start()

    def take(self, *, wait: bool) -> list[str] | None:
        """The files that came since the last call, or None after the last of a dump that has ended.

        With `wait` it blocks for a moment when there are none: files that it gave before may have grown then.
        """
        with self._changed:
            if wait and not self._new and not self._ended:
                self._changed.wait(_POLL_S)
            found, self._new = self._new, []
            return None if self._ended and not found else found

    def is_finished(self, name: str) -> bool:
        """Whether nothing is written to a file any more."""
        with self._changed:
            return name in self._finished

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

    def _watch(self, wait: Callable[[float], int | None], kill: Callable[[], None]) -> None:
        status = None
        while status is None and not self._stopping.is_set():
            status = wait(_POLL_S)
            self._finish(name for name in self._closed_files.names() if name != TABLE_OF_CONTENTS)
            self._hand_on(self._long_files())
            if self.failure is None and self._disk_is_full():
                kill()
        if status == 0 and self.failure is None:
            self._finish(sorted(os.listdir(self.folder)))
        with self._changed:
            self._ended = True
            self._changed.notify_all()

    def _long_files(self) -> list[str]:
        """The files of tables that are so long already that packing them is worth the while."""
        found = []
        with os.scandir(self.folder) as entries:
            for entry in entries:
                with suppress(FileNotFoundError):  # packed meanwhile
                    if _TABLE_FILE.fullmatch(entry.name) and entry.stat().st_size >= _LONG_BYTES:
                        found.append(entry.name)
        return found

    def _finish(self, names: Iterable[str]) -> None:
        some = list(names)
        with self._changed:
            fresh = [name for name in some if name not in self._finished]
            self._finished.update(fresh)
            self.table_count += sum(_TABLE_FILE.fullmatch(name) is not None for name in fresh)
            self._changed.notify_all()
        self._hand_on(fresh)

    def _hand_on(self, names: Iterable[str]) -> None:
        with self._changed:
            for name in names:
                if name not in self._handed_on:
                    self._handed_on.add(name)
                    self._new.append(name)
            self._changed.notify_all()

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
