"""Operations as objects of the repository.

    operations/<day>/<id>/request.json      create-once, by the owner: the operation exists
                         /progress.json     overwritten by the owner
                         /cancel.json       create-once, by whoever asks for it
                         /result.json       create-once, by the owner, or by who finds the owner dead: it is done

The owner's lease also bears a mark of each operation that is not done, by which the sweep finds those of the dead.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import suppress
from datetime import datetime
from typing import Any

from stewardd.errors import Corrupt, InvalidRequest, ObjectExists, ObjectNotFound, OperationNotFound
from stewardd.operations.state import Failure, Progress, Request, Result
from stewardd.repository import document
from stewardd.repository.backend.store import Store
from stewardd.repository.catalog import Catalog
from stewardd.repository.identifiers import folder_of, is_id
from stewardd.repository.standing import LeaseRef

KIND = "operations"
REQUEST = "request.json"


def request_key(identifier: str) -> str:
    """The key whose object makes an operation exist: what a claim on a request id names."""
    return f"{folder_of(KIND, identifier)}/{REQUEST}"


class Ledger:
    """Reads and writes operations. RepositoryDown, StorageFull, Corrupt."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self.catalog = Catalog(
            store,
            KIND,
            file=REQUEST,
            check=lambda entry: request_of(entry.manifest, entry.identifier),
        )

    async def open(self, identifier: str, request: Request) -> None:
        """Makes an operation exist. ObjectExists where its key is taken, or fenced."""
        await self._store.put(_mark_key(request.owner, identifier), document.encode({}))
        body = {
            "kind": request.kind,
            "metadata": request.metadata,
            "owner": request.owner.as_document(),
            "create_time": document.timestamp(request.create_time),
        }
        await self._store.put(request_key(identifier), document.encode(body))

    async def request(self, identifier: str) -> Request:
        """What an operation was to do. OperationNotFound."""
        try:
            return request_of(await self.catalog.get(identifier), identifier)
        except (ObjectNotFound, InvalidRequest):
            raise OperationNotFound(f"there is no operation {identifier[:64]}") from None

    async def progress(self, identifier: str) -> Progress | None:
        """How far an operation has come, if its owner said so."""
        found = await self._read(_key(identifier, "progress.json"))
        if found is None:
            return None
        key = _key(identifier, "progress.json")
        return Progress(_time(found, "time", key), _mapping(found, "metadata", key))

    async def result(self, identifier: str) -> Result | None:
        """How an operation ended, if it has."""
        key = _key(identifier, "result.json")
        found = await self._read(key)
        if found is None:
            return None
        error = found.get("error")
        return Result(
            time=_time(found, "time", key),
            metadata=_mapping(found, "metadata", key),
            response=None if error else _mapping(found, "response", key),
            error=_failure(error, key) if error else None,
        )

    async def put_progress(self, identifier: str, progress: Progress) -> None:
        """Says how far an operation has come."""
        body = {"time": document.timestamp(progress.time), "metadata": progress.metadata}
        key = _key(identifier, "progress.json")
        await self._store.put(key, document.encode(body), overwrite=True)

    async def put_result(self, identifier: str, owner: LeaseRef, result: Result) -> Result:
        """Says how an operation ended; returns how it did, which is what was said first."""
        try:
            await self._store.put(_key(identifier, "result.json"), encode_result(result))
        except ObjectExists:
            result = await self.result(identifier) or result
        await self._store.delete(_mark_key(owner, identifier))
        return result

    async def ask_to_cancel(self, identifier: str, time: datetime) -> None:
        """Asks the owner of an operation to cancel it; a second time does nothing."""
        with suppress(ObjectExists):
            body = document.encode({"time": document.timestamp(time)})
            await self._store.put(_key(identifier, "cancel.json"), body)

    async def asked_to_cancel(self, identifier: str) -> bool:
        """Whether somebody asked."""
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
        """Forgets a mark, of an operation that is done or never came to exist."""
        await self._store.delete(_mark_key(owner, identifier))

    async def _read(self, key: str) -> dict[str, Any] | None:
        try:
            return document.decode(await self._store.get(key), key)
        except ObjectNotFound:
            return None


def request_of(found: Mapping[str, Any], identifier: str) -> Request:
    """Reads a request.json. Corrupt."""
    key = _key(identifier, REQUEST)
    return Request(
        kind=document.field(found, "kind", key),
        metadata=_mapping(found, "metadata", key),
        owner=LeaseRef.of(found.get("owner"), key),
        create_time=_time(found, "create_time", key),
    )


def encode_result(result: Result) -> bytes:
    """Writes a result.json. TypeError or ValueError for a response that is no JSON."""
    body: dict[str, Any] = {"time": document.timestamp(result.time), "metadata": result.metadata}
    if result.error is None:
        body["response"] = result.response
    else:
        error = result.error
        body["error"] = {"reason": error.reason, "message": error.message, "hint": error.hint}
    return document.encode(body)


def _failure(found: Any, key: str) -> Failure:
    if not isinstance(found, dict):
        raise Corrupt(f"{key} has no error that can be read")
    reason, message = (document.field(found, name, key) for name in ("reason", "message"))
    return Failure(reason, message, found.get("hint"))


def _key(identifier: str, file: str) -> str:
    return f"{folder_of(KIND, identifier)}/{file}"


def _mark_key(owner: LeaseRef, identifier: str) -> str:
    return f"{owner.folder}/{KIND}/{identifier}.json"


def _mapping(found: Mapping[str, Any], name: str, key: str) -> dict[str, Any]:
    value = found.get(name)
    if not isinstance(value, dict):
        raise Corrupt(f"{key} has no {name}")
    return value


def _time(found: Mapping[str, Any], name: str, key: str) -> datetime:
    try:
        return datetime.fromisoformat(document.field(found, name, key))
    except ValueError:
        raise Corrupt(f"{key} has no {name} that is a time") from None
