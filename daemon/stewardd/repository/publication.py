"""The one way by which a thing comes to exist in the repository.

A thing exists when its manifest does. An intent is written first, under the writer's lease; then the data, under keys
of its own; then, if the lease still holds, the manifest, create-once; then the intent is deleted. A writer that stops
on the way leaves an intent and no manifest, and the sweep finds the intent under the lease.

A manifest key is taken once: by the manifest, or by an empty object, the fence, which a sweep puts there after it has
given the writer up for dead. So even a writer that was stopped for an hour between its check and its put publishes
nothing whose data has been swept meanwhile. For readers a fenced thing does not exist.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Coroutine
from contextlib import asynccontextmanager
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any

from stewardd.errors import (
    LeaseLost,
    ObjectExists,
    ObjectNotFound,
    RepositoryDown,
    StewardError,
)
from stewardd.repository.backend.store import Store
from stewardd.repository.document import Codec
from stewardd.repository.identifiers import folder_of
from stewardd.repository.lease import WriterLease
from stewardd.repository.liveness import LeaseRef
from stewardd.telemetry import logger
from stewardd.uninterrupted import uninterrupted

MANIFEST = "manifest.json"
FENCE = b""

_log = logger("repository")


class IntentAction(StrEnum):
    """What a writer has begun. The words are stored: they never change."""

    PUBLISH = "publish"
    APPEND = "append"


@dataclass(frozen=True, slots=True)
class IntentDocument:
    """What a writer has begun, as it is stored under its lease. The key names the thing."""

    action: IntentAction


INTENT_CODEC = Codec(IntentDocument)


def manifest_key(kind: str, identifier: str) -> str:
    """The key whose object makes a thing exist. Raises: InvalidRequest unless the id is one."""
    return f"{folder_of(kind, identifier)}/{MANIFEST}"


def intents_folder(ref: LeaseRef) -> str:
    """Where a writer's intents lie: `…/<kind>/<id>.json`."""
    return f"{ref.folder}/intents"


class Publication:
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
        # The manifest, or a part of the data, may be there already or still come: then the sweep ends this.
        self.uncertain = False
        self.straggling = False

    def key(self, name: str) -> str:
        """The key of one of its objects."""
        return f"{self.folder}/{name}"

    async def put_file(self, name: str, path: Path) -> None:
        """Writes an object of its data from a finished local file; see Store.put_file."""
        try:
            await self._store.put_file(self.key(name), path)
        except (RepositoryDown, asyncio.CancelledError):
            self.straggling = True  # it may happen yet
            raise

    async def check(self) -> None:
        """Long work asks now and then whether `commit` can still succeed. Raises: LeaseLost where it cannot."""
        await self._lease.check(self.ref)

    async def commit(self, manifest: bytes) -> None:
        """Makes the thing exist, durably.

        When it raises, the thing does not exist; only after RepositoryDown it still may, and the sweep finds out. A
        cancellation waits until it is known whether the manifest was written.

        Raises: LeaseLost, StorageFull, RepositoryDown.
        """
        await self.check()
        await uninterrupted(self._commit(manifest))

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
            # It may be there, or still come: nothing is removed here, unless this can see how it ended.
            self.uncertain = True
            if await self._found(key) != body:
                raise
            self.uncertain = False
        self.published = True
        await _tidy(self._store.delete(self.intent_key), "intent", self.folder)

    async def _found(self, key: str) -> bytes | None:
        try:
            return await self._store.get(key)
        except (ObjectNotFound, RepositoryDown):
            return None


@asynccontextmanager
async def publish(
    store: Store, lease: WriterLease, kind: str, identifier: str
) -> AsyncIterator[Publication]:
    """Begins to publish `<kind>/<day>/<id>`; what is not committed when the block ends is removed.

    The identifier must be fresh: no other writer may ever use it. Raises: LeaseLost, StorageFull, RepositoryDown.
    """
    publication = Publication(store, lease, kind, identifier)
    await publication.check()
    lease.in_flight.add(publication.intent_key)
    try:
        await uninterrupted(
            store.put(
                publication.intent_key, INTENT_CODEC.encode(IntentDocument(IntentAction.PUBLISH))
            )
        )
        yield publication
    finally:
        try:
            if not publication.published and not publication.uncertain:
                await uninterrupted(_tidy(_remove(store, publication), "draft", publication.folder))
        finally:
            lease.in_flight.discard(publication.intent_key)


async def fence(store: Store, key: str) -> bool:
    """Takes a manifest key, so that its writer cannot take it any more. False when the manifest is there."""
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


async def _remove(store: Store, publication: Publication) -> None:
    # If the identifier was not fresh, the thing that has it already must stay.
    if not await exists(store, publication.key(MANIFEST)):
        await store.delete_prefix(publication.folder)
    if not publication.straggling:
        await store.delete(publication.intent_key)


async def _tidy(work: Coroutine[Any, Any, None], what: str, folder: str) -> None:
    """Does at once what the sweep would do later, and leaves it to the sweep where it fails."""
    try:
        await work
    except StewardError as error:
        _log.warning("left to the sweep", what=what, folder=folder, error=error.message)
