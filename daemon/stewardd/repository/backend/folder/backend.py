"""The folder backend's entry in the list of backends."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from pathlib import Path
from urllib.parse import unquote, urlsplit

from stewardd.errors import ConfigurationError
from stewardd.repository.backend.folder.store import FolderStore
from stewardd.repository.backend.folder.trial import check_folder
from stewardd.repository.backend.store import Backend


def open_folder(url: str, _: Mapping[str, str], foreign_names: bool) -> FolderStore:  # noqa: ARG001
    """Opens the store of a path or a file URL; a folder has no options, and none with foreign names.

    Raises: ConfigurationError, RepositoryDown where the folder cannot be made.
    """
    return FolderStore(folder_at(url))


async def open_tried_folder(url: str, options: Mapping[str, str]) -> FolderStore:
    """Tries the file system first, so that a lack is named before anything is made.

    Raises: ConfigurationError, RepositoryDown.
    """
    await asyncio.to_thread(check_folder, folder_at(url), "repository's folder", links=True)
    return open_folder(url, options, False)


def folder_at(url: str) -> Path:
    """Returns the folder that a path or a file URL names. Raises: ConfigurationError."""
    parts = urlsplit(url)
    if parts.scheme != "file":
        return Path(url)
    if parts.netloc not in ("", "localhost") or not parts.path.startswith("/"):
        raise ConfigurationError(f"a file URL has three slashes and no host: {url}")
    return Path(unquote(parts.path))


FOLDER = Backend("folder", frozenset({"", "file"}), open_folder, open_tried_folder)
