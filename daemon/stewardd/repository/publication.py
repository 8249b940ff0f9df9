"""The one way by which a thing comes to exist in the repository, and the one by which it ceases to.

A thing exists when its manifest does. An intent is written first, under the writer's lease; then the data, under keys
of its own; then, if the lease still holds, the manifest, create-once; then the intent goes. Whatever stops this on the
way leaves an intent and no manifest, and the sweep finds the one and needs no listing for the other.

A manifest key is taken once: by the manifest, or by an empty object, the fence, put there by whoever gives the writer
up for dead. So even a writer that was stopped for an hour between its check and its put publishes nothing whose data
has been swept meanwhile. For readers a fenced thing does not exist.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Coroutine, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any

from stewardd.errors import (
    LeaseLost,
    ObjectExists,
    ObjectNotFound,
    RepositoryDown,
    StewardError,
)
from stewardd.repository import document
from stewardd.repository.backend.store import Store
from stewardd.repository.identifiers import folder_of
from stewardd.repository.lease import WriterLease
from stewardd.repository.standing import LeaseRef
from stewardd.repository.uninterrupted import uninterrupted
from stewardd.telemetry import logger

MANIFEST = "manifest.json"
FENCE = b""

PUBLISH = "publish"
WITHDRAW = "withdraw"

_log = logger("repository")


def manifest_key(kind: str, identifier: str) -> str:
    """The key whose object makes a thing exist. InvalidRequest unless the id is one."""
    return f"{folder_of(kind, identifier)}/{MANIFEST}"


def intents_folder(ref: LeaseRef) -> str:
    """Where a writer's intents lie: `…/<kind>/<id>.json`."""
    return f"{ref.folder}/intents"


class Draft:
    """A thing that does not exist yet. Its data go to `key(name)`; `commit` makes it exist."""

    def __init__(self, store: Store, lease: WriterLease, kind: str, identifier: str) -> None:
        self._store = store
        self._lease = lease
        self.ref = lease.ref
        self.kind = kind
        self.identifier = identifier
        self.folder = folder_of(kind, identifier)
        self.intent_key = f"{intents_folder(self.ref)}/{kind}/{identifier}.json"
        self.published = False
        # The manifest may be there or come yet, or a part of the data may: then it is the sweep that ends this.
        self.uncertain = False
        self.straggling = False

    def key(self, name: str) -> str:
        """The key of one of its objects, for writers that go to the store themselves."""
        return f"{self.folder}/{name}"

    async def put(self, name: str, body: bytes) -> None:
        """Writes a small object of its data."""
        with self._watching(RepositoryDown):
            await uninterrupted(self._store.put(self.key(name), body))

    async def put_file(self, name: str, path: Path) -> None:
        """Writes an object of its data from a finished local file; see Store.put_file."""
        with self._watching(RepositoryDown, asyncio.CancelledError):
            await self._store.put_file(self.key(name), path)

    async def check(self) -> None:
        """LeaseLost when `commit` could only fail: long work asks now and then."""
        await self._lease.check(self.ref)

    async def commit(self, manifest: Mapping[str, Any]) -> None:
        """Makes the thing exist, durably. LeaseLost, StorageFull, RepositoryDown.

        When it raises, the thing does not exist; only after RepositoryDown it still may, and the sweep finds out. A
        cancellation waits until it is known whether the manifest was written.
        """
        body = document.encode(manifest)
        await self.check()
        await uninterrupted(self._commit(body))

    async def _commit(self, body: bytes) -> None:
        key = self.key(MANIFEST)
        try:
            await self._store.put(key, body)
        except ObjectExists:
            # A client that repeats a put whose answer was lost finds its own manifest.
            found = await self._found(key)
            if found == FENCE:
                raise LeaseLost(f"{self.folder} was given up while its writer paused") from None
            if found != body:
                raise
        except RepositoryDown:
            # It may be there, or come yet: what was begun is not removed here, unless this can see how it ended.
            self.uncertain = True
            if await self._found(key) != body:
                raise
            self.uncertain = False
        self.published = True
        await _tidy(self._store.delete(self.intent_key), "intent", self.folder)

    @contextmanager
    def _watching(self, *unclear: type[BaseException]) -> Iterator[None]:
        """Around a write, with the errors after which it may happen yet."""
        try:
            yield
        except unclear:
            self.straggling = True
            raise

    async def _found(self, key: str) -> bytes | None:
        try:
            return await self._store.get(key)
        except (ObjectNotFound, RepositoryDown):
            return None


@asynccontextmanager
async def publish(
    store: Store, lease: WriterLease, kind: str, identifier: str
) -> AsyncIterator[Draft]:
    """Opens a draft of `<kind>/<day>/<id>`; what is not committed when the block ends is removed.

    LeaseLost, StorageFull, RepositoryDown. The identifier must be fresh: nobody else may ever draft it.
    """
    draft = Draft(store, lease, kind, identifier)
    await draft.check()
    lease.in_flight.add(draft.intent_key)
    try:
        await uninterrupted(store.put(draft.intent_key, document.encode({"action": PUBLISH})))
        yield draft
    finally:
        try:
            if not draft.published and not draft.uncertain:
                await uninterrupted(_tidy(_remove(store, draft), "draft", draft.folder))
        finally:
            lease.in_flight.discard(draft.intent_key)


async def withdraw(store: Store, lease: WriterLease, kind: str, identifier: str) -> None:
    """Makes a thing cease to exist, then removes its data; once begun, the sweep ends it if this writer cannot.

    What does not exist is withdrawn already. LeaseLost, StorageFull, RepositoryDown.
    """
    ref = lease.ref
    intent_key = f"{intents_folder(ref)}/{kind}/{identifier}.json"
    lease.in_flight.add(intent_key)
    try:
        await store.put(intent_key, document.encode({"action": WITHDRAW}), overwrite=True)
        await remove_published(store, kind, identifier)
        await store.delete(intent_key)
    finally:
        lease.in_flight.discard(intent_key)


async def remove_published(store: Store, kind: str, identifier: str) -> None:
    """Removes a thing, its manifest first: at no moment is half of it there."""
    await store.delete(manifest_key(kind, identifier))
    await store.delete_prefix(folder_of(kind, identifier))


async def fence(store: Store, key: str) -> bool:
    """Takes a manifest key, so that its writer cannot any more. False when the manifest is there: it exists."""
    try:
        await store.put(key, FENCE)
    except ObjectExists:
        return (await store.head(key)).size_bytes == len(FENCE)
    return True


async def exists(store: Store, key: str) -> bool:
    """Whether there is a manifest under a key, and no fence."""
    try:
        return (await store.head(key)).size_bytes != len(FENCE)
    except ObjectNotFound:
        return False


async def _remove(store: Store, draft: Draft) -> None:
    # An identifier that was no fresh one must not cost the thing that bears it already.
    if not await exists(store, draft.key(MANIFEST)):
        await store.delete_prefix(draft.folder)
    if not draft.straggling:
        await store.delete(draft.intent_key)


async def _tidy(work: Coroutine[Any, Any, None], what: str, folder: str) -> None:
    """Does what the sweep would do in time, and leaves it to the sweep where it fails."""
    try:
        await work
    except StewardError as error:
        _log.warning("left to the sweep", what=what, folder=folder, error=error.message)
