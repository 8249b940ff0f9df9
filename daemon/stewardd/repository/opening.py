"""Opens the repository at start: what it rests on is tried first, so that a lack is named before anything is made."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping

from stewardd.repository.bucket_trial import check_bucket
from stewardd.repository.folder_trial import check_folder
from stewardd.repository.store import Store, local_root, open_store


async def open_repository(url: str, options: Mapping[str, str]) -> Store:
    """Opens the repository of a URL.

    Raises ConfigurationError for a URL, folder or bucket that cannot serve, RepositoryDown where there is no answer.
    """
    root = local_root(url)
    if root is not None:
        await asyncio.to_thread(check_folder, root, "repository's folder", links=True)
        return open_store(url, options)
    store = open_store(url, options)
    await check_bucket(store)
    return store
