"""The daemon's own folder: made for its user alone, and locked, so that one daemon at a time works in it.

The lock is the kernel's (flock), and goes when the process goes, however it went. That is what lets a restarted daemon
know at once that its former self is dead.
"""

from __future__ import annotations

import fcntl
import os
from pathlib import Path
from types import TracebackType
from typing import Self

from stewardd.errors import ConfigurationError

LOCK = "stewardd.lock"


class DataDir:
    """`with DataDir(path):` holds the folder. Raises ConfigurationError when another daemon does, or it can't be used."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._lock: int | None = None

    def __enter__(self) -> Self:
        try:
            self.path.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._lock = os.open(self.path / LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            self._close()
            raise ConfigurationError(
                f"another daemon works in {self.path}",
                hint="stop it, or give this one a folder of its own with --data-dir",
            ) from None
        except OSError as error:
            self._close()
            raise ConfigurationError(
                f"the data folder {self.path} cannot be used: {(error.strerror or '').lower()}",
                hint="name a folder that this user may write with --data-dir",
            ) from error
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._close()

    @property
    def scratch(self) -> Path:
        """Where batches are in the making; whatever stands here at a start was left by a daemon that is gone."""
        return self.path / "scratch"

    def _close(self) -> None:
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None
