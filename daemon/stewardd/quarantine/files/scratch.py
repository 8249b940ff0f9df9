"""Scratch folders: local folders for the files of one piece of work, removed when the work ends."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


class Scratch:
    """Makes scratch folders below one path."""

    def __init__(self, path: Path) -> None:
        self._path = path

    @contextmanager
    def folder(self) -> Iterator[Path]:
        """A new folder, which is removed when the block ends."""
        self._path.mkdir(mode=0o700, parents=True, exist_ok=True)
        path = Path(tempfile.mkdtemp(prefix="quarantine-", dir=self._path))
        try:
            yield path
        finally:
            shutil.rmtree(path, ignore_errors=True)
