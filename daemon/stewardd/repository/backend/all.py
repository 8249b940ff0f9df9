"""The list of all backends, and the one that a URL names.

A new backend is a folder of its own beside the others, and one entry here.
"""

from __future__ import annotations

from collections.abc import Mapping
from urllib.parse import urlsplit

from stewardd.errors import ConfigurationError
from stewardd.repository.backend.bucket.backend import BUCKET
from stewardd.repository.backend.folder.backend import FOLDER
from stewardd.repository.backend.store import Backend, Store

BACKENDS = (FOLDER, BUCKET)


def open_store(
    url: str, options: Mapping[str, str] | None = None, *, foreign_names: bool = False
) -> Store:
    """Opens the store of a URL: a path or file:///… is a folder, s3:// az:// gs:// are buckets.

    `options` go to the object store's client (endpoint, region, …); credentials come from its own environment.
    `foreign_names` opens a bucket whose objects others named, for reading.

    Raises: ConfigurationError for any other URL, RepositoryDown where a folder cannot be made.
    """
    return _backend_of(url).open_store(url, options or {}, foreign_names)


async def open_repository(url: str, options: Mapping[str, str]) -> Store:
    """Opens the repository at start: what it rests on is tried first, so that a lack is named before anything is made.

    Raises: ConfigurationError for a URL, folder or bucket that cannot serve; RepositoryDown where there is no answer.
    """
    return await _backend_of(url).open_tried(url, options)


def _backend_of(url: str) -> Backend:
    scheme = urlsplit(url).scheme
    found = next((each for each in BACKENDS if scheme in each.schemes), None)
    if found is None or not url:
        raise ConfigurationError(
            f"no repository is kept at {scheme or 'an empty'} URL",
            hint="give a folder, or a URL that begins with file:// s3:// az:// or gs://",
        )
    return found
