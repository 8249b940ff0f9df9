"""Sets that were read before: a set is read again only when a file of its folder is another one than it was.

A file is the same where its name, its size, its number and its times are. Times are coarse: a file that is younger than
two seconds could change once more and look the same, so a set with such a file is not remembered.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from stewardd.errors import MigrationSetInvalid
from stewardd.migrations.files import MigrationSet, read_set

_SETTLED_NS = 2_000_000_000

_State = tuple[tuple[str, int, int, int, int], ...]
"""Of each file its name, size, number, and when it and its entry were changed, in nanoseconds."""


@dataclass(frozen=True, slots=True)
class _Known:
    state: _State
    found: MigrationSet


class KnownSets:
    """Reads sets, and remembers the last one of each folder. Safe to be used by several threads."""

    def __init__(self, clock_ns: Callable[[], int] = time.time_ns) -> None:
        self._clock_ns = clock_ns
        self._known: dict[Path, _Known] = {}

    def read(self, folder: Path) -> MigrationSet:
        """Reads a set, or returns it as it was read before; blocks. Raises: MigrationSetInvalid."""
        state, now_ns = _state(folder), self._clock_ns()
        known = self._known.get(folder)
        if known is not None and known.state == state:
            return known.found
        found = read_set(folder)
        if all(max(changed) < now_ns - _SETTLED_NS for _, _, _, *changed in state):
            self._known[folder] = _Known(state, found)
        return found


def _state(folder: Path) -> _State:
    try:
        with os.scandir(folder) as entries:
            found = [(each.name, each.stat()) for each in entries if each.name.endswith(".sql")]
    except OSError as error:
        raise MigrationSetInvalid(
            f"the migrations in {error.filename or folder} cannot be read: {error.strerror}"
        ) from None
    return tuple(
        (name, status.st_size, status.st_ino, status.st_mtime_ns, status.st_ctime_ns)
        for name, status in sorted(found, key=lambda entry: entry[0])
    )
