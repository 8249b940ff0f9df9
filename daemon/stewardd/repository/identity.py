"""Who this daemon is: a name kept in its data folder, held under an exclusive lock.

The lock is what lets a restarted daemon say that its former self is dead, at once and for certain: nobody else can
hold the name. A copied data folder would break that, as two daemons would take each other for dead; so the file also
says on which machine and as which inode it was made, and one that is elsewhere begins a name of its own.
"""

from __future__ import annotations

import fcntl
import json
import os
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any
from uuid import uuid4

from stewardd.errors import ConfigurationError

_FLAGS = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC
_MACHINE_ID = Path("/etc/machine-id")
_MAX_BYTES = 4096


class Identity:
    """The name of the daemon of one data folder, ours for as long as this is held."""

    def __init__(self, daemon_id: str, descriptor: int) -> None:
        self.daemon_id = daemon_id
        self._descriptor = descriptor

    @classmethod
    def hold(cls, data_dir: Path, *, new_id: Callable[[], str] = lambda: str(uuid4())) -> Identity:
        """Takes the name of a data folder, or gives it one. ConfigurationError when another process holds it."""
        path = data_dir / "daemon-id"
        try:
            data_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
            descriptor = os.open(path, _FLAGS, 0o600)
        except OSError as error:
            raise ConfigurationError(
                f"the data folder {data_dir} cannot be used: {error.strerror or error} at {error.filename or path}",
                hint="run the daemon as the user who owns what stands in it, or choose another data folder",
            ) from None
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(descriptor)
            raise ConfigurationError(
                f"another daemon is running on the data folder {data_dir}",
                hint="stop it, or give this one another data folder",
            ) from None
        return cls(_name(descriptor, new_id), descriptor)

    def release(self) -> None:
        """Lets go of the name; a second time does nothing."""
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1


def _name(descriptor: int, new_id: Callable[[], str]) -> str:
    place = {"machine_id": _machine_id(), "inode": os.fstat(descriptor).st_ino}
    with suppress(ValueError, KeyError, TypeError):
        kept: dict[str, Any] = json.loads(os.pread(descriptor, _MAX_BYTES, 0))
        if {name: kept[name] for name in place} == place:
            return str(kept["daemon_id"])
    # A file cut short by a crash names nobody: a new name is safe, its former leases die by expiry.
    daemon_id = new_id()
    os.ftruncate(descriptor, 0)
    os.pwrite(descriptor, json.dumps({"daemon_id": daemon_id, **place}).encode(), 0)
    os.fsync(descriptor)
    return daemon_id


def _machine_id() -> str:
    try:
        return _MACHINE_ID.read_text(encoding="ascii").strip()
    except (OSError, ValueError):
        return ""
