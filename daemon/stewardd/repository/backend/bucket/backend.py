"""The bucket backend's entry in the list of backends.

The cloud client is imported when a bucket is opened: a daemon on a folder need not load it.
"""

from __future__ import annotations

from collections.abc import Mapping

from stewardd.repository.backend.keys import foreign_segments, key_segments
from stewardd.repository.backend.store import Backend, Store

_SCHEMES = frozenset({"s3", "s3a", "az", "azure", "abfs", "abfss", "gs"})


def open_bucket(url: str, options: Mapping[str, str], foreign_names: bool) -> Store:
    """Opens the bucket of a URL; with `foreign_names` one whose objects others named. Raises: ConfigurationError."""
    from stewardd.repository.backend.bucket.store import BucketStore

    return BucketStore.open(url, options, foreign_segments if foreign_names else key_segments)


async def open_tried_bucket(url: str, options: Mapping[str, str]) -> Store:
    """Opens a bucket and tries what the repository needs of it. Raises: ConfigurationError, RepositoryDown."""
    from stewardd.repository.backend.bucket.trial import check_bucket

    store = open_bucket(url, options, False)
    await check_bucket(store)
    return store


BUCKET = Backend("bucket", _SCHEMES, open_bucket, open_tried_bucket)
