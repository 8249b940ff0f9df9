"""The bucket backend: objects in a bucket of S3, Azure Blob or Google Cloud Storage, through obstore.

Create-once is a conditional put, which the bucket decides; it holds its body in memory, so it is for small objects. A
large file goes up in parts and is under a key that nobody else writes, which needs no deciding. The client repeats
what failed, so a put may have happened although it raised, or lose to itself: who has to know reads the object back.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit, urlunsplit

import obstore
from obstore import exceptions
from obstore.store import from_url

from stewardd.errors import (
    ConfigurationError,
    Exhausted,
    ObjectExists,
    ObjectNotFound,
    RepositoryDown,
    RepositoryRefused,
)
from stewardd.repository.backend import store
from stewardd.repository.backend.bucket import refusals
from stewardd.repository.backend.bucket.aws_files import aws_profile
from stewardd.repository.backend.bucket.options import sort_options
from stewardd.repository.backend.keys import key_segments, prefix_segments
from stewardd.repository.backend.store import Bodies, Names, ObjectMeta

_LISTING_OBJECTS = 1000
_PART_BYTES = 8 << 20
_PARTS_AT_ONCE = 4
_MOST_PARTS = 10_000  # of S3; a file that has more takes larger parts
_CREATE_ATTEMPTS = 4
_DELETE_ATTEMPTS = 3

_NO_BUCKET = frozenset({"NoSuchBucket", "ContainerNotFound"})
_NO_OBJECT = frozenset({"NoSuchKey", "BlobNotFound"})
_UNREADABLE = "invalid DeleteObjects response"
_S3 = frozenset({"s3", "s3a"})
_ABFS = frozenset({"abfs", "abfss"})


class BucketStore:
    """A Store in a bucket, or below a prefix of one; see Store for what each method promises."""

    def __init__(
        self, bucket: Any, url: str, check_key: Callable[[str], object] = key_segments
    ) -> None:
        self._bucket = bucket
        self._url = url
        self._check_key = check_key

    @classmethod
    def open(
        cls,
        url: str,
        options: Mapping[str, str],
        check_key: Callable[[str], object] = key_segments,
    ) -> BucketStore:
        """Opens the bucket of a URL; `check_key` raises ValueError for what may be no object's name.

        Raises: ConfigurationError for a URL or an option that obstore does not know.
        """
        asked = sort_options(_public(url), options)
        # Typed as anything: obstore's types list the options of each store, and ours come from the configuration.
        config: Any = asked.store
        client: Any = asked.client
        retries: Any = {"max_retries": asked.max_retries, "retry_timeout": asked.retry_timeout}
        more: Any = {}
        profile = aws_profile(options) if urlsplit(url).scheme in _S3 else None
        if profile is not None:
            more["credential_provider"] = profile
            if profile.region:
                config = {"region": profile.region, **config}
        try:
            bucket = from_url(
                url, config=config, client_options=client, retry_config=retries, **more
            )
        except (exceptions.BaseError, ValueError) as error:
            raise ConfigurationError(
                f"{_public(url)} cannot be opened: {refusals.first_line(error)}",
                hint="correct the URL, or the options of that name in `repository.options`",
            ) from None
        return cls(bucket, _public(url), check_key)

    @property
    def url(self) -> str:
        """Where it is: no credentials, no query."""
        return self._url

    async def put(self, key: str, body: bytes, *, overwrite: bool = False) -> None:
        """See Store.put."""
        self._check_key(key)
        for _ in range(_CREATE_ATTEMPTS):
            try:
                with self._named(key):
                    await obstore.put_async(
                        self._bucket,
                        key,
                        body,
                        mode="overwrite" if overwrite else "create",
                        use_multipart=False,
                    )
            except ObjectExists:
                # S3 also says so (409) to all writers that race, or while the key is deleted; then none of them won.
                if await self._is_there(key):
                    raise
            else:
                return
        raise RepositoryDown(f"{self._url} neither takes {key} nor has it", retry_after_s=1)

    async def put_file(self, key: str, path: Path) -> None:
        """See Store.put_file; a small file goes up create-once, a large one in parts."""
        self._check_key(key)
        size_bytes = (await asyncio.to_thread(path.stat)).st_size
        if size_bytes <= _PART_BYTES:
            await self.put(key, await asyncio.to_thread(path.read_bytes))
            return
        if await self._is_there(key):
            raise ObjectExists(f"there is an object already: {key}")
        with self._named(key):
            await obstore.put_async(
                self._bucket,
                key,
                path,
                use_multipart=True,
                chunk_size=max(_PART_BYTES, -(-size_bytes // _MOST_PARTS)),
                max_concurrency=_PARTS_AT_ONCE,
            )

    async def get(self, key: str, *, max_bytes: int = store.MAX_WHOLE_BYTES) -> bytes:
        """See Store.get."""
        self._check_key(key)
        with self._named(key, reading=True):
            found = await obstore.get_async(self._bucket, key)
            size_bytes = found.meta["size"]
            if size_bytes > max_bytes:
                raise Exhausted(f"{key} has {size_bytes} bytes, over the {max_bytes} read at once")
            return bytes(await found.bytes_async())

    async def get_many(self, keys: Sequence[str]) -> Bodies:
        """See Store.get_many."""

        async def found(key: str) -> bytes | None:
            try:
                return await self.get(key)
            except ObjectNotFound:
                return None

        return await asyncio.gather(*(found(key) for key in keys))

    async def get_range(self, key: str, start: int, length: int) -> bytes:
        """See Store.get_range."""
        meta = await self.head(key)  # a range past the end is an error to a bucket
        return await self._range(key, start, min(start + length, meta.size_bytes))

    async def read(
        self, key: str, *, offset: int = 0, chunk_bytes: int = store.CHUNK_BYTES
    ) -> AsyncIterator[bytes]:
        """See Store.read; each request is for a part, so that one that breaks off is repeated and not all."""
        size_bytes = (await self.head(key)).size_bytes
        step = max(chunk_bytes, _PART_BYTES)
        for start in range(offset, size_bytes, step):
            part = memoryview(await self._range(key, start, min(start + step, size_bytes)))
            for begin in range(0, len(part), chunk_bytes):
                yield bytes(part[begin : begin + chunk_bytes])

    async def head(self, key: str) -> ObjectMeta:
        """See Store.head."""
        self._check_key(key)
        with self._named(key, reading=True):
            return _meta(await obstore.head_async(self._bucket, key))

    async def list(
        self, prefix: str, *, start_after: str | None = None
    ) -> AsyncIterator[ObjectMeta]:
        """See Store.list."""
        folder = "/".join(prefix_segments(prefix))
        after = "/".join(key_segments(start_after)) if start_after is not None else None
        with self._named(folder or "the root"):
            pages = obstore.list(
                self._bucket, folder or None, offset=after, chunk_size=_LISTING_OBJECTS
            )
            async for page in pages:
                for found in page:
                    # Some servers that speak Azure's protocol ignore where the listing was to start.
                    if after is None or found["path"] > after:
                        yield _meta(found)

    async def folders(self, prefix: str) -> Names:
        """See Store.folders."""
        folder = "/".join(prefix_segments(prefix))
        with self._named(folder or "the root"):
            found = await obstore.list_with_delimiter_async(self._bucket, folder or None)
            return sorted(path.rstrip("/").rpartition("/")[2] for path in found["common_prefixes"])

    async def delete(self, key: str) -> None:
        """See Store.delete."""
        self._check_key(key)
        await self._delete([key])

    async def delete_prefix(self, prefix: str) -> int:
        """See Store.delete_prefix."""
        if not prefix_segments(prefix):
            raise ValueError("the whole repository is never deleted")
        removed = 0
        keys: Names = []
        async for each in self.list(prefix):
            keys.append(each.key)
            if len(keys) == _LISTING_OBJECTS:
                removed += await self._delete(keys)
                keys = []
        return removed + await self._delete(keys)

    async def free_bytes(self) -> int | None:
        """See Store.free_bytes; a bucket has no end."""
        return None

    async def probe(self) -> None:
        """See Store.probe."""
        await store.probe(self)

    async def sweep_leftovers(self, older_than_s: float) -> int:  # noqa: ARG002  # the Store's
        """See Store.sweep_leftovers; parts of an upload that died are for the bucket's lifecycle rule."""
        return 0

    async def _range(self, key: str, start: int, end: int) -> bytes:
        if start >= end:
            return b""
        with self._named(key, reading=True):
            return bytes(await obstore.get_range_async(self._bucket, key, start=start, end=end))

    async def _delete(self, keys: Names) -> int:
        for attempt in range(_DELETE_ATTEMPTS):
            try:
                await self._delete_once(keys)
            except RepositoryRefused:
                raise
            except RepositoryDown:
                # The client repeats no bulk delete, which is a POST; but what is gone may be deleted again.
                if attempt == _DELETE_ATTEMPTS - 1:
                    raise
            else:
                break
        return len(keys)

    async def _delete_once(self, keys: Names) -> None:
        if not keys:
            return
        try:
            with self._named(keys[0], reading=True):
                await obstore.delete_async(self._bucket, keys)
        except ObjectNotFound:
            # Azure and Google say that one was gone, and not which: so each is deleted alone.
            for key in keys if len(keys) > 1 else ():
                await self._delete([key])
        except RepositoryDown as error:
            # Some servers that speak S3's protocol name none of what they deleted. What counts is that it is gone.
            if _UNREADABLE not in error.message or await self._any_is_there(keys):
                raise

    async def _any_is_there(self, keys: Names) -> bool:
        for key in keys:
            if await self._is_there(key):
                return True
        return False

    async def _is_there(self, key: str) -> bool:
        try:
            await self.head(key)
        except ObjectNotFound:
            return False
        return True

    @contextmanager
    def _named(self, key: str, *, reading: bool = False) -> Iterator[None]:
        """Turns obstore's errors into the repository's, with the key and without what a URL may hide."""
        try:
            yield
        except FileNotFoundError as error:
            # Writing and listing fail like this only where there is no bucket.
            if reading and refusals.reason_of(error).code not in _NO_BUCKET:
                raise ObjectNotFound(f"there is no object {key}") from None
            raise RepositoryRefused(
                f"there is no bucket at {self._url} ({refusals.reason_of(error).text})",
                hint="make it, or correct its name in the URL",
            ) from None
        except exceptions.AlreadyExistsError:
            raise ObjectExists(f"there is an object already: {key}") from None
        except exceptions.BaseError as error:
            # A download that breaks off is asked for again, and that may find the object gone.
            if reading and refusals.reason_of(error).code in _NO_OBJECT:
                raise ObjectNotFound(f"there is no object {key} any more") from None
            raise refusals.error_of(error, key, self._url) from None


def _meta(found: Any) -> ObjectMeta:
    return ObjectMeta(found["path"], found["size"], found["last_modified"])


def _public(url: str) -> str:
    parts = urlsplit(url)
    # In abfss://CONTAINER@ACCOUNT.dfs.core.windows.net what stands before the @ is no user.
    place = parts.netloc if parts.scheme in _ABFS else parts.netloc.rpartition("@")[2]
    return urlunsplit((parts.scheme, place, parts.path.rstrip("/"), "", ""))
