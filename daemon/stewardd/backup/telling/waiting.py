"""Messages that wait in the repository, so that they outlive the daemon whose backup they are about.

backup-messages/<day>/<id of the operation>/<receiver>.json    put once, removed when it was told or given up
"""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from enum import StrEnum

from stewardd.backup.telling.ways import TellMessage
from stewardd.errors import Corrupt, ObjectExists, ObjectNotFound
from stewardd.repository.backend.store import Store
from stewardd.repository.document import Codec, Moment
from stewardd.repository.identifiers import folder_of, is_id
from stewardd.telemetry import logger

ROOT = "backup-messages"

_log = logger("telling")


class Receiver(StrEnum):
    """Who is told of what. The words are stored: they never change."""

    SUCCESS_WEBHOOK = "success-webhook"
    SUCCESS_COMMAND = "success-command"
    FAILURE_WEBHOOK = "failure-webhook"
    FAILURE_COMMAND = "failure-command"


@dataclass(frozen=True, slots=True)
class MessageDocument:
    """A message as it is stored: since when it waits, its id, and its JSON."""

    time: Moment
    message_id: str
    body: str


MESSAGE_CODEC = Codec(MessageDocument, constants={"version": 1})


@dataclass(frozen=True, slots=True)
class Waiting:
    """A message for one receiver; `identifier` is that of the operation that it is about."""

    identifier: str
    receiver: Receiver
    document: MessageDocument

    @property
    def key(self) -> str:
        """Where it is stored."""
        return f"{folder_of(ROOT, self.identifier)}/{self.receiver.value}.json"

    @property
    def message(self) -> TellMessage:
        """The message itself."""
        return TellMessage(self.document.message_id, self.document.body.encode())


class WaitingMessages:
    """Those of one repository. Raises: RepositoryDown; StorageFull where it writes."""

    def __init__(self, store: Store) -> None:
        self._store = store

    async def put(self, waiting: Waiting) -> None:
        """Stores one, durably; one that is there already stays."""
        with suppress(ObjectExists):
            await self._store.put(waiting.key, MESSAGE_CODEC.encode(waiting.document))

    async def remove(self, waiting: Waiting) -> None:
        """Removes one."""
        await self._store.delete(waiting.key)

    async def is_there(self, waiting: Waiting) -> bool:
        """Whether it waits still."""
        try:
            await self._store.head(waiting.key)
        except ObjectNotFound:
            return False
        return True

    async def all(self) -> list[Waiting]:
        """All that wait, the oldest first; one that cannot be read is logged, and left out."""
        found = []
        for key in [meta.key async for meta in self._store.list(ROOT)]:
            folder, _, name = key.rpartition("/")
            identifier, word = folder.rpartition("/")[2], name.removesuffix(".json")
            if not is_id(identifier) or word not in set(Receiver):
                continue  # of a newer daemon
            try:
                document = MESSAGE_CODEC.decode(await self._store.get(key), key)
            except ObjectNotFound:
                continue  # told meanwhile
            except Corrupt as error:
                _log.error("message not read", key=key, error=error.message)
                continue
            found.append(Waiting(identifier, Receiver(word), document))
        return found
