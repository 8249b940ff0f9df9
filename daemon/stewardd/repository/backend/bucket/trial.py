"""What a bucket must keep, tried once at start with a few small requests.

Everything that two writers may race for is decided by one promise: a put with `If-None-Match: *` fails where the key is
taken. A bucket that takes the header and does not look at it lets two daemons resolve one row in two ways. Listing in
order, reading ranges and deleting are tried too, and so are the rights for each. The keys are random, so that several
daemons may try one bucket at once, and are deleted again.
"""

from __future__ import annotations

import secrets
from collections.abc import Awaitable
from contextlib import suppress
from typing import TypeVar

from stewardd.errors import (
    ConfigurationError,
    ObjectExists,
    ObjectNotFound,
    RepositoryDown,
    RepositoryRefused,
    StewardError,
)
from stewardd.repository.backend.bucket.refusals import RIGHTS
from stewardd.repository.backend.store import Store

_FIRST, _SECOND = b"first", b"second"
_T = TypeVar("_T")


async def check_bucket(store: Store) -> None:
    """Tries what the repository needs of a bucket.

    Raises: ConfigurationError with the bucket, what it lacks and what to do; RepositoryDown where it does not answer.
    """
    folder = f"probes/{secrets.token_hex(16)}"
    # Out of order on purpose: the listing has to bring them into theirs.
    keys = [f"{folder}/{name}" for name in ("2", "3", "1")]
    try:
        await _try_put(store, keys[0])
        await _try_create_once(store, keys[1:])
        await _try_reading(store, keys[0])
        await _try_listing(store, folder, sorted(keys))
        await _try_deleting(store, keys)
    except StewardError:
        for key in keys:
            with suppress(StewardError):
                await store.delete(key)
        raise


async def check_inbox(store: Store) -> str:
    """Tries a bucket that files are only read from, by asking for an object that is not there.

    Returns what is in doubt, for a warning: a bucket that does not answer now, and AccessDenied, which S3 says of
    whatever is missing to those who may read and not list. Empty where nothing is.
    Raises ConfigurationError: the bucket, why it refuses, what to do.
    """
    try:
        await store.get(f"steward-trial-{secrets.token_hex(16)}")
    except ObjectNotFound:
        return ""
    except RepositoryRefused as error:
        if error.hint != RIGHTS:
            raise ConfigurationError(error.message, hint=error.hint) from None
        return f"{error.message}; it needs the right to read objects (s3:GetObject)"
    except RepositoryDown as error:
        return error.message
    return ""


async def _try_put(store: Store, key: str) -> None:
    await _step(store, "s3:PutObject", store.put(key, _FIRST, overwrite=True))
    await _step(store, "s3:PutObject", store.put(key, _SECOND, overwrite=True))


async def _try_create_once(store: Store, keys: list[str]) -> None:
    """One key is created and created again; the bucket must refuse the second, and keep the first body."""
    hint = "take a bucket that keeps conditional writes, as S3, MinIO 2024 and newer, Azure and Google do, or a folder"
    for key in keys:
        try:
            await store.put(key, _FIRST)
        except RepositoryDown as error:
            # The same bucket has just taken a put without the condition.
            raise ConfigurationError(
                f"the bucket {store.url} takes no put with If-None-Match (create-once), by which two daemons are kept "
                f"from changing one row in two ways: {error.message}",
                hint=hint,
            ) from None
    try:
        await store.put(keys[0], _SECOND)
    except ObjectExists:
        kept = await _step(store, "s3:GetObject", store.get(keys[0]))
        if kept == _FIRST:
            return
    raise ConfigurationError(
        f"the bucket {store.url} does not keep If-None-Match (create-once): it took a second put of one key, and two "
        "daemons could change one row in two ways",
        hint=hint,
    )


async def _try_reading(store: Store, key: str) -> None:
    whole = await _step(store, "s3:GetObject", store.get(key))
    if whole != _SECOND:
        raise _lack(store, "gives back other bytes than were written last")
    if await _step(store, "s3:GetObject", store.get_range(key, 1, 3)) != _SECOND[1:4]:
        raise _lack(store, "does not give the range of bytes that is asked for")


async def _try_listing(store: Store, folder: str, keys: list[str]) -> None:
    listed = await _step(store, "s3:ListBucket", _listed(store, folder, None))
    if sorted(listed) != keys:
        raise _lack(store, "does not list what was written a moment ago")
    if listed != keys:
        raise _lack(store, "does not list in the order of the names, as directory buckets don't")
    if await _step(store, "s3:ListBucket", _listed(store, folder, keys[0])) != keys[1:]:
        raise _lack(store, "does not list from a name on")
    if folder.rpartition("/")[2] not in await _step(
        store, "s3:ListBucket", store.folders("probes")
    ):
        raise _lack(store, "does not list the folders of what was written")


async def _try_deleting(store: Store, keys: list[str]) -> None:
    for key in keys:
        await _step(store, "s3:DeleteObject", store.delete(key))
    with suppress(ObjectNotFound):
        await _step(store, "s3:GetObject", store.head(keys[0]))
        raise _lack(store, "keeps an object that was deleted")


async def _listed(store: Store, folder: str, start_after: str | None) -> list[str]:
    return [each.key async for each in store.list(folder, start_after=start_after)]


async def _step(store: Store, right: str, work: Awaitable[_T]) -> _T:
    """Awaits one request; a refusal names the right that S3 has for it."""
    try:
        return await work
    except RepositoryRefused as error:
        of_rights = error.hint == RIGHTS and store.url.startswith("s3")
        needed = f" (the right {right})" if of_rights else ""
        raise ConfigurationError(f"{error.message}{needed}", hint=error.hint) from None


def _lack(store: Store, what: str) -> ConfigurationError:
    return ConfigurationError(
        f"the bucket {store.url} {what}",
        hint="take another bucket, or a folder: steward relies on it",
    )
