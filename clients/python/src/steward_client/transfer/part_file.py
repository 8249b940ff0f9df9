"""Part files: where the bytes of a download gather, beside the path that they take the name of at the end.

Two writers of one part file are kept apart by a lock. What is no regular file (a device, a pipe) is refused as a
target: renaming onto it would replace it.
"""

from __future__ import annotations

import errno
import uuid
from pathlib import Path
from typing import BinaryIO

from steward_client.errors import Conflict

try:
    import fcntl
except ImportError:  # Windows: without a lock, the checksum detects two writers
    fcntl = None  # type: ignore[assignment]


def check_place(path: Path) -> None:
    """Raises the OSError that a download to `path` would raise, by making a part file there and removing it again.

    So that a caller learns it before the work that a download follows. Asking the system for permissions does not tell
    it: the file system may be read-only, or the longer name of the part file too long.
    """
    check_replaceable(path, "a download")
    probe = path.with_name(f".{path.name}.{uuid.uuid4()}.part")
    with probe.open("xb"):
        probe.unlink()


def check_replaceable(path: Path, what: str) -> None:
    """Raises OSError where there is something at a path that is no regular file. `what` would take its place."""
    if path.exists() and not path.is_file():
        raise OSError(f"{path} is no regular file: {what} cannot take its place")


def check_free(path: Path) -> None:
    """Raises FileExistsError where a file is there, which would be written over."""
    if path.exists():
        raise FileExistsError(errno.EEXIST, "a file is there already", str(path))


def lock(part: BinaryIO, path: Path) -> None:
    """Keeps a part file for one writer, until it is closed. Raises Conflict / DOWNLOAD_IN_PROGRESS."""
    if fcntl is None:
        return
    try:
        fcntl.flock(part, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        raise Conflict(
            f"another process is downloading to {path}",
            reason="DOWNLOAD_IN_PROGRESS",
            hint="wait for it to end, or download to another path",
        ) from None
