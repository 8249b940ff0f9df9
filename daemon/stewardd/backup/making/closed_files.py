"""Which files of a folder have been written and closed, as soon as they are: Linux tells it by inotify.

pg_dump opens each file of a directory dump once. One that was closed is finished, and can be taken on while others are
being written. Where the system does not tell, files are taken on when pg_dump has ended.
"""

from __future__ import annotations

import ctypes
import os
import struct
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_IN_CLOSE_WRITE = 0x08
_EVENT = struct.Struct("iIII")  # watch, mask, cookie, length of the name
_READ_BYTES = 1 << 16


class ClosedFiles:
    """Reads the names of files that were closed; none on a system that does not tell."""

    def __init__(self, descriptor: int | None) -> None:
        self._descriptor = descriptor

    def names(self) -> list[str]:
        """Those that were closed since the last call."""
        found: list[str] = []
        while self._descriptor is not None:
            try:
                data = os.read(self._descriptor, _READ_BYTES)
            except BlockingIOError:
                break
            place = 0
            while place < len(data):
                _, mask, _, length = _EVENT.unpack_from(data, place)
                name = data[place + _EVENT.size : place + _EVENT.size + length].rstrip(b"\0")
                place += _EVENT.size + length
                if mask & _IN_CLOSE_WRITE and name:
                    found.append(os.fsdecode(name))
        return found


@contextmanager
def watch_closed_files(folder: Path) -> Iterator[ClosedFiles]:
    """Watches a folder. Where the system has no watch left to give, it tells nothing."""
    descriptor = _watch(folder) if sys.platform == "linux" else None
    try:
        yield ClosedFiles(descriptor)
    finally:
        if descriptor is not None:
            os.close(descriptor)


def _watch(folder: Path) -> int | None:
    libc = ctypes.CDLL(None, use_errno=True)
    descriptor = int(libc.inotify_init1(os.O_NONBLOCK | os.O_CLOEXEC))
    if descriptor < 0:
        return None
    if libc.inotify_add_watch(descriptor, os.fsencode(folder), _IN_CLOSE_WRITE) < 0:
        os.close(descriptor)
        return None
    return descriptor
