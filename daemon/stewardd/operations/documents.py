"""Operations as objects of the repository.

    operations/<day>/<id>/request.json      create-once, by the owner: the operation exists
                         /progress.json     overwritten by the owner
                         /cancel.json       create-once, by any daemon that is asked to cancel it
                         /result.json       create-once, by the owner, or by a daemon that finds it dead: it is done

The owner's lease also bears a mark of each operation that is not done, by which the sweep finds those of the dead.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import suppress
from datetime import datetime
from typing import TypeVar

from stewardd.errors import InvalidRequest, ObjectExists, ObjectNotFound, OperationNotFound
from stewardd.operations.state import (
    CANCEL_CODEC,
    PROGRESS_CODEC,
    REQUEST_CODEC,
    RESULT_CODEC,
    CancelRequest,
    OperationProgress,
    OperationRequest,
    OperationResult,
)
from stewardd.repository.backend.store import Store
from stewardd.repository.catalog import Catalog
from stewardd.repository.document import MARK, Codec
from stewardd.repository.identifiers import folder_of, is_id
from stewardd.repository.liveness import LeaseRef

KIND = "operations"
REQUEST = "request.json"
T = TypeVar("T")


def request_key(identifier: str) -> str:
    """The key whose object makes an operation exist: what a claim on a request id names."""
    return _key(identifier, REQUEST)


class OperationDocuments:
    """Reads and writes operations. Raises: RepositoryDown; StorageFull where it writes, Corrupt where it reads."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self.catalog = Catalog(store, KIND, REQUEST_CODEC, file=REQUEST)

    async def create(self, identifier: str, request: OperationRequest) -> None:
        """Makes an operation exist. Raises: ObjectExists where its key is taken, or fenced."""
        await self._store.put(_mark_key(request.owner, identifier), MARK)
        await self._store.put(request_key(identifier), REQUEST_CODEC.encode(request))

    async def request(self, identifier: str) -> OperationRequest:
        """What an operation was to do. Raises: OperationNotFound."""
        try:
            return await self.catalog.get(identifier)
        except (ObjectNotFound, InvalidRequest):
            raise OperationNotFound(f"there is no operation {identifier[:64]}") from None

    async def progress(self, identifier: str) -> OperationProgress | None:
        """How far an operation has come, if its owner said so."""
        return await self._read(_key(identifier, "progress.json"), PROGRESS_CODEC)

    async def result(self, identifier: str) -> OperationResult | None:
        """How an operation ended, if it has."""
        return await self._read(_key(identifier, "result.json"), RESULT_CODEC)

    async def put_progress(self, identifier: str, progress: OperationProgress) -> None:
        """Stores how far an operation has come."""
        key = _key(identifier, "progress.json")
        await self._store.put(key, PROGRESS_CODEC.encode(progress), overwrite=True)

    async def put_result(
        self, identifier: str, owner: LeaseRef, result: OperationResult
    ) -> OperationResult:
        """Stores the result of an operation, unless it has one. Returns the result that is stored."""
        try:
            await self._store.put(_key(identifier, "result.json"), RESULT_CODEC.encode(result))
        except ObjectExists:
            result = await self.result(identifier) or result
        await self._store.delete(_mark_key(owner, identifier))
        return result

    async def ask_to_cancel(self, identifier: str, time: datetime) -> None:
        """Asks the owner of an operation to cancel it; a second time does nothing."""
        with suppress(ObjectExists):
            body = CANCEL_CODEC.encode(CancelRequest(time))
            await self._store.put(_key(identifier, "cancel.json"), body)

    async def asked_to_cancel(self, identifier: str) -> bool:
        """Whether it was asked to be cancelled."""
        try:
            await self._store.head(_key(identifier, "cancel.json"))
        except ObjectNotFound:
            return False
        return True

    async def marked(self, owner: LeaseRef) -> AsyncIterator[str]:
        """The operations that were begun under a lease and not ended."""
        async for meta in self._store.list(f"{owner.folder}/{KIND}"):
            if is_id(identifier := meta.key.rpartition("/")[2].removesuffix(".json")):
                yield identifier

    async def unmark(self, owner: LeaseRef, identifier: str) -> None:
        """Deletes the mark of an operation that is done or never came to exist."""
        await self._store.delete(_mark_key(owner, identifier))

    async def _read(self, key: str, codec: Codec[T]) -> T | None:
        try:
            return codec.decode(await self._store.get(key), key)
        except ObjectNotFound:
            return None


def _key(identifier: str, file: str) -> str:
    return f"{folder_of(KIND, identifier)}/{file}"


def _mark_key(owner: LeaseRef, identifier: str) -> str:
    return f"{owner.folder}/{KIND}/{identifier}.json"
