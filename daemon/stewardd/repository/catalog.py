"""Reads what exists: one thing by its id, or pages of a kind, newest first.

The keys are the index: days sort, and ids within a day. A page token says after which id to go on, so that what is
published meanwhile neither shifts nor doubles anything; it is bound to the listing that gave it (AIP-158). Only the
days that a page needs are listed. What has no manifest, or a fence in its place, does not exist. A manifest that cannot
be read is Corrupt where it is asked for by its id; a listing logs it and goes on, for it must not hide all the others.
"""

from __future__ import annotations

import asyncio
import base64
import binascii
import hashlib
import json
from bisect import bisect_left
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from typing import Any, Generic, Protocol, TypeVar

from stewardd.errors import Corrupt, InvalidRequest, ObjectNotFound
from stewardd.repository.backend.store import Store
from stewardd.repository.identifiers import day_of, days_of, folder_of, is_id, is_prefix
from stewardd.repository.publication import FENCE, MANIFEST
from stewardd.telemetry import logger

_log = logger("repository")

_READ_AT_ONCE = 16
_DAYS_AT_ONCE = 16
_MANY_NAMES = 10_000
MAX_SCANNED = 2000
T = TypeVar("T")
T_co = TypeVar("T_co", covariant=True)


@dataclass(frozen=True, slots=True)
class Entry(Generic[T]):
    """A thing that exists: its id, and what its manifest says."""

    identifier: str
    manifest: T


@dataclass(frozen=True, slots=True)
class Page(Generic[T]):
    """Some of the things of a listing, and the token of the page after; "" after the last."""

    entries: list[Entry[T]]
    next_page_token: str


class Reader(Protocol[T_co]):
    """Reads the document that stands under a key, as a Codec does."""

    def decode(self, body: bytes, key: str) -> T_co:
        """Reads one. Raises: Corrupt."""
        ...


def _everything(_: Entry[Any]) -> bool:
    return True


class Catalog(Generic[T]):
    """The things of one kind.

    `codec` reads the object that makes a thing exist, whose name is `file`. `id_of` returns the id that a manifest
    holds itself, which must be that of its key. `enrich` adds to a manifest what has happened to its thing since; it
    is called for as many at once as are read.
    """

    def __init__(
        self,
        store: Store,
        kind: str,
        codec: Reader[T],
        *,
        file: str = MANIFEST,
        id_of: Callable[[T], str] | None = None,
        enrich: Callable[[str, T], Awaitable[T]] | None = None,
    ) -> None:
        self._store = store
        self._kind = kind
        self._codec = codec
        self._file = file
        self._id_of = id_of
        self._enrich = enrich

    async def get(self, identifier: str) -> T:
        """The manifest of one thing. Raises: ObjectNotFound, InvalidRequest for what is no id, Corrupt."""
        key = self._key(identifier)
        found = self._decode(identifier, key, await self._store.get(key))
        return found if self._enrich is None else await self._enrich(identifier, found)

    async def read(self, identifiers: Sequence[str]) -> list[Entry[T]]:
        """Those of these things that can be read. All manifests are decoded on one thread.

        A signature takes most of the time, and is checked there beside the event loop.
        """
        keys = [self._key(each) for each in identifiers]
        bodies = await self._store.get_many(keys)
        found = await asyncio.to_thread(self._decode_all, identifiers, keys, bodies)
        if self._enrich is None:
            return found
        enriched = await asyncio.gather(*(self._enriched(each) for each in found))
        return [each for each in enriched if each is not None]

    async def page(
        self,
        *,
        page_size: int,
        page_token: str = "",
        scope: Mapping[str, Any] | None = None,
        accept: Callable[[Entry[T]], bool] = _everything,
        max_scanned: int = MAX_SCANNED,
        within: tuple[str | None, str | None] = (None, None),
        id_prefix: str = "",
    ) -> Page[T]:
        """A page, newest first, of what `accept` accepts; `scope` is the filter that `accept` stands for.

        A page ends early, with a token, after `max_scanned` things were looked at (AIP-158 allows a short page).
        `within` are the first and the last day that are looked at; None leaves that end open. Of ids that do not begin
        with `id_prefix` no more than the names are read.

        Raises: InvalidRequest for a token of another listing, and for a prefix that no id has.
        """
        if page_size < 1:
            raise ValueError(f"a page of {page_size}")
        if not is_prefix(id_prefix):
            raise InvalidRequest(
                "id_prefix is not the beginning of an id, such as 019a7c3e-5b2", field="id_prefix"
            )
        bound = self._scope({**(scope or {}), **({"id_prefix": id_prefix} if id_prefix else {})})
        found: list[Entry[T]] = []
        scanned, last = 0, _token_after(page_token, bound)
        newest = self.newest_first(before=last, within=within, id_prefix=id_prefix)
        async with aclosing(newest) as entries:
            async for entry in entries:
                accepted = accept(entry)
                # A token is given only when there is more: this entry fits, and is left for the next page.
                if accepted and len(found) == page_size:
                    return Page(found, _token(last, bound))
                if accepted:
                    found.append(entry)
                scanned, last = scanned + 1, entry.identifier
                if scanned >= max_scanned:
                    return Page(found, _token(last, bound))
        return Page(found, "")

    async def newest_first(
        self,
        *,
        before: str | None = None,
        within: tuple[str | None, str | None] = (None, None),
        id_prefix: str = "",
    ) -> AsyncGenerator[Entry[T], None]:
        """Everything that is older than the id `before`, or all that can be read; each as it is when it is read.

        See `page` for `within` and `id_prefix`.
        """
        first, last = _narrower(within, days_of(id_prefix) if id_prefix else (None, None))
        for day in reversed(await self._store.folders(self._kind)):
            if before is not None and day > day_of(before):
                continue
            if (last is not None and day > last) or (first is not None and day < first):
                continue
            names = await self._store.folders(f"{self._kind}/{day}")
            # Only the names of manifests that are read are checked: a day may have a hundred thousand, a page few.
            end = len(names) if before is None else bisect_left(names, before)
            # "~" sorts behind every character of an id.
            end = min(end, bisect_left(names, f"{id_prefix}~")) if id_prefix else end
            begin = bisect_left(names, id_prefix)
            for stop in range(end, begin, -_READ_AT_ONCE):
                start = max(begin, stop - _READ_AT_ONCE)
                some = [name for name in names[start:stop] if is_id(name)]
                for entry in await self.read(some[::-1]):
                    yield entry

    async def identifiers(self) -> AsyncGenerator[str, None]:
        """The ids of everything, newest first, unread: also of what cannot be read, or is not published."""
        days = (await self._store.folders(self._kind))[::-1]
        start, at_once = 0, 1
        while some := days[start : start + at_once]:
            listings = [self._store.folders(f"{self._kind}/{day}") for day in some]
            count = 0
            for names in await asyncio.gather(*listings):
                count += len(names)
                for name in reversed(names):
                    if is_id(name):
                        yield name
            start += at_once
            # A caller may want only the newest, so the first days are listed alone; and large days never together.
            at_once = min(2 * at_once, _DAYS_AT_ONCE) if count < _MANY_NAMES else 1

    def _key(self, identifier: str) -> str:
        return f"{folder_of(self._kind, identifier)}/{self._file}"

    def _decode(self, identifier: str, key: str, body: bytes) -> T:
        if body == FENCE:
            raise ObjectNotFound(f"there is no object {key}")
        found = self._codec.decode(body, key)
        if self._id_of is not None and (own := self._id_of(found)) != identifier:
            raise Corrupt(f"{key} is that of another thing, {own}")
        return found

    def _decode_all(
        self, identifiers: Sequence[str], keys: Sequence[str], bodies: Sequence[bytes | None]
    ) -> list[Entry[T]]:
        found = []
        for identifier, key, body in zip(identifiers, keys, bodies, strict=True):
            try:
                manifest = self._decode(identifier, key, body or FENCE)
            except ObjectNotFound:
                continue
            except Corrupt as error:
                self._left_out(identifier, error)
                continue
            found.append(Entry(identifier, manifest))
        return found

    async def _enriched(self, entry: Entry[T]) -> Entry[T] | None:
        assert self._enrich is not None
        try:
            return Entry(entry.identifier, await self._enrich(entry.identifier, entry.manifest))
        except ObjectNotFound:
            return None
        except Corrupt as error:
            self._left_out(entry.identifier, error)
            return None

    def _left_out(self, identifier: str, error: Corrupt) -> None:
        _log.error("left out of a listing", kind=self._kind, id=identifier, error=error.message)

    def _scope(self, scope: Mapping[str, Any]) -> str:
        text = json.dumps([self._kind, scope], sort_keys=True, default=str)
        return hashlib.sha256(text.encode()).hexdigest()[:16]


def _narrower(
    one: tuple[str | None, str | None], other: tuple[str | None, str | None]
) -> tuple[str | None, str | None]:
    firsts = [each[0] for each in (one, other) if each[0] is not None]
    lasts = [each[1] for each in (one, other) if each[1] is not None]
    return max(firsts, default=None), min(lasts, default=None)


def _token(last: str | None, bound: str) -> str:
    return base64.urlsafe_b64encode(f"{bound}.{last}".encode()).decode()


def _token_after(token: str, bound: str) -> str | None:
    if not token:
        return None
    try:
        token_bound, _, last = base64.b64decode(token, b"-_", validate=True).decode().partition(".")
    except (binascii.Error, ValueError):
        token_bound, last = "", ""
    if not is_id(last):
        raise InvalidRequest("the page token is none that was given out here", field="page_token")
    if token_bound != bound:
        raise InvalidRequest("the page token belongs to another listing", field="page_token")
    return last
