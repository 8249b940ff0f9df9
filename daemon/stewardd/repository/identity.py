"""Who this daemon is: a name kept in its data folder, held under an exclusive lock.

By the lock a restarted daemon knows at once and for certain that its former process is dead: no other process can hold
the name. A copied data folder would break that, as two daemons would take each other for dead; so the file also says on
which machine and as which inode it was made, and a daemon that finds another machine or inode begins a new name.
"""

from __future__ import annotations

import fcntl
import os
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from uuid import uuid4

from stewardd.errors import ConfigurationError, Corrupt
from stewardd.repository.document import Codec, Count, ObjectName

_FLAGS = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC
_MACHINE_ID = Path("/etc/machine-id")
_MAX_BYTES = 4096


@dataclass(frozen=True, slots=True)
class IdentityDocument:
    """The name, as the data folder keeps it, with the machine and the inode for which it was made."""

    daemon_id: ObjectName
    machine_id: str
    inode: Count


IDENTITY_CODEC = Codec(IdentityDocument)


class Identity:
    """The name of the daemon of one data folder, ours for as long as this is held."""

    def __init__(self, daemon_id: str, descriptor: int) -> None:
        self.daemon_id = daemon_id
        self._descriptor = descriptor

    @classmethod
    def hold(cls, data_dir: Path, *, new_id: Callable[[], str] = lambda: str(uuid4())) -> Identity:
        """Takes the name of a data folder, or gives it one.

        Raises: ConfigurationError when another process holds it.
        """
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
    machine_id, inode = _machine_id(), os.fstat(descriptor).st_ino
    # A file that a crash has cut short holds no name: a new one is safe, and the leases of the old one expire.
    with suppress(Corrupt):
        kept = IDENTITY_CODEC.decode(os.pread(descriptor, _MAX_BYTES, 0), "daemon-id")
        if (kept.machine_id, kept.inode) == (machine_id, inode):
            return kept.daemon_id
    daemon_id = new_id()
    os.ftruncate(descriptor, 0)
    body = IDENTITY_CODEC.encode(IdentityDocument(daemon_id, machine_id, inode))
    os.pwrite(descriptor, body, 0)
    os.fsync(descriptor)
    return daemon_id


def _machine_id() -> str:
    try:
        return _MACHINE_ID.read_text(encoding="ascii").strip()
    except (OSError, ValueError):
        return ""
